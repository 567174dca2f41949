"""Coalesces the round trips of many greenlets into few pipelines.

Whoever comes first leads: it sends what waits, its own commands included, in one pipeline of at most 32 callers and
128 commands, passes the lead to the next that waits, and hands each its results. There is no background task that
could die unseen. While the server is unavailable every call fails at once; a PING every 200 ms finds out
when it is back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import redis
from hiredis import pack_command
from redis.exceptions import ResponseError

from wa_service.store.blocking import FRESH_SECONDS

Command = tuple[str | bytes | int | float, ...] | bytes
"""A command's parts, or what `pack` made of them."""

MOST_COMMANDS = 128
# While the server works on one half of the callers' commands, this process works on the other half. With all 64
# callers of a busy process in one round trip, each side waited for the other a quarter of the time.
MOST_CALLERS = 32
PROBE_SECONDS = 0.2
# What a server answers that is up but must not, or cannot, take writes now.
_UNWILLING = (
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOREPLICAS",
    "NOAUTH",
    "WRONGPASS",
    "CLUSTERDOWN",
)


class StoreUnavailableError(Exception):
    """The store could not be reached or would not do it. What was asked may or may not have happened."""


def pack(command: Command) -> bytes:
    """The command as it is sent. Packed before it joins others: one that cannot be fails its own caller alone.

    Raises:
        TypeError: a part is neither text, bytes nor a number.
        ValueError: a text is no Unicode.
    """
    # redis-py's own way takes three times as long, for forms of commands that we do not use.
    return command if isinstance(command, bytes) else pack_command(command)  # type: ignore[arg-type]  # its stub means any length


class _Job:
    """One caller's packed commands, and the place where it waits for their results."""

    __slots__ = ("commands", "error", "gate", "leads", "results")

    def __init__(self, commands: Sequence[bytes]) -> None:
        self.commands = commands
        self.results: list[Any] = []
        self.error: StoreUnavailableError | None = None
        self.leads = False
        self.gate = threading.Lock()
        self.gate.acquire()


def _dropped(connection: Any) -> bool:
    """Whether the other side has closed it, or said something that nobody asked for."""
    try:
        return bool(connection.can_read())
    except (redis.RedisError, OSError):
        return True


