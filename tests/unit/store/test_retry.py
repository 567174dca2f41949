"""A write that the store keeps refusing is retried at intervals, for a limited time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote

import pytest
import redis

from wa_service.store.client import Store, connect
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.retry import BETWEEN_TRIES, retry_until_stored


@pytest.fixture
def refusing(redis_client: redis.Redis) -> Iterator[Store]:
    """Yield a store that responds, and refuses to run scripts."""
    redis_client.acl_setuser("refused", enabled=True, nopass=True, keys="*", commands=["+@all", "-evalsha"])
    kwargs = redis_client.connection_pool.connection_kwargs
    url = f"unix://refused:none@{quote(kwargs['path'])}" if "path" in kwargs else None
    store = Store(connect(url or f"redis://refused:none@{kwargs['host']}:{kwargs['port']}/{kwargs['db']}"))
    yield store
    store.close()
    redis_client.acl_deluser("refused")


def test_a_store_that_refuses_is_asked_now_and_then_and_in_all_no_longer_than_the_patience(refusing: Store) -> None:
    asked = []

    def heartbeat() -> None:
        asked.append(time.monotonic())
        refusing.call("heartbeat", consumer="p")

    with pytest.raises(StoreUnavailableError, match="NoPermission"):
        retry_until_stored(heartbeat, refusing.availability.wait_until_back, 1.0)
    assert not refusing.availability.unavailable
    # A busy machine makes fewer tries than fit into the time.
    assert 2 <= len(asked) <= 1 + 1.0 / BETWEEN_TRIES
    assert all(later - earlier >= BETWEEN_TRIES for earlier, later in pairwise(asked))
