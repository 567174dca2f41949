"""Match a text to an intent by its nearest examples, by letters (`fuzzy`) or by meaning (`semantic`).

Both give every example a score from 0 to 1; an intent has the score of its nearest example, and below a threshold no
intent matches.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz, process

_WORD = re.compile(r"\w+(?:'\w+)?")
# A flag is several characters: two letters of a country (GB, and BG), or a black flag with the letters of its part.
_EMOJI = re.compile("[\U0001f1e6-\U0001f1ff]{2}|\U0001f3f4[\U000e0020-\U000e007f]*|.")
_MAX_CHARACTERS = 400
_MAX_WORDS = 60
FUZZY_THRESHOLD = 0.34
MARGIN = 0.05
"""How much higher the first intent's score must be than the second's."""
_UNKNOWN = 0.5
_SAME_WORD = 84
"""Words with at least this rapidfuzz ratio (0 to 100) are the same word with a typo."""


@dataclass(frozen=True, slots=True)
class Example:
    """A phrase and its intent."""

    intent: str
    text: str


@dataclass(frozen=True, slots=True)
class IntentMatch:
    """The matched intent (None: none) and its score, 0 to 1.

    `alternatives`: if several intents are about as near, all of them, nearest first, else ().
    """

    intent: str | None
    score: float
    alternatives: tuple[str, ...] = ()


Compared = Literal["fuzzy", "semantic"]


@dataclass(frozen=True, slots=True)
class Scores:
    """A text's score for each example, 0 to 1, in the examples' order, and the threshold of a match.

    `compared`: by meaning and letters (semantic), or by letters (fuzzy).
    """

    values: Sequence[float]
    threshold: float
    compared: Compared = "fuzzy"

    def ranked(self, examples: Sequence[Example]) -> list[tuple[str, float]]:
        """Return each intent with the score of its nearest example, nearest first."""
        return sorted(self._best(examples).items(), key=lambda each: -each[1])

    def _best(self, examples: Sequence[Example], without: int | None = None) -> dict[str, float]:
        best: dict[str, float] = {}
        for index, (example, score) in enumerate(zip(examples, self.values, strict=True)):
            if index != without and score > best.get(example.intent, -1.0):
                best[example.intent] = score
        return best

    def nearest(self, examples: Sequence[Example], without: int | None = None) -> IntentMatch:
        """Return the nearest example's intent; `without`: the index of an example to ignore."""
        best = self._best(examples, without)
        if not best:
            return IntentMatch(None, 0.0)
        intent = max(best, key=best.__getitem__)
        if best[intent] < self.threshold:
            return IntentMatch(None, best[intent])
        lowest = max(self.threshold, best[intent] - MARGIN)
        near = [name for name in sorted(best, key=best.__getitem__, reverse=True) if best[name] >= lowest]
        return IntentMatch(intent, best[intent], tuple(near) if len(near) > 1 else ())


def words(text: str) -> list[str]:
    """Return the words of a text, without case, accents and punctuation, with 0 to 9 for all digits; at most 60."""
    plain = unicodedata.normalize("NFKD", text[:_MAX_CHARACTERS].casefold().replace("’", "'"))
    chars = (str(unicodedata.decimal(char, char)) for char in plain if not unicodedata.combining(char))
    return _WORD.findall("".join(chars))[:_MAX_WORDS]


def _words_or_emoji(text: str) -> list[str]:
    """Return the words of a text; of one without words its emoji, without skin tones and variants."""
    return words(text) or [one for one in _EMOJI.findall(text[:_MAX_CHARACTERS]) if _is_symbol(one[0])][:_MAX_WORDS]


def _is_symbol(char: str) -> bool:
    return unicodedata.category(char) == "So"


class FuzzyMatcher:
    """Compare words with tolerance for typos; words that occur in few intents have more weight.

    The score is the harmonic mean of precision (the share of the text's weight that the example explains) and recall
    (the share of the example's weight that the text covers).
    """

    def __init__(self, examples: Sequence[Example], threshold: float | None = None) -> None:
        self._threshold = FUZZY_THRESHOLD if threshold is None else threshold
        # In text order, not that of a set, so that a text has the same score in every process.
        self._examples = [dict.fromkeys(_words_or_emoji(example.text)) for example in examples]
        spread: dict[str, set[str]] = {}
        self._having: dict[str, set[int]] = {}
        for index, (example, found) in enumerate(zip(examples, self._examples, strict=True)):
            for word in found:
                spread.setdefault(word, set()).add(example.intent)
                self._having.setdefault(word, set()).add(index)
        intents = len({example.intent for example in examples}) or 1
        self._weights = {word: _weight(word, len(of), intents) for word, of in spread.items()}
        self._wanted = [math.fsum(self._weights[word] for word in found) for found in self._examples]
        self._vocabulary = list(spread)

    def scores(self, text: str) -> Scores:
        """Return the text's score for each example."""
        text_words = list(Counter(_words_or_emoji(text)))
        alike = [self._alike(word) for word in text_words]
        values = [0.0] * len(self._examples)
        # Examples without a common word have the score 0: skip them.
        for index in set().union(*(self._having[known] for candidates in alike for known in candidates)):
            values[index] = self._score(text_words, alike, index)
        return Scores(values, self._threshold)

    def _alike(self, word: str) -> dict[str, float]:
        """The known words that this word may be, each with its similarity (0 to 1)."""
        exact = {word: 1.0} if word in self._weights else {}
        if len(word) < 4:
            return exact
        near = process.extract(word, self._vocabulary, scorer=fuzz.ratio, score_cutoff=_SAME_WORD, limit=5)
        return {known: ratio / 100 for known, ratio, _ in near if len(known) > 2} | exact

    def _score(self, text_words: list[str], alike: list[dict[str, float]], index: int) -> float:
        found = self._examples[index]
        weights: list[float] = []
        explained: list[float] = []
        met: dict[str, float] = {}
        for word, candidates in zip(text_words, alike, strict=True):
            known = max((one for one in candidates if one in found), key=candidates.__getitem__, default="")
            best = candidates.get(known, 0.0)
            weight = self._weights.get(known or word, _UNKNOWN)
            weights.append(weight)
            explained.append(best * weight)
            if known:
                met[known] = max(best, met.get(known, 0.0))
        covered = math.fsum(ratio * self._weights[word] for word, ratio in met.items())
        precision, recall = math.fsum(explained) / math.fsum(weights), covered / self._wanted[index]
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _weight(word: str, spread: int, intents: int) -> float:
    """Return a word's weight, 0 to 1: highest if only one intent has it, low if it is short or common.

    Short words are function words in most languages. The powers (and `_UNKNOWN`) were tuned on 74 messages to the
    packaged script.
    """
    rare = math.log((1 + intents) / spread) / math.log(1 + intents)
    return float(rare**3 * min(1.0, len(word) / 5) ** 2)
