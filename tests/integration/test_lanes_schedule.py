"""Scheduled and canceled sends on a real server: put, move_due, cancel, also when the clock is set."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send, system
from tests.integration.personal import traces
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store, text
from wa_service.store.contacts import Contacts
from wa_service.store.outbox import Idempotency, Limits, Priority, SendOutcome
from wa_service.store.schedule import Schedule
from wa_service.store.tag_numbers import TagNumbers

CUSTOMER, OTHER = "15551230001", "15559870002"
USER_ID = "US.13491208655302741918"
MINUTE, HOUR = 60_000, 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def schedule(lanes: Lanes) -> Schedule:
    return Schedule(lanes.outbox)


def in_ms(ms: int) -> int:
    return int(time.time() * 1000) + ms


def later(lanes: Lanes, ms: int = HOUR, customer: str = CUSTOMER, *, opens: bool = False, **rest: Any) -> str:
    """Submit a scheduled send; return its id."""
    wanted = send(customer, send_at=in_ms(ms), **rest)
    assert lanes.outbox.put(wanted, opens=opens).outcome == "scheduled"
    return wanted.id


def set_clock(client: redis.Redis, ms: int) -> None:
    """Set the server's clock, by moving the stored times in the opposite direction."""
    for key in client.scan_iter(f"{PREFIX}*"):
        family = NAMES.part_of(key)[0]
        if family == "scheduled":
            for id_ in client.zrange(key, 0, -1):
                client.zincrby(key, -ms, text(id_))
        elif family == "record":
            for name in map(text, client.hkeys(key)):
                if name in {"send_at", "expires"} or name.startswith("s:"):
                    client.hincrby(key, name, -ms)
        elif family == "clock":
            client.hincrby(key, "wall", -ms)
            client.hincrby(key, "ahead", ms)  # the store's own time is unchanged


def state(lanes: Lanes, record_id: str) -> str:
    record = lanes.records.get(record_id)
    assert record is not None
    return record.status


def sent(lanes: Lanes) -> list[str]:
    """Send everything that may leave now; return the ids."""
    left = []
    while grants := lanes.grant(count=20):
        for grant in grants:
            lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid=f"wamid.{grant.id}", meta_healthy=True))
            left.append(grant.id)
    return left


