"""Share metrics between the processes of one machine in a directory, with one set of files per slot.

A process takes the lowest free slot and continues with the files of the slot's last holder. So no count is lost when a
process ends, and there are never more sets of files than concurrent processes.
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
    """Returns the number of this process's slot; a forked process takes another one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process = -1
        self._number = -1
        # The lock is held while the file is open, until the process ends.
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


class MetricsDirectoryError(Exception):
    """The metrics' directory cannot be written; the text is one sentence."""


def share(directory: Path) -> None:
    """Let this process count in `directory`, which is created if it is missing.

    Call it before `wa_service.observability.metrics` is imported: a series opens its files when it is created.

    Raises:
        MetricsDirectoryError: this process cannot write there.
    """
    global _directory
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError
    except OSError as error:
        raise MetricsDirectoryError(
            f"The metrics' directory {directory} cannot be written ({type(error).__name__}): correct WA_VAR_DIR or "
            "PROMETHEUS_MULTIPROC_DIR, or run this as the service's user."
        ) from None
    # prometheus_client finds the directory only by this variable.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory.absolute())
    values.ValueClass = values.MultiProcessValue(process_identifier=_Slot(directory.absolute()))  # type: ignore[no-untyped-call]  # the client has no type here
    _directory = directory.absolute()


def collect_shared(registry: CollectorRegistry) -> bool:
    """Register the counts of all processes that share the directory; return False if nothing is shared."""
    if _directory is None:
        return False
    MultiProcessCollector(registry, str(_directory))  # type: ignore[no-untyped-call]  # the client has no type here
    return True
