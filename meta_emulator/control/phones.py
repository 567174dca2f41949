"""Routes for phones and their actions."""

from __future__ import annotations

import time

from flask import Response

from meta_emulator import calls, message_status, phone_actions, seed
from meta_emulator.control.bodies import (
    About,
    Edit,
    HangUp,
    InboundMessage,
    Numbered,
    Pick,
    Preference,
    Press,
    Reaction,
    Read,
    StatusChange,
)
from meta_emulator.control.http import ControlError, ensure_phone, find_phone, json_response, message_of, number_of
from meta_emulator.control.queries import MessagesQuery
from meta_emulator.control.routes import Controls, route
from meta_emulator.records import Message, Phone
from meta_emulator.seed import NewPhone, PhoneProperties

_LONGEST_WAIT = 120.0


class PhoneControls(Controls):
    """``/_emulator/phones…``."""

    @route("GET", "/phones")
    def phones(self) -> Response:
        """Return ``{"phones": [{wa_id, name, user_id, …properties, windows}]}``."""
        return json_response({"phones": [phone.view() for phone in tuple(self.world.phones.values())]})

    @route("POST", "/phones")
    def add_phone(self, body: NewPhone) -> Response:
        """Add or change a phone: ``{"wa_id", …properties}`` → the phone."""
        return json_response(seed.add_phone(self.world, body).view())

    @route("GET", "/phones/<wa_id>")
    def phone(self, wa_id: str) -> Response:
        """Return the phone."""
        return json_response(find_phone(self.world, wa_id).view())

    @route("PATCH", "/phones/<wa_id>")
    def change_phone(self, wa_id: str, body: PhoneProperties) -> Response:
        """Change a phone → the phone; enabling ``auto_deliver`` delivers waiting messages."""
        found = find_phone(self.world, wa_id)
        seed.change_phone(self.world, found, body)
        if found.auto_deliver:
            message_status.deliver_waiting(self.world, found)
        return json_response(found.view())

    @route("GET", "/phones/<wa_id>/messages")
    def messages(self, wa_id: str, query: MessagesQuery) -> Response:
        """Return ``{"messages": […oldest first], "phone": {…}, "cursor": id}``; this does not mark messages as read.

        ``?after=<cursor>`` returns only the business's messages that the phone received after that; with
        ``&wait=<seconds>`` (at most 120) the call waits until there is one.
        """
        if query.after is None:
            found = find_phone(self.world, wa_id)
            messages = self.world.messages_of(found)
        else:
            found = ensure_phone(self.world, wa_id)
            messages = self._received(found, query.after, min(query.wait, _LONGEST_WAIT))
        shown = [message.view() for message in messages]
        return json_response({"messages": shown, "phone": found.view(), "cursor": self.world.hub.last_id})

    @route("POST", "/phones/<wa_id>/messages")
    def write(self, wa_id: str, body: InboundMessage) -> Response:
        """Write a message: Meta's inbound message without envelope, plus optional ``phone_number_id``.

        → ``{"id", "message"}``. An unknown phone is added.
        """
        number = number_of(self.world, body.phone_number_id)
        return written(phone_actions.write(self.world, ensure_phone(self.world, wa_id), number, body.message()))

    @route("POST", "/phones/<wa_id>/unavailable")
    def write_unavailable(self, wa_id: str, body: Numbered) -> Response:
        """Write a message that Meta cannot show (131060) → ``{"id", "message"}``; write its ``id`` again later."""
        number = number_of(self.world, body.phone_number_id)
        return written(phone_actions.write_unavailable(self.world, ensure_phone(self.world, wa_id), number))

    @route("POST", "/phones/<wa_id>/edit")
    def edit(self, wa_id: str, body: Edit) -> Response:
        """Edit a message of this phone: ``{"message_id", "text"}`` → ``{"id", "message"}``."""
        return written(phone_actions.edit(self.world, *self._about(wa_id, body), body.text))

    @route("POST", "/phones/<wa_id>/revoke")
    def revoke(self, wa_id: str, body: About) -> Response:
        """Delete a message of this phone for everyone: ``{"message_id"}`` → ``{"id", "message"}``."""
        return written(phone_actions.revoke(self.world, *self._about(wa_id, body)))

    @route("POST", "/phones/<wa_id>/press")
    def press(self, wa_id: str, body: Press) -> Response:
        """Press a button: ``{"message_id", "button": position, id, payload or text}`` → ``{"id", "message"}``."""
        return written(phone_actions.press(self.world, *self._about(wa_id, body), body.button))

    @route("POST", "/phones/<wa_id>/pick")
    def pick(self, wa_id: str, body: Pick) -> Response:
        """Pick a list row: ``{"message_id", "row": id or title}`` → ``{"id", "message"}``."""
        return written(phone_actions.pick(self.world, *self._about(wa_id, body), body.row))

    @route("POST", "/phones/<wa_id>/react")
    def react(self, wa_id: str, body: Reaction) -> Response:
        """React: ``{"message_id", "emoji"}``, empty to remove the reaction → ``{"id", "message"}``."""
        return written(phone_actions.react(self.world, *self._about(wa_id, body), body.emoji))

    @route("POST", "/phones/<wa_id>/call")
    def call(self, wa_id: str, body: Numbered) -> Response:
        """Call the business: ``{"phone_number_id"?}`` → ``{"call_id"}``; sends ``calls`` with ``connect``."""
        number = number_of(self.world, body.phone_number_id)
        return json_response({"call_id": calls.start_call(self.world, number, ensure_phone(self.world, wa_id))})

    @route("POST", "/phones/<wa_id>/hangup")
    def hang_up(self, wa_id: str, body: HangUp) -> Response:
        """End a call: ``{"call_id", "seconds"?, "status"?}`` → ``{"ended": true}``; sends ``terminate``."""
        find_phone(self.world, wa_id)
        if not calls.end_call(self.world, body.call_id, seconds=body.seconds, status=body.status):
            raise ControlError(404, "unknown call")
        return json_response({"ended": True})

    @route("POST", "/phones/<wa_id>/preferences")
    def set_preference(self, wa_id: str, body: Preference) -> Response:
        """Stop or resume marketing messages: ``{"value": "stop" | "resume"}`` → the phone."""
        phone = ensure_phone(self.world, wa_id)
        calls.send_preference(self.world, number_of(self.world, body.phone_number_id), phone, body.value)
        return json_response(phone.view())

    @route("POST", "/phones/<wa_id>/read")
    def read(self, wa_id: str, body: Read) -> Response:
        """Mark as read: ``{"message_ids"?: […]}``, by default everything → ``{"read": count}``."""
        found = find_phone(self.world, wa_id)
        return json_response({"read": phone_actions.read_messages(self.world, found, body.message_ids)})

    @route("POST", "/phones/<wa_id>/play")
    def play(self, wa_id: str, body: About) -> Response:
        """Play a voice note of the business: ``{"message_id"}`` → ``{"message"}``."""
        found, target = self._about(wa_id, body)
        phone_actions.play(self.world, found, target)
        return json_response({"message": target.view()})

    @route("POST", "/phones/<wa_id>/statuses")
    def status(self, wa_id: str, body: StatusChange) -> Response:
        """Set one status, in any order: ``{"message_id", "status", "code"?, "details"?}`` → ``{"message"}``."""
        _, target = self._about(wa_id, body)
        if body.status == "failed":
            message_status.fail(self.world, target, (body.code, body.details))
        else:
            message_status.advance(self.world, target, body.status)
        return json_response({"message": target.view()})

    def _received(self, phone: Phone, after: int, wait: float) -> list[Message]:
        deadline = time.monotonic() + wait
        while not (messages := self.world.received_after(phone, after)):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self.world.arrivals.wait(phone.wa_id, left)
        return messages

    def _about(self, wa_id: str, body: About) -> tuple[Phone, Message]:
        found, target = find_phone(self.world, wa_id), message_of(self.world, body.message_id)
        if target.wa_id != found.wa_id:
            raise ControlError(404, "this phone has no such message")
        return found, target


def written(message: Message) -> Response:
    """Return ``{"id", "message"}``."""
    return json_response({"id": message.id, "message": message.view()})
