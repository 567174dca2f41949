"""Queued sends per second of one worker process on one core, compared with the client in a loop."""

from __future__ import annotations

import json
import sys
import time
from statistics import median

from benchmarks import machine
from benchmarks.measure import Goal, Line, ratio
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.service import MetaStandIn, Service, Workshop

AT_ONCE = 100
"""Concurrent sends: `WA_SEND_CONCURRENCY`, and the same for the client in its loop."""


def run(plan: Plan) -> list[Line]:
    """Measure the client alone and the queue in turn. Limits are checked, but set so high that they do not apply."""
    bare, queued = [], []
    count = plan.many(5_000)
    with Workshop() as workshop:
        meta = MetaStandIn(workshop)
        service = Service(workshop, meta.url, WHATSAPP_MESSAGES_PER_SECOND="20000")
        service.valkey(on=machine.LOAD)
        for turn in range(plan.rounds):
            part = workshop.start(
                f"bare-{turn}",
                *(sys.executable, "-m", "benchmarks.send_ours", meta.url, str(count), str(AT_ONCE)),
                on=machine.SERVER,
                env=service.env,
            )
            bare.append(count / json.loads(part.result())["wall"])
            service.helper("benchmarks.seed", "queue", str(count))
            meta.forget()
            with service.worker(on=machine.SERVER, name=f"worker-{turn}"):
                queued.append(_rate(meta, count))
    what = "queued sends a second, one worker process on one core"
    absolute = {"queued": median(queued), "bare": median(bare)}
    return [ratio("queued", what, "the bare client in a loop", queued, bare, Goal("≥", 0.40), absolute)]


def _rate(meta: MetaStandIn, count: int) -> float:
    """Return sends per second, without the first tenth."""
    end = time.monotonic() + 120
    while len(arrived := meta.arrived()) < count:
        if time.monotonic() > end:
            raise BenchmarkError(f"{len(arrived)} of {count} left")
        time.sleep(0.5)
    times = sorted(at for _, at in arrived)
    first = len(times) // 10
    return (len(times) - 1 - first) / (times[-1] - times[first])
