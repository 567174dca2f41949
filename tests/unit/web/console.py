"""A client of the console that signs in and submits forms as a browser does."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from werkzeug.test import TestResponse

from tests.unit.web.conftest import Web

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class ConsoleUser:
    """A signed-in user with one of the tests' keys."""

    def __init__(self, web: Web, key: str = "boss") -> None:
        self.client = web.app.test_client()
        self.key = key
        self.sign_in(f"the-test-key-of-{key}")

    def sign_in(self, key: str) -> TestResponse:
        return self.client.post("/console/sign-in", data={"key": key}, headers=SAME_ORIGIN)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(f"/console{path}", **options)

    def page(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.text

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/search").text)
        return found[1] if found else ""

    def post(self, path: str, *, headers: Any = SAME_ORIGIN, **fields: Any) -> TestResponse:
        """Submit a form, by default with the session's `csrf` token."""
        return self.client.post(f"/console{path}", data={"csrf": self.token} | fields, headers=headers)

    def find(self, wanted: str) -> str:
        """Search, and return the path of the conversation found."""
        answer = self.post("/search", wanted=wanted)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"]).removeprefix("/console")


def text_of(page: str) -> str:
    """Return the approximate visible text of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
