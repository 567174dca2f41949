"""The rows of the table: one module each, with one function `run(plan)` that returns its lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.measure import Line
from benchmarks.plan import Plan
from benchmarks.rows import webhooks

ALL: Final[dict[str, Callable[[Plan], list[Line]]]] = {
    "webhooks": webhooks.run,
}
