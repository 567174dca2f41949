"""Batches: many sends that are requested, watched, paused and canceled together.

Items wait in their batch and enter their customers' lanes a few at a time (`steps/feed_batches.lua`), so that a paused
batch blocks no other send and costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import Command
from wa_service.store.keys import SEEN_SECONDS
from wa_service.store.outbox import LANE_CEILING, Outbox, Send
from wa_service.whatsapp.webhooks.identity import identity_of_address

BatchPhase = Literal["loading", "running", "paused", "canceled", "done"]
BatchChange = Literal["start", "pause", "resume", "cancel"]
ITEMS_A_STEP = 100
SWEPT_A_STEP = 200
LOADING_SECONDS = 86_400
"""How long a batch is kept that was not started, so that its caller can repeat the request."""
QUALITY_SECONDS = 300
"""The least time between two requests to Meta for a number's quality."""
_SOON_MS = 60_000
_FAILED = "failed:"
_COST = "cost:"


def longest_wait(schedule_days: int) -> int:
    """How long (s) a batch is kept, in addition to the retention: five days longer than `send_at` may be ahead."""
    return (schedule_days + 5) * 86_400


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One message of a batch: its index in the request, and the send; `opens`: it is a template; `country`: the
    customer's (ISO 3166, "" unknown); `expires` (ms since 1970, 0 none): the latest time of sending.
    """

    index: int
    send: Send
    opens: bool
    country: str = ""
    expires: int = 0

    def stored(self, stops: Sequence[str] = ()) -> bytes:
        """Return the stored form: a line of JSON (`stops`: digests of the recipient's addresses), and the body."""
        send = self.send
        identity = identity_of_address(send.address).as_argument(0)
        facts: dict[str, Any] = {
            "n": send.number,
            "to": send.address,
            "type": send.type,
            "who": {name: value for name in ("group", "numbers", "ids") if (value := identity[name])},
        }
        optional = {
            "opens": self.opens,
            "take": send.take,
            "country": self.country,
            "until_ms": self.expires,
            "tag": send.tag,
            "opaque": send.opaque,
            "template": send.template,
            "category": send.category,
            "stops": stops,
        }
        facts |= {name: value for name, value in optional.items() if value}
        return orjson.dumps(facts) + b"\n" + send.body


@dataclass(frozen=True, slots=True)
class ItemProblem:
    """Why an item is refused: its index in the request, a sentence, and the invalid fields."""

    index: int
    sentence: str
    fields: tuple[tuple[str, str], ...] = ()

    def stored(self) -> str:
        """Return the stored form."""
        return orjson.dumps([self.index, self.sentence, self.fields]).decode()

    @classmethod
    def read(cls, stored: bytes) -> ItemProblem:
        """Read the stored form."""
        index, sentence, fields = orjson.loads(stored)
        return cls(index, sentence, tuple((field, problem) for field, problem in fields))


@dataclass(frozen=True, slots=True)
class StopWhen:
    """Pause a batch once this share of its sent items failed, and at least `after` were sent."""

    failed_share: float
    after: int


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to create. `fingerprint`: of the whole request; `language`: of its template, where all items have the
    same one; `send_at` in ms since 1970, 0 now.
    """

    id: str
    fingerprint: str
    caller: str
    tag: str | None = None
    template: str | None = None
    language: str | None = None
    quiet: str | None = None
    send_at: int = 0
    stop_when: StopWhen | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as its caller may see it; times in ms since 1970.

    `counts` of items by status, `reasons` of failed items by Meta's code or our reason, `first` and `last`: when the
    first and the latest item were sent. `reason`: why it is paused. `prices`: delivered items by (category,
    type, country) of Meta's price.
    """

    id: str
    state: BatchPhase
    reason: str | None
    caller: str
    tag: str | None
    template: str | None
    quiet: str | None
    stop_when: StopWhen | None
    created: int
    send_at: int | None
    total: int
    refused: int
    counts: Mapping[str, int]
    reasons: Mapping[str, int]
    first: int | None
    last: int | None
    prices: Mapping[tuple[str, str, str], int]
    numbers: tuple[str, ...]


class Loaded(NamedTuple):
    """How far a batch is stored: its state ("conflict": the id is another request's) and the number of stored items."""

    state: str
    stored: int


class Notice(NamedTuple):
    """A change of a batch: its new state, and why."""

    id: str
    state: str
    reason: str


def address_of_item(stored: bytes) -> str:
    """Return the recipient of a stored item."""
    return str(orjson.loads(stored.partition(b"\n")[0])["to"])


def labels_of_item(stored: bytes) -> tuple[str | None, str | None]:
    """Return the tag and the biz_opaque_callback_data of a stored item."""
    facts = orjson.loads(stored.partition(b"\n")[0])
    return facts.get("tag"), facts.get("opaque")


class Batches:
    """The batches of a store. Every method raises `StoreUnavailableError`."""

    def __init__(self, outbox: Outbox, *, ttl_seconds: int, schedule_days: int = 35) -> None:
        self._outbox = outbox
        self._store: Store = outbox.store
        self._ttl_ms = ttl_seconds * 1000
        self._lives = outbox.retention_seconds + longest_wait(schedule_days)

    def open(self, new: NewBatch) -> Loaded:
        """Create a batch, or find it; it sends nothing until it is started."""
        facts: list[str] = ["caller", new.caller]
        for name, value in (("tag", new.tag), ("template", new.template), ("quiet", new.quiet)):
            facts += [name, value] if value else []
        if new.language:
            facts += ["language", new.language.replace("-", "_")]
        if new.send_at:
            facts += ["at", str(new.send_at)]
        if new.stop_when is not None:
            facts += ["stop_share", str(new.stop_when.failed_share), "stop_after", str(new.stop_when.after)]
        state, stored = self._store.call(
            "batch_open",
            id=new.id,
            fingerprint=new.fingerprint,
            retention=self._outbox.retention_seconds,
            seconds=LOADING_SECONDS,
            facts=tuple(facts),
        )
        return Loaded(text(state), int(stored))

    def add(
        self, batch_id: str, first: int, up_to: int, items: Sequence[BatchItem], refused: Sequence[ItemProblem] = ()
    ) -> int:
        """Store the items from index `first` up to `up_to`, and why others are refused, unless they are stored already;
        return how many were stored, or -1 where too many bytes of the caller's messages wait.
        """
        flat: list[str | bytes] = []
        digests = self._outbox.digests
        for item in items:
            stops = digests.of([item.send.address]) if digests and item.send.template else ()
            flat += [str(item.index), item.send.number, str(item.send.send_at or 0), item.stored(stops)]
        command: Command = self._store.step(
            "batch_add",
            id=batch_id,
            first=first,
            up_to=up_to,
            seconds=LOADING_SECONDS,
            refused=orjson.dumps([each.stored() for each in refused]),
            items=tuple(flat),  # type: ignore[arg-type]  # str and bytes mixed
        )
        return int(self._store.run([command])[0])

    def drop(self, batch_id: str) -> None:
        """Delete a batch of which only a part could be stored; one that was started stays."""
        self._store.call("batch_drop", id=batch_id)

    def change(
        self, batch_id: str, change: BatchChange, *, reason: str = "asked", refused: int = 0
    ) -> BatchPhase | None:
        """Start, pause, resume or cancel a batch; return its new state, None where there is no such batch."""
        state = self._store.call_replicated(
            "batch_change", id=batch_id, change=change, reason=reason, refused=refused, seconds=self._lives
        )
        return text(state) or None  # type: ignore[return-value]  # one of the step's words

    def sweep(self, batch_id: str) -> None:
        """Cancel every item of a canceled batch that has not left."""
        retention = self._outbox.retention_seconds
        while self._store.call("batch_sweep", id=batch_id, count=SWEPT_A_STEP, retention=retention) == 1:
            pass

    def sweep_canceled(self) -> None:
        """Finish the cancellations that a dead process left undone."""
        for batch_id in self._store.do("SMEMBERS", self._store.keys.of("batches_canceled")):
            self.sweep(text(batch_id))

    def pause_where(
        self,
        reason: str,
        numbers: Sequence[str],
        *,
        template: str = "",
        language: str = "",
        digits: str = "",
        event_mark: bytes = b"",
        waba: str = "",
        about: str = "",
        at: int = 0,
    ) -> Command:
        """Pause batches that send a template in a language ("" any), or send from the number with these displayed
        digits. Result: how many.

        `event_mark`: the mark of Meta's event, which pauses only once. `about`: what the event is about (see
        `TemplatePauses.note_event`), `at` its Unix time (0: now); a later one of `waba` prevails.
        """
        return self._store.step(
            "pause_batches",
            template=template,
            language=language,
            digits=digits,
            reason=reason,
            mark=event_mark,
            mark_seconds=SEEN_SECONDS,
            waba=waba,
            about=about,
            at=at * 1000,
            numbers=tuple(numbers),
        )

    def begin_quality_check(self, number: str) -> bool:
        """Whether to ask Meta for a number's quality: a batch of it has begun, and the last check was long ago."""
        keys = self._store.keys
        soon = int(time.time() * 1000) + _SOON_MS
        batches = self._store.run([("HMGET", keys.of("batch", id_), "state", "at") for id_ in self.active(number)])
        if not any(state == b"running" and int(at or 0) <= soon for state, at in batches):
            return False
        claimed = self._store.do("SET", keys.of("quality_requested", number), "1", "NX", "EX", QUALITY_SECONDS)
        return text(claimed) == "OK"

    def note_quality(self, number: str, *, is_red: bool) -> int:
        """Pause a number's running batches if its quality is red, each once; return how many."""
        return int(self._store.call("number_quality", number=number, is_red=int(is_red)))

    def get(self, batch_id: str) -> Batch | None:
        data = fields(self._store.do("HGETALL", self._store.keys.of("batch", batch_id)))
        return _read(batch_id, data) if "state" in data else None

    def refused(self, batch_id: str, after: str, count: int) -> tuple[list[ItemProblem], str | None]:
        """Return at most `count` refused items of a batch, by index, and the next cursor (None at the end)."""
        place = int(after) if after else 0
        entries = self._store.do("LRANGE", self._store.keys.of("batch_refused", batch_id), place, place + count)
        problems = [ItemProblem.read(raw) for raw in entries[:count]]
        return problems, str(place + count) if len(entries) > count else None

    def page(self, after: str, count: int) -> tuple[list[Batch], str | None]:
        """Return at most `count` batches, newest first, and the next cursor (None at the end)."""
        place = int(after) if after else 0
        ids = [text(id_) for id_ in self._store.do("ZREVRANGE", self._store.keys.of("batches"), place, place + count)]
        hashes = self._store.run([("HGETALL", self._store.keys.of("batch", id_)) for id_ in ids[:count]])
        found = [(id_, fields(raw)) for id_, raw in zip(ids, hashes, strict=False)]
        batches = [_read(id_, data) for id_, data in found if "state" in data]
        return batches, str(place + count) if len(ids) > count else None

    def active(self, number: str) -> dict[str, str]:
        """Return the batches that may have items for a number now, with their quiet hours ("" none)."""
        ids = [text(id_) for id_ in self._store.do("ZRANGE", self._store.keys.of("batches", number), 0, -1)]
        quiet = self._store.run([("HGET", self._store.keys.of("batch", id_), "quiet") for id_ in ids])
        return {id_: text(hours) for id_, hours in zip(ids, quiet, strict=True)}

    def feed(self, number: str, quiet: Mapping[str, int | Mapping[str, int]]) -> int:
        """Move items of a number into their lanes, as far as there is room; return how many. `quiet`: see the step."""
        limits = self._outbox.limits_of(number)
        return int(
            self._store.call(
                "feed_batches",
                number=number,
                throughput=limits.throughput,
                count=ITEMS_A_STEP,
                ceiling=LANE_CEILING,
                ttl=self._ttl_ms,
                retention=self._outbox.retention_seconds,
                waba=limits.waba,
                daily_limit=limits.daily,
                quiet=orjson.dumps(quiet),
            )
        )

    def notices(self) -> list[Notice]:
        """Take the changes of batches that were not taken yet; each is taken once."""
        taken = self._store.do("LPOP", self._store.keys.of("batch_notices"), 100) or []
        changes = [orjson.loads(raw) for raw in taken]
        return [Notice(each["id"], each["state"], each.get("reason") or "") for each in changes]


def _read(batch_id: str, data: Mapping[str, str]) -> Batch:
    counts: dict[str, int] = {}
    reasons: dict[str, int] = {}
    for name, value in data.items():
        if not name.startswith("n:") or value == "0":
            continue
        status, amount = name[2:], int(value)
        if status.startswith(_FAILED):
            reasons[status.removeprefix(_FAILED)] = amount
            status = "failed"
        counts[status] = counts.get(status, 0) + amount
    stop = StopWhen(float(data["stop_share"]), int(data["stop_after"])) if "stop_share" in data else None
    return Batch(
        id=batch_id,
        state=data["state"],  # type: ignore[arg-type]  # one of the steps' words
        reason=data.get("reason"),
        caller=data.get("caller", ""),
        tag=data.get("tag"),
        template=data.get("template"),
        quiet=data.get("quiet"),
        stop_when=stop,
        created=_ms(data["created"]),
        send_at=_ms(data["at"]) if "at" in data else None,
        total=int(data.get("total", 0)),
        refused=int(data.get("refused", 0)),
        counts=counts,
        reasons=reasons,
        first=_ms(data["first"]) if "first" in data else None,
        last=_ms(data["last"]) if "last" in data else None,
        prices={_price(name): int(value) for name, value in data.items() if name.startswith(_COST)},
        numbers=tuple(name.partition(":")[2] for name in data if name.startswith("number:")),
    )


def _price(name: str) -> tuple[str, str, str]:
    category, kind, country = name.removeprefix(_COST).split("\t")
    return category, kind, country


def _ms(value: str) -> int:
    return int(float(value))
