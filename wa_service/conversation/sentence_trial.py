"""Try one sentence on a script: the nearest intents, and the replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from wa_service.conversation.intents import Compared, Example, FuzzyMatcher, IntentMatch
from wa_service.conversation.responder import ScriptResponder
from wa_service.conversation.semantic import SemanticMatcher
from wa_service.conversation.utterance import Utterance

MOST_NEAR: Final = 8
_ID: Final = "wamid.script-check"


@dataclass(frozen=True, slots=True)
class SentenceTrial:
    """The match and the replies that a customer would get.

    `near`: intents and their scores, nearest first, at most eight; scores from `threshold` on match. `compared`: by
    meaning and letters (semantic) or by letters (fuzzy).
    """

    match: IntentMatch
    near: tuple[tuple[str, float], ...]
    threshold: float
    compared: Compared
    replies: tuple[dict[str, Any], ...]


def try_sentence(
    text: str, matcher: FuzzyMatcher | SemanticMatcher, examples: Sequence[Example], scripted: ScriptResponder
) -> SentenceTrial:
    """Compare a sentence with a script's examples, and render the replies."""
    scores = matcher.scores(text)
    match = scores.nearest(examples)
    utterance = Utterance(
        id=_ID,
        conversation="script-check",
        phone_number_id="",
        timestamp=0,
        kind="text",
        name="Ana",
        text=text,
        intent=match.intent or "",
        score=match.score,
        alternatives=match.alternatives,
        message={"id": _ID, "type": "text", "text": {"body": text}},
    )
    near = tuple((intent, score) for intent, score in scores.ranked(examples) if score > 0)[:MOST_NEAR]
    return SentenceTrial(match, near, scores.threshold, scores.compared, scripted.respond(utterance).replies)
