"""The counts that the processes of one machine share, and what becomes of a dead process's.

Each process counts in files of its own, which a scrape adds up. A process that ended leaves its files: thrown
away, the sum would fall, which Prometheus takes for a restart and counts the rest a second time; kept, a year of
recycled workers would be read at each scrape. So they are folded into one file, under a lock that a scrape shares.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# Not typed in prometheus_client.
_merge: Any = MultiProcessCollector.merge
_CountsFile: Any = MmapedDict

_FOLDED = "0"  # the process id under which what was folded stands; no process of ours has it


class SharedCounts(Collector):
    """Adds up the counts of every process that shares a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def describe(self) -> Iterable[Metric]:
        """Name nothing: what is there is only known at a scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read every file, while nobody folds."""
        with _held(self._directory, fcntl.LOCK_SH):
            return list(_merge(map(str, self._directory.glob("*.db"))))


def fold(directory: Path, is_alive: Callable[[int], bool] | None = None) -> int:
    """Add what dead processes counted to the folded counts; a dead process's gauges go.

    Args:
        directory: that of one machine's processes, or of one container's.
        is_alive: whether a process id belongs to a living process.

    Returns:
        How many files went.
    """
    is_alive = is_alive or _is_alive
    with _held(directory, fcntl.LOCK_EX):
        dead = [file for file in directory.glob("*.db") if not _stays(file, is_alive)]
        for kind in ("counter", "histogram", "summary"):
            leaving = [file for file in dead if file.name.startswith(f"{kind}_")]
            if leaving:
                _add(directory / f"{kind}_{_FOLDED}.db", leaving)
        for file in dead:
            file.unlink()
    return len(dead)


def _add(target: Path, files: list[Path]) -> None:
    draft = target.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    sources = [*files, *([target] if target.exists() else [])]
    values = _CountsFile(str(draft))
    for metric in _merge(map(str, sources), accumulate=False):
        for sample in metric.samples:
            labels = sample.labels
            key = mmap_key(metric.name, sample.name, labels.keys(), labels.values(), metric.documentation)
            values.write_value(key, sample.value, 0.0)
    values.close()
    draft.replace(target)


def _stays(file: Path, is_alive: Callable[[int], bool]) -> bool:
    process = file.stem.rpartition("_")[2]
    return process == _FOLDED or not process.isdigit() or is_alive(int(process))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _held(directory: Path, how: int) -> Iterator[None]:
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, how)
        yield
