"""When a customer whose message is dead-lettered gets an apology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wa_service.store.inbox import NOT_WRITTEN, Work
from wa_service.store.stored_event import StoredEvent
from wa_service.worker.burst import stored_seconds

APOLOGISED_AT: Final = "apologised_at"
# At most one apology in this time, and none near the end of the service window (reference 7.5: 24 hours).
_EVERY_SECONDS: Final = 3_600.0
_ANSWERABLE_SECONDS: Final = 23 * 3_600.0
_ASKS_NOTHING: Final = NOT_WRITTEN | {"reaction"}


def may_apologise(work: Work, stored: StoredEvent, now: float, *, is_stale: bool) -> bool:
    """Whether the customer gets one for this message; `now` in Unix seconds, `is_stale`: too old to be answered."""
    piece, last = stored.piece, stored_seconds(work.contact.get(APOLOGISED_AT))
    raw = piece.raw if isinstance(piece.raw, Mapping) else {}
    if not piece.addresses or now - piece.timestamp > _ANSWERABLE_SECONDS or "group_id" in raw:
        return False
    if (is_stale and not stored.replayed) or raw.get("type") in _ASKS_NOTHING:
        return False
    return last is None or now - last >= _EVERY_SECONDS
