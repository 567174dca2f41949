"""What one status webhook and one answered text cost: CPU of web, worker and Valkey together."""

from __future__ import annotations

import time

from benchmarks import machine
from benchmarks.measure import Goal, Line, plain
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError, Part
from benchmarks.service import Load, MetaStandIn, Service, Workshop

STATUS_RATE = 1_000
TEXT_RATE = 200
"""A busy core: at a slow pace it would be measured how the machine wakes up (on a small virtual one Flask's "ok" alone
costs 1.0 ms at 300 a second and 0.36 ms at 2,000)."""


def run(plan: Plan) -> list[Line]:
    """One web and one worker process with Valkey on one core; the load and Meta on the other."""
    statuses, texts = [], []
    with Workshop() as workshop:
        meta = MetaStandIn(workshop)
        service = Service(workshop, meta.url)
        parts = [service.valkey(on=machine.SERVER)]
        each = plan.many(4_000)
        records = workshop.directory / "records.json"
        service.helper("benchmarks.seed", "records", str(each * (plan.rounds + 1) // 3 + 1), str(records))
        parts += [service.web(on=machine.SERVER), service.worker(on=machine.SERVER)]
        _statuses(workshop, service, parts, str(records), each, 0)
        _texts(workshop, service, meta, parts, plan.many(500), "warm")
        for turn in range(plan.rounds):
            statuses.append(_statuses(workshop, service, parts, str(records), each, turn + 1))
            texts.append(_texts(workshop, service, meta, parts, plan.many(1_200), f"C{turn}"))
    what = "CPU of web + worker + Valkey for one"
    return [
        plain("cpu_status", f"{what} status webhook", statuses, "ms", Goal("≤", 0.9)),
        plain("cpu_text", f"{what} text answered", texts, "ms", Goal("≤", 3.0)),
    ]


def _statuses(workshop: Workshop, service: Service, parts: list[Part], records: str, count: int, turn: int) -> float:
    before = _cpu(parts)
    first = turn * count
    seen = Load(
        workshop, service.port, kind="status", records=records, first=first, count=count, rate=STATUS_RATE
    ).result()
    return (_cpu(parts) - before) * 1000 / float(seen["answered"])


def _texts(workshop: Workshop, service: Service, meta: MetaStandIn, parts: list[Part], count: int, tag: str) -> float:
    meta.forget()
    before = _cpu(parts)
    load = Load(workshop, service.port, kind="text", tag=tag, count=count, rate=TEXT_RATE, customers=count)
    load.result()
    end = time.monotonic() + 30
    while len(meta.arrived()) < count:
        if time.monotonic() > end:
            raise BenchmarkError(f"{len(meta.arrived())} of {count} texts were answered")
        time.sleep(0.1)
    return (_cpu(parts) - before) * 1000 / count


def _cpu(parts: list[Part]) -> float:
    return sum(part.cpu_seconds() for part in parts)
