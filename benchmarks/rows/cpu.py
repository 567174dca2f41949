"""CPU per status webhook and per answered text, of web, worker and Valkey together."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import machine
from benchmarks.measure import Goal, Line, plain
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError, Part
from benchmarks.service import Load, MetaStandIn, Service, Workshop

CONNECTIONS = 64
STATUS_PACE = 300
TEXT_PACE = 50
"""Low rates include the machine's wake-up costs, so these lines have no goal."""


def run(plan: Plan) -> list[Line]:
    """Measure one web process, one worker process and Valkey on one core; load and Meta run on the other."""
    with Workshop() as workshop:
        meta = MetaStandIn(workshop)
        service = Service(workshop, meta.url)
        parts = [service.valkey(on=machine.SERVER)]
        bench = _Bench(workshop, meta, service, parts)
        busy, calm = plan.many(3_000), plan.many(1_200)
        bench.remember_sends((busy * (plan.rounds + 1) + calm * plan.rounds) // 3 + 1)
        parts += [service.web(on=machine.SERVER), service.worker(on=machine.SERVER)]
        bench.statuses(busy)
        bench.texts(plan.many(500), "warm")
        figures: dict[str, list[float]] = {"status": [], "text": [], "calm status": [], "calm text": []}
        for turn in range(plan.rounds):
            figures["status"].append(bench.statuses(busy))
            figures["text"].append(bench.texts(plan.many(2_000), f"B{turn}"))
            figures["calm status"].append(bench.statuses(calm, STATUS_PACE))
            figures["calm text"].append(bench.texts(plan.many(250), f"C{turn}", TEXT_PACE))
    what = "CPU of web + worker + Valkey for one"
    return [
        plain("cpu_status", f"{what} status webhook", figures["status"], "ms", Goal("≤", 0.9)),
        plain("cpu_text", f"{what} text answered", figures["text"], "ms", Goal("≤", 3.0)),
        plain("cpu_status_calm", f"… status webhook at {STATUS_PACE}/s", figures["calm status"], "ms", None),
        plain("cpu_text_calm", f"… text answered at {TEXT_PACE}/s", figures["calm text"], "ms", None),
    ]


class _Bench:
    """The service with its load and its stand-in."""

    def __init__(self, workshop: Workshop, meta: MetaStandIn, service: Service, parts: list[Part]) -> None:
        self._workshop = workshop
        self._meta = meta
        self._service = service
        self._parts = parts
        self._records = workshop.directory / "records.json"
        self._used = 0

    def remember_sends(self, count: int) -> None:
        """Record sends to which the statuses belong."""
        self._service.helper("benchmarks.seed", "records", str(count), str(self._records))

    def statuses(self, count: int, pace: int = 0) -> float:
        """Return the CPU milliseconds per status webhook; `pace` per second, 0 for as fast as possible."""
        spec: dict[str, Any] = {"kind": "status", "records": str(self._records), "first": self._used, "count": count}
        self._used += count
        before = self._cpu()
        Load(self._workshop, self._service.port, **spec, **_pace(pace)).result()
        return (self._cpu() - before) * 1000 / count

    def texts(self, count: int, tag: str, pace: int = 0) -> float:
        """Return the CPU milliseconds per answered text, each of a different customer."""
        self._meta.forget()
        spec: dict[str, Any] = {"kind": "text", "tag": tag, "count": count, "customers": count}
        before = self._cpu()
        Load(self._workshop, self._service.port, **spec, **_pace(pace)).result()
        end = time.monotonic() + 60
        while (answered := len(self._meta.arrived())) < count:
            if time.monotonic() > end:
                raise BenchmarkError(f"{answered} of {count} texts were answered")
            time.sleep(0.1)
        return (self._cpu() - before) * 1000 / count

    def _cpu(self) -> float:
        return sum(part.cpu_seconds() for part in self._parts)


def _pace(pace: int) -> dict[str, Any]:
    return {"rate": pace} if pace else {"connections": CONNECTIONS, "seconds": 60}
