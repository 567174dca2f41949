"""What is over its time, or over its number, is forgotten: by each step, and by the maintenance on a quiet service."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status
from tests.keys import NAMES
from wa_service.store.client import text
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import Events
from wa_service.store.flusher import Command
from wa_service.store.overview import MemoryWatch
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.worker.maintenance import Maintenance

NOW = int(time.time() * 1000)
OVER = NOW - KEEP * 1000 - 60_000


@pytest.fixture
def events(lanes: Lanes) -> Events:
    return Events(lanes.store, retention_seconds=KEEP)


@pytest.fixture
def letters(lanes: Lanes) -> DeadLetters:
    return DeadLetters(lanes.store, retention_seconds=KEEP)


def tell_at(redis_client: redis.Redis, when_ms: int) -> None:
    redis_client.xadd(NAMES.events, {"k": "status", "c": "", "d": "{}"}, id=f"{when_ms}-1")


def broken(raw: str) -> Piece:
    return Piece("malformed", "messages", "waba", NUMBER, "", 0, (), None, raw, "no object", 0)


def test_on_a_quiet_service_the_stream_ends_after_the_last_event_s_time(
    lanes: Lanes, redis_client: redis.Redis
) -> None:
    lanes.admit(message())
    assert 0 < redis_client.ttl(NAMES.events) <= KEEP
    redis_client.expire(NAMES.events, 60)
    lanes.admit(message())
    assert redis_client.ttl(NAMES.events) > KEEP - 3_600


def test_an_event_over_its_time_is_forgotten_although_its_node_is_not_full(
    lanes: Lanes, events: Events, redis_client: redis.Redis
) -> None:
    tell_at(redis_client, OVER)
    lanes.admit(message())
    events.trim()
    assert [entry.kind for entry in events.after("", 10)] == ["message"]


def test_history_alone_never_stops_intake(lanes: Lanes, events: Events, redis_client: redis.Redis) -> None:
    for n in range(5_000):
        redis_client.xadd(NAMES.events, {"k": "status", "c": "", "d": "x" * 1_000}, id=f"{NOW}-{n + 1}")
    used = int(redis_client.info("memory")["used_memory"])
    redis_client.config_set("maxmemory", int(used / 0.9))
    try:
        assert MemoryWatch(lanes.store).full()
        maintenance = Maintenance(lanes.outbox, lanes.inbox, events, "p", lambda: None)

        def has_room() -> bool:
            maintenance.run_once()
            return not MemoryWatch(lanes.store).full()

        eventually(has_room, within=30)
    finally:
        redis_client.config_set("maxmemory", 0)
    left = [int(text(entry).partition("-")[2]) for entry, _ in redis_client.xrange(NAMES.events)]
    assert len(left) > 2_500
    assert left[-1] == 5_000, "the oldest went"


def test_a_letter_over_its_time_leaves_the_list(events: Events, letters: DeadLetters, lanes: Lanes) -> None:
    lanes.store.run([letters.add(broken("stays"), NOW), ("ZADD", NAMES.dead, OVER, "gone")])
    events.trim()
    assert len(letters.ids()) == 1
    assert "gone" not in letters.ids()


def test_every_worker_tidies_about_once_a_minute(lanes: Lanes, events: Events, redis_client: redis.Redis) -> None:
    maintenance = Maintenance(lanes.outbox, lanes.inbox, events, "p", lambda: None)
    tell_at(redis_client, OVER)
    maintenance.run_once()
    assert events.after("", 10) == []
    tell_at(redis_client, OVER + 1)
    maintenance.run_once()
    assert len(events.after("", 10)) == 1


def test_at_most_10000_letters_are_kept_and_the_oldest_go_first(
    lanes: Lanes, letters: DeadLetters, redis_client: redis.Redis
) -> None:
    redis_client.zadd(NAMES.dead, {f"{i:05x}": NOW - 20_000 + i for i in range(10_000)})
    redis_client.hset(NAMES.dead_letter("00000"), "event", "{}")
    lanes.store.run([letters.add(broken(text), NOW) for text in ("one", "two")])
    kept = letters.ids()
    assert len(kept) == 10_000
    assert kept[0] == "00002"
    assert letters.get("00000") is None


def management(lanes: Lanes, i: int) -> Command:
    return Events(lanes.store, retention_seconds=KEEP).management("account_update", {}, i)


def stray(lanes: Lanes, i: int) -> Command:
    return Events(lanes.store, retention_seconds=KEEP).stray({"n": NUMBER, "m": i})


def foreign(lanes: Lanes, i: int) -> Command:
    return lanes.outbox.apply_status(meta_status(f"wamid.{i}", f"word_{i}"), NOW)


@pytest.mark.parametrize(
    ("key", "aside", "first"),
    [
        (NAMES.management, management, b'"value":5'),
        (NAMES.stray, stray, b'"m":5'),
        (NAMES.foreign, foreign, b'word_5"'),
    ],
)
def test_the_last_1000_of_what_is_kept_aside_are_kept(lanes: Lanes, key: str, aside: Any, first: bytes) -> None:
    lanes.store.run([aside(lanes, i) for i in range(1_005)])
    kept = lanes.store.do("LRANGE", key, 0, -1)
    assert len(kept) == 1_000
    assert first in kept[-1]
    assert lanes.store.do("TTL", key) > 0
