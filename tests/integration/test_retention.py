"""Expired data, and data of former numbers, is deleted: by each step, and by maintenance on a quiet service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from tests.eventually import eventually
from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send
from tests.keys import NAMES
from wa_service.store import records
from wa_service.store.client import text
from wa_service.store.contacts import Contacts
from wa_service.store.customer_names import CustomerNames
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import Events
from wa_service.store.flusher import Command
from wa_service.store.memory import MemoryWatch
from wa_service.store.outbox import Idempotency, SendOutcome
from wa_service.store.tag_numbers import TagNumbers
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.worker.maintenance import Maintenance
from wa_service.worker.retention import RetentionWorker

NOW = int(time.time() * 1000)
OVER = NOW - KEEP * 1000 - 60_000


@pytest.fixture
def events(lanes: Lanes) -> Events:
    return Events(lanes.store, retention_seconds=KEEP)


@pytest.fixture
def letters(lanes: Lanes) -> DeadLetters:
    return DeadLetters(lanes.store, retention_seconds=KEEP)


def retention(lanes: Lanes, events: Events) -> RetentionWorker:
    store = lanes.store
    names, numbers = CustomerNames(store, retention_seconds=KEEP), TagNumbers(store, retention_seconds=KEEP)
    return RetentionWorker(events, names, numbers, Contacts(store, [NUMBER], retention_seconds=KEEP))


def tell_at(redis_client: redis.Redis, when_ms: int) -> None:
    redis_client.xadd(NAMES.events, {"k": "status", "c": "", "d": "{}"}, id=f"{when_ms}-1")


def broken(raw: str) -> Piece:
    return Piece("malformed", "messages", "waba", NUMBER, "", 0, (), None, raw, "no object", 0)


@contextmanager
def crowded(client: redis.Redis, maxmemory: int = 0) -> Iterator[None]:
    """Limit the server's memory; with 0, so that a tenth is left."""
    client.config_set("maxmemory", maxmemory or int(int(client.info("memory")["used_memory"]) / 0.9))
    try:
        yield
    finally:
        client.config_set("maxmemory", 0)


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
    with crowded(redis_client):
        assert MemoryWatch(lanes.store).full()
        maintenance = Maintenance(lanes.outbox, lanes.inbox, events, "p", lambda: None)

        def has_room() -> bool:
            maintenance.run_once()
            return not MemoryWatch(lanes.store).full()

        eventually(has_room, within=30)
    left = [int(text(entry).partition("-")[2]) for entry, _ in redis_client.xrange(NAMES.events)]
    assert len(left) > 2_500
    assert left[-1] == 5_000, "the oldest went"


class TestSendsMakeRoom:
    """When memory is short, ended sends lose their content early, but not their status."""

    def test_a_record_is_what_it_was_but_for_what_it_said(
        self, lanes: Lanes, events: Events, redis_client: redis.Redis
    ) -> None:
        promise = Idempotency(NAMES.idempotency("api", "k"), "same", 0)
        lanes.outbox.put(send(id="ended"), idempotency=promise)
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.E", meta_healthy=True))
        before = lanes.records.get("ended")
        assert before is not None
        assert before.body
        with capture_logs() as logs, crowded(redis_client):
            Maintenance(lanes.outbox, lanes.inbox, events, "p", lambda: None).run_once()
        assert [(line["event"], line["sends"]) for line in logs] == [("whatsapp.store.history_trimmed", 1)]
        assert lanes.records.get("ended") == replace(before, body=None)
        assert lanes.records.find("wamid.E", (NUMBER,)) == replace(before, body=None)
        assert 0 < redis_client.ttl(NAMES.record("ended")) <= KEEP
        assert lanes.outbox.put(send(id="again"), idempotency=promise).id == "ended"
        assert lanes.store.run([lanes.outbox.apply_status(meta_status("wamid.E", "read"), NOW)])[0][0] == b"applied"

    def test_what_has_not_ended_keeps_what_it_says(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send("1001", id="scheduled", send_at=NOW + 3_600_000))
        lanes.outbox.put(send("1002", id="unknown"))
        lanes.outbox.put(send("1003", id="sending"))
        for id_ in ("unknown", "sending"):
            (grant,) = lanes.grant()
            assert grant.id == id_
            if id_ == "unknown":
                lanes.outbox.done(NUMBER, grant, SendOutcome("unknown"))
        lanes.outbox.put(send("1004", id="queued"))
        assert lanes.records.make_room() == 0
        assert all(
            redis_client.hexists(NAMES.record(id_), "body") for id_ in ("scheduled", "unknown", "sending", "queued")
        )

    def test_each_round_goes_on_with_the_next_and_begins_anew_after_the_last(
        self, lanes: Lanes, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records, "MOST_SHORTENED", 2)
        ids = [f"s{n}" for n in range(5)]
        for n, id_ in enumerate(ids):
            redis_client.zadd(NAMES.sends, {id_: NOW + n})
            redis_client.hset(NAMES.record(id_), "body", "{}")
        for id_ in ids[1:]:
            redis_client.expire(NAMES.record(id_), KEEP)

        def left() -> list[str]:
            return [id_ for id_ in ids if redis_client.hexists(NAMES.record(id_), "body")]

        assert (lanes.records.make_room(), left()) == (1, ["s0", "s2", "s3", "s4"])
        redis_client.zrem(NAMES.sends, "s0", "s1")  # they have expired
        assert (lanes.records.make_room(), left()) == (2, ["s0", "s4"])
        redis_client.zadd(NAMES.sends, {"s0": NOW})
        redis_client.expire(NAMES.record("s0"), KEEP)
        assert (lanes.records.make_room(), left()) == (1, ["s0"])
        assert (lanes.records.make_room(), left()) == (1, [])
        assert [lanes.records.make_room() for _ in range(3)] == [0, 0, 0]

    def test_it_makes_room_on_a_full_server(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        redis_client.zadd(NAMES.sends, {"a": NOW})
        redis_client.hset(NAMES.record("a"), "body", "{}")
        redis_client.expire(NAMES.record("a"), KEEP)
        with crowded(redis_client, maxmemory=1):
            assert lanes.records.make_room() == 1


def test_a_letter_over_its_time_leaves_the_list(events: Events, letters: DeadLetters, lanes: Lanes) -> None:
    lanes.store.run([letters.add(broken("stays"), NOW), ("ZADD", NAMES.dead, OVER, "gone")])
    events.trim()
    assert len(letters.ids()) == 1
    assert "gone" not in letters.ids()


def test_every_worker_tidies_about_once_a_minute(lanes: Lanes, events: Events, redis_client: redis.Redis) -> None:
    tell_at(redis_client, OVER)
    assert retention(lanes, events).run_once() == 60.0
    assert events.after("", 10) == []


def test_leases_are_renewed_while_the_stream_is_copied(lanes: Lanes, events: Events, redis_client: redis.Redis) -> None:
    """The copy of a long stream, or an erasure that the copy waits for, takes longer than a lease."""
    redis_client.set(NAMES.of("events_lock"), "held")
    renewed = list[str]()
    maintenance = Maintenance(lanes.outbox, lanes.inbox, events, "p", lambda: renewed.append("p"))
    with ThreadPoolExecutor() as pool:
        try:
            pool.submit(maintenance.run_once).result(timeout=10)
            copying = pool.submit(retention(lanes, events).run_once)
            pool.submit(maintenance.run_once).result(timeout=10)
            assert renewed == ["p", "p"]
            assert not copying.done()
        finally:
            redis_client.delete(NAMES.of("events_lock"))
        assert copying.result(timeout=10) == 60.0


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
