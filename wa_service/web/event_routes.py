"""`GET /v1/events`: what customers wrote and what became of sends, from one stream, with a cursor and a long poll."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from wa_service.push.event_form import event_item
from wa_service.store.contacts import Contacts
from wa_service.store.events import Events
from wa_service.web.auth import allow, caller_name
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.long_polls import LongPolls
from wa_service.web.models import Moment, ResponseBody
from wa_service.web.openapi import operation

LONGEST_POLL: Final = 20.0
POLL_SECONDS: Final = 0.2
LATEST: Final = "latest"
START: Final = "0"


class EventQuery(CachedSchemaModel):
    """Which events."""

    after: str = Field(
        default="",
        pattern=r"^([0-9]{1,19}-[0-9]{1,19}|0|latest)?$",
        description="The `next` of the page before; left out: from the oldest; `latest`: only what is to come.",
    )
    wait: float = Field(
        default=0.0, ge=0, le=LONGEST_POLL, allow_inf_nan=False, description="Seconds to wait for the first event."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="At most so many.")


class EventItem(ResponseBody):
    """One thing that happened, in the order in which it was stored.

    `kind`: `message` (a customer wrote: `data` holds `id`, `type`, `name`, `timestamp` and Meta's own object as
    `message`), `transcript` (a voice note was heard: `data` holds the message's `id` and the `text`), `send`
    (a send of ours was accepted, failed or is unknown), `status` (Meta told what became of it; where `data` has a
    `type`, of the payment or call that belongs to it) or `management` (`data` holds Meta's `field` and its `value`);
    `echo` is what a person of the business wrote in the app, `standby` what happens in a thread that is another
    application's, `handover` that a thread changed hands (`data` as of a `message`), `history` what was written
    in a thread before (`data` holds `thread`, Meta's `metadata` and `messages`). With `stale` a message came too
    late to be answered. `unreadable` is what another version stored in a form that this one does not know. `contact` is
    an address that the customer has now, null where there is none.
    """

    cursor: str
    kind: str
    time: Moment
    phone_number_id: str | None
    contact: str | None
    data: dict[str, Any]


class EventPage(ResponseBody):
    """Events in their order; give `next` as `after` to go on."""

    items: list[EventItem]
    next: str


def add_event_routes(api: APIBlueprint, events: Events, contacts: Contacts) -> None:
    """Add the route."""
    polls = LongPolls()

    @api.get("/events", **operation(200, EventPage))
    @allow("read")
    def list_events(query: EventQuery) -> Response:
        """List what customers wrote, and what became of sends.

        In the order in which it was stored. Give the answer's `next` as `after` to go on.
        """
        with polls.hold(caller_name()) if query.wait else nullcontext():
            return read_page(events, contacts, query.after, query.wait, query.limit).respond()


def read_page(
    events: Events,
    contacts: Contacts,
    after: str,
    wait: float,
    count: int,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> EventPage:
    """Return at most `count` events after a cursor (`latest`: those to come); wait up to `wait` s for the first.

    Raises:
        StoreUnavailableError: the store cannot be asked.
    """
    cursor = events.last_cursor() if after == LATEST else after or START
    until = time.monotonic() + min(wait, LONGEST_POLL)
    while not (entries := events.after(cursor, count)) and time.monotonic() < until:
        pause(POLL_SECONDS)
    shown = contacts.addresses_of(entry.conversation for entry in entries if entry.conversation)
    items = [EventItem(**event_item(entry, shown.get(entry.conversation))) for entry in entries]
    return EventPage(items=items, next=entries[-1].cursor if entries else cursor)
