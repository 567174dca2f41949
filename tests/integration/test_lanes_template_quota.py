"""The template quota: a reservation for each customer messaged first, dated when the template left."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, message, send
from tests.integration.test_lanes_outbound import DAY, done, state, status
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.grants import Grant
from wa_service.store.outbox import Limits, Priority

OTHER = "106540352242923"
REFUSED: dict[str, Any] = {"kind": "failed", "error": {"code": 131026}, "code": 131026, "meta_healthy": True}


def now() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def lanes(store: Store) -> Lanes:
    """Two numbers of one business account that may message two customers a day first."""
    return Lanes.over(store, limits={NUMBER: Limits(80, 2, "w"), OTHER: Limits(80, 2, "w")})


def put(lanes: Lanes, customer: str, **rest: Any) -> str:
    """Submit a template; return the outcome."""
    return lanes.outbox.put(send(customer, type="template", **rest), opens=True).outcome


def opened(lanes: Lanes, customer: str, number: str = NUMBER) -> Grant:
    """A template that is on its way to the customer."""
    assert put(lanes, customer, number=number) == "queued"
    (grant,) = lanes.grant(number)
    return grant


def places(redis_client: Any) -> dict[str, float]:
    """The customers with a reservation, and its date."""
    return {name.decode(): at for name, at in redis_client.zrange(NAMES.quota("w"), 0, -1, withscores=True)}


def aged(lanes: Lanes, redis_client: redis.Redis, customer: str, ms: int) -> None:
    """Date the customer's reservation `ms` before now."""
    redis_client.zadd(NAMES.quota("w"), {customer: now() - ms}, xx=True)
    for name in redis_client.scan_iter(f"{PREFIX}record:*"):
        if redis_client.hget(name, "c") == f"{NUMBER}:{customer}".encode():
            redis_client.hset(name, "reservation", f"{int(places(redis_client)[customer])} w")


