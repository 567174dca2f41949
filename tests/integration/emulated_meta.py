"""A client of a running emulator."""

from __future__ import annotations

from typing import Any

import requests

TOKEN, SECRET = "EAAtest", "app-secret"
NUMBER, OTHER_NUMBER = "106540352242922", "106540352242923"
ACCOUNT, APP = "102030405060708", "908070605040302"
ANA = "447700900123"


class Meta:
    """A running emulator, with short methods to call it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def send(self, to: str = ANA, number: str = NUMBER, **more: Any) -> str:
        body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "hello"}, **more}
        answer = self.graph("POST", f"{number}/messages", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["messages"][0]["id"])

    def graph(self, method: str, path: str, token: str = TOKEN, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        url = f"{self.url}/v24.0/{path}"
        return self.session.request(method, url, headers=headers, timeout=30, **options)

    def do(self, path: str, body: Any = None, method: str = "POST") -> Any:
        answer = self.session.request(method, f"{self.url}/_emulator/{path}", json=body or {}, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def write(self, body: str = "hi", wa_id: str = ANA, **more: Any) -> str:
        return str(self.do(f"phones/{wa_id}/messages", {"type": "text", "text": {"body": body}, **more})["id"])

    def settle(self, timeout: float = 15) -> None:
        assert self.do("settle", {"timeout": timeout})["settled"] is True
