"""The page Now: the current state, problems with advice, and the rates of the last hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wa_service.service.meta_facts import MetaFact, MetaFacts
from wa_service.store.minute_counts import MinuteCounts
from wa_service.store.overview import Observer, Overview
from wa_service.whatsapp.errors import CODES

_OLD_SECONDS: Final = 30.0
_FULL: Final = 0.7
_LAGGING: Final = 10


@dataclass(frozen=True, slots=True)
class Trouble:
    """A problem, what to do, and its runbook; `grave`: messages wait or are lost."""

    text: str
    advice: str
    runbook: str = ""
    grave: bool = True


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How often Meta returned an error code in the last hour, and what to do about it."""

    code: str
    count: int
    advice: str


@dataclass(frozen=True, slots=True)
class Now:
    """The state at one moment. `rates`: by name, for each of the last sixty minutes, oldest first."""

    overview: Overview
    store: Mapping[str, str]
    replicas: Sequence[Mapping[str, str]]
    troubles: Sequence[Trouble]
    meta: Sequence[MetaFact]
    errors: Sequence[CodeCount]
    rates: Mapping[str, Sequence[int]]


class NowView:
    """Read the state. Raises `StoreUnavailableError`."""

    def __init__(self, observer: Observer, minutes: MinuteCounts, meta: MetaFacts) -> None:
        self._observer = observer
        self._minutes = minutes
        self._meta = meta

    def read(self) -> Now:
        """Return the current state."""
        overview, info = self._observer.overview(), self._observer.info()
        meta, minutes = self._meta.known(), self._minutes.last_hour()
        replicas = list(_replicas(info))
        troubles = [
            *_of_store(self._observer.durability(), info, replicas),
            *_of_work(overview),
            *_of_pushes(overview),
            *(
                Trouble(f"{fact.subject}: {fact.says}", fact.advice, "", fact.health == "wrong")
                for fact in meta
                if fact.health != "well"
            ),
        ]
        return Now(overview, info, replicas, troubles, meta, _errors(minutes), _rates(minutes))


def _of_store(
    durability: Sequence[str], info: Mapping[str, str], replicas: Sequence[Mapping[str, str]]
) -> Iterator[Trouble]:
    for sentence in durability:
        text, _, advice = sentence.partition(": ")
        yield Trouble(text, f"{advice[:1].upper()}{advice[1:]}", "store-unavailable")
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > _FULL * most:
        text = f"The store's memory is {used / most:.0%} full."
        yield Trouble(text, "Raise maxmemory: above 85 %, new work is refused.", "store-unavailable")
    for replica in replicas:
        if replica.get("state") != "online" or int(replica.get("lag") or 0) > _LAGGING:
            text = f"A replica is behind: {replica.get('state')}, {replica.get('lag')} s."
            yield Trouble(text, "Check its server and network.", "store-unavailable", grave=False)


def _of_work(overview: Overview) -> Iterator[Trouble]:
    depth, oldest = overview.depth, overview.oldest_seconds
    if overview.workers == 0:
        yield Trouble("No worker is running.", "Start one: python -m wa_service worker.", "queue-old")
    if oldest["inbound"] > _OLD_SECONDS:
        text = f"A customer's message waits {oldest['inbound']:.0f} s."
        yield Trouble(text, "Check that workers run, or start more.", "queue-old")
    if oldest["replies"] > _OLD_SECONDS:
        text = f"A reply waits {oldest['replies']:.0f} s to be sent."
        yield Trouble(text, "Check whether the number is paused or its throughput is used up.", "sends-old")
    for number, state in overview.numbers.items():
        if state.circuit:
            text = f"Number {number} is paused: {state.pause_reason}."
            runbook = "account-refused" if state.pause_reason == "account" else "number-paused"
            yield Trouble(text, "The log's whatsapp.number.paused and whatsapp.send.failed say why.", runbook)
    if letters := sum(overview.dead_letters.values()):
        yield Trouble(f"Dead letters: {letters}.", "Review them, and replay or drop them.", "dead-letters", grave=False)
    if depth["unknown"]:
        text = f"Sends with an unknown outcome: {depth['unknown']}."
        yield Trouble(text, "They are settled automatically.", "sends-unknown", grave=False)
    if overview.daily_limit and overview.daily_remaining < overview.daily_limit / 10:
        text = f"{overview.daily_remaining} of {overview.daily_limit} customers may still be opened by template today."
        yield Trouble(
            text, "Send fewer templates, or ask Meta for a higher tier.", "daily-limit-nearly-used", grave=False
        )


def _of_pushes(overview: Overview) -> Iterator[Trouble]:
    for subscription, lag in overview.push_lag_seconds.items():
        if lag > 10 * _OLD_SECONDS:
            yield Trouble(
                f"Subscription {subscription} is {lag:.0f} s behind.", "Look at its failures.", "push-behind", False
            )
    for subscription, lag in overview.push_paused_lag_seconds.items():
        if lag:
            text = f"Subscription {subscription} is paused, and events wait for it."
            yield Trouble(text, "Fix its receiver and resume it, or delete it.", "push-behind", grave=False)


def _replicas(info: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The lines `slave0:ip=…,state=online,lag=1` of the server's INFO."""
    for name, value in info.items():
        if name.startswith("slave") and name[5:].isdigit():
            yield dict(part.partition("=")[::2] for part in value.split(","))


def _errors(minutes: Sequence[Mapping[str, int]]) -> list[CodeCount]:
    counts: Counter[str] = Counter()
    for minute in minutes:
        counts.update({name.removeprefix("code:"): n for name, n in minute.items() if name.startswith("code:")})
    return [CodeCount(code, count, _advice(code)) for code, count in counts.most_common(20)]


def _advice(code: str) -> str:
    known = CODES.get(int(code)) if code.isdigit() else None
    return known.advice if known else ""


def _rates(minutes: Sequence[Mapping[str, int]]) -> dict[str, list[int]]:
    return {name: [minute.get(name, 0) for minute in minutes] for name in ("received", "sent", "delivered", "failed")}
