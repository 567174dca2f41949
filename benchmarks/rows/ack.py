"""Latency of the 200 to Meta at 1,000 webhooks per second on two cores."""

from __future__ import annotations

from benchmarks.measure import Goal, Line, plain
from benchmarks.plan import Plan
from benchmarks.service import Load, Service, Workshop

RATE = 1_000


def run(plan: Plan) -> list[Line]:
    """Measure two web processes and Valkey, which share the cores with the load."""
    medians, slow, late = [], [], []
    with Workshop() as workshop:
        service = Service(workshop, WEB_CONCURRENCY="2")
        service.valkey()
        service.web()
        for turn in range(-1, plan.rounds):
            count = RATE if turn < 0 else int(RATE * plan.seconds(8))
            seen = Load(
                workshop, service.port, kind="text", tag=f"K{turn + 1}", count=count, rate=RATE, customers=2_000
            ).result()
            if turn >= 0:
                medians.append(seen["median_ms"])
                slow.append(seen["p99_ms"])
                late.append(seen["over_a_second"] * 100)
    what = "ack time at 1,000 webhooks/s on two cores"
    return [
        plain("ack_median", f"{what}: median", medians, "ms", Goal("≤", 15), "Meta's rule: ≤ 250 ms"),
        plain("ack_p99", f"{what}: 99th percentile", slow, "ms", Goal("≤", 100), "Meta's rule: < 1 % over 1 s"),
        plain("ack_late", f"{what}: over 1 s", late, "%", Goal("≤", 1), "Meta's rule: < 1 %"),
    ]
