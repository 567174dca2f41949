"""A worker process whose handlers never end. Arguments: the consumer, and the most seconds that a stop may take."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402 - patched before anything is imported, as the service itself does
import signal
import sys
from pathlib import Path
from typing import Any

import gevent
import gevent.event

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from wa_service import runtime
from wa_service.config.settings import load
from wa_service.conversation.pipeline import PipelineResult
from wa_service.conversation.utterance import Utterance
from wa_service.worker.process import WorkerProcess


class Hanging:
    """A conversation that never produces an answer."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def wants_answer(self, utterance: Utterance) -> bool:
        return True

    typing_after = 0.0

    def handle(self, utterance: Utterance, fetch_media: Any) -> PipelineResult:
        gevent.event.Event().wait()
        raise AssertionError


def main(consumer: str, stop_seconds: str) -> None:
    hanging: Any = Hanging()
    process = WorkerProcess(runtime.build(load()), hanging, consumer, stop_seconds=float(stop_seconds))
    gevent.signal_handler(signal.SIGTERM, process.stop)
    process.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
