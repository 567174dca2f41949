"""The Redis client as we need it: no hidden repeats, short time-outs, scripts by name.

redis-py's defaults hid three repeats and 13.5 s before raising, and the command had been executed. Here nothing
is repeated unless the server says that it was not executed (NOSCRIPT), and any failure is "store unavailable".
"""

from __future__ import annotations

from collections.abc import Sequence
from queue import Empty, LifoQueue
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError
from redis.retry import Retry

from wa_service.store.blocking import BlockingPops
from wa_service.store.flusher import Command, Flusher, StoreUnavailableError, pack
from wa_service.store.keys import DEFAULT_TAG, Keys
from wa_service.store.scripts import Value, load_scripts

SOCKET_SECONDS = 2.0
_SCRIPTS = load_scripts()
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
    """redis-py raises the same for an unavailable server and for a pool that is used up; this tells them apart."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, timeout)
        except Empty:
            raise MaxConnectionsError("Every connection is in use.") from None


class Store:
    """One Redis or Valkey, and one tag's keys in it: steps by name, coalesced into few round trips.

    Every method raises `StoreUnavailableError` when the server cannot be reached, is not willing, or did not answer.
    """

    def __init__(self, client: redis.Redis, tag: str = DEFAULT_TAG) -> None:
        self.client = client
        self.keys = Keys(tag)
        self._pops = BlockingPops(client.connection_pool)
        self.flusher = Flusher(client, [script.source for script in _SCRIPTS.values()])
        self._more_pools: list[redis.BlockingConnectionPool] = []

    def new_pool(self, connections: int, seconds: float) -> redis.BlockingConnectionPool:
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

    def step(self, name: str, /, **arguments: Value) -> Command:
        """Return the command that runs one step, for `run`; packed, so that what cannot be sent is found out here.

        Raises:
            TypeError: an argument is missing, is not the step's, or cannot be packed.
            ValueError: an argument cannot be packed.
        """
        script = _SCRIPTS[name]
        return pack(("EVALSHA", script.sha, 1, self.keys.prefix, *script.values(arguments)))

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands in order, in one round trip with whatever else waits; each result in its place.

        Raises:
            StoreUnavailableError: a command failed or no answer came; the others may have been executed.
        """
        results = self.flusher.run(commands)
        for result in results:
            if isinstance(result, Exception):
                raise StoreUnavailableError(_plain(result)) from result
        return results

    def call(self, name: str, /, **arguments: Value) -> Any:
        """Run one step and return its result."""
        return self.run([self.step(name, **arguments)])[0]

    def do(self, *command: str | bytes | int | float) -> Any:
        """Run one plain command and return its raw result."""
        return self.run([command])[0]

    def wait_for(self, key: str, seconds: float) -> bytes | None:
        """Pop from a list, waiting at most `seconds` (1 s is the most that the socket's time-out allows)."""
        try:
            return self._pops.pop(key, max(0.01, min(seconds, SOCKET_SECONDS / 2)))
        except MaxConnectionsError as error:  # of ours; the server may be well
            raise StoreUnavailableError(_plain(error)) from error
        except redis.RedisError as error:
            self.flusher.mark_unavailable()
            raise StoreUnavailableError(_plain(error)) from error

    def close(self) -> None:
        """Close the connections."""
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
