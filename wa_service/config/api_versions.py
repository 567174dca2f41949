"""The last days of the Graph API's versions (docs/meta-cloud-api.md, 1.2)."""

from __future__ import annotations

from datetime import date

_LAST_DAYS = {
    "v17.0": date(2025, 9, 12),
    "v18.0": date(2026, 1, 26),
    "v19.0": date(2026, 5, 21),
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
}


def api_version_last_day(version: str) -> date | None:
    """Return a version's last day; None if Meta has not announced it."""
    return _LAST_DAYS.get(version)


def api_version_ended(version: str, today: date) -> str | None:
    """Return a sentence if the version has ended, else None. Meta itself gives no error for an ended version."""
    end = api_version_last_day(version)
    if end is None or today <= end:
        return None
    return f"{version} ended on {end}, and Meta uses the oldest supported version instead: set a supported one."
