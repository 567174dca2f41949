"""Events written after a failover are read with a cursor from before it."""

from __future__ import annotations

import time

import pytest
import redis

from tests.integration.lanes import KEEP, Lanes, message
from tests.keys import NAMES
from wa_service.store.events import Events


def ahead(seconds: float) -> str:
    """A cursor from a server whose clock was ahead, or which had entries that this one lacks."""
    return f"{int((time.time() + seconds) * 1000)}-3"


@pytest.mark.parametrize("seconds", [0.5, 60])
def test_new_ones_come_after_the_cursor(lanes: Lanes, seconds: float) -> None:
    lanes.admit(message("1001"))
    events = Events(lanes.store, retention_seconds=KEEP)
    cursor = ahead(seconds)
    assert events.after(cursor, 10) == []
    lanes.admit(message("1002"), message("1003"))
    first, second = events.after(cursor, 10)
    assert (first.conversation[-4:], second.conversation[-4:]) == ("1002", "1003")
    assert events.after(second.cursor, 10) == []


@pytest.mark.parametrize("cursor", ["9999999999999-0", "no cursor-1", "5"])
def test_a_cursor_that_was_made_up_moves_nothing(lanes: Lanes, redis_client: redis.Redis, cursor: str) -> None:
    lanes.admit(message("1001"))
    lanes.store.call("continue_events", cursor=cursor)
    assert redis_client.xinfo_stream(NAMES.events)["last-generated-id"] < ahead(1).encode()


def test_a_reader_at_the_end_moves_nothing(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message("1001"))
    events = Events(lanes.store, retention_seconds=KEEP)
    last = redis_client.xinfo_stream(NAMES.events)["last-generated-id"]
    assert events.after(events.last_cursor(), 10) == []
    assert redis_client.xinfo_stream(NAMES.events)["last-generated-id"] == last
