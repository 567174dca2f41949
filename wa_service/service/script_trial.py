"""Try a sentence on the running script: the nearest intents, and the replies that a customer would get."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import gevent

from wa_service.conversation.script_check import ScriptCheck
from wa_service.service.message_content import MessageContent, content_of
from wa_service.store.script_trials import ScriptTrials

ANSWER_SECONDS: Final = 3.0
"""How long a worker may take to answer."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The matched intent (None: the fallback), its score, the nearest intents, and the replies.

    `near`: (intent, score), nearest first; scores from `threshold` on match, and `alternatives` are intents about as
    near as the first. `compared`: by meaning and letters (semantic), or by letters (fuzzy). `by_worker`: a worker
    compared, as for customers; else this process did, by letters.
    """

    text: str
    intent: str | None
    score: float
    alternatives: Sequence[str]
    near: Sequence[tuple[str, float]]
    threshold: float
    compared: str
    by_worker: bool
    replies: Sequence[MessageContent]


class ScriptTrial:
    """Trials of the script at `path`, which is read on demand, and again when the file has changed.

    It is read in a separate thread, because a long script takes longer than a webhook should wait.

    A worker compares the sentence, because it has the models for meaning and the running script; if no worker answers,
    this process compares by letters.
    """

    def __init__(self, path: Path, intents: Literal["fuzzy", "semantic"], trials: ScriptTrials) -> None:
        self.path = path
        self.by_meaning = intents == "semantic"
        self._trials = trials
        self._mutex = threading.Lock()
        self._changed_at = -1.0
        self._loaded: tuple[ScriptCheck, dict[str, Any]] | None = None

    def report(self) -> dict[str, Any]:
        """Return the result of `script check`. Raises ScriptError, OSError: the script cannot be used."""
        return self._current()[1]

    def attempt(self, text: str) -> Trial:
        """Return the result that a customer who wrote this would get.

        Raises ScriptError, OSError, StoreUnavailableError.
        """
        answer = self._trials.ask(text, ANSWER_SECONDS)
        trial = answer or asdict(self._current()[0].try_sentence(text))
        match = trial["match"]
        return Trial(
            text=text,
            intent=match["intent"],
            score=match["score"],
            alternatives=match["alternatives"],
            near=[(intent, score) for intent, score in trial["near"]],
            threshold=trial["threshold"],
            compared=trial["compared"],
            by_worker=answer is not None,
            replies=[content_of(reply) for reply in trial["replies"]],
        )

    def _current(self) -> tuple[ScriptCheck, dict[str, Any]]:
        with self._mutex:
            changed_at = self.path.stat().st_mtime
            if self._loaded is None or changed_at != self._changed_at:
                self._loaded = gevent.get_hub().threadpool.apply(_load, (self.path,))
                self._changed_at = changed_at
            return self._loaded


def _load(path: Path) -> tuple[ScriptCheck, dict[str, Any]]:
    check = ScriptCheck(path, "fuzzy")
    return check, check.as_json()
