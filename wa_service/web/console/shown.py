"""Template filters and context: numbers, masked by role, and times, durations and ticks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from flask import g

from wa_service.observability import log
from wa_service.web.console.sessions import Session

NumbersFor = Literal["read", "send", "manage", "admin", "none"]
"""The role that sees customers' numbers unmasked; "none": nobody."""

TICKS: Final = {
    "scheduled": "◷",
    "queued": "◷",
    "sending": "◷",
    "unknown": "?",
    "accepted": "✓",
    "sent": "✓",
    "delivered": "✓✓",
    "read": "✓✓",
    "played": "✓✓",
    "failed": "!",
    "canceled": "×",
}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def moment(ms: int | float | None, form: str = "%H:%M:%S") -> str:
    """Return a time in UTC as text."""
    return "" if not ms else datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def machine_time(ms: int | float | None) -> str:
    """Return a time for the `datetime` of a `<time>`; the page's script shows it in the reader's own zone."""
    return moment(ms, "%Y-%m-%dT%H:%M:%SZ")


def day(ms: int | float | None) -> str:
    """Return the day of a time."""
    return moment(ms, "%Y-%m-%d")


def duration(seconds: float | None) -> str:
    """Return a duration as text, in at most two units."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    for unit, name, below, small in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name} {seconds % unit // below:.0f} {small}"
    return ""


def ago(ms: int | float | None) -> str:
    """Return how long ago a time was."""
    return "" if not ms else f"{duration(max(0.0, time.time() - ms / 1000))} ago"


def display_context(numbers_for: NumbersFor) -> Callable[[], Mapping[str, Any]]:
    """Return the context of every template; numbers are masked unless the session's key has the role."""

    def sees_numbers() -> bool:
        session = g.get("console_session")
        return isinstance(session, Session) and numbers_for != "none" and session.may(numbers_for)

    def address(value: str | None) -> str:
        if not value:
            return "unknown"
        return value if sees_numbers() else log.mask_number(value)

    def words(value: str | None) -> str:
        return (value or "") if sees_numbers() else log.clean(value or "", numbers=True)

    def context() -> Mapping[str, Any]:
        session = g.get("console_session")
        return {
            "session": session,
            "may": session.may if isinstance(session, Session) else lambda _: False,
            "address": address,
            "words": words,
            "ticks": TICKS,
            "now_ms": round(time.time() * 1000),
        }

    return context


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "moment": moment,
    "machine_time": machine_time,
    "day": day,
    "duration": duration,
    "ago": ago,
}
