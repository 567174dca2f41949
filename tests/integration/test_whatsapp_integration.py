"""The client against Meta as its reference describes it, with `requests-mock` in Meta's place."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
import redis
import requests_mock
from werkzeug.test import TestResponse

from wa_service import runtime
from wa_service.config import settings
from wa_service.config.web_options import WebOptions
from wa_service.store.outbox import Send
from wa_service.web.app import create_app
from wa_service.whatsapp import MediaNotFoundError, WhatsAppAuthError, WhatsAppMetaClient

META = "https://graph.facebook.com/v18.0"
SECRET = "a-secret-of-the-app"
VOICE = b"OggS" + bytes(range(256)) * 64
SERVICE = {
    "WHATSAPP_ACCESS_TOKEN": "EAAtoken0123456789",
    "WHATSAPP_PHONE_NUMBER_ID": "106510000000042",
    "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
    "WHATSAPP_APP_SECRET": SECRET,
    "WHATSAPP_API_VERSION": "v24.0",
    "WA_API_KEYS": "tool:a-key-of-a-tool-of-ours",
    "WA_SEND_WAIT": "0",
}


@pytest.fixture
def client() -> WhatsAppMetaClient:
    """A client of one number, with an app secret."""
    return WhatsAppMetaClient(
        access_token="EAAtoken0123456789",
        phone_number_id="106510000000042",
        app_secret=SECRET,
        api_version="v18.0",
        business_account_id="102210000000042",
    )


def accepted(wamid: str) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "15551234567", "wa_id": "15551234567"}],
        "messages": [{"id": wamid}],
    }


class TestWhatsAppClient:
    def test_send_message_success(self, client: WhatsAppMetaClient, requests_mock: requests_mock.Mocker) -> None:
        requests_mock.post(f"{META}/106510000000042/messages", json=accepted("wamid.TEXT"))
        sent = client.send_message(to="+1 555 123 4567", text="hello")
        assert sent.wamid == "wamid.TEXT"
        assert requests_mock.last_request.json() == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "15551234567",
            "type": "text",
            "text": {"body": "hello"},
        }
        assert requests_mock.last_request.headers["Authorization"] == "Bearer EAAtoken0123456789"

    def test_send_message_auth_error(self, client: WhatsAppMetaClient, requests_mock: requests_mock.Mocker) -> None:
        error = {
            "message": "Error validating access token: Session has expired",
            "type": "OAuthException",
            "code": 190,
            "error_subcode": 463,
            "fbtrace_id": "Atrace42",
        }
        requests_mock.post(f"{META}/106510000000042/messages", json={"error": error}, status_code=401)
        with pytest.raises(WhatsAppAuthError) as caught:
            client.send_message(to="15551234567", text="hello")
        assert (caught.value.http_status, caught.value.code, caught.value.subcode) == (401, 190, 463)
        assert "Atrace42" in str(caught.value)
        assert "EAAtoken" not in str(caught.value)
        assert requests_mock.call_count == 1

    def test_download_media_success(self, client: WhatsAppMetaClient, requests_mock: requests_mock.Mocker) -> None:
        url = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=77&ext=1790000300&hash=ARx"
        facts = {
            "messaging_product": "whatsapp",
            "url": url,
            "mime_type": "audio/ogg; codecs=opus",
            "sha256": hashlib.sha256(VOICE).hexdigest(),
            "file_size": len(VOICE),
            "id": "77",
        }
        requests_mock.get(f"{META}/77", json=facts)
        requests_mock.get(url, content=VOICE, headers={"Content-Type": "audio/ogg; codecs=opus"})
        media = client.download_media("77")
        assert (media.content, media.mime_type, media.size) == (VOICE, "audio/ogg; codecs=opus", len(VOICE))
        assert media.sha256 == hashlib.sha256(VOICE).hexdigest()

    def test_download_media_not_found(self, client: WhatsAppMetaClient, requests_mock: requests_mock.Mocker) -> None:
        error = {
            "message": "Unsupported get request. Object with ID '77' does not exist",
            "type": "GraphMethodException",
            "code": 100,
            "error_subcode": 33,
            "fbtrace_id": "Atrace43",
        }
        requests_mock.get(f"{META}/77", json={"error": error}, status_code=400)
        with pytest.raises(MediaNotFoundError):
            client.download_media("77")

    def test_send_template_message(self, client: WhatsAppMetaClient, requests_mock: requests_mock.Mocker) -> None:
        requests_mock.post(f"{META}/106510000000042/messages", json=accepted("wamid.TEMPLATE"))
        sent = client.send_template_message(
            to="15551234567",
            name="order_update",
            language="en_GB",
            header={"image": {"id": "88"}},
            body=["Ana", "today"],
            buttons=["A-77", {"quick_reply": "STOP"}],
        )
        assert sent.wamid == "wamid.TEMPLATE"
        assert requests_mock.last_request.json()["template"] == {
            "name": "order_update",
            "language": {"code": "en_GB"},
            "components": [
                {"type": "header", "parameters": [{"type": "image", "image": {"id": "88"}}]},
                {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "today"}]},
                {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "A-77"}]},
                {
                    "type": "button",
                    "sub_type": "quick_reply",
                    "index": "1",
                    "parameters": [{"type": "payload", "payload": "STOP"}],
                },
            ],
        }

    def test_verify_signature_valid(self, client: WhatsAppMetaClient) -> None:
        body = b'{"object":"whatsapp_business_account","entry":[]}'
        header = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert client.verify_webhook_signature(body, header) is True

    def test_verify_signature_invalid(self, client: WhatsAppMetaClient) -> None:
        body = b'{"object":"whatsapp_business_account","entry":[]}'
        header = "sha256=" + hmac.new(b"another", body, hashlib.sha256).hexdigest()
        assert client.verify_webhook_signature(body, header) is False
        assert client.verify_webhook_signature(body, None) is False

    def test_rate_limit_tracking(
        self, valkey_url: str, redis_client: redis.Redis, requests_mock: requests_mock.Mocker
    ) -> None:
        """The 1,001st customer messaged first in a day is refused without a call to Meta; the metric shows 0 left."""
        service = runtime.build(settings.load(SERVICE | {"REDIS_URL": valkey_url}))
        tool = create_app(service, WebOptions.of(service.settings)).test_client()
        hello = {"name": "hello_world", "language": "en_US"}

        def opened(wa_id: str) -> TestResponse:
            message = {"to": wa_id, "template": hello}
            return tool.post("/v1/messages", json=message, headers={"Authorization": "Bearer a-key-of-a-tool-of-ours"})

        assert opened("15550000000").status_code == 202
        for customer in range(1, 1_000):
            send = Send(f"{customer}", service.numbers[0], "template", b"{}", f"1555{customer:07}")
            assert service.outbox.put(send, opens=True).outcome == "queued"
        refused = opened("15550001000")
        assert (refused.status_code, refused.content_type) == (429, "application/problem+json")
        assert 0 < int(refused.headers["Retry-After"]) <= 86_400
        assert b'whatsapp_rate_limit_remaining{limit="daily"} 0.0' in tool.get("/metrics").data
        assert opened("15550000999").status_code == 202  # a customer who already counts today
        assert requests_mock.call_count == 0
        service.close()
