"""Graph API versions and their end dates (reference 1.2)."""

from __future__ import annotations

import re
from datetime import date

_USABLE_UNTIL: tuple[tuple[str, date | None], ...] = (
    ("v18.0", date(2026, 1, 26)),
    ("v19.0", date(2026, 5, 21)),
    ("v20.0", date(2026, 9, 24)),
    ("v21.0", date(2027, 1, 21)),
    ("v22.0", date(2027, 5, 20)),
    ("v23.0", date(2027, 10, 8)),
    ("v24.0", date(2028, 2, 18)),
    ("v25.0", date(2028, 7, 29)),
    ("v26.0", None),
)
_NEWEST = 26
_FORM = re.compile(r"v([0-9]+)\.([0-9]+)")


def looks_like_version(component: str) -> bool:
    """Return whether a path component looks like ``v24.0``."""
    return _FORM.fullmatch(component) is not None


def serving_version(asked: str, today: date) -> str | None:
    """Return the version that serves a request: for an expired one the oldest usable one; None if unknown."""
    match = _FORM.fullmatch(asked)
    if match is None or match[2] != "0" or not 1 <= int(match[1]) <= _NEWEST:
        return None
    for version, until in _USABLE_UNTIL:
        usable = until is None or today < until
        if usable and int(version[1:-2]) >= int(match[1]):
            return version
    return f"v{_NEWEST}.0"


def oldest_version(today: date) -> str:
    """Return the version that serves a call without one."""
    return serving_version("v1.0", today) or f"v{_NEWEST}.0"
