"""The lanes when the clock jumps, when memory is full, and when Meta speaks after all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import NUMBER, Lanes, message, send
from tests.integration.test_lanes_outbound import claimed, done, state, status
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.outbox import Grant

HOUR_MS = 3_600_000
MORE_THAN_ANY_PAUSE = HOUR_MS + 60_000


def ahead(ms: int) -> int:
    """A moment to come, of a clock that is right."""
    return int(time.time() * 1000) + ms


class TestAClockThatWasTurnedBack:
    """What was written before lies far ahead now; nothing may wait for it."""

    def test_a_mailbox_is_looked_at(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.admit(message())
        redis_client.zadd(NAMES.due, {f"{NUMBER}:15551230001": ahead(MORE_THAN_ANY_PAUSE)})
        assert len(lanes.inbox.take("p", 0, 1)[1]) == 1

    def test_an_hour_that_was_asked_for_is_waited(self, lanes: Lanes) -> None:
        lanes.admit(message())
        (work,) = lanes.inbox.take("p", 0, 1)[1]
        lanes.inbox.retry_later(work, "p", HOUR_MS / 1000, is_failure=False)
        wait, works = lanes.inbox.take("p", 1, 1)
        assert works == []
        assert wait > 3_590

    def test_a_lane_is_looked_at(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send())
        redis_client.zadd(NAMES.out(NUMBER, 0), {f"{NUMBER}:15551230001": ahead(MORE_THAN_ANY_PAUSE)})
        assert len(lanes.grant()) == 1

    def test_a_pause_is_over(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send())
        lanes.outbox.pause(NUMBER, "meta_unwell")
        redis_client.hset(NAMES.pause(NUMBER), "until", ahead(MORE_THAN_ANY_PAUSE))
        assert len(lanes.grant()) == 1

    def test_a_claim_runs_out(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.grant()
        redis_client.zadd(NAMES.busy, {"a": ahead(120_000)})
        assert eventually(lanes.outbox.reap) == ["a"]

    def test_the_throughput_is_counted_anew(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        redis_client.zadd(NAMES.rate(NUMBER), {f"s{n}:1": ahead(24 * HOUR_MS) for n in range(80)})
        lanes.outbox.put(send())
        assert len(lanes.grant()) == 1

    def test_a_customers_pace_is_no_longer_than_its_burst(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        redis_client.set(f"{PREFIX}pair:{NUMBER}:15551230001", ahead(24 * HOUR_MS))
        lanes.outbox.put(send())
        assert lanes.outbox.next(NUMBER, "p", 1, 1).wait <= 6.5


class TestAFullServer:
    @contextmanager
    def full(self, client: redis.Redis) -> Iterator[None]:
        client.config_set("maxmemory", 1)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)

    def test_nothing_new_is_taken_in(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        with self.full(redis_client):
            results = lanes.store.flusher.run([lanes.inbox.admit(message(), 1)])
        assert isinstance(results[0], redis.ResponseError)
        assert redis_client.dbsize() == 0

    def test_what_was_taken_in_is_handled_and_sent(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.admit(message())
        with self.full(redis_client):
            _, (work,) = lanes.inbox.take("p", 0, 1)
            assert lanes.inbox.renew_leases([work]) == [True]
            assert lanes.inbox.finish(work, "p", [send(id="a")])
            (grant,) = lanes.grant()
            assert done(lanes, grant, kind="accepted", wamid="wamid.A").held_claim
        assert state(lanes, "a") == "accepted"

    def test_failures_and_ends_are_written(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.admit(message("1001"), message("1002"))
        with self.full(redis_client):
            _, (one, two) = lanes.inbox.take("p", 0, 2)
            assert lanes.inbox.retry_later(one, "p", 0.0, is_failure=True) == 1
            assert lanes.inbox.dead_letter(two, "p", "failed", "why")
            assert lanes.outbox.pause(NUMBER, "meta_unwell") == 5
            assert lanes.outbox.slow_down(NUMBER) == 64
            assert lanes.inbox.release_consumer("p", died=True) == 0


def silent(lanes: Lanes) -> Grant:
    """A send "a" whose answer got lost, and later ones that Meta spoke of: silence means no from now on."""
    lanes.outbox.put(send(id="a"))
    (grant,) = lanes.grant()
    done(lanes, grant, kind="unknown")
    eventually(lambda: int(time.time() * 1000) > claimed(lanes, "a") + 2)
    for i in range(3):
        lanes.outbox.put(send(f"777{i}"))
        (other,) = lanes.grant()
        done(lanes, other, kind="accepted", wamid=f"wamid.H{i}")
        status(lanes, f"wamid.H{i}", "sent")
    return grant


class TestATimeToLiveThatEndsMeanwhile:
    def over(self, redis_client: redis.Redis) -> None:
        redis_client.hset(f"{PREFIX}record:a", "expires", int(time.time() * 1000) - 1)

    def test_what_may_no_longer_wait_is_not_sent_once_more(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01, resend_unknown=True)
        silent(lanes)
        self.over(redis_client)
        assert eventually(lanes.outbox.settle) == [("a", "failed")]

    def test_metas_word_of_the_first_time_comes_before_it(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01, resend_unknown=True)
        silent(lanes)
        assert eventually(lanes.outbox.settle) == [("a", "resent")]
        self.over(redis_client)
        assert lanes.grant() == []
        assert state(lanes, "a") == "failed"
        assert status(lanes, "wamid.A", "sent", biz_opaque_callback_data="a")[0] == b"applied"
        record = lanes.records.get("a")
        assert record is not None
        assert (record.status, record.error) == ("sent", None)


class TestAnAnswerThatComesVeryLate:
    def test_what_was_queued_once_more_is_not_sent_again(self, store: Store) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01, resend_unknown=True)
        grant = silent(lanes)
        assert eventually(lanes.outbox.settle) == [("a", "resent")]
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert lanes.grant() == []
        assert state(lanes, "a") == "accepted"


class TestMetasWordAfterAll:
    @pytest.fixture
    def lanes(self, store: Store) -> Lanes:
        """A send "a" was given up because Meta said nothing."""
        lanes = Lanes.over(store, settle_seconds=0.01)
        silent(lanes)
        assert eventually(lanes.outbox.settle) == [("a", "failed")]
        return lanes

    def test_any_status_takes_the_verdict_back(self, lanes: Lanes) -> None:
        assert status(lanes, "wamid.A", "sent", biz_opaque_callback_data="a")[0] == b"applied"
        record = lanes.records.get("a")
        assert record is not None
        assert (record.status, record.error) == ("sent", None)

    def test_metas_own_failure_stays(self, lanes: Lanes) -> None:
        status(lanes, "wamid.A", "failed", biz_opaque_callback_data="a", errors=[{"code": 131026}])
        record = lanes.records.get("a")
        assert record is not None
        assert (record.status, record.error["code"]) == ("failed", 131026)
