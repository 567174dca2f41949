"""Usage of Meta's call limits, from the headers of an answer (reference 1.5, 7.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

_LIMIT: Final = 16_384


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of one limit, in percent, 0 if unknown. `scope`: "app" or the account's id; `type`: Meta's name.

    `regain_minutes`: minutes until calls are served again, 0 if they are served.
    """

    scope: str
    type: str
    call_count: float
    total_cputime: float
    total_time: float
    regain_minutes: float

    @property
    def percent(self) -> float:
        """The highest of the three percentages."""
        return max(self.call_count, self.total_cputime, self.total_time)


def read_usage(headers: Mapping[str, str]) -> tuple[Usage, ...]:
    """Read `x-business-use-case-usage` and `x-app-usage`; () without them. Never raises."""
    business = headers.get("x-business-use-case-usage")
    app = headers.get("x-app-usage")
    if not business and not app:
        return ()
    return (*_business(_parsed(business)), *_app(_parsed(app)))


def _parsed(header: str | None) -> Mapping[str, Any]:
    if not header or len(header) > _LIMIT:
        return {}
    try:
        parsed = orjson.loads(header)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _business(parsed: Mapping[str, Any]) -> Iterator[Usage]:
    for scope, items in parsed.items():
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield _usage(scope, item)


def _app(parsed: Mapping[str, Any]) -> Iterator[Usage]:
    if parsed:
        yield _usage("app", parsed)


def _usage(scope: str, item: Mapping[str, Any]) -> Usage:
    kind = item.get("type")
    return Usage(
        scope,
        kind if isinstance(kind, str) else "",
        _number(item.get("call_count")),
        _number(item.get("total_cputime")),
        _number(item.get("total_time")),
        _number(item.get("estimated_time_to_regain_access")),
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
