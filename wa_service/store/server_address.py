"""The store's address: one server, the primary that Sentinels name, or the cluster node that owns the tag's slot.

redis-py's Sentinel pool looks up the primary at each new connection. A cluster uses the same pool: all keys of a tag
are in one slot, so the slot's owner is the primary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

import redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.crc import key_slot
from redis.exceptions import MovedError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool, SentinelManagedConnection

Topology = Literal["single", "sentinel", "cluster"]

SOCKET_SECONDS = 2.0
# Timeout of a Sentinel or node that is asked for the primary; then the next one is asked.
ASK_SECONDS = 0.5
_SENTINEL_PORT = 26379
_SERVER_PORT = 6379


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A parsed `REDIS_URL`. `hosts`: of Sentinels or cluster nodes; `options`: of a redis-py connection."""

    topology: Topology
    hosts: tuple[tuple[str, int], ...]
    service: str
    options: Mapping[str, Any]
    is_tls: bool


def parse_address(url: str) -> ServerAddress:
    """Read `REDIS_URL`: redis://, rediss://, unix://, redis+sentinel://h:p,h:p/service[/db], redis+cluster://h:p,h:p.

    Raises:
        ValueError: it cannot be read; the text does not quote it, because it may contain a password.
    """
    scheme, _, rest = url.partition("://")
    base, _, kind = scheme.partition("+")
    if not kind:
        return ServerAddress("single", (), "", _options(url), base == "rediss")
    if kind not in ("sentinel", "cluster") or base not in ("redis", "rediss"):
        raise ValueError("Its scheme is unknown.")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    user, _, hosts = authority.rpartition("@")
    service, _, db = path.partition("/")
    port = _SENTINEL_PORT if kind == "sentinel" else _SERVER_PORT
    found = tuple(_host(host, port) for host in hosts.split(",") if host)
    if not found or (kind == "sentinel") != bool(service):
        raise ValueError("It has no hosts, or no Sentinel service.")
    options = _options(f"{base}://{user}{'@' if user else ''}host/{db}{'?' if query else ''}{query}")
    options = {name: value for name, value in options.items() if name not in ("host", "port", "connection_class")}
    return ServerAddress(kind, found, unquote(service), options, base == "rediss")  # type: ignore[arg-type]  # one of the two


def _options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]  # untyped
    return options


def _host(text: str, port: int) -> tuple[str, int]:
    host, colon, given = text.rpartition(":")
    if not colon or given.endswith("]"):
        return text.strip("[]"), port
    return host.strip("[]"), int(given)


def open_client(address: ServerAddress, key: str, connections: int, *, sentinel_password: str = "") -> redis.Redis:
    """Return a client of the primary that has `key`, with a bounded pool; it connects at first use."""
    options: dict[str, Any] = {
        **address.options,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": SOCKET_SECONDS,
        "socket_connect_timeout": SOCKET_SECONDS,
        "max_connections": connections,
        "health_check_interval": 0,
        "protocol": 2,
        "client_name": "wa_service",
    }
    if address.topology == "single":
        return redis.Redis.from_pool(redis.ConnectionPool(**options))
    if address.topology == "sentinel":
        login = {"password": sentinel_password} if sentinel_password else {}
        locator: Any = PrimaryDiscovery(  # type: ignore[no-untyped-call]  # untyped
            address.hosts, sentinel_kwargs=_asking(address, login)
        )
        options["ssl"] = address.is_tls
    else:
        login = {name: value for name, value in address.options.items() if name in ("username", "password")}
        locator = SlotOwner(address.hosts, key, _asking(address, login))
        options["connection_class"] = SecureSlotConnection if address.is_tls else SlotConnection
    pool = SentinelConnectionPool(address.service or key, locator, **options)  # type: ignore[no-untyped-call]  # untyped
    return redis.Redis.from_pool(pool)


def _asking(address: ServerAddress, login: Mapping[str, Any]) -> dict[str, Any]:
    """The options of connections to Sentinels, or to nodes that are asked for the slot's owner."""
    return {
        **{name: value for name, value in address.options.items() if name.startswith("ssl_")},
        **login,
        "ssl": address.is_tls,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": ASK_SECONDS,
        "socket_connect_timeout": ASK_SECONDS,
        "protocol": 2,
    }


class PrimaryDiscovery(Sentinel):
    """Asks the Sentinels for the primary."""

    def check_master_state(self, state: Mapping[str, Any], service_name: str) -> bool:
        """Return whether a Sentinel's answer is used; otherwise the next one is asked.

        The Sentinel that leads a failover reports the old primary until every replica follows the new one, at most for
        its `failover-timeout`. The others report the new primary at once.
        """
        leads_failover = "failover_in_progress" in state["flags"]
        return not leads_failover and bool(super().check_master_state(state, service_name))  # type: ignore[no-untyped-call]  # untyped


class SlotOwner:
    """Finds the cluster node that owns a key's slot; it replaces `Sentinel` in redis-py's pool."""

    def __init__(self, seeds: tuple[tuple[str, int], ...], key: str, options: Mapping[str, Any]) -> None:
        self._slot = key_slot(key.encode())
        self._options = options
        self._seeds = seeds
        self._nodes = list(seeds)
        self._moved_to: tuple[str, int] | None = None

    def move_to(self, node: tuple[str, int]) -> None:
        """Connect to this node next time, which a `MOVED` names: other nodes may have older information."""
        self._moved_to = node

    def discover_master(self, _: str) -> tuple[str, int]:
        """Return the address of the node that owns the slot.

        Raises:
            MasterNotFoundError: no node answers, or none owns the slot.
        """
        if self._moved_to is not None:
            node, self._moved_to = self._moved_to, None
            return node
        # Ask another node first each time: one that is partitioned answers with outdated slots.
        self._nodes = [*self._nodes[1:], self._nodes[0]]
        for node in dict.fromkeys([*self._nodes, *self._seeds]):
            try:
                with redis.Redis(*node, **self._options) as client:
                    ranges = client.execute_command("CLUSTER", "SLOTS")
            except (redis.RedisError, OSError):
                continue
            if owner := self._owner(ranges, node):
                return owner
        raise MasterNotFoundError("No node of the cluster owns the slot.")

    def _owner(self, ranges: Any, node: tuple[str, int]) -> tuple[str, int] | None:
        owner, nodes = None, []
        for first, last, *servers in ranges:
            # A node that does not know its own host name is reached under the one that was used.
            named = [(host.decode() if host else node[0], port) for host, port, *_ in servers]
            nodes += named
            if first <= self._slot <= last:
                owner = named[0]
        if owner is not None:
            self._nodes = list(dict.fromkeys(nodes))
        return owner


class SlotConnection(SentinelManagedConnection):
    """A connection to the slot's owner, which follows `MOVED`."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command; if disconnected, connect to the current owner of the slot first."""
        if not self.is_connected:
            self.connect()  # type: ignore[no-untyped-call]  # untyped
        super().send_packed_command(command, check_health=check_health)  # type: ignore[no-untyped-call]  # untyped

    def read_response(self, *arguments: Any, **named: Any) -> Any:
        """Read an answer; note the target of a `MOVED`."""
        try:
            return super().read_response(*arguments, **named)
        except MovedError as moved:
            self.connection_pool.sentinel_manager.move_to((moved.host, moved.port))
            raise


class SecureSlotConnection(SlotConnection, SSLConnection):
    """The same, with TLS."""
