"""Answers sentences that somebody tries on the script in the console, with the conversation that answers customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gevent.event import Event

from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.script_trials import ScriptTrials

LOOK_SECONDS: Final = 0.5


class ScriptTrialsWorker:
    """Every worker process runs it; one of them takes each sentence."""

    def __init__(self, trials: ScriptTrials, answer: Callable[[str], Mapping[str, Any]]) -> None:
        self._trials = trials
        self._answer = answer
        self._stop = Event()
        self._log = log.get_logger()

    def consume(self) -> None:
        """Answer what is asked until `stop`; the loop of one greenlet."""
        wait = 0.0
        while not self._stop.wait(wait):
            try:
                wait = 0.0 if self._trials.answer_next(self._answer) else LOOK_SECONDS
            except StoreUnavailableError:
                wait = LOOK_SECONDS
            except Exception as error:  # noqa: BLE001 - a sentence that somebody tries ends no worker
                wait = LOOK_SECONDS
                self._log.error("whatsapp.console.trial_failed", exc_info=error)

    def stop(self) -> None:
        """Answer nothing more."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Return whether nothing is under way; whoever asked gets another answer without this one."""
        del seconds
        return True
