"""CPU to parse a typical webhook: JSON, walk, parse."""

from __future__ import annotations

import time
from functools import partial

import orjson

from benchmarks import payloads
from benchmarks.measure import Goal, Line, plain
from benchmarks.plan import Plan
from wa_service.whatsapp.webhooks.events import parse


def run(plan: Plan) -> list[Line]:
    """Measure one text of about 700 bytes, and one status."""
    text = payloads.delivery([payloads.text_message(payloads.customer(1), payloads.wamid("p", 1), "breakfast?" * 8)])
    word = payloads.delivery(
        statuses=[payloads.status(payloads.wamid("p", 1), payloads.customer(1), "delivered", "6f1c2d3e4a5b")]
    )
    what = "CPU to parse an ordinary delivery"
    return [
        plain("parse_text", f"{what}: a text", _rounds(plan, text), "µs", Goal("≤", 60)),
        plain("parse_status", f"{what}: a status", _rounds(plan, word), "µs", Goal("≤", 60)),
    ]


def _rounds(plan: Plan, raw: bytes) -> list[float]:
    return [_microseconds(partial(_parse, raw), plan.many(10_000)) for _ in range(plan.rounds + 1)][1:]


def _parse(raw: bytes) -> None:
    for _ in parse(orjson.loads(raw)):
        pass


def _microseconds(step: partial[None], count: int) -> float:
    started = time.process_time()
    for _ in range(count):
        step()
    return (time.process_time() - started) / count * 1e6
