"""Blocking reads from a list over persistent connections."""

from __future__ import annotations

import threading

import pytest
import redis

from tests.eventually import eventually
from wa_service.store.blocking import BlockingPops
from wa_service.store.client import Store, connect
from wa_service.store.flusher import StoreUnavailableError


@pytest.fixture
def pops(store: Store) -> BlockingPops:
    return BlockingPops(store.client.connection_pool)


def test_what_is_there_is_popped(pops: BlockingPops, redis_client: redis.Redis) -> None:
    redis_client.rpush("list", "first", "second")
    assert [pops.pop("list", 0.1), pops.pop("list", 0.1)] == [b"first", b"second"]


def test_where_nothing_comes_the_wait_ends(pops: BlockingPops) -> None:
    assert pops.pop("list", 0.05) is None


def test_a_connection_is_kept_for_the_next_wait(pops: BlockingPops, redis_client: redis.Redis) -> None:
    def waited_on() -> set[str]:
        return {client["id"] for client in redis_client.client_list() if client["cmd"].startswith("bl")}

    pops.pop("list", 0.01)
    before = waited_on()
    for _ in range(10):
        pops.pop("list", 0.01)

    assert len(before) == 1
    assert waited_on() == before


def test_a_dropped_connection_is_an_error_once(pops: BlockingPops, redis_client: redis.Redis) -> None:
    pops.pop("list", 0.01)
    redis_client.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises((redis.RedisError, OSError)):
        pops.pop("list", 0.01)
    redis_client.rpush("list", "later")
    assert pops.pop("list", 0.1) == b"later"


def test_more_waits_than_connections_do_not_mean_that_the_store_is_away(
    valkey_url: str, redis_client: redis.Redis
) -> None:
    store = Store(connect(valkey_url, connections=1))
    waiting = threading.Thread(target=store.wait_for, args=("list", 1.0))
    waiting.start()
    eventually(lambda: redis_client.info("clients")["blocked_clients"])

    with pytest.raises(StoreUnavailableError):
        store.wait_for("list", 0.1)

    assert not store.availability.unavailable
    redis_client.rpush("list", "one")
    waiting.join(5)
    store.close()


def test_a_pool_of_its_own_has_the_time_outs_of_the_store_s_and_repeats_nothing(store: Store) -> None:
    assert store.new_pool(1, 0.1).connection_kwargs == store.client.connection_pool.connection_kwargs
