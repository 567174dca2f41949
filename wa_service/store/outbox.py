"""What we send: put · next · done · reap · settle · status · pause.

A record enters its customer's lane by `put`, is handed out by `next` when Meta's limits allow, and ends by `done`,
by a status of Meta's, or by `settle`. The limits stand in the same scripts, because only there is one instant.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

import orjson

from wa_service.store import keys
from wa_service.store.client import Store, text
from wa_service.store.flusher import Command
from wa_service.store.records import RANKS
from wa_service.store.size_limits import bounded, fits

LANE_CEILING = 1_000
KEPT_BYTES = 16_384
LONGEST_SENTENCE = 1_024
LONGEST_WORD = 32
MARGIN_MS = 10
CLAIM_SECONDS = 45.0

# Meta's types of a status that is about something beside the message (5.7): its "failed" is not the message's.
_BESIDE = ("payment", "call")
_NO_LETTER = re.compile("[^a-z]")

Outcome = Literal["accepted", "later", "failed", "unknown"]
PutOutcome = Literal["queued", "replayed", "waiting", "conflict", "full", "reach"]


class Priority(StrEnum):
    """What a send is: an answer to a customer, a caller's message that is waited for, or one of many."""

    REPLY = "reply"
    SINGLE = "single"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Send:
    """A message that is to be sent. `body` is Meta's message object as JSON; times in ms.

    `address`: whom it goes to, one: only Meta says which addresses are one person's.
    Replies and single messages go before bulk ones, which may wait for a place in the daily reach. `opaque` is the
    caller's own biz_opaque_callback_data; `fallback` a template's message object that is sent instead when the service
    window turns out to be closed; `origin` names the message that a reply answers, as "reference@ms when received".
    """

    id: str
    number: str
    type: str
    body: bytes
    address: str
    priority: Priority = Priority.REPLY
    ttl: int = 86_400_000
    opaque: str | None = None
    fallback: bytes | None = None
    answer_to: str | None = None
    origin: str | None = None

    def spec(self) -> bytes:
        """The script's form of it."""
        spec: dict[str, Any] = {
            "id": self.id,
            "n": self.number,
            "type": self.type,
            "body": self.body.decode(),
            "priority": self.priority,
            "ttl": self.ttl,
        }
        if self.fallback is not None:
            spec |= {"fallback": self.fallback.decode(), "fallback_id": self.id + "f"}
        named = (("opaque", self.opaque), ("answer_to", self.answer_to), ("origin", self.origin))
        spec |= {name: value for name, value in named if value is not None}
        return orjson.dumps(spec)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's promise that this request is the same as an earlier one with the same key and fingerprint."""

    key: str
    fingerprint: str
    wait_ms: int


class Put(NamedTuple):
    """What became of a put: `outcome`, the record's id, and for "reach" the seconds until there is room."""

    outcome: PutOutcome
    id: str
    retry_after: float


@dataclass(frozen=True, slots=True)
class Grant:
    """A record that may be sent now. `few`, `pair`, `ill`: how often it was tried again for that reason."""

    id: str
    token: int
    conversation: str
    type: str
    body: bytes
    few: int
    pair: int
    ill: int
    origin: str
    waited_ms: int


