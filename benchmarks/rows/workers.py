"""Throughput of two worker processes compared with one, while cores are free."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median

from benchmarks import machine
from benchmarks.measure import Goal, Line, ratio
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.service import MetaStandIn, Service, Workshop

LATENCY = 0.25
AT_ONCE = 16


def run(plan: Plan) -> list[Line]:
    """Measure with 250 ms latency at Meta and 16 concurrent sends, so that workers wait for Meta and not for a core.

    On a machine with few cores, only this shows whether the lanes let two workers run concurrently.
    """
    one: list[float] = []
    two: list[float] = []
    with Workshop() as workshop:
        meta = MetaStandIn(workshop, latency=LATENCY, on=machine.ALL)
        service = Service(workshop, meta.url, WA_SEND_CONCURRENCY=str(AT_ONCE))
        service.valkey()
        count = plan.many(400)
        for turn in range(plan.rounds):
            for number, rates in ((1, one), (2, two)):
                rates.append(_rate(service, meta, count * number, number, f"{turn}-{number}"))
    what = "sends a second, two worker processes while cores are free"
    absolute = {"one": median(one), "two": median(two)}
    return [ratio("workers_two", what, "one worker process", two, one, Goal("≥", 1.8), absolute)]


def _rate(service: Service, meta: MetaStandIn, count: int, number: int, tag: str) -> float:
    with ExitStack() as workers:
        for n in range(number):
            workers.enter_context(service.worker(name=f"worker-{tag}-{n}"))
        meta.forget()
        service.helper("benchmarks.seed", "queue", str(count))
        end = time.monotonic() + 60
        while len(arrived := meta.arrived()) < count:
            if time.monotonic() > end:
                raise BenchmarkError(f"{len(arrived)} of {count} left")
            time.sleep(0.1)
        times = sorted(at for _, at in arrived)
        first, last = len(times) // 4, len(times) * 3 // 4
        return (last - first) / (times[last] - times[first])
