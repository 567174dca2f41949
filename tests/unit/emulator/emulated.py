"""An emulator without a socket: Flask's test client calls its application."""

from __future__ import annotations

import io
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from meta_emulator import EmulatorConfig
from meta_emulator.app import create_app
from meta_emulator.seed import new_world

TOKEN = "EAAtest"
SECRET = "app-secret"
NUMBER = "106540352242922"
OTHER_NUMBER = "106540352242923"
ACCOUNT = "102030405060708"
APP = "908070605040302"
ANA = "447700900123"


class Emulator:
    """An emulated Meta, with shortcuts for calls."""

    def __init__(self, **settings: Any) -> None:
        config = EmulatorConfig(
            access_token=TOKEN,
            app_secret=SECRET,
            verify_token="verify",
            phone_number_ids=(NUMBER, OTHER_NUMBER),
            random_seed=7,
            **settings,
        )
        self.world = new_world(config)
        self.client: FlaskClient = create_app(config, self.world).test_client()

    def graph(self, method: str, path: str, *, token: str | None = TOKEN, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        target = path if path.startswith(("http", "/")) else f"/v24.0/{path}"
        return self.client.open(target, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.graph("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.graph("POST", path, json=body, **options)

    def send(self, body: dict[str, Any], *, to: str = f"+{ANA}", number: str = NUMBER, **options: Any) -> TestResponse:
        return self.post(f"{number}/messages", {"messaging_product": "whatsapp", "to": to, **body}, **options)

    def text(self, body: str = "hello", **options: Any) -> TestResponse:
        return self.send({"type": "text", "text": {"body": body}}, **options)

    def sent(self, body: dict[str, Any], **options: Any) -> str:
        """Send a message, which must be accepted, and return its wamid."""
        answer = self.send(body, **options)
        assert answer.status_code == 200, answer.text
        return str(answer.json["messages"][0]["id"])

    def control(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        if body is not None:
            options["json"] = body
        return self.client.open(f"/_emulator/{path}", method=method, **options)

    def do(self, path: str, body: Any = None) -> Any:
        """POST to the control API, which must succeed, and return the response's JSON."""
        answer = self.control("POST", path, body or {})
        assert answer.status_code == 200, answer.text
        return answer.json

    def write(self, body: str = "hi", wa_id: str = ANA, **more: Any) -> str:
        """Send a text from the phone, which opens its service window, and return the wamid."""
        written = self.do(f"phones/{wa_id}/messages", {"type": "text", "text": {"body": body}, **more})
        return str(written["id"])

    def shown(self, wa_id: str = ANA) -> list[dict[str, Any]]:
        """Return the messages as the phone shows them."""
        messages: list[dict[str, Any]] = self.control("GET", f"phones/{wa_id}/messages").json["messages"]
        return messages

    def last(self, wa_id: str = ANA) -> dict[str, Any]:
        return self.shown(wa_id)[-1]

    def upload(self, content: bytes, mime_type: str, **fields: str) -> TestResponse:
        data: dict[str, Any] = {"messaging_product": "whatsapp", **fields}
        data["file"] = (io.BytesIO(content), "file.bin", mime_type)
        return self.graph("POST", f"{NUMBER}/media", data=data, content_type="multipart/form-data")


def error(answer: TestResponse) -> dict[str, Any]:
    """Return Meta's error object."""
    found: dict[str, Any] = answer.json["error"]
    return found
