"""Run a test with generated cases: always the same few in the suite, many in the long form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from hypothesis import HealthCheck, Phase, given, seed, settings


def run_cases(test: Callable[[Any], None], cases: Any, count: int) -> None:
    """Run `test` with `count` generated `cases`, the same ones each time."""
    bounds: Any = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    always_the_same: Any = seed(14)
    always_the_same(bounds(cast(Any, given(cases))(test)))()
