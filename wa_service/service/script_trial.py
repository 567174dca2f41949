"""Try a sentence on the script that runs: which intents it comes near, and what a customer would get."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wa_service.conversation.script_check import ScriptCheck
from wa_service.service.message_content import MessageContent, content_of


@dataclass(frozen=True, slots=True)
class Trial:
    """What a sentence was taken for (None: the fallback), how sure, what else was about as near, and the replies."""

    text: str
    intent: str | None
    score: float
    alternatives: Sequence[str]
    replies: Sequence[MessageContent]


class ScriptTrial:
    """The script of `path`, read when somebody first asks, and again when its file has changed.

    Sentences are compared by letters: the models that compare by meaning live in the workers.
    """

    def __init__(self, path: Path, intents: Literal["fuzzy", "semantic"]) -> None:
        self.path = path
        self.by_meaning = intents == "semantic"
        self._mutex = threading.Lock()
        self._read_at = -1.0
        self._check: ScriptCheck | None = None

    def report(self) -> dict[str, Any]:
        """Return what `script check` says of it. Raises ScriptError, OSError: it cannot be used."""
        return self._current().as_json()

    def attempt(self, text: str) -> Trial:
        """Return what a customer who wrote this would be taken for. Raises ScriptError, OSError."""
        match, replies = self._current().answer(text)
        return Trial(text, match.intent, match.score, match.alternatives, [content_of(reply) for reply in replies])

    def _current(self) -> ScriptCheck:
        with self._mutex:
            changed_at = self.path.stat().st_mtime
            if self._check is None or changed_at != self._read_at:
                self._check, self._read_at = ScriptCheck(self.path, "fuzzy"), changed_at
            return self._check