class Flusher:
    """Runs commands of many callers over one connection; thread and greenlet safe."""

    def __init__(self, client: redis.Redis, scripts: Sequence[str], *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._probe_seconds = probe_seconds
        self._pool = client.connection_pool
        self._load_scripts = [pack(("SCRIPT", "LOAD", source)) for source in scripts]
        self._waiting: deque[_Job] = deque()
        self._mutex = threading.Lock()
        self._leading = False
        self._connection: Any = None
        self._unavailable = False
        self._answered_at = float("-inf")
        self._closed = False

    @property
    def unavailable(self) -> bool:
        """Whether the server is known to be unavailable; then every call fails at once."""
        return self._unavailable

    def answered_within(self, seconds: float) -> bool:
        """Whether the server has answered within so many seconds."""
        return time.monotonic() - self._answered_at < seconds

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """The results of the commands, in order; a command the server refused has its error as its result.

        Raises:
            StoreUnavailableError: no answer came, or the server is known to be unavailable.
            TypeError, ValueError: one of the commands cannot be packed; none was sent.
        """
        if not commands:
            return []
        if self._unavailable:
            raise StoreUnavailableError("the store is unavailable")
        job = _Job([pack(command) for command in commands])
        with self._mutex:
            self._waiting.append(job)
            job.leads = not self._leading
            self._leading = True
        if not job.leads:
            self._wait(job)
        if job.leads:
            self._lead()
        if job.error is not None:
            raise job.error
        return job.results

    def wait_until_back(self, seconds: float) -> bool:
        """Wait until the server is no longer known to be unavailable, at most `seconds`; return whether it is back."""
        until = time.monotonic() + seconds
        while self._unavailable and not self._closed and time.monotonic() < until:
            time.sleep(self._probe_seconds / 4)
        return not self._unavailable

    def mark_unavailable(self) -> None:
        """Let every call fail at once from now on, until a PING is answered."""
        with self._mutex:
            if self._unavailable or self._closed:
                return
            self._unavailable = True
        threading.Thread(target=self._probe, name="store-probe", daemon=True).start()

    def close(self) -> None:
        """Lets the connection go."""
        self._closed = True
        self._drop_connection()

    def _wait(self, job: _Job) -> None:
        try:
            job.gate.acquire()
        except BaseException:  # killed, or its time is over: nobody may wait for it to lead
            with self._mutex:
                if job in self._waiting:
                    self._waiting.remove(job)
            if job.leads:
                self._pass_on()
            raise

    def _lead(self) -> None:
        jobs: list[_Job] = []
        error: StoreUnavailableError | None = StoreUnavailableError("the call was broken off")
        try:
            total = self._gather(jobs)
            commands = [command for job in jobs for command in job.commands]
            if self._unavailable:  # whoever led before found out: nobody waits for a second time-out
                raise redis.exceptions.ConnectionError
            results: list[Any] = []
            for start in range(0, total, MOST_COMMANDS):
                results += self._exchange(commands[start : start + MOST_COMMANDS])
            done = 0
            for job in jobs:
                job.results = results[done : done + len(job.commands)]
                done += len(job.commands)
            error = None
        except (redis.RedisError, OSError) as failure:
            error = StoreUnavailableError(type(failure).__name__)
            self.mark_unavailable()
        finally:
            if error is not None:
                self._drop_connection()
            # First the next one, so that its commands are on their way while these callers go on.
            self._pass_on()
            for job in jobs:
                job.error = error
                if not job.leads:
                    job.gate.release()

    def _gather(self, jobs: list[_Job]) -> int:
        """Moves what goes into the next round trip into `jobs`; returns how many commands that is."""
        total = 0
        with self._mutex:
            while self._waiting and len(jobs) < MOST_CALLERS:
                if jobs and total + len(self._waiting[0].commands) > MOST_COMMANDS:
                    break
                jobs.append(self._waiting.popleft())
                total += len(jobs[-1].commands)
        return total

    def _pass_on(self) -> None:
        with self._mutex:
            if not self._waiting:
                self._leading = False
                return
            successor = self._waiting[0]
            successor.leads = True
        successor.gate.release()

    def _exchange(self, commands: Sequence[bytes]) -> list[Any]:
        results = self._pipeline(commands)
        missing = [i for i, result in enumerate(results) if isinstance(result, redis.exceptions.NoScriptError)]
        if missing:
            # Not executed, so it is safe to ask again: the server is new, or its scripts were flushed.
            self._pipeline(self._load_scripts)
            for i, result in zip(missing, self._pipeline([commands[i] for i in missing]), strict=True):
                results[i] = result
        for result in results:
            if isinstance(result, ResponseError) and str(result).startswith(_UNWILLING):
                raise result
            if isinstance(result, (redis.exceptions.ReadOnlyError, redis.exceptions.BusyLoadingError)):
                raise result
        return results

    def _pipeline(self, commands: Sequence[bytes]) -> list[Any]:
        if self._connection is not None and not self.answered_within(FRESH_SECONDS) and _dropped(self._connection):
            # The server was restarted, or lets idle connections go; nothing of ours was on its way.
            self._drop_connection()
        if self._connection is None:
            self._connection = self._pool.get_connection()
            # Before the first use: where another process loads them meanwhile, a later command of a caller's may find
            # its script and an earlier one may not, and the earlier one is repeated behind it.
            if self._load_scripts:
                self._ask(self._load_scripts)
        return self._ask(commands)

    def _ask(self, commands: Sequence[bytes]) -> list[Any]:
        connection = self._connection
        connection.send_packed_command([b"".join(commands)])
        results: list[Any] = []
        for _ in commands:
            try:
                results.append(connection.read_response())
            except ResponseError as refusal:
                results.append(refusal)
        self._answered_at = time.monotonic()
        return results

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)

    def _probe(self) -> None:
        while not self._closed:
            time.sleep(self._probe_seconds)
            connection: Any = None
            try:
                # Not the pool's own: the pool counts what it makes for ever, so that after 128 probes there was no
                # connection left to find out with that the server is back.
                connection = self._pool.connection_class(**self._pool.connection_kwargs)
                connection.connect()
                connection.send_command("PING")
                if connection.read_response() in {b"PONG", "PONG"}:
                    self._unavailable = False
                    return
            except (redis.RedisError, OSError):
                continue
            finally:
                if connection is not None:
                    connection.disconnect()
