"""`/v1/messages`: send, look up, list and cancel messages, and mark a customer's message as read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, cast

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ConfigDict, Field, StrictBool, ValidationError

from wa_service.service.send import IdempotencyKey, SendService, Submitted
from wa_service.service.send_request import LONGEST_TAG
from wa_service.store.contacts import Contacts
from wa_service.store.outbox import Outbox, Priority
from wa_service.store.records import RANKS, Hold, Participant, Record, RecordFilter, Records
from wa_service.web.auth import allow, caller_name, require_role
from wa_service.web.bodies import json_object
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import Moment, ResponseBody, Success
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, NOT_FOUND, THROUGHPUT, ProblemError, of_failure
from wa_service.web.sender_numbers import SenderClients, SenderNumber
from wa_service.whatsapp.addresses import as_stored, spellings
from wa_service.whatsapp.outbound.field_problems import problems
from wa_service.whatsapp.outbound.messages import MarkAsRead

REPLAYED: Final = {"Idempotency-Replayed": "true"}
_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}")
_CURSOR: Final = re.compile(r"([0-9]{1,15}-[0-9a-f]{32}f?)?")

_SINCE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9:.]{5,18}([Zz]|[+-][0-9]{2}:[0-9]{2}))?|[0-9]{1,10})?")
_NOT_A_TIME: Final = "This must be a time: RFC 3339 with its zone (in a URL, write + as %2B), or Unix seconds."
_SINCE_IN_BATCH: Final = "The items of a batch have the same time: leave out `since` or `batch`."

SendStatus = Literal[
    "scheduled",
    "queued",
    "sending",
    "unknown",
    "canceled",
    "accepted",
    "sent",
    "failed",
    "delivered",
    "read",
    "played",
]


class MessagePath(CachedSchemaModel):
    """Which message."""

    id: str = Field(max_length=1024, description="Our id of the message, or Meta's (`wamid.…`).")


class MessageQuery(CachedSchemaModel):
    """Which messages."""

    status: SendStatus | None = Field(default=None, description="Their current status.")
    to: str | None = Field(default=None, max_length=256, description="Any address of the customer, in any spelling.")
    tag: str | None = Field(default=None, max_length=LONGEST_TAG, description="The `tag` they were sent with.")
    batch: str | None = Field(default=None, max_length=64, description="The batch they belong to; not with `since`.")
    since: str = Field(
        default="",
        max_length=40,
        json_schema_extra={"pattern": f"^{_SINCE.pattern}$"},
        description="Created at this time or later: RFC 3339, or Unix seconds.",
    )
    after: str = Field(
        default="",
        max_length=80,
        json_schema_extra={"pattern": f"^{_CURSOR.pattern}$"},
        description="The `next` of the page before.",
    )
    limit: int = Field(default=100, ge=1, le=1000, description="Maximum number of items.")


class WamidPath(CachedSchemaModel):
    """Which message of a customer."""

    wamid: str = Field(pattern=r"^wamid\.[A-Za-z0-9+/=_-]{1,512}$", description="Meta's id of a customer's message.")


class ReadMark(CachedSchemaModel):
    """How to mark a customer's message as read."""

    model_config = ConfigDict(extra="forbid")

    typing: StrictBool = Field(default=False, description="Show the typing indicator, for up to 25 s.")
    from_: SenderNumber = None


class StatusChange(ResponseBody):
    """When a message reached a status."""

    status: str
    time: Moment


class HoldStatus(ResponseBody):
    """Why a message is held. `template_paused`: Meta paused its template; it is sent once the template is active again.
    `template_unavailable`: Meta cannot send its template yet; it is tried again at `until`.
    `held_for_quality_assessment`, `paused`: Meta accepted it, and assesses first how similar messages are received.
    """

    reason: str
    since: Moment
    until: Moment | None


