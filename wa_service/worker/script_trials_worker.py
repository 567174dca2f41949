"""Answer the console's script trials with the pipeline that answers customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.script_trials import ScriptTrials
from wa_service.worker.periodic import PeriodicWorker

LOOK_SECONDS: Final = 0.5


class ScriptTrialsWorker(PeriodicWorker):
    """Answer script trials. Every worker process runs it; one of them takes each sentence."""

    retry_wait = LOOK_SECONDS

    def __init__(self, trials: ScriptTrials, answer: Callable[[str], Mapping[str, Any]]) -> None:
        super().__init__()
        self._trials = trials
        self._answer = answer
        self._log = log.get_logger()

    def run_once(self) -> float:
        """Answer the next sentence, if there is one."""
        try:
            return 0.0 if self._trials.answer_next(self._answer) else LOOK_SECONDS
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - a trial must not end the worker
            self._log.error("whatsapp.console.trial_failed", exc_info=error)
            return LOOK_SECONDS
