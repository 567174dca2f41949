"""The store's state for operators: queue depths, remaining limits, durability, memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wa_service.store.client import Store, fields, text
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.outbox import Outbox
from wa_service.store.subscriptions import State, Subscriptions

_SECOND_MS = 1010
HEARTBEAT_MS = 15_000
_MIN_VERSION = (6, 2)
_QUEUES = ("replies", "bulk", "scheduled")
_LETTERS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class NumberState:
    """One number: throughput left this second, its pause in s (0 none), the reason, and whether a probe is due."""

    throughput_limit: int
    throughput_remaining: int
    paused_for: float
    pause_reason: str
    half_open: bool

    @property
    def circuit(self) -> int:
        """0 closed, 1 probing, 2 open."""
        if self.half_open:
            return 1
        return 2 if self.paused_for > 0 else 0


@dataclass(frozen=True, slots=True)
class Overview:
    """The store's state at one moment. Depths count conversations, ages are in seconds; `workers` are the worker
    processes with a heartbeat within 15 s. Paused subscriptions are in `push_paused_lag_seconds` only.
    """

    depth: Mapping[str, int]
    oldest_seconds: Mapping[str, float]
    numbers: Mapping[str, NumberState]
    daily_limit: int
    daily_remaining: int
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    workers: int = 0
    push_lag_seconds: Mapping[str, float] = field(default_factory=dict)
    push_paused_lag_seconds: Mapping[str, float] = field(default_factory=dict)

    def samples(self) -> Mapping[str, Mapping[str, float]]:
        """The metrics that a scrape reads from the store: value by label (see `observability/metrics.py`)."""
        depth, oldest = self.depth, self.oldest_seconds
        throughput = min((state.throughput_remaining for state in self.numbers.values()), default=0)
        return {
            "whatsapp_rate_limit_remaining": {
                "throughput": throughput,
                "daily": self.daily_remaining if self.daily_limit else float("inf"),
            },
            "whatsapp_circuit_state": {number: state.circuit for number, state in self.numbers.items()},
            "whatsapp_queue_depth": {
                "inbound": depth["inbound"],
                "outbound": depth["replies"] + depth["bulk"],
                "sending": depth["sending"],
                "unknown": depth["unknown"],
                "scheduled": depth["scheduled"],
            },
            "whatsapp_queue_oldest_seconds": {
                "inbound": oldest["inbound"],
                "outbound": max(oldest["replies"], oldest["bulk"]),
                "scheduled": oldest["scheduled"],
            },
            "whatsapp_dead_letters": self.dead_letters,
            "whatsapp_push_lag_seconds": self.push_lag_seconds,
            "whatsapp_push_paused_lag_seconds": self.push_paused_lag_seconds,
        }


class _Queue(NamedTuple):
    depth: int
    oldest_seconds: float


class Observer:
    """Read the store's state. Raises `StoreUnavailableError`."""

    def __init__(self, store: Store, outbox: Outbox, numbers: Sequence[str]) -> None:
        self._store = store
        self._outbox = outbox
        self._numbers = tuple(numbers)
        self._subscriptions = Subscriptions(store)

    def overview(self) -> Overview:
        """Return the state now, in a few round trips, two of them for each number."""
        limits = self._outbox.limits_of(self._numbers[0])
        keys = self._store.keys
        wall, now = self._store.call("read_clock")
        due, due_first, busy, unknown, dead, opened, daily_limit, workers = self._store.run(
            [
                ("ZCARD", keys.due),
                ("ZRANGE", keys.due, 0, 0, "WITHSCORES"),
                ("ZCARD", keys.busy),
                ("ZCARD", keys.unknown),
                ("ZCARD", keys.dead),
                ("ZCOUNT", keys.quota(limits.waba), wall - 86_400_000, "+inf"),
                ("HGET", keys.meta_limits(limits.waba), "daily_limit"),
                ("ZCOUNT", keys.workers, now - HEARTBEAT_MS, "+inf"),
            ]
        )
        queues = {number: self._queues(number, wall, now) for number in self._numbers}
        depth = {"inbound": due, "sending": busy, "unknown": unknown, "dead": dead}
        oldest = {"inbound": _age(due_first, now)}
        for name in _QUEUES:
            depth[name] = sum(of_number[name].depth for of_number in queues.values())
            oldest[name] = max(of_number[name].oldest_seconds for of_number in queues.values())
        daily = int(daily_limit) if daily_limit else limits.daily
        lag = self._push_lag()
        return Overview(
            depth,
            oldest,
            {number: self._number_state(number, now) for number in self._numbers},
            daily,
            max(0, daily - opened),
            self._dead_by_kind(),
            workers,
            push_lag_seconds=lag["active"],
            push_paused_lag_seconds=lag["paused"],
        )

    def _queues(self, number: str, wall: int, now: int) -> Mapping[str, _Queue]:
        """Return the queues of a number's sends, by `_QUEUES`."""
        keys = self._store.keys
        replies, first_reply, bulk, first_bulk, scheduled, first_scheduled = self._store.run(
            [
                ("ZCARD", keys.out(number, 0)),
                ("ZRANGE", keys.out(number, 0), 0, 0, "WITHSCORES"),
                ("ZCARD", keys.out(number, 1)),
                ("ZRANGE", keys.out(number, 1), 0, 0, "WITHSCORES"),
                ("ZCARD", keys.scheduled(number)),
                ("ZRANGE", keys.scheduled(number), 0, 0, "WITHSCORES"),
            ]
        )
        return {
            "replies": _Queue(replies, _age(first_reply, now)),
            "bulk": _Queue(bulk, _age(first_bulk, now)),
            "scheduled": _Queue(scheduled, _age(first_scheduled, wall)),
        }

    def _number_state(self, number: str, now: int) -> NumberState:
        keys = self._store.keys
        sent, received, paused, throughput, pace = self._store.run(
            [
                ("ZCOUNT", keys.rate(number), f"({now - _SECOND_MS}", "+inf"),
                ("ZCOUNT", keys.received(number), f"({now - _SECOND_MS}", "+inf"),
                ("HGETALL", keys.pause(number)),
                ("HGET", keys.meta_limits(number), "throughput"),
                ("HGET", keys.pace(number), "n"),
            ]
        )
        limit = int(throughput or self._outbox.limits_of(number).throughput)
        if pace:
            limit = max(1, min(limit, int(float(pace))))
        pause = fields(paused)
        wait = max(0.0, (float(pause["until"]) - now) / 1000) if "until" in pause else 0.0
        is_probing = "until" in pause and wait == 0.0
        return NumberState(limit, max(0, limit - sent - received), wait, pause.get("reason", ""), is_probing)

    def durability(self) -> list[str]:
        """Return one sentence for each server setting that risks the loss of acknowledged messages."""
        info = self._info("server", "persistence", "replication", "memory")
        problems = []
        version = info.get("valkey_version") or info.get("redis_version", "0.0")
        if tuple(int(part) for part in version.split(".")[:2]) < _MIN_VERSION:
            problems.append(f"The server is {version}; Redis 6.2 or Valkey is needed: upgrade it.")
        if info.get("aof_enabled") != "1":
            problems.append("Append-only is off, so a crash loses acknowledged messages: set 'appendonly yes'.")
        else:
            problems += self._sync_problems()
        if info.get("role") != "master":
            problems.append("The server is a replica: point REDIS_URL at the primary.")
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            problems.append(f"maxmemory-policy is {policy}, which evicts messages: set 'noeviction'.")
        return problems

    def cautions(self) -> list[str]:
        """Return one sentence for each server setting that risks an outage without loss."""
        if self._info("memory").get("maxmemory") == "0":
            return ["maxmemory is 0, so nothing is refused before the kernel ends the server: set a limit."]
        return []

    def _sync_problems(self) -> list[str]:
        try:
            found = fields(self._store.do("CONFIG", "GET", "*appendfsync*"))
        except StoreUnavailableError:  # a managed server may not allow CONFIG
            return []
        sync, while_rewriting = found.get("appendfsync"), found.get("no-appendfsync-on-rewrite")
        if sync == "no":
            return ["appendfsync is no, so a power cut loses acknowledged messages: set 'everysec' or 'always'."]
        if sync == "everysec" and while_rewriting == "yes":
            return ["no-appendfsync-on-rewrite is yes, so a power cut during a rewrite loses much: set 'no'."]
        return []

    def clock_skew(self) -> float:
        """Return by how many seconds the server's clock is ahead of ours."""
        before = time.time()
        now = self._now() / 1000
        return now - (before + time.time()) / 2

    def info(self) -> dict[str, str]:
        """Return the server's INFO."""
        return self._info("server", "persistence", "replication", "memory", "clients")

    def _info(self, *sections: str) -> dict[str, str]:
        lines: dict[str, str] = {}
        for reply in self._store.run([("INFO", section) for section in sections]):
            for line in text(reply).splitlines():
                name, colon, value = line.partition(":")
                if colon:
                    lines[name] = value
        return lines

    def _now(self) -> int:
        seconds, micros = self._store.do("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def _push_lag(self) -> dict[State, dict[str, float]]:
        lag: dict[State, dict[str, float]] = {"active": {}, "paused": {}}
        for each in self._subscriptions.all():
            lag[each.state][each.id] = self._subscriptions.lag_seconds(each)
        return lag

    def _dead_by_kind(self) -> dict[str, int]:
        ids = self._store.do("ZRANGE", self._store.keys.dead, 0, -1)
        counts: Counter[str] = Counter()
        for start in range(0, len(ids), _LETTERS_AT_ONCE):
            some = ids[start : start + _LETTERS_AT_ONCE]
            kinds = self._store.run([("HGET", self._store.keys.dead_letter(text(id_)), "kind") for id_ in some])
            counts.update(text(kind) for kind in kinds if kind)
        return dict(counts)


def _age(first: Sequence[bytes], now: int) -> float:
    return max(0.0, (now - float(first[1])) / 1000) if first else 0.0
