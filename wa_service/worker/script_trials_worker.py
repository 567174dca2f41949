"""Answer the console's script trials with the pipeline that answers customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gevent.event import Event

from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.script_trials import ScriptTrials

LOOK_SECONDS: Final = 0.5


class ScriptTrialsWorker:
    """Answer script trials. Every worker process runs it; one of them takes each sentence."""

    def __init__(self, trials: ScriptTrials, answer: Callable[[str], Mapping[str, Any]]) -> None:
        self._trials = trials
        self._answer = answer
        self._stop = Event()
        self._log = log.get_logger()

    def consume(self) -> None:
        """Answer sentences until `stop`; the loop of one greenlet."""
        wait = 0.0
        while not self._stop.wait(wait):
            try:
                wait = 0.0 if self._trials.answer_next(self._answer) else LOOK_SECONDS
            except StoreUnavailableError:
                wait = LOOK_SECONDS
            except Exception as error:  # noqa: BLE001 - a trial must not end the worker
                wait = LOOK_SECONDS
                self._log.error("whatsapp.console.trial_failed", exc_info=error)

    def stop(self) -> None:
        """End `consume`."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Return True: a trial may be interrupted, and then web answers it itself."""
        del seconds
        return True
