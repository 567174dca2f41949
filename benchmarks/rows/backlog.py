"""CPU per message with a backlog of 100,000 conversations, compared with 1,000."""

from __future__ import annotations

import time
from statistics import median

from benchmarks import machine
from benchmarks.measure import Goal, Line, ratio
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError, Part
from benchmarks.service import MetaStandIn, Service, Workshop

FEW = 1_000


def run(plan: Plan) -> list[Line]:
    """Measure the CPU of worker and Valkey per answer while a worker handles the backlog."""
    many = plan.many(100_000)
    handled = plan.many(1_500, 500)
    few_cost, many_cost = [], []
    for _ in range(plan.rounds):
        few_cost.append(_cost(FEW, -(-handled * 2 // FEW), handled))
        many_cost.append(_cost(many, 1, handled))
    what = f"CPU for a message while {many:,} conversations wait"
    absolute = {"few_ms": median(few_cost), "many_ms": median(many_cost)}
    return [ratio("backlog", what, "1,000 conversations", many_cost, few_cost, Goal("≤", 1.15), absolute)]


def _cost(conversations: int, each: int, handled: int) -> float:
    with Workshop() as workshop:
        meta = MetaStandIn(workshop)
        service = Service(workshop, meta.url)
        valkey = service.valkey(on=machine.SERVER)
        service.helper("benchmarks.seed", "mailboxes", str(conversations), str(each), on=machine.LOAD, seconds=300)
        service.tidy_up()
        worker = service.worker(on=machine.SERVER)
        first, before = _after(meta, [worker, valkey], handled // 3)
        last, after = _after(meta, [worker, valkey], first + handled)
        return (after - before) * 1000 / (last - first)


def _after(meta: MetaStandIn, parts: list[Part], count: int) -> tuple[int, float]:
    """Wait for `count` answers; return how many there are, and the CPU seconds so far."""
    end = time.monotonic() + 60
    while (answered := len(meta.arrived())) < count:
        if time.monotonic() > end:
            raise BenchmarkError(f"{answered} of {count} were answered")
        time.sleep(0.02)
    return answered, sum(part.cpu_seconds() for part in parts)
