"""The lanes of sends: put, next, done, reap, settle, status, pause.

A record enters its customer's lane by `put`, is granted by `next` when Meta's limits allow, and ends by `done`, by a
status from Meta, or by `settle`. The scripts also check the limits, because a script is atomic.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

import orjson

from wa_service.store.client import Store, text
from wa_service.store.clock_reading import ClockReading
from wa_service.store.flusher import Command, NotReplicatedError
from wa_service.store.grants import Grant, GrantBatch, read_grants
from wa_service.store.keys import SEEN_SECONDS, mark
from wa_service.store.size_limits import fits
from wa_service.store.status_forms import (
    KEPT_BYTES,
    country_charged,
    failure_of,
    foreign_recipient,
    foreign_status,
    status_event,
    status_key,
    subject_digest,
)
from wa_service.store.stop_digests import StopDigests
from wa_service.whatsapp.addresses import spellings
from wa_service.whatsapp.webhooks.identity import identity_of_address
from wa_service.whatsapp.webhooks.status import NON_MESSAGE_TYPES, MessageStatus

LANE_CEILING = 1_000
MARGIN_MS = 10
CLAIM_SECONDS = 45.0


RetryClass = Literal["limited", "pair", "unwell"]
_PutRefusal = Literal["conflict", "full", "unsent_bytes", "quota", "not_owner", "stopped", "marketing_limit"]
PutOutcome = Literal["queued", "scheduled", "replayed", "waiting"] | _PutRefusal


class Priority(StrEnum):
    """A send's priority: a reply to a customer, a single message for which the caller waits, or bulk."""

    REPLY = "reply"
    SINGLE = "single"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Send:
    """A message to send. `body` is Meta's message object as JSON; times in ms.

    Replies and single messages go before bulk ones, which may wait for a reservation in the template quota.

    - `address`: the recipient's; one, because only Meta says which addresses are one person's
    - `opaque`: the caller's biz_opaque_callback_data; `tag`: its label for lists
    - `fallback`: a template's message object, sent instead if the service window turns out to be closed
    - `notify`: the list of a web process that waits for the result
    - `origin`: the message that a reply answers, as "reference@ms when received"
    - `send_at` (ms since 1970): when it may leave, and when its `ttl` begins
    - `template`, `fallback_name`: the `template_key` of body and fallback
    - `despite_stop`: send marketing despite a STOP
    - `caller`: the API key whose unsent bytes it counts for
    - `category`: of Meta's Direct Send, which opens a conversation as a template does
    """

    id: str
    number: str
    type: str
    body: bytes
    address: str
    priority: Priority = Priority.REPLY
    ttl: int = 86_400_000
    opaque: str | None = None
    tag: str | None = None
    fallback: bytes | None = None
    notify: str | None = None
    origin: str | None = None
    take: bool = False
    send_at: int | None = None
    template: str | None = None
    fallback_name: str | None = None
    despite_stop: bool = False
    caller: str | None = None
    category: str | None = None

    def spec(self) -> bytes:
        """Return the `send` argument of the step `put`."""
        spec: dict[str, Any] = {
            "id": self.id,
            "n": self.number,
            "to": self.address,
            "type": self.type,
            "body": self.body.decode(),
            "priority": self.priority,
            "ttl": self.ttl,
        }
        if self.fallback is not None:
            spec |= {"fallback": self.fallback.decode(), "fallback_id": self.id + "f"}
        for name in ("opaque", "tag", "notify", "origin", "send_at", "template", "fallback_name", "caller", "category"):
            if (value := getattr(self, name)) is not None:
                spec[name] = value
        if self.despite_stop:
            spec["despite_stop"] = 1
        return orjson.dumps(spec)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """An idempotency key and the request's fingerprint; `wait_ms`: how long the caller waits for the result."""

    key: str
    fingerprint: str
    wait_ms: int


class PutResult(NamedTuple):
    """Result of a put: `outcome`, the record's id, and for "quota" and "marketing_limit" the seconds to wait."""

    outcome: PutOutcome
    id: str
    retry_after: float


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """The outcome of an attempt to send. "retry": again after `delay` s; "held": so, with its template.

    `held`: why Meta holds an accepted message, "" where it does not (reference 3.5).
    `meta_healthy`: whether the outcome shows that Meta is healthy or not, None for neither; `never_left`: Meta got
    nothing. See steps/done.lua.
    """

    kind: Literal["accepted", "retry", "held", "failed", "unknown"]
    wamid: str = ""
    wa_id: str = ""
    delay: float = 0.0
    retry_class: RetryClass | None = None
    error: Mapping[str, Any] | None = None
    code: int | None = None
    meta_healthy: bool | None = None
    never_left: bool = False
    reason: str = ""
    road: str = ""
    held: str = ""


