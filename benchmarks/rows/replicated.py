"""The cost of waiting for a replica before each webhook is acknowledged."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.measure import Goal, Line, plain, ratio
from benchmarks.plan import Plan
from benchmarks.service import Load, Service, Workshop
from wa_service.store.embedded_replicas import embedded_replicas_in

WHAT = "webhooks accepted a second with WA_REDIS_REPLICAS=1"
CONNECTIONS = 64
ACK_RATE = 200


def run(plan: Plan) -> list[Line]:
    """Measure two web processes on one primary with one replica in turn: one waits for the replica, one does not."""
    seconds = plan.seconds(4)
    rates: dict[str, list[float]] = {"0": [], "1": []}
    acks: dict[str, list[float]] = {"0": [], "1": []}
    with Workshop() as workshop:
        services = _services(workshop)
        for turn in range(-1, plan.rounds):
            for replicas in sorted(services, reverse=bool(turn % 2)):
                tag = f"R{turn + 1}r{replicas}"
                seen = _load(workshop, services[replicas], tag, seconds=seconds, connections=CONNECTIONS)
                calm = _load(workshop, services[replicas], f"{tag}a", rate=ACK_RATE, count=int(ACK_RATE * seconds))
                if turn >= 0:
                    rates[replicas].append(seen["answered"] / seen["seconds"])
                    acks[replicas].append(calm["median_ms"])
    absolute = {"with": median(rates["1"]), "without": median(rates["0"])}
    more = [with_one - without for with_one, without in zip(acks["1"], acks["0"], strict=True)]
    return [
        ratio("replicated_webhooks", WHAT, "0", rates["1"], rates["0"], Goal("≥", 0.9), absolute),
        plain("replicated_ack", "more time to a 200 with WA_REDIS_REPLICAS=1: median", more, "ms", Goal("≤", 1)),
    ]


def _services(workshop: Workshop) -> dict[str, Service]:
    servers = embedded_replicas_in(workshop.directory, 1)
    services = {}
    for replicas in ("0", "1"):
        directory = Path(workshop.directory) / f"web-{replicas}"
        directory.mkdir()
        services[replicas] = Service(
            workshop,
            REDIS_URL=servers.url,
            WA_SENTINEL_PASSWORD=servers.password,
            WA_REDIS_REPLICAS=replicas,
            WA_VAR_DIR=str(directory),
        )
    command = ("-m", "wa_service", "valkey", "--replicas", "1")
    env = services["0"].env | {"WA_VAR_DIR": str(workshop.directory)}
    workshop.start("replicated", sys.executable, *command, on=machine.LOAD, env=env).until(
        servers.complete, "the replicas"
    )
    for service in services.values():
        service.web(on=machine.SERVER)
    return services


def _load(workshop: Workshop, service: Service, tag: str, **spec: Any) -> dict[str, float]:
    spec.setdefault("count", 40_000)
    return Load(workshop, service.port, kind="text", tag=tag, customers=2_000, **spec).result()
