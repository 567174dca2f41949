"""The Redis client as we need it: no hidden repeats, short time-outs, scripts by name.

redis-py's defaults hid three repeats and 13.5 s before raising, and the command had been executed. Here nothing
is repeated unless the server says that it was not executed (NOSCRIPT), and any failure is "store unavailable".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, LifoQueue
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from wa_service.store.availability import Availability
from wa_service.store.blocking import BlockingPops
from wa_service.store.confirmation import Confirmation
from wa_service.store.flusher import REDIRECTS, Command, Flusher, StoreUnavailableError, pack
from wa_service.store.keys import DEFAULT_TAG, Keys
from wa_service.store.scripts import Step, Value, load_scripts
from wa_service.store.server_address import SOCKET_SECONDS, SlotConnection, open_client, parse_address

_SCRIPTS = load_scripts()
_FIELDS = 2


@dataclass(frozen=True, slots=True)
class Replication:
    """What is promised of replicas, and what is done after a failover.

    `replicas`: how many must have what is acknowledged, with `fsync` on disk, within `patience` seconds;
    `failover_pause`: seconds for which every number is paused; `on_failover` is called in the one process that finds
    out first.
    """

    replicas: int = 0
    fsync: bool = False
    patience: float = 1.0
    failover_pause: float = 30.0
    on_failover: Callable[[], None] = lambda: None


def connect(url: str, *, connections: int = 128, tag: str = DEFAULT_TAG, sentinel_password: str = "") -> redis.Redis:
    """A client of the one primary at `url`, with a bounded pool; connects at first use.

    Raises:
        ValueError: the address cannot be read.
    """
    return open_client(parse_address(url), Keys(tag).prefix, connections, sentinel_password=sentinel_password)


class _FreeConnections(LifoQueue[Any]):
    """redis-py raises the same for an unavailable server and for a pool that is used up; this tells them apart."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, timeout)
        except Empty:
            raise MaxConnectionsError("Every connection is in use.") from None


class Store:
    """One Redis or Valkey, and one tag's keys in it: steps by name, coalesced into few round trips.

    `scripts`: the steps, where they are not this version's.

    Every method raises `StoreUnavailableError` when the server cannot be reached, is not willing, or did not answer.
    """

    def __init__(
        self,
        client: redis.Redis,
        tag: str = DEFAULT_TAG,
        *,
        replication: Replication = Replication(),
        scripts: Mapping[str, Step] = _SCRIPTS,
    ) -> None:
        self.client = client
        self._scripts = scripts
        self.keys = Keys(tag)
        self._pops = BlockingPops(client.connection_pool)
        self.availability = Availability(client.connection_pool, self.keys.of("tick"))
        self._replication = replication
        self._on_connect: list[Callable[[], None]] = []
        self.flusher = self._new_flusher(None)
        # What replicas must have goes over a connection of its own: what needs no replica does not wait for them.
        self.replicated = self.flusher
        if replication.replicas:
            confirmation = Confirmation(
                replication.replicas,
                pack(self.step("tick")),
                fsync=replication.fsync,
                patience_ms=int(replication.patience * 1000),
            )
            self.replicated = self._new_flusher(confirmation)
        self._more_pools: list[redis.BlockingConnectionPool] = []

    def _new_flusher(self, confirmation: Confirmation | None) -> Flusher:
        pool, replication = self.client.connection_pool, self._replication
        epoch = self.step(
            "compare_epoch",
            replicated=int(isinstance(pool, SentinelConnectionPool) or replication.replicas > 0),
            moves=int(issubclass(pool.connection_class, SlotConnection)),
            pause_ms=int(replication.failover_pause * 1000),
        )
        return Flusher(
            self.client,
            [script.source for script in self._scripts.values()],
            availability=self.availability,
            confirmation=confirmation,
            greeting=epoch,
            on_greeted=self._on_greeted,
        )

    def on_connect(self, callback: Callable[[], None]) -> None:
        """Call `callback` at each new connection: what the server was told before may be lost with another server."""
        self._on_connect.append(callback)

    def _on_greeted(self, is_new_primary: Any) -> None:
        if is_new_primary == 1:
            self._replication.on_failover()
        for callback in self._on_connect:
            callback()

    def new_pool(self, connections: int, seconds: float) -> redis.BlockingConnectionPool:
        """A further pool to the same server, with the same time-outs, for a library whose callers come in crowds.

        Who finds every connection in use waits for one, at most `seconds`; then `MaxConnectionsError` is raised, which
        says nothing of the server.
        """
        ours = self.client.connection_pool
        kwargs = dict(ours.connection_kwargs)
        if issubclass(ours.connection_class, SlotConnection):
            # It was not executed: once more, over a new connection to the node that owns the slot now.
            kwargs["retry"] = Retry(NoBackoff(), 1, supported_errors=REDIRECTS)
        pool = redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]  # as it is
            connections, seconds, ours.connection_class, queue_class=_FreeConnections, **kwargs
        )
        self._more_pools.append(pool)
        return pool

    def step(self, name: str, /, **arguments: Value) -> Command:
        """Return the command that runs one step, for `run`; packed, so that what cannot be sent is found out here.

        Raises:
            TypeError: an argument is missing, is not the step's, or cannot be packed.
            ValueError: an argument cannot be packed.
        """
        script = self._scripts[name]
        return pack(("EVALSHA", script.sha, 1, self.keys.prefix, *script.values(arguments)))

    def run(self, commands: Sequence[Command], *, replicated: bool = False) -> list[Any]:
        """Run commands in order, in one round trip with whatever else waits; each result in its place.

        `replicated`: somebody outside is told of it, so that replicas must have it first (WA_REDIS_REPLICAS).

        Raises:
            StoreUnavailableError: a command failed or no answer came; the others may have been executed.
            NotReplicatedError: all were executed, or none, and too few replicas have them.
        """
        results = (self.replicated if replicated else self.flusher).run(commands)
        for result in results:
            if isinstance(result, Exception):
                raise StoreUnavailableError(_plain(result)) from result
        return results

    def call(self, name: str, /, **arguments: Value) -> Any:
        """Run one step and return its result."""
        return self.run([self.step(name, **arguments)])[0]

    def call_replicated(self, name: str, /, **arguments: Value) -> Any:
        """Run one step and return its result once replicas have it; raises as `run` does."""
        return self.run([self.step(name, **arguments)], replicated=True)[0]

    def do(self, *command: str | bytes | int | float) -> Any:
        """Run one plain command and return its raw result."""
        return self.run([command])[0]

    def wait_for(self, key: str, seconds: float) -> bytes | None:
        """Pop from a list, waiting at most `seconds` (1 s is the most that the socket's time-out allows)."""
        try:
            return self._pops.pop(key, max(0.01, min(seconds, SOCKET_SECONDS / 2)))
        except MaxConnectionsError as error:  # of ours; the server may be well
            raise StoreUnavailableError(_plain(error)) from error
        except REDIRECTS:  # the slot has another owner: the next wait is there
            return None
        except redis.RedisError as error:
            self.availability.mark_unavailable()
            raise StoreUnavailableError(_plain(error)) from error

    def close(self) -> None:
        """Close the connections."""
        self.flusher.close()
        self.replicated.close()
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
