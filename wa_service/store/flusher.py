"""Coalesce the round trips of many greenlets into few pipelines.

The first caller leads: it sends all waiting commands, its own included, in one pipeline of at most 32 callers and 128
commands, passes the lead to the next waiting caller, and hands out the results. There is no background task that could
die unnoticed. While the server is unavailable, every call fails at once (`availability.py`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import redis
from hiredis import pack_command
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)

from wa_service.store.availability import Availability
from wa_service.store.blocking import FRESH_SECONDS
from wa_service.store.confirmation import LOOK_MS, Confirmation

Command = tuple[str | bytes | int | float, ...] | bytes
"""A command's parts, or the packed command."""

MOST_COMMANDS = 128
# Half of the 64 callers of a busy process, so that the server works on one half while this process works on the other.
MOST_CALLERS = 32
# Errors of a server that is up, but takes no writes now.
_UNWILLING = (
    "LOADING",
    "MISCONF",
    "NOREPLICAS",
    "NOAUTH",
    "WRONGPASS",
)
# Errors of a cluster node that did not execute the command. An ASK is not followed: while a slot moves, a step would
# find only some of its keys on each node.
REDIRECTS = (MovedError, AskError, TryAgainError, ClusterDownError)
_NOT_EXECUTED = (NoScriptError, *REDIRECTS)


class StoreUnavailableError(Exception):
    """The store could not be reached, or refused. The commands may or may not have been executed."""


def pack(command: Command) -> bytes:
    """Return the command as it is sent. It is packed before it joins others, so that an error is its caller's alone.

    Raises:
        TypeError: a part is neither text, bytes nor a number.
        ValueError: a text is not valid Unicode.
    """
    # redis-py's own packing takes three times as long.
    return command if isinstance(command, bytes) else pack_command(command)  # type: ignore[arg-type]  # its stub says a 1-tuple


class NotReplicatedError(StoreUnavailableError):
    """Too few replicas have the writes, so a failover may lose them; or too few answer, and nothing was tried.

    `results`: of the caller's commands, if they were executed.
    """

    def __init__(self, reason: str, results: Sequence[Any] = ()) -> None:
        super().__init__(reason)
        self.results = results


class _Job:
    """One caller's packed commands, and the lock on which it waits for their results."""

    __slots__ = ("commands", "error", "gate", "leads", "results")

    def __init__(self, commands: Sequence[bytes]) -> None:
        self.commands = commands
        self.results: list[Any] = []
        self.error: StoreUnavailableError | None = None
        self.leads = False
        self.gate = threading.Lock()
        self.gate.acquire()


def _dropped(connection: Any) -> bool:
    """Whether the server has closed the connection, or sent unexpected data."""
    try:
        return bool(connection.can_read())
    except (redis.RedisError, OSError):
        return True


def _raise_unwilling(results: Sequence[Any]) -> None:
    """Raise the first error which means that this server takes no writes."""
    for result in results:
        if isinstance(result, (ReadOnlyError, *REDIRECTS)):
            raise result
        if isinstance(result, ResponseError) and str(result).startswith(_UNWILLING):
            raise result


