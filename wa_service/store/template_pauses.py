"""Templates that Meta paused: their sends are held until the template may be sent again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wa_service.store.client import Store, fields
from wa_service.store.flusher import Command
from wa_service.store.keys import template_key

FIRST_PAUSE: Final = 10_800.0
SECOND_PAUSE: Final = 21_600.0
"""Seconds of Meta's first and second pause of a template; the third time it disables the template (3.4)."""


def quality_key(template: str) -> str:
    """Return what an event about the quality of a template (its `template_key`) is about."""
    return f"quality {template}"


def number_quality_key(digits: str) -> str:
    """Return what an event about the quality of the number with these displayed digits is about."""
    return f"number {digits}"


@dataclass(frozen=True, slots=True)
class TemplatePauses:
    """The paused templates of a business account; `numbers` are our phone number ids."""

    store: Store
    waba: str
    numbers: Sequence[str]

    def hold(self, name: str, language: str, seconds: float, *, since: int = 0) -> Command:
        """Return the command that holds a template's sends for `seconds` since a Unix time (0: now). Result: 1."""
        return self.store.step(
            "hold_template",
            waba=self.waba,
            template=template_key(name, language),
            pause_ms=int(seconds * 1000),
            since=since * 1000,
        )

    def release(self, name: str, language: str, *, at: int = 0) -> Command:
        """Return the command that releases a template's held sends, as of a Unix time (0: now). Result: how many."""
        return self._release(template_key(name, language), at)

    def note_event(self, about: str, *, at: int = 0) -> Command:
        """Return the command that notes the Unix time (0: now) of an event about a template's status (its
        `template_key`) or quality (`quality_key`), or a number's (`number_quality_key`), so that an older one pauses
        nothing. Result: 1 or 0.
        """
        return self.store.step("note_template_event", waba=self.waba, about=about, at=at * 1000)

    def note(self, definitions: Iterable[Mapping[str, Any]], *, at: int = 0) -> int:
        """Release the held sends of paused templates that a template list, which Meta was asked for at a Unix time (0:
        now), says are approved; return how many.

        Raises:
            StoreUnavailableError: they may or may not be released.
        """
        paused = fields(self.store.do("HGETALL", self.store.keys.of("paused_templates", self.waba)))
        approved = {
            template_key(str(item.get("name")), str(item.get("language")))
            for item in definitions
            if str(item.get("status")).upper() == "APPROVED"
        }
        return sum(self.store.run([self._release(template, at) for template in approved & paused.keys()]))

    def _release(self, template: str, at: int = 0) -> Command:
        return self.store.step(
            "release_held", waba=self.waba, template=template, at=at * 1000, numbers=tuple(self.numbers)
        )
