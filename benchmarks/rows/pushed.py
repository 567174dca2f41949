"""Push latency at 1,000 events per second to a subscriber next to one that is down and one that is slow."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from benchmarks import machine
from benchmarks.measure import Goal, Line, plain, quantile, ratio
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.service import Load, Service, Subscribers, Workshop
from meta_emulator.free_port import free_port

RATE = 1_000
BATCH = 20


def run(plan: Plan) -> list[Line]:
    """Measure statuses of known sends, twenty per webhook, in each round once with and once without subscribers."""
    seconds = round(plan.seconds(8))
    count = RATE * seconds
    slow, medians, with_them, without = [], [], [], []
    with Workshop() as workshop:
        service = Service(workshop, WA_PUSH_ALLOW="127.0.0.0/8", WA_RESPONDER="none")
        service.valkey()
        records = workshop.directory / "records.json"
        service.helper("benchmarks.seed", "records", str(count * 2 * (plan.rounds + 1) // 3 + 1), str(records))
        service.web()
        service.worker()
        subscribers = Subscribers(workshop)

        def load(turn: int) -> float:
            spec = {"kind": "status", "records": str(records), "first": count * turn, "count": count}
            seen = Load(workshop, service.port, on=machine.ALL, **spec, batch=BATCH, rate=RATE / BATCH).result()
            return float(seen["median_ms"])

        for turn in range(-1, plan.rounds):  # the first one warms up
            alone = load(2 * turn + 2)
            made = [subscribe(service, url) for url in (*subscribers.urls, f"http://127.0.0.1:{free_port()}/")]
            time.sleep(1.5)  # a worker reloads subscriptions once a second
            subscribers.forget()
            beside = load(2 * turn + 3)
            ages = subscribers.ages(count)
            for name in made:
                api(service, "DELETE", f"/v1/subscriptions/{name}")
            if turn >= 0:
                slow.append(quantile(ages, 0.99) * 1000)
                medians.append(quantile(ages, 0.5) * 1000)
                with_them.append(beside)
                without.append(alone)
    what = "1,000 events/s to three subscribers, one dead, one answering after 5 s"
    return [
        plain("push_p99", f"{what}: the third's 99th percentile", slow, "ms", Goal("≤", 500)),
        plain("push_median", f"{what}: the third's median", medians, "ms", None),
        ratio("push_ack", f"{what}: web's median ack", "without subscribers", with_them, without, Goal("≤", 1.05)),
    ]


def subscribe(service: Service, url: str) -> str:
    """Subscribe to all events; return the subscription's id."""
    return str(api(service, "POST", "/v1/subscriptions", {"url": url})["id"])


def api(service: Service, method: str, path: str, body: Any = None) -> Any:
    """Call the service's REST API."""
    headers = {"Authorization": "Bearer benchmark-key-for-measuring", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{service.port}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        if answer.status not in {200, 201, 204}:
            raise BenchmarkError(f"{path} answered {answer.status}")
        text = answer.read()
        return json.loads(text) if text else None
