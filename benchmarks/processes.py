"""Child processes of a benchmark: pinned to cores, stopped with the block, measured in CPU and memory."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import machine

ROOT = Path(__file__).parent.parent
START_SECONDS = 30.0


class BenchmarkError(Exception):
    """A process did not start, or a result is not valid; the text says why."""


class Part:
    """One child process with its descendants.

    Args:
        command: what to run, from the project's root.
        log: file for its standard error; standard output goes to the same name with `.out`.
        env: added to a minimal environment.
        on: the cores it is pinned to; default: all.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        on: Collection[int] = machine.ALL,
    ) -> None:
        self._command = list(command)
        self._log = log
        self._out = log.with_suffix(".out")
        self.started = time.monotonic()
        with log.open("ab") as errors, self._out.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=_small_environment() | dict(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
                preexec_fn=machine.pinned(on),  # noqa: PLW1509 - no threads yet
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Terminate the process, then kill what is left of its descendants."""
        family = self.family()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in family:
            if pid != self.pid and _parent(pid) is not None and os.getsid(pid) == self.pid:
                os.kill(pid, signal.SIGKILL)

    def until(self, ready: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> float:
        """Wait until `ready()`; return seconds since the start.

        Raises:
            BenchmarkError: it ended or timed out; with the end of its log.
        """
        end = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise BenchmarkError(f"{what} did not start: {self._log_tail()}")
            time.sleep(0.01)
        return time.monotonic() - self.started

    def result(self, seconds: float = 120.0) -> str:
        """Wait for its end; return its standard output.

        Raises:
            BenchmarkError: it failed or timed out.
        """
        try:
            status = self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"timed out after {seconds:.0f} s: {self._log_tail()}") from None
        if status:
            raise BenchmarkError(f"failed: {self._log_tail()}")
        return self._out.read_text()

    def said(self) -> str:
        """Return its standard error so far."""
        return self._log.read_text(errors="replace")

    def _log_tail(self) -> str:
        return f"{' '.join(self._command[:4])}\n{self.said()[-2000:]}"

    def family(self) -> list[int]:
        """Return the process id and those of its descendants."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (parent := _parent(int(entry.name))) is not None:
                children.setdefault(parent, []).append(int(entry.name))
        found = [self.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process and its descendants so far, in seconds."""
        return sum(_cpu_seconds(pid) for pid in self.family())

    def memory_mb(self) -> float:
        """Return the resident memory of the largest of these processes, in MB."""
        return max(_resident_mb(pid) for pid in self.family())


def answers(port: int, path: str = "/") -> Callable[[], bool]:
    """Return a check that GET `path` on this port is answered with a status below 500."""

    def ask() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask


def _small_environment() -> dict[str, str]:
    """What a process needs from ours, and nothing that would change how ours works."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"WA_ENV_FILE": os.devnull}


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state == "Z" else int(parent)


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of its live threads and of its ended children."""
    nanoseconds = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            nanoseconds += int(task.read_text().split()[0])
        except (OSError, IndexError):
            continue
    return nanoseconds / 1e9 + _cpu_seconds_of_ended_children(pid)


def _cpu_seconds_of_ended_children(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[13:15]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(found[0].split()[1]) / 1024 if found else 0.0
