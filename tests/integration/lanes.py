"""Shared by the lanes' tests: the store's parts over one server, received messages, and sends."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

import orjson

from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.inbox import Inbox
from wa_service.store.outbox import Limits, Outbox, Send
from wa_service.store.records import Records
from wa_service.whatsapp.webhooks.events import Piece, walk
from wa_service.whatsapp.webhooks.status import MessageStatus, parse_status

NUMBER = "106540352242922"
KEEP = 30 * 86_400
_ids = itertools.count(1)


@dataclass
class Lanes:
    """The store's parts over one server."""

    store: Store
    inbox: Inbox
    outbox: Outbox
    records: Records

    @classmethod
    def over(cls, store: Store, *, lease: float = 15.0, **outbox: Any) -> Lanes:
        outbox.setdefault("limits", {NUMBER: Limits(80, 1000, "waba")})
        return cls(
            store,
            Inbox(store, retention_seconds=KEEP, lease_seconds=lease),
            Outbox(store, KEEP, **outbox),
            Records(store),
        )

    def admit(self, *pieces: Piece) -> list[bytes]:
        """Admit pieces in one round trip."""
        return self.store.run([self.inbox.admit(piece, int(time.time() * 1000)) for piece in pieces])

    def hurry(self, *consumers: str) -> None:
        """Make every waiting conversation due at once, except those that these consumers hold."""
        for conversation in self.store.do("ZRANGE", NAMES.due, 0, -1):
            if not any(self.store.do("HEXISTS", f"{PREFIX}leases:{consumer}", conversation) for consumer in consumers):
                self.store.do("ZADD", NAMES.due, "XX", 0, conversation)

    def grant(self, number: str = NUMBER, consumer: str = "p", count: int = 1) -> list[Any]:
        """Return the grants of what may be sent now."""
        return self.outbox.next(number, consumer, next(_ids), count).grants


def message(
    customer: str = "15551230001",
    text: str = "hello",
    *,
    id: str | None = None,  # noqa: A002 - the field's name
    timestamp: int | None = None,
    number: str = NUMBER,
    user_id: str | None = None,
    name: str = "Ana",
    group: str | None = None,
) -> Piece:
    """A customer's text, as web takes it from a webhook; with `group`, in the group of that id."""
    message_id = id or f"wamid.T{next(_ids)}"
    when = int(time.time()) if timestamp is None else timestamp
    names = {"from": customer, "from_user_id": user_id, "group_id": group}
    raw = {"id": message_id, "timestamp": str(when), "type": "text", "text": {"body": text}}
    raw |= {field: value for field, value in names.items() if value}
    return Piece(
        kind="message",
        field="messages",
        waba_id="waba",
        phone_number_id=number,
        id=message_id,
        timestamp=when,
        addresses=(group,) if group else tuple(address for address in (customer, user_id) if address),
        contact={"profile": {"name": name}, "wa_id": customer},
        raw=raw,
        reason="",
        entry_time=0,
    )


def system(message_id: str, *, sender: str = "", timestamp: int | None = None, **told: Any) -> Piece:
    """A system message, as web takes it from a webhook (reference 5.6); `told` is its `system` object."""
    when = int(time.time()) if timestamp is None else timestamp
    one = {"id": message_id, "timestamp": str(when), "type": "system", "system": told}
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [one | ({"from": sender} if sender else {})]}
    changes = [{"field": "messages", "value": value}]
    (piece,) = walk({"object": "whatsapp_business_account", "entry": [{"id": "waba", "changes": changes}]})
    return piece


def send(
    customer: str = "15551230001",
    *,
    id: str | None = None,  # noqa: A002 - the field's name
    type: str = "text",  # noqa: A002 - the field's name
    number: str = NUMBER,
    **rest: Any,
) -> Send:
    """A send to a customer."""
    body = {"messaging_product": "whatsapp", "to": customer, "type": type, "text": {"body": "hi"}}
    return Send(id=id or f"s{next(_ids)}", number=number, type=type, body=orjson.dumps(body), address=customer, **rest)


def meta_status(wamid: str, word: str, **raw: Any) -> MessageStatus:
    """A status for our number, as parsed from a webhook."""
    body = {"id": wamid, "status": word, **raw}
    return parse_status(Piece("status", "messages", "waba", NUMBER, wamid, 0, (), None, body, "", 0))