class TestDue:
    def test_a_scheduled_send_stands_in_no_lane_until_its_time(
        self, lanes: Lanes, schedule: Schedule, redis_client: redis.Redis
    ) -> None:
        record_id = later(lanes, 60_000)
        lanes.outbox.put(send(CUSTOMER, id="now"))
        wait, moved, _ = schedule.move_due(NUMBER, 10)
        assert (moved, 59 < wait <= 60) == (0, True)
        assert sent(lanes) == ["now"]
        assert state(lanes, record_id) == "scheduled"
        set_clock(redis_client, MINUTE)
        assert schedule.move_due(NUMBER, 10).moved == 1
        assert sent(lanes) == [record_id]
        record = lanes.records.get(record_id)
        assert record is not None
        assert [status for status, _ in record.history] == ["scheduled", "queued", "sending", "accepted"]
        assert schedule.move_due(NUMBER, 10).wait == float("inf")

    @pytest.mark.parametrize("ms", [HOUR, -HOUR], ids=["ahead", "back"])
    def test_a_clock_that_is_set_loses_none_and_sends_none_twice(
        self, lanes: Lanes, schedule: Schedule, redis_client: redis.Redis, ms: int
    ) -> None:
        first = later(lanes, MINUTE)
        second = later(lanes, HOUR // 2)
        third = later(lanes, 3 * HOUR)
        set_clock(redis_client, MINUTE)
        schedule.move_due(NUMBER, 10)
        set_clock(redis_client, ms)
        schedule.move_due(NUMBER, 10)
        # What was due by the old clock has left. By the new one the second send is due, or is due later once more.
        assert sent(lanes) == ([first, second] if ms > 0 else [first])
        set_clock(redis_client, HOUR // 2 - min(0, ms))
        schedule.move_due(NUMBER, 10)
        assert sent(lanes) == ([] if ms > 0 else [second])
        set_clock(redis_client, 3 * HOUR)
        schedule.move_due(NUMBER, 10)
        assert sent(lanes) == [third]

    def test_at_most_so_many_move_at_once_the_earliest_first(
        self, lanes: Lanes, schedule: Schedule, redis_client: redis.Redis
    ) -> None:
        ids = [later(lanes, MINUTE - i * 1_000, f"1555123{i:04}") for i in range(5)]
        set_clock(redis_client, MINUTE)
        assert schedule.move_due(NUMBER, 3) == (0.0, 3, [])
        assert set(sent(lanes)) == set(ids[2:])
        assert schedule.move_due(NUMBER, 3).moved == 2

    def test_the_ttl_counts_from_its_time_and_a_time_that_is_past_means_now(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        at = in_ms(HOUR)
        lanes.outbox.put(send(id="a", send_at=at, ttl=60_000))
        assert lanes.outbox.put(send(id="b", send_at=in_ms(-2 * HOUR), ttl=60_000)).outcome == "queued"
        expires = [int(redis_client.hget(f"{PREFIX}record:{id_}", "expires") or 0) for id_ in "ab"]
        assert (expires[0], 0 < expires[1] - in_ms(0) <= 60_000) == (at + 60_000, True)
        assert sent(lanes) == ["b"]

    def test_the_place_in_the_template_quota_is_taken_when_it_moves(
        self, store: Store, redis_client: redis.Redis
    ) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "waba")})
        schedule = Schedule(lanes.outbox)
        waiting = later(lanes, MINUTE, type="template", opens=True)
        assert redis_client.zcard(NAMES.quota("waba")) == 0
        set_clock(redis_client, MINUTE)
        schedule.move_due(NUMBER, 10)
        assert redis_client.zcard(NAMES.quota("waba")) == 1
        assert lanes.outbox.put(send(OTHER, type="template"), opens=True).outcome == "quota"
        assert schedule.cancel(waiting).outcome == "canceled"
        assert lanes.outbox.put(send(OTHER, type="template"), opens=True).outcome == "queued"

    def test_a_repeat_under_the_same_key_schedules_nothing(self, lanes: Lanes) -> None:
        key = Idempotency(f"{PREFIX}idempotency:k:1", "print", 5_000)
        wanted = send(send_at=in_ms(HOUR))
        assert lanes.outbox.put(wanted, idempotency=key).outcome == "scheduled"
        again = lanes.outbox.put(send(send_at=in_ms(HOUR)), idempotency=key)
        assert (again.outcome, again.id) == ("replayed", wanted.id)

    def test_a_customer_whose_contacts_were_joined_meanwhile_has_one_lane(
        self, lanes: Lanes, schedule: Schedule, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message("", user_id=USER_ID))
        record_id = later(lanes, MINUTE)
        lanes.admit(message(CUSTOMER, user_id=USER_ID))
        set_clock(redis_client, MINUTE)
        schedule.move_due(NUMBER, 10)
        now_known_as = redis_client.get(NAMES.alias(NUMBER, USER_ID)) or b""
        assert redis_client.lrange(NAMES.lane(now_known_as.decode()), 0, -1) == [record_id.encode()]
        assert len(redis_client.keys(f"{PREFIX}lane:*")) == 1

    def test_a_full_lane_lets_it_wait_and_the_others_go_on(
        self, lanes: Lanes, schedule: Schedule, redis_client: redis.Redis
    ) -> None:
        redis_client.rpush(NAMES.lane(f"{NUMBER}:{CUSTOMER}"), *range(1_000))
        waits, goes = later(lanes, MINUTE), later(lanes, MINUTE, OTHER)
        set_clock(redis_client, MINUTE)
        wait, moved, _ = schedule.move_due(NUMBER, 10)
        assert (moved, wait > 0) == (1, True)
        assert [state(lanes, id_) for id_ in (waits, goes)] == ["scheduled", "queued"]

    @pytest.mark.parametrize("take", [False, True])
    def test_a_thread_that_is_another_s_when_its_time_comes_refuses_it(
        self, lanes: Lanes, schedule: Schedule, redis_client: redis.Redis, take: bool
    ) -> None:
        record_id = later(lanes, MINUTE, take=take)
        redis_client.hset(NAMES.contact(f"{NUMBER}:{CUSTOMER}"), "other_until", in_ms(HOUR))
        set_clock(redis_client, MINUTE)
        assert schedule.move_due(NUMBER, 10).failed == ([] if take else [record_id])
        assert state(lanes, record_id) == ("queued" if take else "failed")

    def test_sends_of_a_number_that_is_no_longer_ours_end_with_their_ttl(
        self, lanes: Lanes, store: Store, redis_client: redis.Redis
    ) -> None:
        tag = TagNumbers(store, retention_seconds=KEEP)
        tag.bind(["1", NUMBER])
        record_id = later(lanes, ttl=1_000)
        tag.bind(["1"])
        assert tag.expire_former() == []
        assert tag.former() == [NUMBER]
        set_clock(redis_client, 2 * HOUR)
        assert tag.expire_former() == [record_id]
        tag.expire_former()
        assert tag.former() == []


