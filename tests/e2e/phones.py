"""The other side of the service: customers with their phones, and Meta's webhooks as Meta signs them."""

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
# A range that no carrier gives to anybody, and no other number in these tests begins with it.
PREFIX = "4477009"
SECRETS = (TOKEN, APP_SECRET, NEW_APP_SECRET, VERIFY_TOKEN, API_KEY)

_serial = itertools.count(1)


def customer(n: int) -> str:
    """The n-th customer's number."""
    return f"{PREFIX}{n:05d}"


def wamid(wa_id: str) -> str:
    """A message id of this customer, which holds the number as Meta's do."""
    raw = b"\x1c\x18" + bytes([len(wa_id)]) + wa_id.encode() + b"\x15\x02\x00\x12\x18\x12%018X\x00" % next(_serial)
    return "wamid." + base64.b64encode(raw).decode()


def message(wa_id: str, text: str, *, timestamp: int | None = None) -> dict[str, Any]:
    """A customer's text as it stands in a webhook (reference 5.6)."""
    when = str(int(time.time()) if timestamp is None else timestamp)
    return {"from": wa_id, "id": wamid(wa_id), "timestamp": when, "type": "text", "text": {"body": text}}


def delivery(*values: dict[str, Any]) -> dict[str, Any]:
    """A webhook's body: each value in a change of its own (reference 5.4)."""
    changes = [{"field": "messages", "value": value} for value in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": WABA, "changes": changes}]}


def messages(*sent: dict[str, Any], number: str = NUMBER, name: str = "Ana") -> dict[str, Any]:
    """A change's value with customers' messages."""
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
        """The answer's status, 0 where there was none."""
        raw = json.dumps(body, indent=1 if other_bytes else None, sort_keys=other_bytes).replace("/", "\\/").encode()
        signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        try:
            return requests.post(self._url, data=raw, headers=headers, timeout=timeout).status_code
        except requests.RequestException:
            return 0

    def deliver(self, body: dict[str, Any], *, other_bytes: bool = False, within: float = 60.0) -> None:
        """Posts until the answer is 200, as Meta does for days, only less patiently."""
        eventually(lambda: self.post(body, other_bytes=other_bytes) == 200, within=within, every=0.05)


class Meta:
    """The emulated Meta's controls."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, *, timeout: float = 30.0, **rest: Any) -> Any:
        """A control's answer; raises on a mistake."""
        answer = requests.request(method, f"{self.url}/_emulator/{path}", timeout=timeout, **rest)
        answer.raise_for_status()
        return answer.json()

    def answers(self) -> bool:
        """Whether it runs and has shaken hands with the service."""
        try:
            return bool(self.call("GET", "state", timeout=2)["numbers"])
        except requests.RequestException:
            return False

    def reset(self) -> None:
        """The world as at the start; service windows are open for all, so that any text may be sent."""
        self.call("POST", "reset")
        self.call("POST", "limits", json={"window": False})

    def add_phones(self, wa_ids: Sequence[str], **traits: Any) -> None:
        """Phones in one go."""
        self.call("POST", "seed", data=yaml.safe_dump({"phones": [{"wa_id": wa_id, **traits} for wa_id in wa_ids]}))

    def write(self, wa_id: str, text: str) -> str:
        """The phone writes; its message's id."""
        body = {"type": "text", "text": {"body": text}}
        return str(self.call("POST", f"phones/{wa_id}/messages", json=body)["id"])

    def chat(self, wa_id: str) -> list[dict[str, Any]]:
        """Everything on a phone, oldest first; nothing where nobody has that number."""
        try:
            found: list[dict[str, Any]] = self.call("GET", f"phones/{wa_id}/messages")["messages"]
        except requests.HTTPError:
            return []
        return found

    def heard(self, wa_id: str) -> list[str]:
        """The texts that a phone got, in the order in which it got them."""
        return [one["text"]["body"] for one in self.chat(wa_id) if one["direction"] == "in" and one["type"] == "text"]

    def seen(self, **query: Any) -> dict[str, Any]:
        """What was posted to /messages, and what became of it."""
        answer: dict[str, Any] = self.call("GET", "seen", params={"limit": 50_000, **query})
        return answer

    def accepted(self) -> dict[str, int]:
        """How many messages each customer got, those whose answer was lost included."""
        counts: dict[str, int] = self.seen(limit=0)["accepted"]
        return counts

    def fault(self, kind: str, **rest: Any) -> None:
        """Plans a failure."""
        self.call("POST", "faults", json={"kind": kind, **rest})

    def settled(self, within: float = 30.0) -> None:
        """Waits until every webhook is delivered and no timer runs."""
        answer = self.call("POST", "settle", json={"timeout": within}, timeout=within + 5)
        assert answer["settled"], answer
