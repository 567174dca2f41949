"""Which intent a text means: nearest examples, by letters (`fuzzy`) or by meaning (`semantic`).

Both give every example a score from 0 to 1; an intent is as near as its nearest example, and below a
threshold the answer is "none of these".
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rapidfuzz import fuzz, process

_WORD = re.compile(r"\w+(?:'\w+)?")
_MAX_CHARACTERS = 400
_MAX_WORDS = 60
_SAME_WORD = 78
"""From this likeness (rapidfuzz ratio, 0 to 100) on, two words are one word misspelt."""


@dataclass(frozen=True, slots=True)
class Example:
    """A phrase, and the intent it stands for."""

    intent: str
    text: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """The intent a text was taken for (None: none of these) and how near it is, 0 to 1."""

    intent: str | None
    score: float


class Matcher(Protocol):
    """A way to compare a text with the examples."""

    @property
    def threshold(self) -> float:
        """From this score on a text means what the example means."""
        ...

    def scores(self, text: str) -> Sequence[float]:
        """How near the text is to each example, 0 to 1, in the examples' order."""
        ...


def nearest(
    scores: Sequence[float], examples: Sequence[Example], threshold: float, without: int | None = None
) -> Meaning:
    """The nearest example's intent, leaving out the example `without` (to see what the others make of it)."""
    ranked = [(score, -index) for index, score in enumerate(scores) if index != without]
    if not ranked:
        return Meaning(None, 0.0)
    score, index = max(ranked)
    return Meaning(examples[-index].intent if score >= threshold else None, score)


def words(text: str) -> list[str]:
    """The words of a text, without case, accents and punctuation; at most 60."""
    plain = unicodedata.normalize("NFKD", text[:_MAX_CHARACTERS].casefold().replace("’", "'"))
    return _WORD.findall("".join(char for char in plain if not unicodedata.combining(char)))[:_MAX_WORDS]


class FuzzyMatcher:
    """Compares words, forgiving typing mistakes; a rare word says more than one of many examples.

    The score is the harmonic mean of how much of the text's weight the example explains, and how much of
    the example's weight the text covers.
    """

    threshold = 0.5

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = [words(example.text) for example in examples]
        spread: dict[str, set[str]] = {}
        for example, found in zip(examples, self._examples, strict=True):
            for word in found:
                spread.setdefault(word, set()).add(example.intent)
        intents = len({example.intent for example in examples}) or 1
        # A word of every intent ("the") weighs next to nothing, one of a single intent the most.
        self._weights = {word: 0.1 + math.log((1 + intents) / len(of)) for word, of in spread.items()}
        self._vocabulary = list(spread)
        self._unknown = 0.5 * max(self._weights.values(), default=1.0)

    def scores(self, text: str) -> list[float]:
        """How near the text is to each example, 0 to 1."""
        asked = list(Counter(words(text)))
        alike = [self._alike(word) for word in asked]
        return [self._score(asked, alike, found) for found in self._examples]

    def _alike(self, word: str) -> dict[str, float]:
        """The known words this may be meant for, and how much (0 to 1)."""
        exact = {word: 1.0} if word in self._weights else {}
        if len(word) < 4:
            return exact
        near = process.extract(word, self._vocabulary, scorer=fuzz.ratio, score_cutoff=_SAME_WORD, limit=5)
        return {known: ratio / 100 for known, ratio, _ in near if len(known) > 2} | exact

    def _score(self, asked: list[str], alike: list[dict[str, float]], found: list[str]) -> float:
        if not asked or not found:
            return 0.0
        explained = total = 0.0
        met: dict[str, float] = {}
        for word, candidates in zip(asked, alike, strict=True):
            known = max((one for one in candidates if one in found), key=candidates.__getitem__, default="")
            best = candidates.get(known, 0.0)
            weight = self._weights.get(known or word, self._unknown)
            total += weight
            explained += best * weight
            if known:
                met[known] = max(best, met.get(known, 0.0))
        wanted = sum(self._weights[word] for word in set(found))
        covered = sum(ratio * self._weights[word] for word, ratio in met.items())
        precision, recall = explained / total, covered / wanted
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