class TestCancel:
    def test_what_is_scheduled_or_queued_is_canceled_once_and_told(
        self, lanes: Lanes, schedule: Schedule, redis_client: redis.Redis
    ) -> None:
        scheduled = later(lanes)
        lanes.outbox.put(send(CUSTOMER, id="a"))
        lanes.outbox.put(send(CUSTOMER, id="b"))
        for record_id in (scheduled, "a", scheduled, "a"):
            assert schedule.cancel(record_id) == ("canceled", record_id)
        assert sent(lanes) == ["b"]
        told = [orjson.loads(entry[b"d"]) for _, entry in redis_client.xrange(NAMES.events)]
        assert [e["id"] for e in told if e["status"] == "canceled"] == [scheduled, "a"]
        assert redis_client.ttl(f"{PREFIX}record:{scheduled}") > 0

    def test_what_is_under_way_or_with_meta_is_not(self, lanes: Lanes, schedule: Schedule) -> None:
        lanes.outbox.put(send(CUSTOMER, id="a"))
        (grant,) = lanes.grant()
        assert schedule.cancel("a") == ("sent", "a")
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A", meta_healthy=True))
        assert schedule.cancel("a") == ("sent", "a")
        assert schedule.cancel("nobody's") == ("missing", "")

    def test_what_may_have_left_before_it_was_queued_once_more_is_not(
        self, store: Store, redis_client: redis.Redis
    ) -> None:
        lanes = Lanes.over(store, resend_unknown=True, settle_seconds=0)
        lanes.outbox.put(send(CUSTOMER, id="a"))
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("unknown"))
        redis_client.lpush(f"{PREFIX}confirmed:{NUMBER}", *[in_ms(HOUR)] * 3)
        assert lanes.outbox.settle() == [("a", "resent")]
        assert Schedule(lanes.outbox).cancel("a") == ("sent", "a")

    def test_one_that_is_to_be_tried_again_is(self, lanes: Lanes, schedule: Schedule) -> None:
        lanes.outbox.put(send(CUSTOMER, id="a", priority=Priority.BULK))
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("retry", delay=60.0, retry_class="unwell"))
        assert schedule.cancel("a") == ("canceled", "a")


class TestErasure:
    @pytest.mark.parametrize("ended", [False, True], ids=["known", "all-else-has-ended"])
    def test_a_scheduled_send_is_erased_with_its_customer(
        self, lanes: Lanes, store: Store, redis_client: redis.Redis, ended: bool
    ) -> None:
        record_id = later(lanes)
        later(lanes, HOUR, OTHER, id="other")
        if ended:
            redis_client.delete(NAMES.alias(NUMBER, CUSTOMER), NAMES.contact(f"{NUMBER}:{CUSTOMER}"))
        Contacts(store, [NUMBER]).forget(CUSTOMER)
        assert list(traces(redis_client, CUSTOMER, record_id)) == []
        assert redis_client.zrange(NAMES.scheduled(NUMBER), 0, -1) == [b"other"]

    def test_whom_it_is_for_is_known_until_its_time_and_a_lifetime_more(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        later(lanes, 35 * DAY)
        for key in (NAMES.alias(NUMBER, CUSTOMER), NAMES.contact(f"{NUMBER}:{CUSTOMER}")):
            assert redis_client.ttl(key) > 35 * 86_400 + KEEP - 60

    def test_who_changed_the_number_meanwhile_is_found(
        self, lanes: Lanes, store: Store, redis_client: redis.Redis
    ) -> None:
        record_id = later(lanes)
        lanes.admit(system("wamid.CHANGED", sender=CUSTOMER, type="user_changed_number", wa_id=OTHER))
        Contacts(store, [NUMBER]).forget(OTHER)
        assert redis_client.exists(f"{PREFIX}record:{record_id}") == 0
