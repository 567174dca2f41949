"""Memory of idle processes, and the time from start to ready."""

from __future__ import annotations

from functools import partial

from benchmarks.measure import Goal, Line, plain
from benchmarks.plan import Plan
from benchmarks.processes import answers
from benchmarks.service import Service, Workshop, has_started


def run(plan: Plan) -> list[Line]:
    """Measure the largest process of each part, without the extras; the first start only writes bytecode."""
    web_memory, worker_memory, web_ready, worker_ready = [], [], [], []
    with Workshop() as workshop:
        service = Service(workshop)
        service.valkey()
        for turn in range(-1, plan.rounds):
            with service.begin_web() as web:
                ready = web.until(answers(service.port, "/readyz"), "web")
                memory = web.memory_mb()
            with service.begin_worker(name=f"worker-{turn}") as worker:
                worker_in = worker.until(partial(has_started, worker), "the worker")
                worker_holds = worker.memory_mb()
            if turn >= 0:
                web_ready.append(ready)
                web_memory.append(memory)
                worker_ready.append(worker_in)
                worker_memory.append(worker_holds)
    return [
        plain("memory_web", "memory of an idle web process", web_memory, "MB", Goal("≤", 95)),
        plain("memory_worker", "memory of an idle worker process", worker_memory, "MB", Goal("≤", 95)),
        plain("ready_web", "web, start to ready", web_ready, "s", Goal("≤", 2)),
        plain("ready_worker", "worker, start to ready", worker_ready, "s", Goal("≤", 2)),
    ]
