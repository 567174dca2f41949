"""Fixtures of the integration tests: the store's parts over a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.integration.lanes import Lanes
from wa_service.store.client import Store, connect


@pytest.fixture
def store(valkey_url: str, redis_client: redis.Redis) -> Iterator[Store]:
    """A store over an empty database."""
    store = Store(connect(valkey_url))
    yield store
    store.close()


@pytest.fixture
def lanes(store: Store) -> Lanes:
    """The lanes with production's settings."""
    return Lanes.over(store)
