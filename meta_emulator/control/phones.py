"""Routes for phones and their actions."""

from __future__ import annotations

import time

from flask import Response, request

from meta_emulator import calls, message_status, phone_actions, seed
from meta_emulator.control.http import (
    ControlError,
    JsonObject,
    ensure_phone,
    find_phone,
    json_body,
    json_response,
    message_of,
    number_of,
    seconds_of,
)
from meta_emulator.control.routes import Controls, route
from meta_emulator.records import Message, Phone

_LONGEST_WAIT = 120.0


class PhoneControls(Controls):
    """``/_emulator/phones…``."""

    @route("GET", "/phones")
    def phones(self) -> Response:
        """Return ``{"phones": [{wa_id, name, user_id, …properties, windows}]}``."""
        return json_response({"phones": [phone.view() for phone in tuple(self.world.phones.values())]})

    @route("POST", "/phones")
    def add_phone(self) -> Response:
        """Add or change a phone: ``{"wa_id", …properties}`` → the phone."""
        return json_response(self.world.phones[seed.add_phone(self.world, json_body())].view())

    @route("GET", "/phones/<wa_id>")
    def phone(self, wa_id: str) -> Response:
        """Return the phone."""
        return json_response(find_phone(self.world, wa_id).view())

    @route("PATCH", "/phones/<wa_id>")
    def change_phone(self, wa_id: str) -> Response:
        """Change a phone → the phone; switching ``auto_deliver`` on delivers waiting messages."""
        found = find_phone(self.world, wa_id)
        seed.add_phone(self.world, {**json_body(), "wa_id": found.wa_id})
        if found.auto_deliver:
            message_status.deliver_waiting(self.world, found)
        return json_response(found.view())

    @route("GET", "/phones/<wa_id>/messages")
    def messages(self, wa_id: str) -> Response:
        """Return ``{"messages": […oldest first], "phone": {…}, "cursor": id}``; this does not mark messages as read.

        ``?after=<cursor>`` returns only the business's messages that the phone received after that; with
        ``&wait=<seconds>`` (at most 120) the call waits until there is one.
        """
        after, wait = request.args.get("after", type=int), request.args.get("wait", 0.0, type=float)
        if after is None:
            found = find_phone(self.world, wa_id)
            messages = self.world.messages_of(found)
        else:
            found = ensure_phone(self.world, wa_id)
            messages = self._received(found, after, min(wait, _LONGEST_WAIT))
        shown = [message.view() for message in messages]
        return json_response({"messages": shown, "phone": found.view(), "cursor": self.world.hub.last_id})

    @route("POST", "/phones/<wa_id>/messages")
    def write(self, wa_id: str) -> Response:
        """Write a message: Meta's inbound message without envelope, plus optional ``phone_number_id``.

        → ``{"id", "message"}``. An unknown phone is added.
        """
        body = json_body()
        number = number_of(self.world, body.pop("phone_number_id", None))
        return written(phone_actions.write(self.world, ensure_phone(self.world, wa_id), number, body))

    @route("POST", "/phones/<wa_id>/unavailable")
    def write_unavailable(self, wa_id: str) -> Response:
        """Write a message that Meta cannot show (131060) → ``{"id", "message"}``; write its ``id`` again later."""
        number = number_of(self.world, json_body().get("phone_number_id"))
        return written(phone_actions.write_unavailable(self.world, ensure_phone(self.world, wa_id), number))

    @route("POST", "/phones/<wa_id>/edit")
    def edit(self, wa_id: str) -> Response:
        """Edit a message of this phone: ``{"message_id", "text"}`` → ``{"id", "message"}``."""
        found, target, body = self._about(wa_id)
        return written(phone_actions.edit(self.world, found, target, str(body.get("text", ""))))

    @route("POST", "/phones/<wa_id>/revoke")
    def revoke(self, wa_id: str) -> Response:
        """Delete a message of this phone for everyone: ``{"message_id"}`` → ``{"id", "message"}``."""
        found, target, _ = self._about(wa_id)
        return written(phone_actions.revoke(self.world, found, target))

    @route("POST", "/phones/<wa_id>/press")
    def press(self, wa_id: str) -> Response:
        """Press a button: ``{"message_id", "button": position, id, payload or text}`` → ``{"id", "message"}``."""
        found, target, body = self._about(wa_id)
        button = body.get("button")
        if not isinstance(button, (str, int)):
            raise ControlError(400, "button must be a position, id, payload or text")
        return written(phone_actions.press(self.world, found, target, button))

    @route("POST", "/phones/<wa_id>/pick")
    def pick(self, wa_id: str) -> Response:
        """Pick a list row: ``{"message_id", "row": id or title}`` → ``{"id", "message"}``."""
        found, target, body = self._about(wa_id)
        return written(phone_actions.pick(self.world, found, target, str(body.get("row", ""))))

    @route("POST", "/phones/<wa_id>/react")
    def react(self, wa_id: str) -> Response:
        """React: ``{"message_id", "emoji"}``, empty to remove the reaction → ``{"id", "message"}``."""
        found, target, body = self._about(wa_id)
        return written(phone_actions.react(self.world, found, target, str(body.get("emoji", ""))))

    @route("POST", "/phones/<wa_id>/call")
    def call(self, wa_id: str) -> Response:
        """Call the business: ``{"phone_number_id"?}`` → ``{"call_id"}``; sends ``calls`` with ``connect``."""
        number = number_of(self.world, json_body().get("phone_number_id"))
        return json_response({"call_id": calls.start_call(self.world, number, ensure_phone(self.world, wa_id))})

    @route("POST", "/phones/<wa_id>/hangup")
    def hang_up(self, wa_id: str) -> Response:
        """End a call: ``{"call_id", "seconds"?, "status"?}`` → ``{"ended": true}``; sends ``terminate``."""
        find_phone(self.world, wa_id)
        body = json_body()
        status, seconds = str(body.get("status", "COMPLETED")), seconds_of(body, "seconds", 0.0)
        if not calls.end_call(self.world, str(body.get("call_id")), seconds=seconds, status=status):
            raise ControlError(404, "unknown call")
        return json_response({"ended": True})

    @route("POST", "/phones/<wa_id>/preferences")
    def set_preference(self, wa_id: str) -> Response:
        """Stop or resume marketing messages: ``{"value": "stop" | "resume"}`` → the phone."""
        body = json_body()
        if body.get("value") not in ("stop", "resume"):
            raise ControlError(400, "value must be stop or resume")
        phone = ensure_phone(self.world, wa_id)
        calls.send_preference(self.world, number_of(self.world, body.get("phone_number_id")), phone, body["value"])
        return json_response(phone.view())

    @route("POST", "/phones/<wa_id>/read")
    def read(self, wa_id: str) -> Response:
        """Mark as read: ``{"message_ids": […]}``, or everything → ``{"read": count}``."""
        wanted = json_body().get("message_ids")
        if wanted is not None and not isinstance(wanted, list):
            raise ControlError(400, "message_ids must be a list")
        return json_response({"read": phone_actions.read_messages(self.world, find_phone(self.world, wa_id), wanted)})

    @route("POST", "/phones/<wa_id>/play")
    def play(self, wa_id: str) -> Response:
        """Play a voice note of the business: ``{"message_id"}`` → ``{"message"}``."""
        found, target, _ = self._about(wa_id)
        phone_actions.play(self.world, found, target)
        return json_response({"message": target.view()})

    @route("POST", "/phones/<wa_id>/statuses")
    def status(self, wa_id: str) -> Response:
        """Set one status, in any order: ``{"message_id", "status", "code"?, "details"?}`` → ``{"message"}``."""
        _, target, body = self._about(wa_id)
        step = body.get("status")
        if step == "failed":
            failure = (int(body.get("code", 131026)), str(body.get("details", "Message Undeliverable.")))
            message_status.fail(self.world, target, failure)
        elif step in ("sent", "delivered", "read", "played"):
            message_status.advance(self.world, target, step)
        else:
            raise ControlError(400, "status must be sent, delivered, read, played or failed")
        return json_response({"message": target.view()})

    def _received(self, phone: Phone, after: int, wait: float) -> list[Message]:
        deadline = time.monotonic() + wait
        while not (messages := self.world.received_after(phone, after)):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self.world.arrivals.wait(phone.wa_id, left)
        return messages

    def _about(self, wa_id: str) -> tuple[Phone, Message, JsonObject]:
        body = json_body()
        found, target = find_phone(self.world, wa_id), message_of(self.world, body.get("message_id"))
        if target.wa_id != found.wa_id:
            raise ControlError(404, "this phone has no such message")
        return found, target, body


def written(message: Message) -> Response:
    """Return ``{"id", "message"}``."""
    return json_response({"id": message.id, "message": message.view()})
