"""CPU of 200 conversations with WA_DEBOUNCE, compared with an answer to each text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.measure import Goal, Line, ratio
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.service import Load, MetaStandIn, Service, Workshop

CONVERSATIONS = 200
PIECES = 3
WAITING = {"WA_DEBOUNCE": "1.5"}
"""The value that the guide recommends."""
SECONDS = 6.0
"""Both are measured over the same time, because an idle service uses CPU too."""


def run(plan: Plan) -> list[Line]:
    """Measure the CPU of web, worker and Valkey for single texts and for texts in pieces."""
    lines: list[Line] = []
    for name, pieces in (("alone", 1), ("pieces", PIECES)):
        at_once, together = [], []
        for turn in range(plan.rounds):
            at_once.append(_cost({}, pieces, pieces, f"O{name}{turn}"))
            together.append(_cost(WAITING, pieces, 1, f"T{name}{turn}"))
        what = (
            f"CPU for {CONVERSATIONS} conversations of {pieces} text{'s' if pieces > 1 else ''}, answered after silence"
        )
        absolute = {"at_once_ms": median(at_once), "together_ms": median(together)}
        lines.append(ratio(f"bursts_{name}", what, "each text at once", together, at_once, Goal("≤", 1.1), absolute))
    return lines


def _cost(given: Mapping[str, str], pieces: int, answers: int, tag: str) -> float:
    """Return the CPU milliseconds of a burst, after a warm-up burst of the same size."""
    with Workshop() as workshop:
        meta = MetaStandIn(workshop)
        service = Service(workshop, meta.url, **given)
        parts = [service.valkey(on=machine.SERVER), service.web(on=machine.SERVER), service.worker(on=machine.SERVER)]
        cpu = 0.0
        for turn in range(2):
            meta.forget()
            before, until = sum(part.cpu_seconds() for part in parts), time.monotonic() + SECONDS
            count = CONVERSATIONS * pieces
            spec: dict[str, Any] = {"kind": "text", "tag": f"{tag}{turn}", "count": count, "customers": CONVERSATIONS}
            Load(workshop, service.port, **spec, connections=64, seconds=60).result()
            end = time.monotonic() + 60
            while len(meta.arrived()) < CONVERSATIONS * answers:
                if time.monotonic() > end:
                    raise BenchmarkError(f"{len(meta.arrived())} answers arrived")
                time.sleep(0.05)
            if (left := until - time.monotonic()) < 0:
                raise BenchmarkError(f"the answers took {-left:.1f} s longer than the {SECONDS:.0f} s measured")
            time.sleep(left)
            cpu = sum(part.cpu_seconds() for part in parts) - before
        return cpu * 1000
