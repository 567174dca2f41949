"""`GET /v1/events`: received messages and outcomes of sends, from one stream, with a cursor and long polling."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

import orjson
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from wa_service.push.event_form import public_item
from wa_service.store.contacts import Contacts
from wa_service.store.event_watch import EventWatch
from wa_service.store.events import Events
from wa_service.web.auth import allow, caller_name
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.event_schema import EVENT_KINDS
from wa_service.web.long_polls import LongPolls
from wa_service.web.models import ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, NOT_FOUND, ProblemError
from wa_service.whatsapp.addresses import as_stored, spellings

LONGEST_POLL: Final = 20.0
LATEST: Final = "latest"
START: Final = "0"
LARGEST_PAGE: Final = 4 * 1024 * 1024
"""Bytes of data after which a page ends, even if it holds fewer events than its limit."""
MOST_LOOKED_AT: Final = 5_000
"""Events that one page reads at most, even if few match the filter."""
_STEP: Final = 100
_KINDS: Final = tuple(EVENT_KINDS)
_ANY_KIND: Final = "|".join(_KINDS)
_CURSOR: Final = re.compile(r"([0-9]{1,19}-[0-9]{1,19}|0|latest)?")


class EventQuery(CachedSchemaModel):
    """Which events."""

    after: str = Field(
        default="",
        json_schema_extra={"pattern": r"^([0-9]{1,19}-[0-9]{1,19}|0|latest)?$"},
        description="The `next` of the page before; default: from the oldest; `latest`: only future events.",
    )
    kind: str = Field(
        default="",
        max_length=200,
        json_schema_extra={"pattern": rf"^(({_ANY_KIND})(,({_ANY_KIND}))*)?$"},
        description="Only these kinds, comma separated: `message`, `send`, `status` …",
    )
    number: str | None = Field(default=None, max_length=64, description="Only of this phone number id of ours.")
    contact: str | None = Field(default=None, max_length=256, description="Only of this customer.")
    wait: float = Field(
        default=0.0, ge=0, le=LONGEST_POLL, allow_inf_nan=False, description="Seconds to wait for the first event."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="At most so many.")


class EventPath(CachedSchemaModel):
    """Which event."""

    cursor: str = Field(max_length=40, json_schema_extra={"pattern": r"^[0-9]{1,19}-[0-9]{1,19}$"})


class EventItem(ResponseBody):
    """One event; `event_schema.py` describes each kind."""

    cursor: str
    kind: str
    time: str
    phone_number_id: str | None
    contact: str | None
    data: dict[str, Any]


class EventPage(ResponseBody):
    """Events in the order in which they were stored. Give `next` as `after` for those that follow."""

    items: list[EventItem]
    next: str


def add_event_routes(api: APIBlueprint, events: Events, contacts: Contacts) -> None:
    """Add the route."""
    polls, watch = LongPolls(), EventWatch(events)

    @api.get("/events", **operation(200, EventPage))
    @allow("read")
    def list_events(query: EventQuery) -> Response:
        """List events: received messages, and outcomes of sends.

        In the order in which they were stored. Give the page's `next` as `after` for those that follow.
        """
        if not _CURSOR.fullmatch(query.after):
            raise ProblemError(INVALID, fields=[("after", "Give the `next` of an earlier page, `0` or `latest`.")])
        wanted = EventFilter.of(query.kind, query.number, query.contact)
        with polls.hold(caller_name()) if query.wait else nullcontext():
            return read_page(events, contacts, watch, query.after, query.wait, query.limit, wanted).respond()

    @api.get("/events/<cursor>", **operation(200, EventItem))
    @allow("read")
    def get_event(path: EventPath) -> Response:
        """Return one whole event.

        For an event of more than 16 KB the list has the short values only, and `left_out` in its `message`.
        """
        if path.cursor == LATEST or not _CURSOR.fullmatch(path.cursor) or "-" not in path.cursor:
            raise ProblemError(NOT_FOUND)
        entry = events.find(path.cursor)
        if entry is None:
            raise ProblemError(NOT_FOUND)
        shown = contacts.addresses_of([entry.conversation] if entry.conversation else [])
        return EventItem(**public_item(entry, shown.get(entry.conversation))).respond()


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a page holds; empty or None: any."""

    kinds: frozenset[str] = frozenset()
    number: str | None = None
    addresses: frozenset[str] = frozenset()

    @classmethod
    def of(cls, kinds: str, number: str | None, contact: str | None) -> EventFilter:
        """Read the query's parameters; `kinds` is comma separated, `contact` any address in any spelling.

        Raises:
            ProblemError: there is no such kind. A misspelt filter would otherwise pass over every event.
        """
        named = frozenset(kind.strip() for kind in kinds.split(",") if kind.strip())
        if not named <= set(_KINDS):
            raise ProblemError(INVALID, fields=[("kind", f"A kind must be one of {', '.join(_KINDS)}.")])
        addresses = frozenset(spellings(as_stored(contact)) if contact else ())
        return cls(named, number, addresses)

    def accepts(self, item: Mapping[str, Any], addresses: Iterable[str]) -> bool:
        """Whether an event matches; `addresses`: all of its customer's."""
        return (
            (not self.kinds or item["kind"] in self.kinds)
            and self.number in {None, item["phone_number_id"]}
            and (not self.addresses or not self.addresses.isdisjoint([item["contact"], *addresses]))
        )


def read_page(
    events: Events,
    contacts: Contacts,
    watch: EventWatch,
    after: str,
    wait: float,
    count: int,
    wanted: EventFilter = EventFilter(),
) -> EventPage:
    """Return at most `count` events after a cursor (`latest`: those to come); wait up to `wait` s for the first.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    cursor = events.last_cursor() if after == LATEST else after or START
    until = time.monotonic() + min(wait, LONGEST_POLL)
    items: list[dict[str, Any]] = []
    looked_at = size = 0
    while True:
        newest = watch.newest
        entries = events.after(cursor, min(count, _STEP))
        conversations = list(dict.fromkeys(entry.conversation for entry in entries if entry.conversation))
        known = dict(zip(conversations, contacts.of_conversations(conversations), strict=True))
        for entry in entries:
            cursor = entry.cursor
            looked_at += 1
            contact = known.get(entry.conversation)
            item = public_item(entry, contact.address if contact else None)
            if wanted.accepts(item, contact.addresses if contact else ()):
                items.append(item)
                size += len(orjson.dumps(item["data"]))
            if len(items) == count or size >= LARGEST_PAGE:
                return _page(items, cursor)
        if (items and not entries) or looked_at >= MOST_LOOKED_AT or (not entries and time.monotonic() >= until):
            return _page(items, cursor)
        if not entries:
            watch.wait_for_change(newest, until)


def _page(items: list[dict[str, Any]], cursor: str) -> EventPage:
    return EventPage(items=[EventItem(**item) for item in items], next=cursor)
