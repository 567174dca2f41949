"""Reply latency at 50 messages per second during 3,000 statuses per second."""

from __future__ import annotations

from statistics import median

from benchmarks import machine
from benchmarks.measure import Goal, Line, plain, quantile
from benchmarks.plan import Plan
from benchmarks.rows.replies import answered
from benchmarks.service import Load, MetaStandIn, Service, Workshop

STATUSES = 3_000
BATCH = 20
MESSAGES = 50


def run(plan: Plan) -> list[Line]:
    """Measure statuses of known sends, twenty per webhook; everything on two cores."""
    medians, acks = [], []
    seconds = round(plan.seconds(6))
    words = ("sent", "delivered", "read")
    with Workshop() as workshop:
        meta = MetaStandIn(workshop, on=machine.ALL)
        service = Service(workshop, meta.url)
        service.valkey()
        records = workshop.directory / "records.json"
        count = STATUSES * seconds
        service.helper("benchmarks.seed", "records", str(count * plan.rounds // len(words) + 1), str(records))
        service.web()
        service.worker()
        answered(workshop, service, meta, tag="warm", count=100, rate=MESSAGES)
        for turn in range(plan.rounds):
            storm = Load(
                workshop,
                service.port,
                on=machine.ALL,
                kind="status",
                records=str(records),
                first=count * turn,
                count=count,
                batch=BATCH,
                rate=STATUSES / BATCH,
            )
            times = answered(workshop, service, meta, tag=f"T{turn}", count=MESSAGES * (seconds - 1), rate=MESSAGES)
            medians.append(quantile(times, 0.5) * 1000)
            acks.append(storm.result()["p99_ms"])
    what = "reply's median in a storm of 3,000 statuses/s beside 50 messages/s, two cores"
    ack = {"storm_ack_p99_ms": median(acks)}
    return [plain("storm", what, medians, "ms", Goal("≤", 100), **ack)]
