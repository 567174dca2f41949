"""Latency of a voice note during 50 texts per second, with the whole service on one core."""

from __future__ import annotations

import time
from importlib.util import find_spec

from benchmarks import machine, payloads
from benchmarks.measure import Figure, Goal, Line, Skipped, plain, quantile
from benchmarks.plan import Plan
from benchmarks.processes import ROOT, BenchmarkError
from benchmarks.rows.replies import times_of
from benchmarks.service import Load, MetaStandIn, Service, Workshop

NOTE = ROOT / "tests" / "voice" / "hib_09.ogg"
MESSAGES = 50
WHAT = "a 4-second voice note → reply, beside 50 texts/s, the service on one core"
TEXTS = "the texts' median meanwhile"


def run(plan: Plan) -> list[Line]:
    """Measure voice notes after a first one, which loads the model."""
    if find_spec("faster_whisper") is None:
        reason = "the extra `voice` is not installed"
        return [Skipped("voice_note", WHAT, reason), Skipped("voice_texts", TEXTS, reason)]
    notes, texts = [], []
    with Workshop() as workshop:
        meta = MetaStandIn(workshop, note=str(NOTE))
        service = Service(workshop, meta.url, WA_SPEECH="local")
        service.valkey(on=machine.SERVER)
        service.web(on=machine.SERVER)
        service.worker(on=machine.SERVER)
        _heard(workshop, service, meta, "first", seconds=60)
        for turn in range(plan.rounds):
            meta.forget()
            count = MESSAGES * 8
            talk = Load(
                workshop,
                service.port,
                kind="text",
                tag=f"N{turn}",
                count=count,
                customers=count,
                rate=MESSAGES,
                with_times=True,
            )
            time.sleep(2.0)  # so that the note arrives during the texts
            notes.append(_heard(workshop, service, meta, f"n{turn}", seconds=30))
            texts.append(quantile(times_of(meta, talk.result()["due_at"]), 0.5) * 1000)
    found: list[Figure] = [
        plain("voice_note", WHAT, notes, "s", Goal("≤", 2.5)),
        plain("voice_texts", TEXTS, texts, "ms", Goal("≤", 100)),
    ]
    return list(found)


def _heard(workshop: Workshop, service: Service, meta: MetaStandIn, tag: str, *, seconds: float) -> float:
    """Return the seconds until the speaker gets a reply."""
    seen = Load(workshop, service.port, kind="voice", tag=tag, count=1, rate=1, with_times=True).result()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        arrived = dict(reversed(meta.arrived()))
        if payloads.SPEAKER in arrived:
            return float(arrived[payloads.SPEAKER] - seen["due_at"][0])
        time.sleep(0.05)
    raise BenchmarkError("the voice note was not answered")
