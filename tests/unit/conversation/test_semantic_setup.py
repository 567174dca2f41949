"""The vectors of a script's examples: texts do not wait long for them."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence

import pytest

from wa_service.conversation.embeddings import Vector
from wa_service.conversation.intents import Example
from wa_service.conversation.semantic import SemanticMatcher
from wa_service.resilience.http import HttpCallError

EXAMPLES = [Example("breakfast", "what time is breakfast")]


class Embeddings:
    """A server that answers when the test lets it: with vectors, or with an error."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.asked, self.answers = threading.Event(), threading.Event()

    def embed(self, texts: Sequence[str], seconds: float) -> list[Vector]:
        self.asked.set()
        assert self.answers.wait(10)
        if self.fails:
            raise HttpCallError("HTTP 503")
        return [array("f", [1.0]) for _ in texts]


def matcher_of(embeddings: Embeddings) -> SemanticMatcher:
    return SemanticMatcher(EXAMPLES, embeddings)  # type: ignore[arg-type]  # what the matcher calls of it


def test_at_the_start_a_text_waits_for_the_vectors_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wa_service.conversation.semantic._SETUP_SECONDS", 0.01)
    embeddings = Embeddings(fails=False)
    matcher = matcher_of(embeddings)
    matcher.start()
    assert embeddings.asked.wait(10)
    assert matcher.scores("what time is breakfast").compared == "fuzzy"
    embeddings.answers.set()
    assert matcher.fetch_examples() is not None
    assert matcher.scores("what time is breakfast").compared == "semantic"


def test_while_the_vectors_are_fetched_again_other_texts_are_matched_by_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wa_service.conversation.semantic._RETRY_SETUP_AFTER", 0.0)
    embeddings = Embeddings(fails=True)
    matcher = matcher_of(embeddings)
    embeddings.answers.set()
    assert matcher.fetch_examples() is None
    embeddings.asked.clear()
    embeddings.answers.clear()
    first = threading.Thread(target=matcher.scores, args=("breakfast?",))
    first.start()
    assert embeddings.asked.wait(10)

    scores = matcher.scores("what time is breakfast")

    embeddings.answers.set()
    first.join(10)
    assert scores.nearest(EXAMPLES).intent == "breakfast"
