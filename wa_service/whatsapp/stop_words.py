"""Words by which a customer refuses marketing, or wants it again: a whole message, or all that a button says."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

_LONGEST: Final = 64
_AROUND: Final = " \t\r\n.,;:!?¡¿'\"*_~-()"


@dataclass(frozen=True, slots=True)
class StopWords:
    """The words of both kinds, in the form in which they are compared."""

    stop: frozenset[str] = frozenset()
    start: frozenset[str] = frozenset()

    @classmethod
    def of(cls, stop: Iterable[str], start: Iterable[str]) -> Self:
        """Return the words as people list them."""
        return cls(frozenset(map(_folded, stop)), frozenset(map(_folded, start)))

    def meaning(self, *said: str) -> Literal["stop", "start"] | None:
        """Return what one of several texts says, each as a whole; case and punctuation around it do not matter."""
        words = {_folded(text) for text in said if 0 < len(text) <= _LONGEST}
        if words & self.stop:
            return "stop"
        return "start" if words & self.start else None

    def meaning_of(self, message: Mapping[str, Any]) -> Literal["stop", "start"] | None:
        """Return what Meta's object of a customer's message says; a group's says nothing for one of its members."""
        return None if message.get("group_id") else self.meaning(*_texts(message))


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(folded.strip(_AROUND).split())


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of a text, and title and id of a pressed button."""
    content = message.get(str(message.get("type")))
    if not isinstance(content, Mapping):
        return
    reply = content.get("button_reply")
    for part in (content, reply if isinstance(reply, Mapping) else {}):
        for name in ("body", "text", "payload", "title", "id"):
            if isinstance(value := part.get(name), str) and not (name == "id" and part is content):
                yield value
