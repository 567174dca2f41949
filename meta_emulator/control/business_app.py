"""Routes for a coexistence number and for conversations that another responder owns."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response

from meta_emulator import business_app, thread_control
from meta_emulator.control.bodies import AddressBook, History, InboundMessage, Ownership
from meta_emulator.control.http import JsonObject, find_phone, json_response, number_of
from meta_emulator.control.phones import written
from meta_emulator.control.routes import Controls, route


class BusinessAppControls(Controls):
    """``/_emulator/phones/{wa_id}/echo`` and ``/owner``, ``/_emulator/business_app/…``."""

    @route("POST", "/phones/<wa_id>/echo")
    def echo(self, wa_id: str, body: InboundMessage) -> Response:
        """Write to this phone from the Business app: Meta's message object → ``{"id", "message"}``.

        Sends ``smb_message_echoes``. ``edit`` and ``revoke`` work as for phones.
        """
        number = number_of(self.world, body.phone_number_id)
        return written(business_app.write_echo(self.world, number, find_phone(self.world, wa_id), body.message()))

    @route("POST", "/phones/<wa_id>/owner")
    def set_owner(self, wa_id: str, body: Ownership) -> Response:
        """Set who owns the conversation: ``{"owner": "us" | "other", "previous_role"?, "new_role"?}`` → the phone.

        Sends ``messaging_handovers``. While ``other`` owns it, messages and statuses of this phone come as
        ``standby``; a service message of ours takes the conversation back.
        """
        phone = find_phone(self.world, wa_id)
        roles = {name: role for name, role in body.given().items() if name.endswith("_role")}
        change = thread_control.pass_control if body.owner == "us" else thread_control.take_control
        change(self.world, number_of(self.world, body.phone_number_id), phone, **roles)
        return json_response(phone.view())

    @route("POST", "/business_app/history")
    def history(self, body: History) -> Response:
        """Send a ``history`` chunk: ``{"threads"?, "phase"?, "chunk_order"?, "progress"?}`` → ``{"messages": n}``.

        ``threads``: ``{wa_id: [Meta's message or a text]}``, or ``{wa_id: n}`` for n generated texts. Media come as
        placeholders and then in a second webhook. ``{"declined": true}`` sends 2593109 instead.
        """
        number = number_of(self.world, body.phone_number_id)
        if body.declined:
            business_app.decline_history(self.world, number)
            return json_response({"messages": 0})
        threads = {wa_id: _messages(items) for wa_id, items in body.threads.items()}
        chunk = {"phase": body.phase, "chunk_order": body.chunk_order, "progress": body.progress}
        return json_response({"messages": business_app.send_history(self.world, number, threads, **chunk)})

    @route("POST", "/business_app/contacts")
    def contacts(self, body: AddressBook) -> Response:
        """Send ``smb_app_state_sync``: ``{"wa_ids"?: […], "action"?: "add" | "remove"}`` → ``{"contacts": n}``."""
        phones = [find_phone(self.world, wa_id) for wa_id in body.wa_ids or list(self.world.phones)]
        number = number_of(self.world, body.phone_number_id)
        business_app.send_address_book(self.world, number, phones, action=body.action)
        return json_response({"contacts": len(phones)})


def _messages(items: Sequence[JsonObject | str] | int) -> list[JsonObject]:
    if isinstance(items, int):
        items = [f"message {place}" for place in range(items)]
    return [{"type": "text", "text": {"body": item}} if isinstance(item, str) else item for item in items]
