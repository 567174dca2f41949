"""The fallback template after a closed service window: how long it may wait, and which request it belongs to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import orjson
import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, send
from tests.integration.personal import traces
from tests.integration.test_lanes_outbound import DAY, done, status
from tests.keys import PREFIX
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.outbox import Idempotency

TEMPLATE = orjson.dumps({"to": "15551230001", "type": "template", "template": {"name": "again"}})
KEY = Idempotency(f"{PREFIX}idempotency:k:1", "print", 0)
CLOSED = {"code": 131047}


def refused_at_once(lanes: Lanes) -> None:
    (grant,) = lanes.grant()
    done(lanes, grant, kind="failed", error=CLOSED, code=131047)


def refused_later(lanes: Lanes) -> None:
    (grant,) = lanes.grant()
    done(lanes, grant, kind="accepted", wamid="wamid.A")
    status(lanes, "wamid.A", "failed", errors=[CLOSED])


either_way = pytest.mark.parametrize("refused", [refused_at_once, refused_later])


@either_way
def test_the_request_has_not_ended_while_its_fallback_waits(
    lanes: Lanes, redis_client: redis.Redis, refused: Callable[[Lanes], None]
) -> None:
    lanes.outbox.put(send(id="a", fallback=TEMPLATE, ttl=7 * DAY), idempotency=KEY)
    refused(lanes)
    redis_client.delete(f"{PREFIX}record:a")  # its record may expire before the key
    assert redis_client.ttl(KEY.key) > 7 * DAY / 1000
    again = lanes.outbox.put(send(id="b", fallback=TEMPLATE), idempotency=KEY)
    assert (again.outcome, again.id) == ("replayed", "af")


@either_way
def test_the_key_lives_a_day_after_the_fallback_ended(
    lanes: Lanes, redis_client: redis.Redis, refused: Callable[[Lanes], None]
) -> None:
    lanes.outbox.put(send(id="a", fallback=TEMPLATE), idempotency=KEY)
    refused(lanes)
    done(lanes, lanes.grant()[0], kind="accepted", wamid="wamid.F")
    assert 86_000 < redis_client.ttl(KEY.key) <= 86_400


@either_way
def test_it_may_wait_as_long_as_the_message_might_have(
    lanes: Lanes, redis_client: redis.Redis, refused: Callable[[Lanes], None]
) -> None:
    lanes.outbox.put(send(id="a", fallback=TEMPLATE, ttl=60_000))
    queued = int(time.time() * 1000) - 50_000
    redis_client.hset(f"{PREFIX}record:a", mapping={"s:queued": queued, "expires": queued + 60_000})
    refused(lanes)
    wait = float(redis_client.hget(f"{PREFIX}record:af", "expires") or 0) - time.time() * 1000
    assert 55_000 < wait <= 60_000


@either_way
@pytest.mark.parametrize("named_in", ["body", "fallback"])
def test_it_is_sent_though_it_names_somebody_who_was_erased_and_is_then_forgotten(
    lanes: Lanes, store: Store, redis_client: redis.Redis, refused: Callable[[Lanes], None], named_in: str
) -> None:
    erased = "15559870002"
    naming = orjson.dumps({"to": "15551230001", "type": "template", "template": {"name": erased}})
    wanted = send(id="a", fallback=naming)
    lanes.outbox.put(replace(wanted, body=naming) if named_in == "body" else wanted)
    Contacts(store, [NUMBER]).forget(erased)
    refused(lanes)
    (grant,) = lanes.grant()
    assert (grant.id, grant.body) == ("af", naming)
    done(lanes, grant, kind="accepted", wamid="wamid.F")
    assert list(traces(redis_client, erased)) == []


def test_one_that_names_somebody_is_deleted_with_the_erasure_once_the_message_is_accepted(
    lanes: Lanes, store: Store, redis_client: redis.Redis
) -> None:
    erased = "15559870002"
    lanes.outbox.put(send(id="a", fallback=orjson.dumps({"template": {"name": erased}})))
    done(lanes, lanes.grant()[0], kind="accepted", wamid="wamid.A")
    Contacts(store, [NUMBER]).forget(erased)
    assert list(traces(redis_client, erased)) == []
