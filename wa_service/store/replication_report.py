"""Replication of the store: how many replicas follow the primary, their lag, and whether they have files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import StoreUnavailableError

_SHORTEST_DOWN_AFTER_MS = 1500

_REPLICAS_FIELD = "slave"


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The Sentinels' configuration."""

    count: int
    quorum: int
    down_after_ms: int

    @property
    def may_replace_new_primary(self) -> bool:
        """Whether a second failover may follow the first: a new primary is first pinged after a second."""
        return self.down_after_ms < _SHORTEST_DOWN_AFTER_MS


@dataclass(frozen=True, slots=True)
class ReplicationReport:
    """`following` replicas of `promotable`; `lag`: the longest (s); `keeps_files`: all of them (None: unknown).

    `syncs_always`: whether they and the primary have `appendfsync always` (None: unknown).
    """

    following: int
    promotable: int
    lag: int
    min_replicas_to_write: int
    keeps_files: bool | None
    syncs_always: bool | None = None
    sentinels: Sentinels | None = None

    @property
    def described(self) -> str:
        """The figures as text."""
        words = [f"{self.following} of {self.promotable} replicas follow, {self.lag} s behind"]
        if self.sentinels:
            known = self.sentinels
            words.append(f"quorum {known.quorum} of {known.count} Sentinels, down after {known.down_after_ms} ms")
        return "; ".join(words)

    def missing(self, wanted: int) -> list[str]:
        """The missing settings without which the loss of one server may lose data; `wanted`: WA_REDIS_REPLICAS."""
        found = []
        if wanted < self.promotable:
            found.append(f"WA_REDIS_REPLICAS={self.promotable}")
        if self.min_replicas_to_write < 1:
            found.append("min-replicas-to-write 1")
        if self.keeps_files is False:
            found.append("appendonly yes on every replica")
        return found


def replicas_in(info: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the replicas of a primary's INFO: its lines `slave0:ip=…,state=online,lag=1`."""
    return [
        dict(part.partition("=")[::2] for part in value.split(","))
        for name, value in info.items()
        if name.removeprefix(_REPLICAS_FIELD).isdigit() and "ip=" in value
    ]


def report_replication(store: Store) -> ReplicationReport | None:
    """Ask the primary, its replicas and the Sentinels; None without replicas and Sentinels.

    Raises:
        StoreUnavailableError: the primary does not answer.
    """
    pool = store.client.connection_pool
    lines = dict(line.partition(":")[::2] for line in text(store.do("INFO", "replication")).splitlines())
    replicas = replicas_in(lines)
    following = [replica for replica in replicas if replica.get("state") == "online"]
    service = getattr(pool, "service_name", "")
    if not replicas and not service:
        return None
    known, sentinels = _of_sentinels(pool, service)
    return ReplicationReport(
        following=len(following),
        promotable=max(len(replicas), known),
        lag=max((int(replica.get("lag", 0)) for replica in following), default=0),
        min_replicas_to_write=_min_replicas(store),
        keeps_files=_all_of(following, pool.connection_kwargs, _keeps_files),
        syncs_always=_syncs_always(store) and _all_of(following, pool.connection_kwargs, _replica_syncs_always),
        sentinels=sentinels,
    )


def _of_sentinels(pool: Any, service: str) -> tuple[int, Sentinels | None]:
    """How many replicas the Sentinels would promote, and the Sentinels' configuration."""
    for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
        try:
            state, replicas = sentinel.sentinel_master(service), sentinel.sentinel_slaves(service)
        except redis.RedisError:
            continue
        promotable = sum(replica["slave-priority"] > 0 for replica in replicas)
        count = int(state["num-other-sentinels"]) + 1
        return promotable, Sentinels(count, int(state["quorum"]), int(state["down-after-milliseconds"]))
    return 0, None


def _min_replicas(store: Store) -> int:
    try:
        found = fields(store.do("CONFIG", "GET", "min-replicas-to-write"))
    except StoreUnavailableError:  # a managed server may not allow CONFIG
        return 1
    return int(found.get("min-replicas-to-write", 0))


def _syncs_always(store: Store) -> bool | None:
    try:
        return fields(store.do("CONFIG", "GET", "appendfsync")).get("appendfsync") == "always"
    except StoreUnavailableError:  # as in `_min_replicas`
        return None


def _keeps_files(replica: redis.Redis) -> bool:
    return bool(replica.info("persistence")["aof_enabled"] == 1)


def _replica_syncs_always(replica: redis.Redis) -> bool:
    return bool(replica.config_get("appendfsync").get("appendfsync") == "always")


def _all_of(
    replicas: list[dict[str, str]], kwargs: Mapping[str, Any], has_it: Callable[[redis.Redis], bool]
) -> bool | None:
    """Whether each replica has it; None if one does not say. `kwargs`: those of the primary's connections."""
    tls = any(name.startswith("ssl_") for name in kwargs)
    options: dict[str, Any] = {
        name: value
        for name, value in kwargs.items()
        if name in ("username", "password", "socket_timeout") or name.startswith("ssl_")
    }
    known: list[bool] = []
    for replica in replicas:
        try:
            with redis.Redis(replica["ip"], int(replica["port"]), ssl=tls, **options) as client:
                known.append(has_it(client))
        except (redis.RedisError, OSError, KeyError):
            return None
    return all(known)
