"""STOP and START words: a customer's whole message, or the whole text of a pressed button."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

_AROUND_AT_MOST: Final = 16
_KINDS: Final = ("text", "button", "interactive")
_ACCENTS: Final = range(0x0300, 0x0370)


@dataclass(frozen=True, slots=True)
class StopWords:
    """The STOP and START words, normalised for comparison."""

    stop: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()
    longest: int = 0

    @classmethod
    def of(cls, stop: Iterable[str], start: Iterable[str]) -> Self:
        """Return the words from lists in any spelling."""
        words = frozenset(map(_folded, stop)), frozenset(map(_folded, start))
        return cls(*words, max(map(len, frozenset().union(*words)), default=0))

    def meaning(self, *said: str) -> Literal["stop", "start"] | None:
        """Return what the texts mean, each compared as a whole; case and punctuation around it are ignored."""
        words = {_folded(text) for text in said if 0 < len(text) <= self.longest + _AROUND_AT_MOST}
        if not words:
            return None
        if words & self.stop:
            return "stop"
        return "start" if words & self.start else None

    def meaning_of(self, message: Mapping[str, Any]) -> Literal["stop", "start"] | None:
        """Return the meaning of Meta's message object, of an edit that of the new content.

        None in a group, where a member does not speak for all.
        """
        if message.get("group_id"):
            return None
        said = _edited(message) if message.get("type") == "edit" else message
        return self.meaning(*_texts(said)) if said.get("type") in _KINDS else None


def _folded(text: str) -> str:
    """Return a text without case, accents and invisible characters, and without punctuation and emoji around it."""
    folded = unicodedata.normalize("NFKD", text).casefold().replace("’", "'")
    seen = [each for each in folded if unicodedata.category(each) != "Cf" and ord(each) not in _ACCENTS]
    words = [place for place, each in enumerate(seen) if unicodedata.category(each)[0] in "LN" or _joins(each)]
    inner = seen[words[0] : words[-1] + 1] if words else []
    return unicodedata.normalize("NFC", " ".join("".join(inner).split()))


def _joins(sign: str) -> bool:
    """Whether a character combines with the letter before it, as vowels of many scripts do, unlike emoji variants."""
    return unicodedata.category(sign) in ("Mn", "Mc") and not 0xFE00 <= ord(sign) <= 0xFE0F


def _edited(message: Mapping[str, Any]) -> Mapping[str, Any]:
    edit = message.get("edit")
    content = edit.get("message") if isinstance(edit, Mapping) else None
    return content if isinstance(content, Mapping) else {}


def _texts(message: Mapping[str, Any]) -> Iterable[str]:
    """Return a message's text, or the title and id of its pressed button."""
    content = message.get(message["type"])
    if not isinstance(content, Mapping):
        return ()
    if message["type"] == "interactive":
        reply = content.get("button_reply")
        found = [reply.get("title"), reply.get("id")] if isinstance(reply, Mapping) else []
    else:
        found = [content.get("body"), content.get("text"), content.get("payload")]
    return [one for one in found if isinstance(one, str)]
