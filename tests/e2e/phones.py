"""Customers with their phones, and webhooks signed as Meta signs them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Sequence
from typing import Any

import requests
import yaml

from tests.eventually import eventually

TOKEN = "EAAtestsToken0123456789abcdef"
APP_SECRET = "app-secret-Zt4mVw"
NEW_APP_SECRET = "app-secret-next-Hq8s"
VERIFY_TOKEN = "verify-token-Lp3x"
API_KEY = "api-key-of-the-tests-Wd5nKc"
NUMBER = "100000000000001"
WABA = "200000000000001"
# A range that no carrier assigns. No other number in these tests begins with it.
PREFIX = "4477009"
SECRETS = (TOKEN, APP_SECRET, NEW_APP_SECRET, VERIFY_TOKEN, API_KEY)

_serial = itertools.count(1)


def customer(n: int) -> str:
    """The number of the n-th customer."""
    return f"{PREFIX}{n:05d}"


def wamid(wa_id: str) -> str:
    """A new message id of this customer. It contains the number, as Meta's ids do."""
    raw = b"\x1c\x18" + bytes([len(wa_id)]) + wa_id.encode() + b"\x15\x02\x00\x12\x18\x12%018X\x00" % next(_serial)
    return "wamid." + base64.b64encode(raw).decode()


def message(wa_id: str, text: str, *, timestamp: int | None = None) -> dict[str, Any]:
    """A customer's text message as in a webhook (reference 5.6)."""
    when = str(int(time.time()) if timestamp is None else timestamp)
    return {"from": wa_id, "id": wamid(wa_id), "timestamp": when, "type": "text", "text": {"body": text}}


def delivery(*values: dict[str, Any]) -> dict[str, Any]:
    """The body of a webhook, with one change for each value (reference 5.4)."""
    changes = [{"field": "messages", "value": value} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": changes}]}


def messages(*sent: dict[str, Any], number: str = NUMBER, name: str = "Ana") -> dict[str, Any]:
    """The value of a change with customers' messages."""
    senders = dict.fromkeys(one["from"] for one in sent if "from" in one)
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": number},
        "contacts": [{"profile": {"name": name}, "wa_id": wa_id} for wa_id in senders],
        "messages": list(sent),
    }


class Webhooks:
    """Posts webhooks as Meta does, signed over the bytes that are sent."""

    def __init__(self, url: str) -> None:
        self._url = url

    def post(
        self, body: dict[str, Any], *, other_bytes: bool = False, secret: str = APP_SECRET, timeout: float = 20.0
    ) -> int:
        """Return the response status, or 0 where there was no response."""
        raw = json.dumps(body, indent=1 if other_bytes else None, sort_keys=other_bytes).replace("/", "\\/").encode()
        signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        try:
            return requests.post(self._url, data=raw, headers=headers, timeout=timeout).status_code
        except requests.RequestException:
            return 0

    def deliver(self, body: dict[str, Any], *, other_bytes: bool = False, within: float = 60.0) -> None:
        """Post until the response is 200, as Meta does for days, but with shorter pauses."""
        eventually(lambda: self.post(body, other_bytes=other_bytes) == 200, within=within, every=0.05)


class Meta:
    """The controls of the emulated Meta."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, *, timeout: float = 30.0, **rest: Any) -> Any:
        """Call a control and return its response; raise on an error status."""
        answer = requests.request(method, f"{self.url}/_emulator/{path}", timeout=timeout, **rest)
        answer.raise_for_status()
        return answer.json()

    def answers(self) -> bool:
        """Return whether it runs and has verified the service's callback."""
        try:
            return bool(self.call("GET", "state", timeout=2)["numbers"])
        except requests.RequestException:
            return False

    def reset(self) -> None:
        """Reset the emulated world. Service windows are not enforced, so any text may be sent."""
        self.call("POST", "reset")
        self.call("POST", "limits", json={"window": False})

    def add_phones(self, wa_ids: Sequence[str], **traits: Any) -> None:
        """Add several phones in one call."""
        self.call("POST", "seed", data=yaml.safe_dump({"phones": [{"wa_id": wa_id, **traits} for wa_id in wa_ids]}))

    def write(self, wa_id: str, text: str) -> str:
        """Send a text from a phone and return its message id."""
        body = {"type": "text", "text": {"body": text}}
        return str(self.call("POST", f"phones/{wa_id}/messages", json=body)["id"])

    def chat(self, wa_id: str) -> list[dict[str, Any]]:
        """Return all messages of a phone, oldest first; an empty list for an unknown number."""
        try:
            found: list[dict[str, Any]] = self.call("GET", f"phones/{wa_id}/messages")["messages"]
        except requests.HTTPError:
            return []
        return found

    def heard(self, wa_id: str) -> list[str]:
        """Return the texts that a phone received, in order of arrival."""
        return [one["text"]["body"] for one in self.chat(wa_id) if one["direction"] == "in" and one["type"] == "text"]

    def seen(self, **query: Any) -> dict[str, Any]:
        """Return the requests to /messages and their outcomes."""
        answer: dict[str, Any] = self.call("GET", "seen", params={"limit": 50_000, **query})
        return answer

    def accepted(self) -> dict[str, int]:
        """Return how many messages each customer received, including those whose response was lost."""
        counts: dict[str, int] = self.seen(limit=0)["accepted"]
        return counts

    def fault(self, kind: str, **rest: Any) -> None:
        """Plan a fault."""
        self.call("POST", "faults", json={"kind": kind, **rest})

    def settled(self, within: float = 30.0) -> None:
        """Wait until every webhook is delivered and no timer runs."""
        answer = self.call("POST", "settle", json={"timeout": within}, timeout=within + 5)
        assert answer["settled"], answer
