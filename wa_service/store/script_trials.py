"""Script trials: sentences that web queues and a worker answers as it would answer a customer."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from wa_service.store.client import Store, text

KEPT_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.05


class ScriptTrials:
    """The list of sentences that wait for a worker, and its answers. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._pause = pause
        self._waiting = store.keys.of("script_trials")

    def ask(self, sentence: str, seconds: float) -> dict[str, Any] | None:
        """Return a worker's answer to a sentence; None where no worker runs or answers in time."""
        if not self._store.do("EXISTS", self._store.keys.workers):
            return None
        trial_id = uuid.uuid4().hex
        request = orjson.dumps({"id": trial_id, "text": sentence})
        self._store.run([("RPUSH", self._waiting, request), ("EXPIRE", self._waiting, KEPT_SECONDS)])
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = self._store.do("GET", self._answer(trial_id))
            if answer is not None:
                return dict(orjson.loads(answer))
            self._pause(_LOOK_SECONDS)
        self._store.do("LREM", self._waiting, 1, request)
        return None

    def answer_next(self, answer: Callable[[str], Mapping[str, Any]]) -> bool:
        """Answer the sentence that has waited longest; return whether there was one."""
        request = self._store.do("LPOP", self._waiting)
        if request is None:
            return False
        trial = orjson.loads(request)
        self._store.do("SET", self._answer(text(trial["id"])), orjson.dumps(answer(trial["text"])), "EX", KEPT_SECONDS)
        return True

    def _answer(self, trial_id: str) -> str:
        return self._store.keys.of("script_trial", trial_id)
