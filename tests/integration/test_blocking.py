"""Waiting on a list over kept connections."""

from __future__ import annotations

import time

import pytest
import redis

from wa_service.store.blocking import BlockingPops
from wa_service.store.redis import Store


@pytest.fixture
def pops(store: Store) -> BlockingPops:
    return BlockingPops(store.client.connection_pool)


def test_what_is_there_is_popped(pops: BlockingPops, redis_client: redis.Redis) -> None:
    redis_client.rpush("list", "first", "second")
    assert [pops.pop("list", 0.1), pops.pop("list", 0.1)] == [b"first", b"second"]


def test_where_nothing_comes_the_wait_ends(pops: BlockingPops) -> None:
    started = time.monotonic()
    assert pops.pop("list", 0.05) is None
    assert time.monotonic() - started < 1


def test_a_connection_is_kept_for_the_next_wait(pops: BlockingPops, redis_client: redis.Redis) -> None:
    pops.pop("list", 0.01)
    connections = redis_client.info("stats")["total_connections_received"]
    for _ in range(10):
        pops.pop("list", 0.01)
    assert redis_client.info("stats")["total_connections_received"] == connections


def test_a_dropped_connection_is_an_error_once(pops: BlockingPops, redis_client: redis.Redis) -> None:
    pops.pop("list", 0.01)
    redis_client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises((redis.RedisError, OSError)):
        pops.pop("list", 0.01)
    redis_client.rpush("list", "later")
    assert pops.pop("list", 0.1) == b"later"
