"""The Redis client: no hidden retries, short timeouts, scripts by name.

By default redis-py retries three times over 13.5 s before it raises, although the command may have been executed. Here
a command is retried only if the server says that it was not executed (NOSCRIPT, a redirect); any other failure is
"store unavailable".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, LifoQueue
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError, NoPermissionError
from redis.retry import Retry
from redis.sentinel import SentinelConnectionPool

from wa_service.observability import log
from wa_service.observability.log_throttle import LogThrottle
from wa_service.store.availability import Availability
from wa_service.store.blocking import BlockingPops
from wa_service.store.confirmation import Confirmation
from wa_service.store.flusher import REDIRECTS, Command, Flusher, StoreUnavailableError, pack
from wa_service.store.keys import DEFAULT_TAG, Keys
from wa_service.store.scripts import Step, StepArgument, load_scripts
from wa_service.store.server_address import SOCKET_SECONDS, SlotConnection, open_client, parse_address

_SCRIPTS = load_scripts()
_FIELDS = 2
_REFUSED_EVERY = 60.0
_PACKED_STEP = re.compile(rb"\*\d+\r\n\$7\r\nEVALSHA\r\n\$40\r\n([0-9a-f]{40})")


@dataclass(frozen=True, slots=True)
class Replication:
    """How writes are replicated, and what to do after a failover.

    `replicas`: how many must have a write before it is acknowledged, with `fsync` on disk, within `patience` seconds;
    `failover_pause`: seconds for which every number is paused; `on_failover` is called in the one process that detects
    the failover first.
    """

    replicas: int = 0
    fsync: bool = False
    patience: float = 1.0
    failover_pause: float = 30.0
    on_failover: Callable[[], None] = lambda: None


def connect(url: str, *, connections: int = 128, tag: str = DEFAULT_TAG, sentinel_password: str = "") -> redis.Redis:
    """Return a client of the primary at `url`, with a bounded pool; it connects at first use.

    Raises:
        ValueError: the address cannot be read.
    """
    return open_client(parse_address(url), Keys(tag).prefix, connections, sentinel_password=sentinel_password)


class _FreeConnections(LifoQueue[Any]):
    """Raise `MaxConnectionsError` for an exhausted pool; redis-py raises the same as for an unavailable server."""

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return super().get(block, timeout)
        except Empty:
            raise MaxConnectionsError("Every connection is in use.") from None


class Store:
    """One Redis or Valkey, and one tag's keys in it: steps by name, coalesced into few round trips.

    `scripts`: other steps, for tests.

    Every method raises `StoreUnavailableError` if the server cannot be reached, refuses, or does not answer.
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
        self._refusals = LogThrottle(_REFUSED_EVERY)
        self.flusher = self._new_flusher(None)
        # A separate connection for replicated writes, so that other calls do not wait for replicas.
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
        """Call `callback` at each new connection: it may be another server, which lacks earlier writes."""
        self._on_connect.append(callback)

    def _on_greeted(self, is_new_primary: Any) -> None:
        if is_new_primary == 1:
            self._replication.on_failover()
        for callback in self._on_connect:
            callback()

    def new_pool(self, connections: int, seconds: float) -> redis.BlockingConnectionPool:
        """Return another pool to the same server, with the same timeouts, for a library with many concurrent callers.

        A caller waits for a free connection for at most `seconds`; then `MaxConnectionsError` is raised, which does not
        mean that the server is unavailable.
        """
        ours = self.client.connection_pool
        kwargs = dict(ours.connection_kwargs)
        if issubclass(ours.connection_class, SlotConnection):
            # A redirected command was not executed: retry it on the node that owns the slot now.
            kwargs["retry"] = Retry(NoBackoff(), 1, supported_errors=REDIRECTS)
        pool = redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]  # untyped
            connections, seconds, ours.connection_class, queue_class=_FreeConnections, **kwargs
        )
        self._more_pools.append(pool)
        return pool

    def step(self, name: str, /, **arguments: StepArgument) -> Command:
        """Return the command that runs one step, for `run`; packed, so that invalid arguments are detected here.

        Raises:
            TypeError: an argument is missing, is not the step's, or cannot be packed.
            ValueError: an argument cannot be packed.
        """
        script = self._scripts[name]
        return pack(("EVALSHA", script.sha, 1, self.keys.prefix, *script.values(arguments)))

    def run(self, commands: Sequence[Command], *, replicated: bool = False) -> list[Any]:
        """Run commands in order, in one round trip with those of other callers; return their results in order.

        `replicated`: wait until replicas have the writes (WA_REDIS_REPLICAS), because they are acknowledged outside.

        Raises:
            StoreUnavailableError: a command failed or got no answer; the others may have been executed.
            NotReplicatedError: all or none were executed, and too few replicas have them.
        """
        results = (self.replicated if replicated else self.flusher).run(commands)
        for command, result in zip(commands, results, strict=True):
            if isinstance(result, Exception):
                self._log_refusal(command, result)
                raise StoreUnavailableError(_plain(result)) from result
        return results

    def _log_refusal(self, command: Command, refusal: Exception) -> None:
        """Log what an available server refused: a key of a wrong type, or a defect, which callers retry in vain."""
        if isinstance(refusal, NoPermissionError) or str(refusal).startswith("unknown "):
            return  # a managed server's, which their callers expect
        name, error = self._name_of(command), _plain(refusal)
        if count := self._refusals.count((name, error)):
            log.get_logger().error("whatsapp.store.refused", command=name, error=error, count=count)

    def _name_of(self, command: Command) -> str:
        """Return the name of a step, or of a command of the server's."""
        if not isinstance(command, bytes):
            return str(command[0])
        packed = _PACKED_STEP.match(command)
        sha = packed[1].decode() if packed else ""
        return next((name for name, script in self._scripts.items() if script.sha == sha), "")

    def call(self, name: str, /, **arguments: StepArgument) -> Any:
        """Run one step and return its result."""
        return self.run([self.step(name, **arguments)])[0]

    def call_replicated(self, name: str, /, **arguments: StepArgument) -> Any:
        """Run one step and return its result once replicas have it; raises as `run` does."""
        return self.run([self.step(name, **arguments)], replicated=True)[0]

    def do(self, *command: str | bytes | int | float) -> Any:
        """Run one plain command and return its raw result."""
        return self.run([command])[0]

    def wait_for(self, key: str, seconds: float) -> bytes | None:
        """Pop from a list, waiting at most `seconds`, and at most 1 s because of the socket's timeout."""
        try:
            return self._pops.pop(key, max(0.01, min(seconds, SOCKET_SECONDS / 2)))
        except MaxConnectionsError as error:  # our limit: the server may be well
            raise StoreUnavailableError(_plain(error)) from error
        except REDIRECTS:  # the next call connects to the slot's new owner
            return None
        except redis.RedisError as error:
            self.availability.mark_unavailable()
            raise StoreUnavailableError(_plain(error)) from error

    def close(self) -> None:
        self.flusher.close()
        self.replicated.close()
        self._pops.close()
        for pool in self._more_pools:
            pool.disconnect()
        self.client.close()


def _plain(error: Exception) -> str:
    """The kind of error only: the server's text may quote arguments, which contain what customers wrote."""
    return f"{type(error).__name__}: {str(error).split(' ', 1)[0][:20]}"


def text(value: Any) -> str:
    """A reply's bytes as text, "" for None."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


def fields(flat: Sequence[bytes]) -> dict[str, str]:
    """HGETALL's flat reply as a dict of text."""
    return {text(flat[i]): text(flat[i + 1]) for i in range(0, len(flat) - 1, _FIELDS)}
