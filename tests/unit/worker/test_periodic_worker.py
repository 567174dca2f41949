"""The loop of the workers that work in rounds."""

from __future__ import annotations

from structlog.testing import capture_logs

from wa_service.store.flusher import StoreUnavailableError
from wa_service.worker.periodic import PeriodicWorker


class Rounds(PeriodicWorker):
    """Does the given rounds: each returns its wait, or raises; the last one stops the worker."""

    retry_wait = failed_wait = 0.0

    def __init__(self, *rounds: float | Exception) -> None:
        super().__init__()
        self.left = list(rounds)

    def run_once(self) -> float:
        done = self.left.pop(0)
        if not self.left:
            self.stop()
        if isinstance(done, Exception):
            raise done
        return done


def test_rounds_go_on_after_the_store_was_unavailable_and_until_stop() -> None:
    worker = Rounds(0.0, StoreUnavailableError("away"), 3_600.0)
    worker.consume()
    assert worker.left == []


def test_rounds_go_on_after_an_unexpected_error_which_is_logged() -> None:
    worker = Rounds(0.0, ValueError("a damaged record"), 3_600.0)

    with capture_logs() as lines:
        worker.consume()

    assert worker.left == []
    assert [(line["event"], line["worker"]) for line in lines] == [("whatsapp.worker.round_failed", "Rounds")]
