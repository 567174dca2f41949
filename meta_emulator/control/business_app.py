"""Routes for a coexistence number and for conversations that another responder owns."""

from __future__ import annotations

from typing import Any

from flask import Response

from meta_emulator import business_app, thread_control
from meta_emulator.control.http import ControlError, JsonObject, find_phone, json_body, json_response, number_of
from meta_emulator.control.phones import written
from meta_emulator.control.routes import Controls, route


class BusinessAppControls(Controls):
    """``/_emulator/phones/{wa_id}/echo`` and ``/owner``, ``/_emulator/business_app/…``."""

    @route("POST", "/phones/<wa_id>/echo")
    def echo(self, wa_id: str) -> Response:
        """Write to this phone from the Business app: Meta's message object → ``{"id", "message"}``.

        Sends ``smb_message_echoes``. ``edit`` and ``revoke`` work as for phones.
        """
        body = json_body()
        number = number_of(self.world, body.pop("phone_number_id", None))
        return written(business_app.write_echo(self.world, number, find_phone(self.world, wa_id), body))

    @route("POST", "/phones/<wa_id>/owner")
    def set_owner(self, wa_id: str) -> Response:
        """Set who owns the conversation: ``{"owner": "us" | "other", "previous_role"?, "new_role"?}`` → the phone.

        Sends ``messaging_handovers``. While ``other`` owns it, messages and statuses of this phone come as
        ``standby``; a service message of ours takes the conversation back.
        """
        body = json_body()
        phone = find_phone(self.world, wa_id)
        owner = body.get("owner")
        if owner not in ("us", "other"):
            raise ControlError(400, "owner must be us or other")
        roles = {name: str(body[name]) for name in ("previous_role", "new_role") if name in body}
        change = thread_control.pass_control if owner == "us" else thread_control.take_control
        change(self.world, number_of(self.world, body.get("phone_number_id")), phone, **roles)
        return json_response(phone.view())

    @route("POST", "/business_app/history")
    def history(self) -> Response:
        """Send a ``history`` chunk: ``{"threads", "phase"?, "chunk_order"?, "progress"?}`` → ``{"messages": n}``.

        ``threads``: ``{wa_id: [Meta's message or a text]}``, or ``{wa_id: n}`` for n generated texts. Media come as
        placeholders and then in a second webhook. ``{"declined": true}`` sends 2593109 instead.
        """
        body = json_body()
        number = number_of(self.world, body.get("phone_number_id"))
        if body.get("declined"):
            business_app.decline_history(self.world, number)
            return json_response({"messages": 0})
        threads = body.get("threads")
        if not isinstance(threads, dict):
            raise ControlError(400, "threads must be an object of wa_ids")
        options = {name: int(body[name]) for name in ("phase", "chunk_order", "progress") if name in body}
        messages = {wa_id: _messages(items) for wa_id, items in threads.items()}
        return json_response({"messages": business_app.send_history(self.world, number, messages, **options)})

    @route("POST", "/business_app/contacts")
    def contacts(self) -> Response:
        """Send ``smb_app_state_sync``: ``{"wa_ids"?: […], "action"?: "add" | "remove"}`` → ``{"contacts": n}``."""
        body = json_body()
        wanted = body.get("wa_ids") or list(self.world.phones)
        phones = [find_phone(self.world, str(wa_id)) for wa_id in wanted]
        action = str(body.get("action", "add"))
        number = number_of(self.world, body.get("phone_number_id"))
        business_app.send_address_book(self.world, number, phones, action=action)
        return json_response({"contacts": len(phones)})


def _messages(items: Any) -> list[JsonObject]:
    if isinstance(items, int) and not isinstance(items, bool):
        items = [f"message {place}" for place in range(items)]
    if not isinstance(items, list):
        raise ControlError(400, "a thread must be a list of messages, or a number")
    return [{"type": "text", "text": {"body": item}} if isinstance(item, str) else dict(item) for item in items]
