"""The machine: its cores, which process runs on which, and its description in the table."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection
from pathlib import Path


def cores() -> list[int]:
    """Return the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


ALL = tuple(cores())
SERVER = (ALL[-1],)
"""Core of the measured server."""
LOAD = tuple(ALL[:1])
"""Core of the load generator and the stand-ins."""


def pinned(to: Collection[int]) -> Callable[[], None]:
    """Return a function that pins a child process, and its children, to these cores."""

    def pin() -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, to)

    return pin


def description() -> dict[str, str | int]:
    """Return the description of the machine for the table."""
    return {
        "cores": len(ALL),
        "cpu": _cpu_model(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
