"""`WA_INTENTS=semantic`: compare texts by meaning and by letters.

Meaning is compared by the vectors of a sentence encoder; the local one knows sixteen languages, so a question in
Spanish matches an English example. Letters only raise a score by meaning, so that typos and names count, but a common
word alone does not match.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock, Thread

from wa_service.conversation.embeddings import EmbeddingsClient, Vector, similarity
from wa_service.conversation.intents import Example, FuzzyMatcher, Scores
from wa_service.observability import log
from wa_service.resilience.http import HttpCallError
from wa_service.speech.local_server import LocalSpeechServer

SEMANTIC_THRESHOLD = 0.5
_MAX_CHARACTERS = 400
_SETUP_SECONDS = 20.0
_RETRY_SETUP_AFTER = 10.0


class SemanticMatcher:
    """Compare texts by meaning; by letters while the vectors are not available.

    `server`: our own embeddings process, if used.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        embeddings: EmbeddingsClient,
        threshold: float | None = None,
        *,
        server: LocalSpeechServer | None = None,
        seconds: float = 5.0,
    ) -> None:
        self._embeddings = embeddings
        self._server = server
        self._threshold = 0.5 if threshold is None else threshold
        self._seconds = seconds
        # Without a threshold: scores by letters have another scale.
        self._fuzzy = FuzzyMatcher(examples)
        self._texts = [_plain(example.text) for example in examples]
        self._vectors: list[Vector] | None = None if self._texts else []
        self._has_failed = False
        self._retry_at = 0.0
        self._lock = Lock()
        self._log = log.get_logger()

    def start(self) -> None:
        """Start the local process, if used, and fetch the examples' vectors in the background."""
        if self._server is not None:
            self._server.start()
        Thread(target=self.fetch_examples, daemon=True, name="example vectors").start()

    def stop(self) -> None:
        """Stop the local process."""
        if self._server is not None:
            self._server.stop()

    def scores(self, text: str) -> Scores:
        """Return the text's score for each example."""
        # At the start a text waits for the vectors; while they are fetched again after a failure, it does not.
        vectors = self.fetch_examples(0.0 if self._has_failed else _SETUP_SECONDS)
        if vectors is None:
            return self._fuzzy.scores(text)
        if not vectors:
            return Scores((), self._threshold, "semantic")
        try:
            (vector,) = self._embeddings.embed([_plain(text)], self._seconds)
        except HttpCallError as error:
            self._log.warning("whatsapp.conversation.semantic_failed", reason=str(error))
            return self._fuzzy.scores(text)
        letters = self._fuzzy.scores(text)
        values = [
            _together(_scaled(similarity(vector, other), SEMANTIC_THRESHOLD), _scaled(near, letters.threshold))
            for other, near in zip(vectors, letters.values, strict=True)
        ]
        return Scores(values, self._threshold, "semantic")

    def fetch_examples(self, wait: float = -1.0) -> list[Vector] | None:
        """Return the examples' vectors, fetched once; None while they are not available.

        `wait`: seconds while another thread fetches them; -1: until it has ended.
        """
        if self._vectors is None and self._lock.acquire(timeout=wait):
            try:
                if self._vectors is None and time.monotonic() >= self._retry_at:
                    self._vectors = self._embeddings.embed(self._texts, _SETUP_SECONDS)
            except HttpCallError as error:
                self._has_failed = True
                self._retry_at = time.monotonic() + _RETRY_SETUP_AFTER
                self._log.warning("whatsapp.conversation.semantic_failed", reason=str(error))
            finally:
                self._lock.release()
        return self._vectors


def _scaled(score: float, threshold: float) -> float:
    """Return a score on the scale where the threshold is 0.5, so that both kinds are comparable."""
    if score < threshold:
        return 0.5 * score / threshold
    return 0.5 + 0.5 * (score - threshold) / (1 - threshold)


def _together(meaning: float, letters: float) -> float:
    return max(meaning, (meaning + letters) / 2)


def _plain(text: str) -> str:
    """Return a text without final punctuation: transcripts have it, typed examples do not."""
    return text[:_MAX_CHARACTERS].strip(" .?!…¿¡")
