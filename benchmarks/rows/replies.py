"""Latency from a text to its reply at Meta, alone and at 100 messages per second."""

from __future__ import annotations

import time

from benchmarks import machine, payloads
from benchmarks.measure import Goal, Line, plain, quantile
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.service import Load, MetaStandIn, Service, Workshop

RATE = 100
LONE_RATE = 4


def run(plan: Plan) -> list[Line]:
    """Measure web, worker, Valkey, load and Meta on two cores."""
    medians, slow, lone = [], [], []
    with Workshop() as workshop:
        meta = MetaStandIn(workshop, on=machine.ALL)
        service = Service(workshop, meta.url)
        service.valkey()
        service.web()
        service.worker()
        answered(workshop, service, meta, tag="warm", count=plan.many(200), rate=RATE)
        for turn in range(plan.rounds):
            times = answered(workshop, service, meta, tag=f"P{turn}", count=plan.many(1_000), rate=RATE)
            medians.append(quantile(times, 0.5) * 1000)
            slow.append(quantile(times, 0.99) * 1000)
        for turn in range(plan.rounds):
            times = answered(workshop, service, meta, tag=f"L{turn}", count=plan.many(50, 10), rate=LONE_RATE)
            lone.append(quantile(times, 0.5) * 1000)
    what = "text in → reply at Meta, 100 messages/s, everything on two cores"
    return [
        plain("reply_median", f"{what}: median", medians, "ms", Goal("≤", 40)),
        plain("reply_p99", f"{what}: 99th percentile", slow, "ms", Goal("≤", 250)),
        plain("reply_lone", "a lone message → reply at Meta: median of 50", lone, "ms", Goal("≤", 100)),
    ]


def answered(
    workshop: Workshop, service: Service, meta: MetaStandIn, *, tag: str, count: int, rate: float
) -> list[float]:
    """Return the seconds from when each message was due until its reply arrived; each is from a different customer."""
    meta.forget()
    load = Load(
        workshop,
        service.port,
        on=machine.ALL,
        kind="text",
        tag=tag,
        count=count,
        rate=rate,
        customers=count,
        with_times=True,
    )
    due = load.result()["due_at"]
    return times_of(meta, due)


def times_of(meta: MetaStandIn, due: list[float], seconds: float = 30.0) -> list[float]:
    """Return the latency of the first reply to each of the customers 0, 1, 2, …

    Raises:
        BenchmarkError: not every message was answered.
    """
    customers = [payloads.customer(i) for i in range(len(due))]
    end = time.monotonic() + seconds
    while not set(customers) <= (arrived := dict(reversed(meta.arrived()))).keys():
        if time.monotonic() > end:
            raise BenchmarkError(f"{len(set(customers) & arrived.keys())} of {len(due)} messages were answered")
        time.sleep(0.05)
    return [arrived[customer] - at for customer, at in zip(customers, due, strict=True)]
