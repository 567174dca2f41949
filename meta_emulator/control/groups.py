"""Routes for groups."""

from __future__ import annotations

from flask import Response

from meta_emulator import groups
from meta_emulator.control.http import ControlError, ensure_phone, json_body, json_response, message_of, number_of
from meta_emulator.control.routes import Controls, route


class GroupControls(Controls):
    """``/_emulator/groups…``. A phone writes to a group with ``group_id`` in its message."""

    @route("GET", "/groups")
    def groups(self) -> Response:
        """Return ``{"groups": [{"id", "number_id", "subject", "participants": [wa_id]}]}``."""
        return json_response({"groups": [group.view() for group in self.world.groups.values()]})

    @route("POST", "/groups")
    def create(self) -> Response:
        """Add a group: ``{"subject", "participants": [number], "id"?, "phone_number_id"?}`` → the group."""
        body = json_body()
        participants = [ensure_phone(self.world, str(item)).wa_id for item in body.get("participants", [])]
        number = number_of(self.world, body.get("phone_number_id"))
        subject, group_id = str(body.get("subject", "Group")), str(body.get("id", ""))
        return json_response(groups.create_group(self.world, number, subject, participants, group_id).view())

    @route("POST", "/groups/<group_id>/statuses")
    def set_status(self, group_id: str) -> Response:
        """Set a participant's status: ``{"message_id", "wa_id", "status", "code"?}`` → ``{"message"}``."""
        body = json_body()
        group = self.world.groups.get(group_id)
        if group is None:
            raise ControlError(404, "unknown group")
        message = message_of(self.world, body.get("message_id"))
        status = str(body.get("status"))
        if status not in ("sent", "delivered", "read", "played", "failed"):
            raise ControlError(400, "status must be sent, delivered, read, played or failed")
        code = int(body.get("code", 131026))
        groups.set_group_status(self.world, group, message, str(body.get("wa_id", "")), status, code=code)
        return json_response({"message": message.view()})
