"""The rows of the table: one module each, with one function `run(plan)` that returns its lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.measure import Line
from benchmarks.plan import Plan
from benchmarks.rows import (
    ack,
    backlog,
    batches,
    bursts,
    client,
    console,
    cpu,
    emulator,
    footprint,
    parsing,
    pushed,
    queued,
    replicated,
    replies,
    storm,
    voice,
    webhooks,
    workers,
)

ALL: Final[dict[str, Callable[[Plan], list[Line]]]] = {
    "parsing": parsing.run,
    "webhooks": webhooks.run,
    "ack": ack.run,
    "cpu": cpu.run,
    "client": client.run,
    "queued": queued.run,
    "replies": replies.run,
    "storm": storm.run,
    "workers": workers.run,
    "pushed": pushed.run,
    "backlog": backlog.run,
    "batches": batches.run,
    "bursts": bursts.run,
    "console": console.run,
    "replicated": replicated.run,
    "footprint": footprint.run,
    "voice": voice.run,
    "emulator": emulator.run,
}