class Flusher:
    """Run commands of many callers over one connection; thread and greenlet safe.

    Args:
        client: whose pool the connection is from.
        scripts: loaded at each connect, before anything else.
        availability: shared with other users of the server.
        confirmation: ends each round trip whose writes must be on replicas.
        greeting: a command for each new connection, after the scripts; `on_greeted` gets its answer.
    """

    def __init__(
        self,
        client: redis.Redis,
        scripts: Sequence[str],
        *,
        availability: Availability | None = None,
        confirmation: Confirmation | None = None,
        greeting: Command | None = None,
        on_greeted: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self._pool = client.connection_pool
        self.availability = availability or Availability(self._pool, "none")
        self._confirmation = confirmation
        self._load_scripts = [pack(("SCRIPT", "LOAD", source)) for source in scripts]
        self._greeting = [] if greeting is None else [pack(greeting)]
        self._on_greeted = on_greeted
        self._waiting: deque[_Job] = deque()
        self._mutex = threading.Lock()
        self._leading = False
        self._connection: Any = None
        self._answered_at = float("-inf")

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """Return the results of the commands, in order; the result of a refused command is its error.

        Raises:
            StoreUnavailableError: there was no answer, or the server is known to be unavailable.
            NotReplicatedError: too few replicas have the writes.
            TypeError, ValueError: one of the commands cannot be packed; none was sent.
        """
        if not commands:
            return []
        if self.availability.unavailable:
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

    def close(self) -> None:
        self.availability.close()
        self._drop_connection()

    def _wait(self, job: _Job) -> None:
        try:
            job.gate.acquire()
        except BaseException:  # killed or timed out: pass on the lead, if it has it
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
            if self.availability.unavailable:  # the last leader found out: do not wait for another timeout
                raise redis.exceptions.ConnectionError
            self._require_replicas()
            results: list[Any] = []
            ending = self._confirmation.commands() if self._confirmation else []
            for start in range(0, total, MOST_COMMANDS):
                is_last = start + MOST_COMMANDS >= total
                results += self._exchange(commands[start : start + MOST_COMMANDS], ending if is_last else [])
            done = 0
            for job in jobs:
                job.results = results[done : done + len(job.commands)]
                done += len(job.commands)
            error = None
            if self._confirmation and not self._confirmation.read(results[total:]):
                error = NotReplicatedError("too few replicas have it")
        except NotReplicatedError as failure:
            error = failure
        except (redis.RedisError, OSError) as failure:
            error = StoreUnavailableError(type(failure).__name__)
            self.availability.mark_unavailable()
        finally:
            if error is not None and not isinstance(error, NotReplicatedError):
                self._drop_connection()
            # Pass on first, so that the next commands are sent while these callers continue.
            self._pass_on()
            for job in jobs:
                job.error = (
                    NotReplicatedError(str(error), job.results) if isinstance(error, NotReplicatedError) else error
                )
                if not job.leads:
                    job.gate.release()

    def _gather(self, jobs: list[_Job]) -> int:
        """Move the jobs of the next round trip into `jobs`; return the number of their commands."""
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

    def _require_replicas(self) -> None:
        """Fail before anything is sent while too few replicas answer; one caller at a time checks."""
        confirmation = self._confirmation
        if confirmation is None or not confirmation.is_behind:
            return
        if not confirmation.is_hopeless:
            results = self._exchange([], confirmation.commands(LOOK_MS))
            # A primary that was demoted meanwhile is left, so that the next call connects to its successor.
            _raise_unwilling(results)
            if confirmation.read(results):
                return
        raise NotReplicatedError("too few replicas answer")

    def _exchange(self, commands: Sequence[bytes], ending: Sequence[bytes]) -> list[Any]:
        """Return the results of the commands and of the ending."""
        results = self._pipeline([*commands, *ending])
        refusals = [result for result in results if isinstance(result, _NOT_EXECUTED)]
        if refusals:
            missing = [i for i in range(len(commands)) if isinstance(results[i], _NOT_EXECUTED)]
            # Not executed, so it is safe to retry: scripts were flushed, or another node owns the slot.
            if any(isinstance(refusal, REDIRECTS) for refusal in refusals):
                self._drop_connection()
            else:
                self._pipeline(self._load_scripts)
            again = self._pipeline([*(commands[i] for i in missing), *ending])
            for i, result in zip(missing, again, strict=False):
                results[i] = result
            results[len(commands) :] = again[len(missing) :]
        _raise_unwilling(results[: len(commands)])
        return results

    def _pipeline(self, commands: Sequence[bytes]) -> list[Any]:
        is_fresh = time.monotonic() - self._answered_at < FRESH_SECONDS
        if self._connection is not None and not is_fresh and _dropped(self._connection):
            # The server was restarted, or closes idle connections; no command of ours was in flight.
            self._drop_connection()
        if self._connection is None:
            self._connection = self._pool.get_connection()
            # Load scripts before the first use. If another process loaded them between two commands of a caller, the
            # earlier one would fail with NOSCRIPT and be retried after the later one.
            if self._load_scripts:
                self._ask(self._load_scripts)
            if self._greeting:
                answers = self._ask(self._greeting)
                _raise_unwilling(answers)
                self._on_greeted(answers[0])
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
        self.availability.note_answer()
        return results

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)