@dataclass(frozen=True, slots=True)
class Next:
    """The answer of `next`: grants; seconds until asking again is worth it (infinity: until the bell), and why."""

    grants: list[Grant]
    wait: float
    why: str
    expired: list[str]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a send ended. `delay` in s for "later"; `health` says whether Meta is well, `never_left` that it got nothing;
    see steps/done.lua.
    """

    outcome: Outcome
    wamid: str = ""
    wa_id: str = ""
    delay: float = 0.0
    counts: Literal["few", "pair", "ill"] | None = None
    error: Mapping[str, Any] | None = None
    code: int | None = None
    health: Literal["well", "ill", ""] = ""
    never_left: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Trip:
    """A call to Meta: how long it took (ms), and when it ended (this process's monotonic clock, s)."""

    took_ms: int
    ended: float

    @property
    def ago_ms(self) -> int:
        """How long ago it ended."""
        return max(0, int((time.monotonic() - self.ended) * 1000))


@dataclass(frozen=True, slots=True)
class Ended:
    """What `done` found: whether this was the claim's holder, the record's status now, and ms since it was queued."""

    held: bool
    status: str
    waited_ms: int
    follows: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What Meta allows one number: messages a second, and customers opened by template in 24 h (0: unlimited)."""

    throughput: int = 80
    daily: int = 1_000
    waba: str = "-"


@dataclass(frozen=True, slots=True)
class Outbox:
    """The lanes of sends. `limits` by phone number id; unknown numbers have the defaults."""

    store: Store
    keep_seconds: int
    limits: Mapping[str, Limits] = field(default_factory=dict)
    settle_seconds: float = 300.0
    resend_unknown: bool = False
    claim_seconds: float = CLAIM_SECONDS

    def limits_of(self, number: str) -> Limits:
        """The number's limits as configured; what Meta said since stands in the store and comes first."""
        return self.limits.get(number, Limits())

    def put(
        self,
        send: Send,
        *,
        idempotency: Idempotency | None = None,
        opens: bool = False,
    ) -> Put:
        """Queues a send. `opens`: it is a template, so it needs a place in the daily reach if no window is open.

        Raises:
            StoreAwayError: it may or may not be queued; with an idempotency key it is safe to ask again.
        """
        limits = self.limits_of(send.number)
        outcome, *rest = self.store.call(
            "put",
            send.spec(),
            self.keep_seconds,
            idempotency.key if idempotency else "",
            idempotency.fingerprint if idempotency else "",
            idempotency.wait_ms if idempotency else 0,
            LANE_CEILING,
            limits.waba,
            limits.daily,
            int(opens),
            send.address,
        )
        what: PutOutcome = text(outcome)  # type: ignore[assignment]  # one of the script's six words
        if what == "reach":
            return Put(what, "", int(rest[0]) / 1000)
        return Put(what, text(rest[0]) if rest else "", 0.0)

    def knows(self, idempotency: Idempotency) -> bool:
        """Whether something was put under this key before."""
        return bool(self.store.do("EXISTS", idempotency.key))

    def answered(self, idempotency: Idempotency) -> None:
        """The caller of an idempotent request has its answer."""
        self.store.call("answered", idempotency.key)

    def next(self, number: str, puller: str, counter: int, count: int) -> Next:
        """Up to `count` records that Meta's limits allow now; asked again with the same counter, the same ones."""
        limits = self.limits_of(number)
        wait, why, expired, *items = self.store.call(
            "next",
            number,
            puller,
            counter,
            limits.throughput,
            MARGIN_MS,
            int(self.claim_seconds * 1000),
            count,
            self.keep_seconds,
            limits.waba,
            limits.daily,
        )
        grants = [
            Grant(
                text(id_),
                int(token),
                text(c),
                text(type_),
                bytes(body),
                int(few),
                int(pair),
                int(ill),
                text(origin),
                waited,
            )
            for id_, token, c, type_, body, few, pair, ill, origin, waited in items
        ]
        return Next(grants, float("inf") if wait < 0 else wait / 1000, text(why), [text(id_) for id_ in expired])

    def done(self, number: str, grant: Grant, ending: Ending, trip: Trip | None = None) -> Ended:
        """Writes how a send ended; safe to repeat. `trip`: the call, which says when Meta counted the message."""
        details: dict[str, Any] = {
            "delay": int(ending.delay * 1000),
            "health": ending.health,
            "reason": ending.reason,
            "settle": int(self.settle_seconds * 1000),
        }
        if ending.outcome == "accepted":
            details |= {
                "wamid": ending.wamid,
                "mark": keys.mark(number, ending.wamid).hex(),
                "wa_id": ending.wa_id,
            }
        if trip is not None:
            details |= {"took": trip.took_ms, "ago": trip.ago_ms}
        if ending.counts:
            details["counts"] = ending.counts
        if ending.error is not None:
            details["error"] = ending.error
        if ending.code is not None:
            details["code"] = ending.code
        if ending.never_left:
            details["never_left"] = True
        held, status, waited, follows = self.store.call(
            "done", grant.id, grant.token, ending.outcome, self.keep_seconds, orjson.dumps(details)
        )
        return Ended(held == 1, text(status), int(waited), text(follows))

    def status(self, number: str, wamid: str, status: str, at_ms: int, raw: Mapping[str, Any]) -> Command:
        """The command that applies a status of Meta's. Result: [word, id, ms since accepted (-1 unknown), type].

        The word: b"applied", b"late" (kept in the history only), b"told" (no step of the ladder: a payment's status, or
        one that is new), b"duplicate" or b"foreign" (not ours).
        """
        kind = raw.get("type")
        beside = kind if kind in _BESIDE else ""
        opaque = raw.get("biz_opaque_callback_data")
        errors = raw.get("errors")
        error = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else None
        failure = _failure(error) if error else None
        pricing = raw.get("pricing") if fits(raw.get("pricing"), KEPT_BYTES) else None
        code = failure["code"] if failure else None
        told = {"wamid": wamid, "status": status[:LONGEST_WORD], "time": at_ms, "error": failure, "pricing": pricing}
        if beside:
            told |= {"type": beside, beside: bounded(raw.get(beside), KEPT_BYTES)}
        return self.store.step(
            "status",
            opaque if isinstance(opaque, str) else "",
            keys.mark(number, wamid).hex(),
            wamid,
            _word(beside, status),
            at_ms,
            number,
            self.keep_seconds,
            orjson.dumps(failure) if failure else "",
            code or 0,
            orjson.dumps(pricing) if pricing else "",
            orjson.dumps({"n": number, "m": nobodys(number, wamid, status, at_ms, code)}),
            orjson.dumps(told)[1:-1],
        )

    def reap(self) -> list[str]:
        """Claims that ran out: their sends are unknown from now on. Returns the records' ids."""
        return [text(id_) for id_ in self.store.call("reap", int(self.settle_seconds * 1000), self.keep_seconds)]

    def settle(self) -> list[tuple[str, str]]:
        """Judges unknown sends whose time has come; returns (id, "failed" or "resent")."""
        flat = self.store.call("settle", int(self.settle_seconds * 1000), self.keep_seconds, int(self.resend_unknown))
        return [(text(flat[i]), text(flat[i + 1])) for i in range(0, len(flat), 2)]

    def pause(self, number: str, reason: str, *, at_least: float = 0.0, record: str = "") -> float:
        """Pauses a number for all processes; returns for how long (s) from now on, 0 when this changed nothing."""
        return float(self.store.call("pause", number, reason, int(at_least * 1000), record)) / 1000

    def resume(self, number: str) -> bool:
        """Ends a number's pause by hand."""
        return bool(self.store.call("resume", number) == 1)

    def cut(self, number: str) -> int:
        """Meta said that it is too fast: lowers the number's pace; returns it (a second)."""
        return int(self.store.call("cut", number, self.limits_of(number).throughput))

    def may_mark(self, number: str) -> bool:
        """Whether a read mark or a typing indicator may go out now; it counts as sent."""
        return bool(self.store.call("spare", number, self.limits_of(number).throughput) == 1)

    def wait_for_work(self, number: str, seconds: float) -> None:
        """Waits for the number's bell, at most `seconds` and at most 1 s."""
        self.store.wait_for(keys.out_bell(number), seconds)

    def webhook_refused(self) -> Command:
        """Remembers that a webhook of ours was refused, or a web process started: silence proves less since then."""
        return self.store.step("refused", keys.SEEN_SECONDS)


def _word(beside: str, status: str) -> str:
    """A status as the record has it: a step of the ladder, else a short word that cannot be one."""
    if not beside and status in RANKS:
        return status
    return f"{beside or 'other'}_{_NO_LETTER.sub('_', status[:LONGEST_WORD].lower())}"


def nobodys(number: str, wamid: str, status: str, at_ms: int, code: int | None) -> dict[str, Any]:
    """A status of a send that is not ours, as it is kept: with nothing that tells the customer.

    It may be the late status of a send to somebody who is forgotten; a wamid holds the number, its digest does not.
    """
    return {"mark": keys.mark(number, wamid).hex(), "status": status[:LONGEST_WORD], "time": at_ms, "code": code}


def _failure(error: Mapping[str, Any]) -> dict[str, Any]:
    """Meta's reason for a failed status, in the record's form; whatever came, each field has its type."""
    data = error.get("error_data")
    code = error.get("code")
    return {
        "code": code if type(code) is int else None,
        "title": _sentence(error.get("title")) or _sentence(error.get("message")),
        "details": _sentence(data.get("details") if isinstance(data, dict) else data),
    }


def _sentence(said: object) -> str | None:
    return said[:LONGEST_SENTENCE] if isinstance(said, str) and said else None
