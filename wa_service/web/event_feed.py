"""`GET /v1/events`: what customers wrote and what became of sends, from one stream, with a cursor and a long poll."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from wa_service.store.events import UNREADABLE, Entry, Events
from wa_service.store.inbox import UnreadableEventError, read_event
from wa_service.web.models import Event, EventPage

LONGEST_POLL: Final = 20.0
POLL_SECONDS: Final = 0.2
LATEST: Final = "latest"
START: Final = "0"


def page(
    events: Events, after: str, wait: float, count: int, *, pause: Callable[[float], None] = time.sleep
) -> EventPage:
    """At most `count` events after a cursor (`latest`: those to come); waits up to `wait` s for the first.

    Raises:
        StoreUnavailableError: the store cannot be asked.
    """
    cursor = events.last_cursor() if after == LATEST else after or START
    until = time.monotonic() + min(wait, LONGEST_POLL)
    while not (entries := events.after(cursor, count)) and time.monotonic() < until:
        pause(POLL_SECONDS)
    return EventPage(items=[_event(entry) for entry in entries], next=entries[-1].cursor if entries else cursor)


def _event(entry: Entry) -> Event:
    number, _, contact = entry.conversation.partition(":")
    kind, data = _KINDS.get(entry.kind, _as_it_is)(entry)
    return Event(
        cursor=entry.cursor,
        kind=kind,
        time=int(entry.cursor.partition("-")[0]),
        phone_number_id=number or data.get("phone_number_id") or None,
        contact=contact or None,
        data=data,
    )


def _message(entry: Entry) -> tuple[str, dict[str, Any]]:
    try:
        piece = read_event(orjson.dumps(entry.data)).piece
    except UnreadableEventError:
        return UNREADABLE, {}
    profile = (piece.contact or {}).get("profile")
    name = profile.get("name") if isinstance(profile, dict) else None
    data = {
        "id": piece.id,
        "type": piece.raw.get("type"),
        "timestamp": piece.timestamp,
        "name": name,
        "addresses": list(piece.addresses),
        "message": piece.raw,
    }
    return "message", data


def _heard(entry: Entry) -> tuple[str, dict[str, Any]]:
    return "transcript", dict(entry.data)


def _as_it_is(entry: Entry) -> tuple[str, dict[str, Any]]:
    return entry.kind, dict(entry.data)


_KINDS: Final = {"message": _message, "heard": _heard}