class MessageError(ResponseBody):
    """Why a message failed: Meta's code, or a reason of ours such as `expired`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str | None = None
    code: int | None = None
    subcode: int | None = None
    title: str | None = None
    details: str | None = None
    advice: str | None = None
    fbtrace_id: str | None = None
    http_status: int | None = None


class ParticipantStatus(ResponseBody):
    """A message's status for one participant of a group; `code` is Meta's, if it failed."""

    participant: str
    status: str
    status_history: list[StatusChange]
    code: int | None


class MessageRecord(ResponseBody):
    """A message and its status.

    `id` is ours, `wamid` Meta's (null until Meta accepted it). `replaced_by` is the id of the template that was sent
    in its place, `instead_of` the id of the message that a template replaces. In a group `participants` are those
    that Meta reported on; the message is `failed` only if it failed for all of them.
    """

    id: str
    wamid: str | None
    status: SendStatus
    status_history: list[StatusChange]
    type: str
    from_: Annotated[str, Field(alias="from", description="Our phone number id.")]
    to: str
    error: MessageError | None
    pricing: dict[str, Any] | None
    biz_opaque_callback_data: str | None
    tag: str | None
    send_at: Annotated[Moment | None, Field(description="The requested time of sending, if any.")]
    held: Annotated[HoldStatus | None, Field(description="If it is held: why, since when, and until when.")]
    batch: str | None
    batch_index: int | None
    road: Annotated[
        Literal["messages", "marketing"], Field(description="Which of Meta's endpoints it uses; see WA_MARKETING_ROAD.")
    ]
    expires: Moment
    instead_of: str | None
    replaced_by: str | None
    participants: list[ParticipantStatus] | None

    @classmethod
    def of(cls, record: Record) -> MessageRecord:
        """Return a record as its caller sees it."""
        return cls.model_construct(
            id=record.id,
            wamid=record.wamid,
            status=cast(SendStatus, record.status),
            status_history=[StatusChange.model_construct(status=status, time=time) for status, time in record.history],
            type=record.type,
            from_=record.number,
            to=record.to,
            error=_error(record.error),
            pricing=dict(record.pricing) if record.pricing is not None else None,
            biz_opaque_callback_data=record.opaque,
            tag=record.tag,
            send_at=record.send_at,
            held=_held(record.held),
            batch=record.batch,
            batch_index=record.batch_index,
            road=cast(Literal["messages", "marketing"], record.road),
            expires=record.expires,
            instead_of=record.instead_of,
            replaced_by=record.replaced_by,
            participants=[_participant(each) for each in record.participants] or None,
        )


class MessagePage(ResponseBody):
    """Messages, newest first. `next` is the next page's `after`; null on the last. A page may be below `limit`."""

    items: list[MessageRecord]
    next: str | None


class Queued(ResponseBody):
    """A queued message; `Location` names the route that shows its status."""

    id: str
    status: SendStatus


@dataclass(frozen=True, slots=True)
class MessageRoutes:
    """`send_wait`: seconds that a response waits for Meta's; `numbers` are our phone number ids."""

    send: SendService
    records: Records
    contacts: Contacts
    outbox: Outbox
    clients: SenderClients
    numbers: tuple[str, ...]
    send_wait: float

    def add_to(self, api: APIBlueprint) -> None:
        """Add the routes."""

        @api.post(
            "/messages",
            **operation(200, MessageRecord, also_200=Success, also_202=Queued, body="SendMessage", sends="message"),
        )
        @allow("send")
        def send_message() -> Response:
            """Send a message.

            Takes Meta's own message object, and fields of ours beside it. The response waits a moment for Meta's,
            unless `send_at` is in the future. Meta's read mark (`"status": "read"`) is sent at once.
            """
            priority = Priority.BULK if _prefers_async() else Priority.SINGLE
            key = idempotency_key()
            wait = 0.0 if priority is Priority.BULK else self.send_wait
            body = json_object()
            if "status" in body and body.get("type") is None:
                return self._mark_read(*_read_mark_of(body))
            if body.get("despite_stop") is True:
                require_role("admin")
            submitted = self.send.submit(body, priority=priority, idempotency=key, wait=wait, caller=caller_name())
            return _answer(submitted, priority)

        @api.get("/messages", **operation(200, MessagePage))
        @allow("read")
        def list_messages(query: MessageQuery) -> Response:
            """List messages, newest first."""
            if not _CURSOR.fullmatch(query.after):
                raise ProblemError(INVALID, fields=[("after", "Give the `next` of an earlier page.")])
            if query.batch and query.since:
                raise ProblemError(INVALID, fields=[("since", _SINCE_IN_BATCH)])
            to = None if query.to is None else as_stored(query.to)
            wanted = RecordFilter(
                query.status, to, query.tag, _milliseconds(query.since), query.batch, self._conversations(to)
            )
            found, following = self.records.page(wanted, query.after, query.limit)
            return MessagePage(items=[MessageRecord.of(record) for record in found], next=following).respond()

        @api.get("/messages/<message_id:id>", **operation(200, MessageRecord))
        @allow("read")
        def show_message(path: MessagePath) -> Response:
            """Return a message and its status."""
            record = self.records.find(path.id, self.numbers)
            if record is None:
                raise ProblemError(NOT_FOUND, "No message of this service has this id.")
            return MessageRecord.of(record).respond()

        @api.delete("/messages/<message_id:id>", **operation(200, MessageRecord))
        @allow("send")
        def cancel_message(path: MessagePath) -> Response:
            """Cancel a message that is scheduled or queued. Safe to repeat."""
            record = self.send.cancel(path.id)
            if record is None:
                raise ProblemError(NOT_FOUND, "No message of this service has this id.")
            return MessageRecord.of(record).respond()

        @api.post("/messages/<wamid:wamid>/read", **operation(200, Success, body=ReadMark))
        @allow("send")
        def mark_read(path: WamidPath) -> Response:
            """Mark a customer's message, and all before it, as read.

            It counts towards the number's throughput, so it may be refused for a moment.
            """
            mark = _read_mark()
            return self._mark_read(path.wamid, typing=mark.typing, number=mark.from_)

    def _conversations(self, address: str | None) -> frozenset[str]:
        """Return a customer's conversations, also those that only an item waiting in a batch names."""
        if not address:
            return frozenset()
        named = (f"{number}:{one}" for number in self.numbers for one in spellings(address))
        return frozenset((*self.contacts.conversations(address), *named))

    def _mark_read(self, wamid: str, typing: bool, number: str | None) -> Response:
        client = self.clients.find(number)
        if not self.outbox.reserve_spare(client.phone_number_id):
            raise ProblemError(THROUGHPUT, retry_after=1.0)
        client.mark_as_read(wamid, typing=typing)
        return Success().respond()


