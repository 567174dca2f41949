"""Turn replies into sends, with a recipient and a reference to the message that they answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from wa_service.store.contacts import shown_address
from wa_service.store.outbox import Send
from wa_service.store.stored_event import StoredEvent
from wa_service.whatsapp.addresses import recipient_fields, spellings


def reply_address(addresses: Sequence[str], conversation: str, contact: Mapping[str, str]) -> str:
    """Return where to answer a message: the address it came from, in any spelling, if the customer still has it.

    If the message waited or is replayed, its number may have a new holder by now, or its user id was replaced: the
    current one comes first.
    """
    current, came_from = contact.get("addresses", "").split(), addresses[0]
    if "." in came_from:
        return next((address for address in current if "." in address), came_from)
    if not current or not set(spellings(came_from)).isdisjoint(current):
        return came_from
    return shown_address(conversation, current)


class ReplySends:
    """Make sends of replies; `ttl_ms`: how long each may wait."""

    def __init__(self, ttl_ms: int) -> None:
        self._ttl_ms = ttl_ms

    def make(
        self, stored: StoredEvent, replies: Sequence[Mapping[str, Any]], *, address: str, group_id: str = ""
    ) -> list[Send]:
        """Return the replies to a message as sends to an address, or to its group."""
        number = stored.piece.phone_number_id
        origin = f"{stored.reference}@{stored.received}"
        to = recipient_fields(group_id or address, group=bool(group_id))
        return [
            Send(
                id=uuid.uuid4().hex,
                number=number,
                type=str(reply.get("type", "text")),
                body=orjson.dumps({"messaging_product": "whatsapp", **to, **reply}),
                address=address,
                ttl=self._ttl_ms,
                origin=origin,
            )
            for reply in replies
        ]
