"""Reply latency during a batch, compared with the same load without one; and the latency of the batch calls."""

from __future__ import annotations

import time
from collections.abc import Sequence

import requests

from benchmarks import machine
from benchmarks.measure import Goal, Line, plain, quantile
from benchmarks.plan import Plan
from benchmarks.processes import BenchmarkError
from benchmarks.rows.replies import answered
from benchmarks.service import MetaStandIn, Service, Workshop

ITEMS = 10_000
TEXTS_A_SECOND = 20
META_SECONDS = 0.2
"""Meta's latency for a send."""
PACES = (80, 1_000)
KEY = {"Authorization": "Bearer benchmark-key-for-measuring"}


def run(plan: Plan) -> list[Line]:
    """Measure web, worker, Valkey, load and Meta on two cores, at each of Meta's two throughput tiers."""
    lines: list[Line] = []
    calls: list[float] = []
    for pace in PACES:
        alone: list[float] = []
        beside: list[float] = []
        with Workshop() as workshop:
            meta = MetaStandIn(workshop, on=machine.ALL, latency=META_SECONDS)
            service = Service(workshop, meta.url, WHATSAPP_MESSAGES_PER_SECOND=str(pace), WHATSAPP_DAILY_LIMIT="0")
            service.valkey()
            service.web()
            service.worker()
            count = plan.many(150, 100)
            answered(workshop, service, meta, tag="warm", count=60, rate=TEXTS_A_SECOND)
            for turn in range(plan.rounds):
                alone += answered(workshop, service, meta, tag=f"A{turn}", count=count, rate=TEXTS_A_SECOND)
                batch, took = _ask(service)
                calls.append(took)
                _until_on_its_way(meta)
                beside += answered(workshop, service, meta, tag=f"B{turn}", count=count, rate=TEXTS_A_SECOND)
                _cancel(service, [batch])
            if pace == PACES[0]:
                canceled = [_cancel(service, [_ask(service)[0] for _ in range(5)]) for _ in range(plan.rounds)]
        what = (
            f"text in → reply at Meta ({META_SECONDS:.1f} s), {TEXTS_A_SECOND} texts/s beside a batch, {pace} a second"
        )
        figures = {"alone_p99_ms": round(quantile(alone, 0.99) * 1000, 1)}
        p50, p99 = (quantile(beside, share) * 1000 for share in (0.5, 0.99))
        lines.append(plain(f"batch_replies_{pace}", f"{what}: median", [p50], "ms", None))
        lines.append(
            plain(f"batch_replies_{pace}_p99", f"{what}: 99th percentile", [p99], "ms", Goal("≤", 250), "–", **figures)
        )
    lines.append(plain("batch_cancel", f"`DELETE` of five batches of {ITEMS:,}", canceled, "s", Goal("≤", 10)))
    asked = f"`POST /v1/batches` of {ITEMS:,} texts, until it is answered"
    lines.append(plain("batch_call", asked, calls, "s", Goal("≤", 3)))
    return lines


def _ask(service: Service) -> tuple[str, float]:
    """Create a batch to customers that do not write; return its id and the call's duration (s)."""
    items = [{"to": f"4478{i:08d}", "n": i} for i in range(ITEMS)]
    body = {"message": {"text": "We are open until {{ n }}."}, "items": items}
    started = time.monotonic()
    answer = requests.post(f"http://127.0.0.1:{service.port}/v1/batches", json=body, headers=KEY, timeout=60)
    took = time.monotonic() - started
    if answer.status_code != 202 or answer.json()["taken"] != ITEMS:
        raise BenchmarkError(f"the batch was answered {answer.status_code}")
    return str(answer.json()["id"]), took


def _until_on_its_way(meta: MetaStandIn) -> None:
    meta.forget()
    end = time.monotonic() + 30
    while len(meta.arrived()) < 50:
        if time.monotonic() > end:
            raise BenchmarkError("the batch is not sent")
        time.sleep(0.05)


def _cancel(service: Service, batches: Sequence[str]) -> float:
    """Cancel batches that are still running; return how long that took (s).

    Raises:
        BenchmarkError: one had ended before, or still has scheduled sends.
    """
    addresses = [f"http://127.0.0.1:{service.port}/v1/batches/{batch}" for batch in batches]
    for address in addresses:
        state = requests.get(address, headers=KEY, timeout=30).json()["state"]
        if state != "running":
            raise BenchmarkError(f"the batch was {state} before the replies were measured")
    started = time.monotonic()
    counts = [requests.delete(address, headers=KEY, timeout=60).json()["counts"] for address in addresses]
    took = time.monotonic() - started
    if any(each.get("scheduled") for each in counts):
        raise BenchmarkError(f"scheduled sends are left after a cancel: {counts}")
    return took
