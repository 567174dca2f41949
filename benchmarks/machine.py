"""The machine under the figures: its cores, who runs on which, and what to call it in the table."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection
from pathlib import Path


def cores() -> list[int]:
    """The cores this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


ALL = tuple(cores())
SERVER = (ALL[-1],)
"""Where the measured server runs."""
LOAD = tuple(ALL[:1])
"""Where the load runs, and what plays the rest of the world."""


def pinned(to: Collection[int]) -> Callable[[], None]:
    """What a child process does before it starts: it stays on these cores, its children too."""

    def pin() -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, to)

    return pin


def description() -> dict[str, str | int]:
    """The machine, for the table."""
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