class TestDates:
    def test_a_place_is_dated_when_its_template_leaves(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        put(lanes, "1001")
        aged(lanes, redis_client, "1001", DAY - 60_000)
        lanes.grant()
        assert places(redis_client)["1001"] > now() - 5_000

    def test_a_later_template_to_the_same_customer_dates_it_anew(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        done(lanes, opened(lanes, "1001"), kind="accepted", wamid="wamid.1")
        aged(lanes, redis_client, "1001", DAY - 60_000)
        opened(lanes, "1001")
        assert places(redis_client)["1001"] > now() - 5_000

    def test_what_waited_longer_than_its_place_needs_another(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        put(lanes, "1001", id="old")
        aged(lanes, redis_client, "1001", DAY + 1)
        assert [put(lanes, customer) for customer in ("1002", "1003")] == ["queued", "queued"]
        assert "old" not in [grant.id for grant in lanes.grant(count=5)]
        assert set(places(redis_client)) == {"1002", "1003"}

    def test_a_window_that_closed_before_it_left_makes_it_count(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.admit(message("1001"))
        put(lanes, "1001")
        assert places(redis_client) == {}
        redis_client.hset(NAMES.contact(f"{NUMBER}:1001"), "window_end", now() - 1)
        lanes.grant()
        assert set(places(redis_client)) == {"1001"}

    def test_a_fallback_counts_and_waits_for_a_place(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        template = orjson.dumps({"to": "1003", "type": "template", "template": {"name": "again"}})
        lanes.outbox.put(send("1003", id="a", fallback=template))
        (grant,) = lanes.grant()
        opened(lanes, "1001")
        opened(lanes, "1002")
        done(lanes, grant, kind="failed", error={"code": 131047}, code=131047)
        assert lanes.grant() == []
        aged(lanes, redis_client, "1001", DAY + 1)
        redis_client.zadd(NAMES.out(NUMBER, 0), {f"{NUMBER}:1003": 0})
        assert [grant.id for grant in lanes.grant()] == ["af"]
        assert set(places(redis_client)) == {"1002", "1003"}

    def test_one_customer_through_two_numbers_takes_one_place(self, lanes: Lanes) -> None:
        opened(lanes, "1001")
        opened(lanes, "1001", OTHER)
        assert put(lanes, "1002") == "queued"
        assert put(lanes, "1003") == "quota"


class TestAReplyBehindATemplateThatWaits:
    def test_takes_it_along_at_once_when_the_window_is_open(self, lanes: Lanes) -> None:
        opened(lanes, "1001")
        opened(lanes, "1002")
        template = send("1003", id="template", type="template", priority=Priority.BULK)
        lanes.outbox.put(template, opens=True)
        assert lanes.grant() == []
        lanes.admit(message("1003"))
        lanes.outbox.put(send("1003", id="reply"))
        (grant,) = lanes.grant()
        assert grant.id == "template"
        done(lanes, grant, kind="accepted", wamid="wamid.3")
        assert [grant.id for grant in lanes.grant()] == ["reply"]

    @pytest.mark.parametrize(("lanes_beside", "seconds"), [(0, 60), (9_000, 90)])
    def test_the_more_wait_the_more_seldom_each_is_looked_at(
        self, lanes: Lanes, redis_client: redis.Redis, lanes_beside: int, seconds: int
    ) -> None:
        opened(lanes, "1001")
        opened(lanes, "1002")
        out = NAMES.out(NUMBER, 1)
        if lanes_beside:
            redis_client.zadd(out, {f"{NUMBER}:{n}": 1e15 for n in range(20_000, 20_000 + lanes_beside)})
        lanes.outbox.put(send("1003", type="template", priority=Priority.BULK), opens=True)
        assert lanes.grant() == []
        wait = redis_client.zscore(out, f"{NUMBER}:1003") - lanes.store.call("read_clock")[1]
        assert seconds - 5 < wait / 1000 < seconds + 1

    def test_does_not_hurry_what_waits_for_something_else(self, lanes: Lanes) -> None:
        lanes.outbox.put(send("1003", id="slow"))
        done(lanes, lanes.grant()[0], kind="retry", delay=60)
        lanes.outbox.put(send("1003", id="reply"))
        assert lanes.grant() == []


class TestPlacesThatComeBack:
    def test_of_who_was_refused(self, lanes: Lanes) -> None:
        for customer in ("1001", "1002", "1003", "1004"):
            done(lanes, opened(lanes, customer), **REFUSED)

    def test_of_who_was_refused_after_it_had_been_tried_before(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        done(lanes, opened(lanes, "1001"), kind="retry", delay=0, retry_class="limited")
        done(lanes, lanes.grant()[0], **REFUSED)
        assert places(redis_client) == {}

    def test_of_what_waited_too_long(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        put(lanes, "1001", id="a")
        redis_client.hset(NAMES.record("a"), "expires", now() - 1)
        assert lanes.grant() == []
        assert places(redis_client) == {}

    def test_once_the_last_of_the_customers_templates_was_refused(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        put(lanes, "1001")
        put(lanes, "1001")
        done(lanes, lanes.grant()[0], **REFUSED)
        assert set(places(redis_client)) == {"1001"}
        done(lanes, lanes.grant()[0], **REFUSED)
        assert places(redis_client) == {}

    def test_of_who_was_forgotten(self, store: Store, lanes: Lanes, redis_client: redis.Redis) -> None:
        done(lanes, opened(lanes, "1001"), kind="accepted", wamid="wamid.1")
        Contacts(store, [NUMBER, OTHER]).forget("1001")
        assert places(redis_client) == {}


class TestPlacesThatStay:
    def test_of_what_meta_took_whatever_became_of_it(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        grant = opened(lanes, "1001")
        done(lanes, grant, kind="accepted", wamid="wamid.1")
        status(lanes, "wamid.1", "failed", errors=[{"code": 131026}])
        assert state(lanes, grant.id) == "failed"
        assert set(places(redis_client)) == {"1001"}

    def test_of_what_meta_may_have_taken(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        done(lanes, opened(lanes, "1001"), kind="unknown")
        assert set(places(redis_client)) == {"1001"}

    def test_of_who_got_another_one_before_this_was_refused(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        refused = opened(lanes, "1001")
        redis_client.hset(NAMES.record(refused.id), "reservation", f"{now() - 1_000} w")
        redis_client.zadd(NAMES.quota("w"), {"1001": now() - 1_000})
        opened(lanes, "1001", OTHER)
        done(lanes, refused, **REFUSED)
        assert set(places(redis_client)) == {"1001"}

    def test_of_who_got_one_earlier_that_day(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        done(lanes, opened(lanes, "1001"), kind="accepted", wamid="wamid.1")
        done(lanes, opened(lanes, "1001"), **REFUSED)
        assert set(places(redis_client)) == {"1001"}
