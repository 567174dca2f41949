"""The page Now: the current state, problems with advice, and the rates of the last hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wa_service.service.diagnosis import Finding, of_durability, of_memory, of_overview, of_replicas
from wa_service.service.meta_facts import MetaFacts
from wa_service.store.minute_counts import MinuteCounts
from wa_service.store.overview import Observer, Overview
from wa_service.store.replication_report import replicas_in
from wa_service.whatsapp.errors import CODES


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How often Meta returned an error code in the last hour, and what to do about it."""

    code: str
    count: int
    advice: str


@dataclass(frozen=True, slots=True)
class Now:
    """The state at one moment: `problems` are the findings that are not ok, `meta` all that Meta told.

    `rates`: by name, for each of the last sixty minutes, oldest first.
    """

    overview: Overview
    store: Mapping[str, str]
    replicas: Sequence[Mapping[str, str]]
    problems: Sequence[Finding]
    meta: Sequence[Finding]
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
        replicas = replicas_in(info)
        found = [
            *of_durability(self._observer.durability()),
            of_memory(info),
            *of_replicas(replicas),
            *of_overview(overview),
            *meta,
        ]
        problems = [finding for finding in found if finding.level != "ok"]
        return Now(overview, info, replicas, problems, meta, _errors(minutes), _rates(minutes))


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