def _answer(submitted: Submitted, priority: Priority) -> Response:
    """Answer 200 if Meta accepted the message, its problem if it failed, else 202.

    A bulk message is always answered 202, even if a worker has sent it already.
    """
    headers = dict(REPLAYED) if submitted.is_replay else {}
    if priority is Priority.BULK:
        headers["Preference-Applied"] = "respond-async"
    record = submitted.record
    if record is None:
        headers["Location"] = _location(submitted.id)
        return Queued(id=submitted.id, status="queued").respond(202, headers)
    may_be_final = priority is not Priority.BULK or submitted.is_replay
    if record.status == "failed" and may_be_final:
        problem = of_failure(record.error or {}, id=record.id)
        problem.headers |= headers
        raise problem
    if may_be_final and RANKS[record.status] >= RANKS["accepted"]:
        return MessageRecord.of(record).respond(200, headers)
    headers["Location"] = _location(record.id)
    return MessageRecord.of(record).respond(202, headers)


def _milliseconds(since: str) -> int:
    if not _SINCE.fullmatch(since):
        raise ProblemError(INVALID, fields=[("since", _NOT_A_TIME)])
    if not since or since.isdecimal():
        return int(since or 0) * 1000
    try:
        moment = datetime.fromisoformat(since.upper())
    except ValueError:
        raise ProblemError(INVALID, fields=[("since", _NOT_A_TIME)]) from None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def _location(record_id: str) -> str:
    return f"/v1/messages/{record_id}"


def _prefers_async() -> bool:
    preferences = ",".join(request.headers.getlist("Prefer")).split(",")
    return any(preference.partition(";")[0].strip().lower() == "respond-async" for preference in preferences)


def idempotency_key() -> IdempotencyKey | None:
    """Return the header's value without the quotes of a structured field; None without a header."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    key = given.strip()
    if len(key) > 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        sentence = "This must be 1 to 255 visible ASCII characters."
        raise ProblemError(INVALID, "The header is not valid.", fields=[("Idempotency-Key", sentence)])
    return IdempotencyKey(caller_name(), key)


def _read_mark() -> ReadMark:
    try:
        return ReadMark.model_validate(json_object(optional=True))
    except ValidationError as error:
        raise ProblemError(INVALID, "The body is not valid.", fields=problems(error)) from None


def _held(hold: Hold | None) -> HoldStatus | None:
    if hold is None:
        return None
    return HoldStatus.model_construct(reason=hold.reason, since=hold.since, until=hold.until)


def _read_mark_of(body: Mapping[str, Any]) -> tuple[str, bool, str | None]:
    """Return the message, whether typing is shown, and the number from Meta's own read mark."""
    number = body.get("from")
    try:
        mark = MarkAsRead.model_validate({name: value for name, value in body.items() if name != "from"})
    except ValidationError as error:
        raise ProblemError(INVALID, "The body is not valid.", fields=problems(error)) from None
    if number is not None and not isinstance(number, str):
        raise ProblemError(INVALID, fields=[("from", "This must be a string.")])
    return mark.message_id, mark.typing_indicator is not None, number


def _participant(found: Participant) -> ParticipantStatus:
    history = [StatusChange.model_construct(status=status, time=time) for status, time in found.history]
    return ParticipantStatus.model_construct(
        participant=found.address, status=found.status, status_history=history, code=found.code
    )


def _error(error: Mapping[str, Any] | None) -> MessageError | None:
    if error is None:
        return None
    return MessageError.model_construct(**{name: error.get(name) for name in MessageError.model_fields})
