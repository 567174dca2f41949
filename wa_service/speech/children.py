"""Child processes of a worker: started, asked with a deadline, replaced when they die, ended.

Written against the standard library alone: under gevent's patches waiting gives way to other greenlets, without
them to other threads.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from threading import Event, Thread, Timer
from typing import Any

from wa_service.observability import log
from wa_service.resilience.breaker import Unavailable
from wa_service.speech.child_frames import FrameError, read_answer, write_request

_ROOT = Path(__file__).resolve().parents[2]
_TRY_SETUP_AGAIN = 30.0
"""Seconds until a child that could not be set up is tried once more."""


class ChildError(Exception):
    """The child gave no answer."""


class ChildDiedError(ChildError):
    """It ended in the middle of the work."""


class ChildTooSlowError(ChildError):
    """It was ended because its time was up."""


class ChildUnusableError(ChildError):
    """It cannot be set up: a package or the model is missing or not the right one."""


@dataclass(frozen=True, slots=True)
class ChildPlan:
    """What kind of child to start: what it can do, and its limits.

    `setup`: the first request, answered once it is ready. `command`: gets the plan as its last argument.
    """

    task: str
    setup: Mapping[str, Any]
    memory_bytes: int = 2 * 1024**3
    niceness: int = 0
    setup_seconds: float = 60.0
    command: tuple[str, ...] = (sys.executable, "-m", "wa_service.speech.child_process")


class Child:
    """One process, used by one caller at a time."""

    def __init__(self, plan: ChildPlan) -> None:
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._unusable: tuple[float, str] | None = None
        self._closed = Event()

    @property
    def pid(self) -> int | None:
        """The process's id while one is there."""
        # Held here: `close` may come from elsewhere between two looks.
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def ready(self) -> None:
        """Start it and let it learn, where it is not there. Raises ChildError."""
        if self.pid is not None:
            return
        self.end()
        if self._unusable is not None and time.monotonic() < self._unusable[0]:
            raise ChildUnusableError(self._unusable[1])
        self._start()
        try:
            answer = self._exchange(self._plan.setup, b"", self._plan.setup_seconds)
        except ChildTooSlowError:
            answer = {"reason": f"not ready in {self._plan.setup_seconds:.0f} s"}
        if not answer.get("ready"):
            reason = str(answer.get("reason", "no reason given"))
            self.end()
            self._unusable = (time.monotonic() + _TRY_SETUP_AGAIN, reason)
            log.get_logger().warning("whatsapp.conversation.child_unusable", task=self._plan.task, reason=reason)
            raise ChildUnusableError(reason)
        self._unusable = None

    def ask(self, header: Mapping[str, Any], payload: bytes, seconds: float) -> dict[str, Any]:
        """One piece of work, with a deadline. Raises ChildError; the process is then gone."""
        self.ready()
        return self._exchange(header, payload, seconds)

    def end(self) -> None:
        """End the process at once: it holds nothing that is worth a farewell. A later `ask` starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        # First: whoever waits on its pipes must be awake before they can be closed.
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def close(self) -> None:
        """End the process for good."""
        self._closed.set()
        self.end()

    def _start(self) -> None:
        if self._closed.is_set():
            raise ChildUnusableError("closed")
        plan = self._plan
        wanted = {"task": plan.task, "memory_bytes": plan.memory_bytes, "niceness": plan.niceness}
        self._process = subprocess.Popen(
            [*plan.command, json.dumps(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Nothing a library prints about a recording shall reach our logs.
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            # No token of ours is any business of a decoder's.
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        if self._closed.is_set():
            self.end()
            raise ChildUnusableError("closed")

    def _exchange(self, header: Mapping[str, Any], payload: bytes, seconds: float) -> dict[str, Any]:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ChildDiedError
        late: list[bool] = []

        def too_late() -> None:
            late.append(True)
            process.kill()

        # Killing closes the pipes, and that wakes us, whether we write or read, patched or not.
        deadline = Timer(seconds, too_late)
        deadline.start()
        try:
            write_request(process.stdin, dict(header), payload)  # type: ignore[arg-type]  # typeshed says IO[bytes]
            return read_answer(process.stdout)  # type: ignore[arg-type]
        except (OSError, ValueError, FrameError) as error:
            self.end()
            raise (ChildTooSlowError() if late else ChildDiedError()) from error
        except BaseException:
            # The handler was cut off: an answer that came later would be taken for the next one's.
            self.end()
            raise
        finally:
            deadline.cancel()


class Children:
    """Some children of one plan; as many pieces of work at a time."""

    def __init__(
        self,
        plan: ChildPlan,
        *,
        processes: int = 1,
        wait_seconds: float = 20.0,
        make: Callable[[ChildPlan], Child] = Child,
    ) -> None:
        self._plan = plan
        self._wait_seconds = wait_seconds
        self._all = [make(plan) for _ in range(processes)]
        self._free: LifoQueue[Child] = LifoQueue()
        for child in self._all:
            self._free.put(child)

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that are there."""
        return [pid for child in self._all if (pid := child.pid) is not None]

    def start(self) -> None:
        """Start all, without waiting for them to be ready."""
        for _ in self._all:
            Thread(target=self._start_one, daemon=True, name=f"start {self._plan.task}").start()

    def stop(self) -> None:
        """End all for good; work in progress fails."""
        for child in self._all:
            child.close()

    def ask(self, header: Mapping[str, Any], payload: bytes = b"", *, seconds: float) -> dict[str, Any]:
        """One piece of work by whichever is free; once more by a fresh child when the first one dies.

        Raises ChildError, and Unavailable when none is free for a long time.
        """
        try:
            return self._ask_one(header, payload, seconds)
        except ChildDiedError:
            log.get_logger().warning("whatsapp.conversation.child_died", task=self._plan.task)
            return self._ask_one(header, payload, seconds)

    def _ask_one(self, header: Mapping[str, Any], payload: bytes, seconds: float) -> dict[str, Any]:
        try:
            child = self._free.get(timeout=self._wait_seconds)
        except Empty:
            raise Unavailable(self._plan.task, 1.0) from None
        try:
            return child.ask(header, payload, seconds)
        finally:
            self._free.put(child)

    def _start_one(self) -> None:
        child = self._free.get()
        try:
            # The reason was given as a notice; whoever asks next meets it again.
            with contextlib.suppress(ChildError):
                child.ready()
        finally:
            self._free.put(child)
