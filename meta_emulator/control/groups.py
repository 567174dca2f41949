"""Routes for groups."""

from __future__ import annotations

from flask import Response

from meta_emulator import groups
from meta_emulator.control.bodies import GroupStatusChange, NewGroup
from meta_emulator.control.http import ControlError, ensure_phone, json_response, message_of, number_of
from meta_emulator.control.routes import Controls, route


class GroupControls(Controls):
    """``/_emulator/groups…``. A phone writes to a group with ``group_id`` in its message."""

    @route("GET", "/groups")
    def groups(self) -> Response:
        """Return ``{"groups": [{"id", "number_id", "subject", "participants": [wa_id]}]}``."""
        return json_response({"groups": [group.view() for group in self.world.groups.values()]})

    @route("POST", "/groups")
    def create(self, body: NewGroup) -> Response:
        """Add a group: ``{"subject"?, "participants"?: [number], "id"?, "phone_number_id"?}`` → the group."""
        participants = [ensure_phone(self.world, item).wa_id for item in body.participants]
        number = number_of(self.world, body.phone_number_id)
        return json_response(groups.create_group(self.world, number, body.subject, participants, body.id).view())

    @route("POST", "/groups/<group_id>/statuses")
    def set_status(self, group_id: str, body: GroupStatusChange) -> Response:
        """Set a participant's status: ``{"message_id", "wa_id", "status", "code"?}`` → ``{"message"}``."""
        group = self.world.groups.get(group_id)
        if group is None:
            raise ControlError(404, "unknown group")
        message = message_of(self.world, body.message_id)
        groups.set_group_status(self.world, group, message, body.wa_id, body.status, code=body.code)
        return json_response({"message": message.view()})
