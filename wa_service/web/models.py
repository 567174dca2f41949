"""What the REST API answers with: the same models write the JSON and the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, cast

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from wa_service.store.contacts import Contact
from wa_service.store.dead_letters import DeadLetter
from wa_service.store.records import Record
from wa_service.web.cached_schema import Described

Status = Literal["queued", "sending", "unknown", "accepted", "sent", "failed", "delivered", "read", "played"]


def _iso(milliseconds: int) -> str:
    """Milliseconds since 1970 as RFC 3339; beyond the year 9999 its last moment."""
    moment = min(max(milliseconds, 0), 253_402_300_799_999)
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    int, PlainSerializer(_iso, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""Milliseconds since 1970, written as RFC 3339 in UTC."""


class Answer(Described):
    """The body of an answer."""

    model_config = ConfigDict(frozen=True)

    def respond(self, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """The answer with this body."""
        return Response(self.model_dump_json(by_alias=True), status, headers, content_type="application/json")


class StatusChange(Answer):
    """When a message reached a status."""

    status: str
    time: Moment


class MessageError(Answer):
    """Why a message failed: Meta's code, or a reason of ours such as `expired`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str | None = None
    code: int | None = None
    title: str | None = None
    details: str | None = None
    fbtrace_id: str | None = None
    http_status: int | None = None


class MessageRecord(Answer):
    """A message that was to be sent, and what became of it.

    `id` is ours, `wamid` Meta's (null until Meta accepted it). `replaced_by` is the id of the template that went
    out in its place, `instead_of` the id of the message that a template replaces.
    """

    id: str
    wamid: str | None
    status: Status
    status_history: list[StatusChange]
    type: str
    from_: Annotated[str, Field(alias="from", description="Our phone number id.")]
    to: str
    error: MessageError | None
    pricing: dict[str, Any] | None
    biz_opaque_callback_data: str | None
    expires: Moment
    instead_of: str | None
    replaced_by: str | None

    @classmethod
    def of(cls, record: Record) -> MessageRecord:
        """A record as its caller sees it."""
        return cls.model_construct(
            id=record.id,
            wamid=record.wamid,
            status=cast(Status, record.status),
            status_history=[StatusChange.model_construct(status=status, time=time) for status, time in record.history],
            type=record.type,
            from_=record.number,
            to=record.conversation.partition(":")[2],
            error=_error(record.error),
            pricing=dict(record.pricing) if record.pricing is not None else None,
            biz_opaque_callback_data=record.opaque,
            expires=record.expires,
            instead_of=record.instead_of,
            replaced_by=record.replaced_by,
        )


class Queued(Answer):
    """A message that is queued; the address in `Location` tells what becomes of it."""

    id: str
    status: Status


class Done(Answer):
    """It was done."""

    success: Literal[True] = True


class Erased(Answer):
    """How many keys and entries were erased."""

    erased: int


class Uploaded(Answer):
    """Meta's id of an uploaded file: it lives 30 days."""

    id: str


class TemplateList(Answer):
    """The templates of the business account, as Meta describes them."""

    items: list[dict[str, Any]]


class Event(Answer):
    """One thing that happened, in the order in which it was stored.

    `kind`: `message` (a customer wrote: `data` holds `id`, `type`, `name`, `timestamp` and Meta's own object as
    `message`), `transcript` (a voice note was heard: `data` holds the message's `id` and the `text`), `send`
    (a send of ours was accepted, failed or is unknown), `status` (Meta told what became of it; where `data` has a
    `type`, of the payment or call that belongs to it) or `management` (`data` holds Meta's `field` and its `value`);
    `unreadable` is what another version stored in a form that this one does not know. `contact` is the customer's
    address, null where there is none.
    """

    cursor: str
    kind: str
    time: Moment
    phone_number_id: str | None
    contact: str | None
    data: dict[str, Any]


class EventPage(Answer):
    """Events in their order; give `next` as `after` to go on."""

    items: list[Event]
    next: str


class Window(Answer):
    """A customer's service window on one number of ours: until it ends, messages need no template."""

    phone_number_id: str
    open: bool
    ends: Moment | None
    last_inbound: Moment | None


class ContactCard(Answer):
    """What is known of a customer. `window_open`: on any of our numbers."""

    id: str
    name: str | None
    addresses: list[str]
    window_open: bool
    windows: list[Window]

    @classmethod
    def of(cls, found: list[Contact], now_ms: int) -> ContactCard:
        """The contacts of one customer, at least one, on our several numbers."""
        windows = [
            Window(
                phone_number_id=contact.number,
                open=contact.window_end is not None and contact.window_end > now_ms,
                ends=contact.window_end,
                last_inbound=contact.last_in,
            )
            for contact in found
        ]
        addresses = list(dict.fromkeys(address for contact in found for address in contact.addresses))
        return cls(
            id=found[0].conversation.partition(":")[2],
            name=next((contact.name for contact in found if contact.name), None),
            addresses=addresses,
            window_open=any(window.open for window in windows),
            windows=windows,
        )


class Letter(Answer):
    """An event that could not be handled.

    `kind`: `failed` (its handling failed too often), `crashed` (it ended its process), `flood` (its mailbox was
    full) or `malformed` (it cannot be read). `event` is Meta's own object, unchanged; where this version cannot
    read what was stored, that as text.
    """

    id: str
    kind: str
    reason: str
    tries: int
    time: Moment
    phone_number_id: str | None
    contact: str | None
    event: Any

    @classmethod
    def of(cls, letter: DeadLetter, event: Any) -> Letter:
        """A dead letter as its caller sees it."""
        return cls(
            id=letter.id,
            kind=letter.kind,
            reason=letter.reason,
            tries=letter.tries,
            time=letter.time,
            phone_number_id=letter.number or None,
            contact=letter.conversation.partition(":")[2] or None,
            event=event,
        )


class LetterPage(Answer):
    """Dead letters, oldest first; give `next` as `after` to go on; null at the end."""

    items: list[Letter]
    next: str | None


class FieldProblem(BaseModel):
    """What is wrong with one field of the request."""

    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. Where Meta refused, `code`, `details` and `fbtrace_id` are Meta's own words."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    retryable: bool
    detail: str | None = None
    errors: list[FieldProblem] | None = None
    code: int | None = None
    subcode: int | None = None
    details: str | None = None
    fbtrace_id: str | None = None
    id: str | None = None


def _error(error: Mapping[str, Any] | None) -> MessageError | None:
    if error is None:
        return None
    known = {name: error.get(name) for name in MessageError.model_fields}
    return MessageError.model_construct(**known)
