"""Read the results of a run of schemathesis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemathesis.engine import Status, events


def failures_and_operations(run: Iterable[Any]) -> tuple[list[str], set[str]]:
    """Return the failures, each with a call that reproduces it, and the operations that were tested."""
    failures: list[str] = []
    tested: set[str] = set()
    for event in run:
        if isinstance(event, events.ScenarioFinished):
            tested.add(str(event.recorder.label))
            for checks in event.recorder.checks.values():
                failures += [_described(check) for check in checks if check.status is Status.FAILURE]
        if isinstance(event, events.NonFatalError | events.FatalError):
            failures.append(str(event))
    return list(dict.fromkeys(failures)), tested


def _described(check: Any) -> str:
    failure = check.failure_info.failure
    return f"{check.name}: {failure.title}\n{failure.message}\n{check.failure_info.code_sample}"