@dataclass(frozen=True, slots=True)
class CallTiming:
    """A call to Meta: how long it took (ms), and when it ended (this process's monotonic clock, s)."""

    took_ms: int
    ended: float

    @property
    def ago_ms(self) -> int:
        return max(0, int((time.monotonic() - self.ended) * 1000))


@dataclass(frozen=True, slots=True)
class OutcomeWritten:
    """Result of `done`: whether the outcome was written, ms since the record was queued, and the id of the fallback
    template ("" none).
    """

    is_written: bool
    waited_ms: int
    fallback_id: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What Meta allows one number: messages a second, and customers opened by template in 24 h (0: unlimited)."""

    throughput: int = 80
    daily: int = 1_000
    waba: str = "-"


@dataclass(frozen=True, slots=True)
class Outbox:
    """The lanes of sends. `limits` by phone number id; unknown numbers have the defaults. `digests`: for the check of
    STOPs; `marketing_per_week`: marketing templates that a customer may get in a week (0: no limit).
    """

    store: Store
    retention_seconds: int
    limits: Mapping[str, Limits] = field(default_factory=dict)
    settle_seconds: float = 300.0
    resend_unknown: bool = False
    claim_seconds: float = CLAIM_SECONDS
    digests: StopDigests | None = None
    marketing_per_week: int = 0

    def limits_of(self, number: str) -> Limits:
        """The number's configured limits; limits from Meta are in the store and override them."""
        return self.limits.get(number, Limits())

    def put(
        self,
        send: Send,
        *,
        idempotency: Idempotency | None = None,
        opens: bool = False,
    ) -> PutResult:
        """Queue a send. `opens`: it is a template, which needs a reservation in the template quota unless the service
        window is open.

        Raises:
            StoreUnavailableError: it may or may not be queued; with an idempotency key it is safe to retry.
        """
        limits = self.limits_of(send.number)
        may_be_marketing = send.template is not None or send.fallback_name is not None
        outcome, *rest = self.store.call_replicated(
            "put",
            send=send.spec(),
            retention=self.retention_seconds,
            idempotency=idempotency.key if idempotency else "",
            fingerprint=idempotency.fingerprint if idempotency else "",
            wait_ms=idempotency.wait_ms if idempotency else 0,
            ceiling=LANE_CEILING,
            waba=limits.waba,
            daily_limit=limits.daily,
            opens=int(opens),
            who=orjson.dumps(identity_of_address(send.address).as_argument(0)),
            take=int(send.take),
            stops=orjson.dumps(self.digests.of([send.address]) if self.digests and may_be_marketing else ()),
            marketing_per_week=self.marketing_per_week,
        )
        what: PutOutcome = text(outcome)  # type: ignore[assignment]  # one of the step's words
        if what in {"quota", "marketing_limit"}:
            return PutResult(what, "", int(rest[0]) / 1000)
        return PutResult(what, text(rest[0]) if rest else "", 0.0)

    def has_idempotency_key(self, idempotency: Idempotency) -> bool:
        """Whether a send was put with this key before."""
        return bool(self.store.do("EXISTS", idempotency.key))

    def caller_answered(self, idempotency: Idempotency) -> None:
        """Note that the caller of an idempotent request got its answer: a repeat no longer has to wait."""
        self.store.call("caller_answered", idempotency=idempotency.key)

    def next(self, number: str, consumer: str, counter: int, count: int, *, most_bulk: int | None = None) -> GrantBatch:
        """Take up to `count` records that Meta's limits allow now; a repeated call (same counter) returns the same.

        `most_bulk`: how many of them may be bulk sends, None for all.
        """
        limits = self.limits_of(number)
        requested_at = ClockReading.now()
        step = self.store.step(
            "next",
            number=number,
            consumer=consumer,
            counter=counter,
            throughput=limits.throughput,
            margin_ms=MARGIN_MS,
            claim_ms=int(self.claim_seconds * 1000),
            count=count,
            retention=self.retention_seconds,
            waba=limits.waba,
            daily_limit=limits.daily,
            marketing_per_week=self.marketing_per_week,
            bulk=count if most_bulk is None else most_bulk,
        )
        try:
            (answer,) = self.store.run([step], replicated=True)
        except NotReplicatedError as error:  # a failover may lose the claims, so their records must not be sent
            for executed in error.results:
                for grant in read_grants(executed, requested_at).grants if isinstance(executed, list) else ():
                    self.done(number, grant, SendOutcome("retry", never_left=True))
            raise
        return read_grants(answer, requested_at)

    def done(self, number: str, grant: Grant, outcome: SendOutcome, timing: CallTiming | None = None) -> OutcomeWritten:
        """Write the outcome of a send; safe to repeat. `timing` of the call says when Meta counted the message."""
        details: dict[str, Any] = {
            "delay_ms": int(outcome.delay * 1000),
            "meta_healthy": outcome.meta_healthy,
            "reason": outcome.reason,
            "settle_ms": int(self.settle_seconds * 1000),
            "waba": self.limits_of(number).waba,
        }
        if outcome.held:
            details["held"] = outcome.held
        if outcome.kind == "accepted":
            details |= {
                "wamid": outcome.wamid,
                "mark": mark(number, outcome.wamid).hex(),
                "wa_id": spellings(outcome.wa_id) if outcome.wa_id else None,
                "road": outcome.road or None,
            }
        if timing is not None:
            details |= {"took_ms": timing.took_ms, "ago_ms": timing.ago_ms}
        if outcome.retry_class:
            details["retry_class"] = outcome.retry_class
        if outcome.error is not None:
            details["error"] = outcome.error
        if outcome.code is not None:
            details["code"] = outcome.code
        if outcome.never_left:
            details["never_left"] = True
        written, waited, fallback_id = self.store.call(
            "done",
            id=grant.id,
            token=grant.token,
            outcome=outcome.kind,
            retention=self.retention_seconds,
            details=orjson.dumps(details),
        )
        return OutcomeWritten(written == 1, int(waited), text(fallback_id))

    def apply_status(self, status: MessageStatus, at_ms: int) -> Command:
        """Return the command that applies a status from Meta. Result: [outcome, id, ms since accepted (-1 unknown),
        category and type of a counted price, joined by a tab (b"" none)]. Outcome: b"applied", b"late" (history
        only), b"unranked" (without a rank: a payment's, or a new one), b"duplicate" or b"foreign" (not ours).
        """
        number, wamid, pricing = status.phone_number_id, status.id, status.pricing
        if pricing is not None and not fits(pricing, KEPT_BYTES):
            pricing = None
        failure = failure_of(status.errors[0]) if status.errors else None
        not_message = status.type if status.type in NON_MESSAGE_TYPES else ""
        return self.store.step(
            "status",
            id=status.biz_opaque_callback_data,
            mark=mark(number, wamid).hex(),
            wamid=wamid,
            status=status_key(not_message, status.status),
            at=at_ms,
            number=number,
            participant=status.participant,
            subject=subject_digest(status),
            retention=self.retention_seconds,
            error=orjson.dumps(failure) if failure else "",
            code=failure["code"] or 0 if failure else 0,
            pricing=orjson.dumps(pricing) if pricing else "",
            country=country_charged(status),
            foreign=orjson.dumps({"n": number, "m": foreign_status(status, at_ms)}),
            recipient=foreign_recipient(status),
            event=orjson.dumps(status_event(status, at_ms, failure)),
            waba=self.limits_of(number).waba,
            mark_seconds=SEEN_SECONDS,
        )

    def reap(self) -> list[str]:
        """End expired claims, whose sends become unknown; return the records' ids."""
        settle_ms = int(self.settle_seconds * 1000)
        return [text(id_) for id_ in self.store.call("reap", settle_ms=settle_ms, retention=self.retention_seconds)]

    def settle(self) -> list[tuple[str, str]]:
        """Decide unknown sends that are due; return (id, "failed" or "resent")."""
        flat = self.store.call(
            "settle",
            settle_ms=int(self.settle_seconds * 1000),
            retention=self.retention_seconds,
            resend=int(self.resend_unknown),
        )
        return [(text(flat[i]), text(flat[i + 1])) for i in range(0, len(flat), 2)]

    def pause(self, number: str, reason: str, *, at_least: float = 0.0, record: str = "") -> float:
        """Pause a number for all processes; return for how long (s) from now, 0 when nothing changed."""
        at_least_ms = int(at_least * 1000)
        ms = self.store.call("pause", number=number, reason=reason, at_least_ms=at_least_ms, id=record)
        return float(ms) / 1000

    def resume(self, number: str) -> bool:
        """End a number's pause; return whether there was one."""
        return bool(self.store.call("resume", number=number) == 1)

    def slow_down(self, number: str) -> int:
        """Lower the number's pace after Meta's rate limit error.

        Return the new one (messages a second), 0 when it was lowered within the last second.
        """
        return int(self.store.call("slow_down", number=number, throughput=self.limits_of(number).throughput))

    def reserve_spare(self, number: str) -> bool:
        """Reserve throughput for a read mark or a typing indicator; return whether it may be sent now."""
        return bool(self.store.call("reserve_spare", number=number, throughput=self.limits_of(number).throughput) == 1)

    def wait_for_work(self, number: str, seconds: float) -> None:
        """Wait until there may be something to send, at most `seconds` and at most 1 s."""
        self.store.wait_for(self.store.keys.wake_out(number), seconds)

    def webhook_rejected(self) -> Command:
        """Note that a webhook was rejected or a web process started, so statuses may have been missed."""
        return self.store.step("webhook_rejected", seconds=SEEN_SECONDS)
