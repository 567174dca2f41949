"""Counts that the processes of one machine share in a directory, one set of files for each slot.

A process takes the lowest free slot and goes on with the files that the slot's last holder left. So no count is
lost when a process ends, and there are never more files than processes at once.
"""

from __future__ import annotations

import fcntl
import itertools
import os
from pathlib import Path
from typing import TextIO

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector

_directory: Path | None = None


class _Slot:
    """The number of this process's slot; a forked process takes one of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = -1
        self._number = -1
        # Locked for as long as it is open, that is until the process ends.
        self._lock: TextIO | None = None

    def __call__(self) -> int:
        process = os.getpid()
        if process != self._process:
            self._number, self._process = self._take(), process
        return self._number

    def _take(self) -> int:
        for number in itertools.count():
            lock = (self._directory / f"{number}.lock").open("a", encoding="ascii")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                self._lock = lock
                return number
        raise AssertionError


def share(directory: Path) -> None:
    """Let this process count in `directory`, which is made where it is missing.

    Call it before `wa_service.observability.metrics` is imported: a series takes its place when it is made.
    """
    global _directory
    directory.mkdir(parents=True, exist_ok=True)
    # Where prometheus_client looks for the directory, and the only place.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory.absolute())
    values.ValueClass = values.MultiProcessValue(process_identifier=_Slot(directory.absolute()))  # type: ignore[no-untyped-call]  # the client's own gap
    _directory = directory.absolute()


def collect_shared(registry: CollectorRegistry) -> bool:
    """Register the counts of every process that shares the directory; False where nothing is shared."""
    if _directory is None:
        return False
    MultiProcessCollector(registry, str(_directory))  # type: ignore[no-untyped-call]  # the client's own gap
    return True
