"""Routes for webhooks: hold and release, verification, custom payloads and fields, the Test button."""

from __future__ import annotations

from flask import Response
from pydantic import TypeAdapter

from meta_emulator.callback_client import CallbackResponse
from meta_emulator.control.bodies import Callback, Change, Handshake, PayloadPost, RawPost
from meta_emulator.control.http import ControlError, JsonObject, json_body, json_response, number_of
from meta_emulator.control.routes import Controls, route
from meta_emulator.envelopes import Update, management_update
from meta_emulator.property_check import check
from meta_emulator.world import World

_PAYLOAD: TypeAdapter[PayloadPost | RawPost] = TypeAdapter(PayloadPost)
_RAW: TypeAdapter[PayloadPost | RawPost] = TypeAdapter(RawPost)

# The fixed body of the dashboard's Test button (reference 5.9); its message id has no ``wamid.`` prefix.
_TEST_VALUE: JsonObject = {
    "messaging_product": "whatsapp",
    "metadata": {"display_phone_number": "16505551111", "phone_number_id": "123456123"},
    "contacts": [{"profile": {"name": "test user name"}, "wa_id": "16315551181"}],
    "messages": [
        {
            "from": "16315551181",
            "id": "ABGGFlA5Fpa",
            "timestamp": "1504902988",
            "type": "text",
            "text": {"body": "this is a text message"},
        }
    ],
}


class WebhookControls(Controls):
    """``/_emulator/webhooks…``."""

    @route("POST", "/webhooks/hold")
    def hold(self) -> Response:
        """Queue webhooks without delivering them → ``{"held": true}``."""
        self.world.webhooks.hold()
        return json_response({"held": True})

    @route("POST", "/webhooks/release")
    def release(self) -> Response:
        """Deliver the queued webhooks, in batches of ``behaviour.batch`` → ``{"held": false, "pending"}``."""
        self.world.webhooks.release()
        return json_response({"held": False, "pending": self.world.webhooks.pending})

    @route("POST", "/webhooks/handshake")
    def handshake(self, body: Handshake) -> Response:
        """Send the verification request: ``{"url"?, "verify_token"?}`` → ``{"ok", "status", "error", "seconds"}``."""
        url = body.url or self.world.callback_url
        if not url:
            raise ControlError(409, "no callback is set")
        word = self.world.credentials.verify_token if body.verify_token is None else body.verify_token
        response = self.world.webhooks.handshake(url, word)
        return json_response({"ok": not response.error, **_response_json(response)})

    @route("POST", "/webhooks/callback")
    def callback(self, body: Callback) -> Response:
        """Set the app's callback without a handshake: ``{"url"?}``, empty for none → ``{"callback_url"}``."""
        self.world.callback_url = body.url
        self.world.subscribed = bool(self.world.callback_url)
        return json_response({"callback_url": self.world.callback_url})

    @route("POST", "/webhooks/post", described_by=PayloadPost | RawPost)
    def post(self) -> Response:
        """POST once, without queue and retries → ``{"status", "body", "error", "seconds"}``.

        ``{"payload": whole envelope}`` or ``{"raw": text}``; ``"signature": "good" | "wrong" | "none"``;
        ``"other_bytes": true`` encodes the same payload differently.
        """
        body = json_body()
        wanted = check(_RAW if "raw" in body else _PAYLOAD, body)
        url, webhooks = self.world.callback_url, self.world.webhooks
        if not url:
            raise ControlError(409, "no callback is set")
        if isinstance(wanted, RawPost):
            response = webhooks.post_bytes(url, wanted.raw.encode(), signature=wanted.signature)
        else:
            response = webhooks.post(url, wanted.payload, other_bytes=wanted.other_bytes, signature=wanted.signature)
        return json_response(_response_json(response))

    @route("POST", "/webhooks/change")
    def change(self, body: Change) -> Response:
        """Queue a change: ``{"field", "value", "phone_number_id"?, "customer"?}`` → ``{"pending"}``.

        Signed, retried and batched like all others: management fields, unknown fields, custom values.
        """
        self.world.webhooks.enqueue(_update(self.world, body))
        return json_response({"pending": self.world.webhooks.pending})

    @route("POST", "/webhooks/test")
    def test(self) -> Response:
        """Send the dashboard's Test button → ``{"status", "body", "error", "seconds"}``."""
        if not self.world.callback_url:
            raise ControlError(409, "no callback is set")
        changes = [{"field": "messages", "value": _TEST_VALUE}]
        payload = {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": changes}]}
        return json_response(
            _response_json(self.world.webhooks.post(self.world.callback_url, payload, note="Test button"))
        )


def _update(world: World, wanted: Change) -> Update:
    if wanted.field != "messages":
        return management_update(world.config.business_account_id, wanted.field, wanted.value, world.clock.now())
    number = number_of(world, wanted.phone_number_id)
    return Update(number.account_id, wanted.field, wanted.value, number_id=number.id, customer=wanted.customer)


def _response_json(response: CallbackResponse) -> JsonObject:
    return {
        "status": response.status,
        "body": response.body.decode("utf-8", "replace"),
        "error": response.error,
        "seconds": round(response.seconds, 4),
    }
