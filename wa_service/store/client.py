"""The Redis client as we need it: no hidden repeats, short time-outs, scripts by name.

redis-py's defaults hid three repeats and 13.5 s before raising, and the command had been executed. Here nothing
is repeated unless the server says that it was not executed (NOSCRIPT), and any failure is "store away".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError
from redis.retry import Retry

from wa_service.store.blocking import BlockingPops
from wa_service.store.flusher import Command, Flusher, StoreAwayError, pack

SOCKET_SECONDS = 2.0
_INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)
_FIELDS = 2


def connect(url: str, *, connections: int = 128) -> redis.Redis:
    """A client of the one primary at `url`, with a bounded pool; connects at first use."""
    return redis.Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        max_connections=connections,
        health_check_interval=0,
        protocol=2,
        client_name="wa_service",
    )


class _FreeConnections(LifoQueue[Any]):
    """redis-py raises the same for a server that is away and for a pool that is used up; this tells them apart."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, timeout)
        except Empty:
            raise MaxConnectionsError("Every connection is in use.") from None


def load_scripts(folder: Path | None = None) -> dict[str, str]:
    """Each step's Lua source by name, with what it includes in front of it."""
    folder = folder or Path(__file__).parent / "steps"
    shared = {path.stem: path.read_text("utf-8") for path in (folder / "shared").glob("*.lua")}
    scripts = {}
    for path in sorted(folder.glob("*.lua")):
        step = path.read_text("utf-8")
        found = _INCLUDE.search(step)
        parts = [shared[name] for name in found.group(1).split()] if found else []
        scripts[path.stem] = "\n".join([*parts, step])
    return scripts


class Store:
    """One Redis or Valkey: steps by name, coalesced into few round trips.

    Every method raises `StoreAwayError` when the server cannot be reached, is not willing, or did not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        sources = load_scripts()
        self._sha = {name: sha1(source.encode(), usedforsecurity=False).hexdigest() for name, source in sources.items()}
        self._pops = BlockingPops(client.connection_pool)
        self.flusher = Flusher(client, {self._sha[name]: source for name, source in sources.items()})
        self._more_pools: list[redis.BlockingConnectionPool] = []

    def pool_of_its_own(self, connections: int, seconds: float) -> redis.BlockingConnectionPool:
        """A further pool to the same server, with the same time-outs, for a library whose callers come in crowds.

        Who finds every connection in use waits for one, at most `seconds`; then `MaxConnectionsError` is raised, which
        says nothing of the server.
        """
        ours = self.client.connection_pool
        pool = redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]  # as it is
            connections, seconds, ours.connection_class, queue_class=_FreeConnections, **ours.connection_kwargs
        )
        self._more_pools.append(pool)
        return pool

    def step(self, name: str, *args: str | bytes | int | float) -> Command:
        """The command that runs one step, packed, so that what cannot be sent is found out here; give it to `run`.

        Raises:
            TypeError, ValueError: an argument cannot be packed.
        """
        return pack(("EVALSHA", self._sha[name], 0, *args))

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """Runs commands in order, in one round trip with whatever else waits; each result in its place.

        Raises:
            StoreAwayError: a command failed or no answer came; the others may have been executed.
        """
        results = self.flusher.run(commands)
        for result in results:
            if isinstance(result, Exception):
                raise StoreAwayError(_plain(result)) from result
        return results

    def call(self, name: str, *args: str | bytes | int | float) -> Any:
        """Runs one step and returns its result."""
        return self.run([self.step(name, *args)])[0]

    def do(self, *command: str | bytes | int | float) -> Any:
        """Runs one plain command and returns its raw result."""
        return self.run([command])[0]

    def wait_for(self, key: str, seconds: float) -> bytes | None:
        """Pops from a list, waiting at most `seconds` (1 s is the most that the socket's time-out allows)."""
        try:
            return self._pops.pop(key, max(0.01, min(seconds, SOCKET_SECONDS / 2)))
        except MaxConnectionsError as error:  # of ours; the server may be well
            raise StoreAwayError(_plain(error)) from error
        except redis.RedisError as error:
            self.flusher.mark_away()
            raise StoreAwayError(_plain(error)) from error

    def close(self) -> None:
        """Closes the connections."""
        self.flusher.close()
        self._pops.close()
        for pool in self._more_pools:
            pool.disconnect()
        self.client.close()


def _plain(error: Exception) -> str:
    """The kind of failure alone: a server's error text may quote the arguments, which hold what customers wrote."""
    return f"{type(error).__name__}: {str(error).split(' ', 1)[0][:20]}"


def text(value: Any) -> str:
    """A reply's bytes as text, "" for nothing."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


def fields(flat: Sequence[bytes]) -> dict[str, str]:
    """HGETALL's flat reply as a dict of text."""
    return {text(flat[i]): text(flat[i + 1]) for i in range(0, len(flat) - 1, _FIELDS)}
