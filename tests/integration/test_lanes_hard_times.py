"""The lanes when the clock jumps, when memory is full, and when Meta responds late."""

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
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.grants import Grant
from wa_service.store.outbox import Limits
from wa_service.store.overview import Observer

HOUR_MS = 3_600_000
HALF_AN_HOUR, FIVE_HOURS = HOUR_MS // 2, 5 * HOUR_MS


def set_clock(client: redis.Redis, wall_ms: int, ahead_ms: int) -> None:
    """Set when the store last read the server's clock (relative to now), and how far its own time was ahead."""
    client.hset(f"{PREFIX}clock", mapping={"wall": int(time.time() * 1000) + wall_ms, "ahead": ahead_ms})


class Clock:
    """The server's clock as the store sees it: it is ahead until `turn` corrects it."""

    def __init__(self, client: redis.Redis, ahead_ms: int) -> None:
        self._client = client
        self._ahead_ms = ahead_ms
        set_clock(client, 0, ahead_ms)

    def turn(self) -> None:
        set_clock(self._client, self._ahead_ms, 0)
        if self._ahead_ms < 0:  # the server's clock jumps ahead, and with it the ends of lifetimes
            for key in self._client.keys("*"):
                if (left := self._client.pttl(key)) > 0:
                    self._client.pexpire(key, left + self._ahead_ms)

    def go_on(self, lanes: Lanes, ms: int) -> None:
        """Let time pass after the correction."""
        lanes.inbox.heartbeat("w")
        self._client.hincrby(f"{PREFIX}clock", "ahead", ms)


@pytest.fixture(params=[HALF_AN_HOUR, FIVE_HOURS], ids=["half an hour", "five hours"])
def clock(redis_client: redis.Redis, request: pytest.FixtureRequest) -> Clock:
    """A clock that will be set back."""
    return Clock(redis_client, request.param)


class TestAClockThatIsTurnedBack:
    """Nothing written before waits longer than intended."""

    def test_a_message_is_handled(self, lanes: Lanes, clock: Clock) -> None:
        lanes.admit(message())
        clock.turn()
        assert len(lanes.inbox.take("p", 0, 1)[1]) == 1

    def test_a_lease_and_a_pause_end_when_they_would_have(self, lanes: Lanes, clock: Clock) -> None:
        lanes.admit(message("1001"), message("1002"))
        held, failed = lanes.inbox.take("p", 0, 2)[1]
        lanes.inbox.retry_later(failed, "p", 3_600, is_failure=False)
        clock.turn()
        wait, works = lanes.inbox.take("p", 1, 1)
        assert works == []
        assert 10 < wait <= 15
        assert lanes.inbox.renew_leases([held]) == [True]

    def test_what_waits_is_looked_at_beside_what_is_written_meanwhile(self, lanes: Lanes, clock: Clock) -> None:
        lanes.admit(*(message(f"1555000{n:04}") for n in range(5)))
        clock.turn()
        lanes.admit(*(message(f"1555001{n:04}") for n in range(5)))
        assert len(lanes.inbox.take("p", 0, 20)[1]) == 10

    def test_a_send_leaves(self, lanes: Lanes, clock: Clock) -> None:
        lanes.outbox.put(send())
        clock.turn()
        assert len(lanes.grant()) == 1

    def test_a_number_is_paused_no_longer(self, lanes: Lanes, clock: Clock) -> None:
        lanes.outbox.put(send())
        lanes.outbox.pause(NUMBER, "meta_unwell")
        clock.turn()
        answer = lanes.outbox.next(NUMBER, "asks", 1, 1)
        assert answer.why == "pause"
        assert 4 < answer.wait <= 5

    def test_a_claim_runs_out(self, store: Store, clock: Clock) -> None:
        lanes = Lanes.over(store, claim_seconds=0.2)
        lanes.outbox.put(send(id="a"))
        lanes.grant()
        clock.turn()
        assert eventually(lanes.outbox.reap) == ["a"]

    def test_an_unknown_send_is_settled(self, store: Store, clock: Clock) -> None:
        lanes = Lanes.over(store, settle_seconds=0.0)
        silent(lanes)
        clock.turn()
        assert eventually(lanes.outbox.settle) == [("a", "failed")]

    def test_a_lowered_pace_grows_back(self, lanes: Lanes, redis_client: redis.Redis, clock: Clock) -> None:
        assert lanes.outbox.slow_down(NUMBER) == 64
        clock.turn()
        clock.go_on(lanes, 10_000)
        lanes.grant()
        assert float(redis_client.hget(NAMES.pace(NUMBER), "n") or 0) > 64

    def test_too_fast_slows_down_again(self, lanes: Lanes, clock: Clock) -> None:
        assert lanes.outbox.slow_down(NUMBER) == 64
        clock.turn()
        clock.go_on(lanes, 1_500)
        assert lanes.outbox.slow_down(NUMBER) == 51

    def test_a_customers_pace_is_as_it_was(self, store: Store, clock: Clock) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(1000, 0, "w")})
        for _ in range(46):
            lanes.outbox.put(send())
        spend_the_burst(lanes)
        clock.turn()
        assert 5 < lanes.outbox.next(NUMBER, "asks", 1, 1).wait <= 6.5

    def test_a_worker_is_counted(self, lanes: Lanes, clock: Clock) -> None:
        lanes.inbox.heartbeat("w")
        clock.turn()
        lanes.inbox.heartbeat("w")
        assert Observer(lanes.store, lanes.outbox, [NUMBER]).overview().workers == 1


class TestAClockThatJumpsAhead:
    """Time that the store did not see pass expires no lease, claim or count."""

    @pytest.fixture(params=[60_000, HALF_AN_HOUR], ids=["a minute", "half an hour"])
    def clock(self, redis_client: redis.Redis, request: pytest.FixtureRequest) -> Clock:
        return Clock(redis_client, -request.param)

    def test_no_more_is_granted_beside_what_is_on_its_way(self, store: Store, clock: Clock) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(10, 0, "w")})
        for n in range(30):
            lanes.outbox.put(send(f"1555000{n:04}"))
        assert len(lanes.grant(count=30)) == 10
        clock.turn()
        assert lanes.grant(count=30) == []
        assert lanes.outbox.reap() == []

    def test_a_customers_burst_stays_spent(self, store: Store, clock: Clock) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(1000, 0, "w")})
        for _ in range(50):
            lanes.outbox.put(send())
        spend_the_burst(lanes)
        clock.turn()
        for _ in range(2):  # ten seconds have passed for the store
            for grant in lanes.grant():
                done(lanes, grant, kind="accepted", wamid=f"wamid.{grant.id}")
        assert lanes.grant() == []

    def test_a_lease_goes_on(self, lanes: Lanes, clock: Clock) -> None:
        lanes.admit(message())
        (work,) = lanes.inbox.take("p", 0, 1)[1]
        clock.turn()
        assert lanes.inbox.take("q", 0, 1)[1] == []
        assert lanes.inbox.renew_leases([work]) == [True]


def test_an_hour_that_was_asked_for_is_waited(lanes: Lanes) -> None:
    lanes.admit(message())
    (work,) = lanes.inbox.take("p", 0, 1)[1]
    lanes.inbox.retry_later(work, "p", HOUR_MS / 1000, is_failure=False)
    wait, works = lanes.inbox.take("p", 1, 1)
    assert works == []
    assert wait > 3_590


def spend_the_burst(lanes: Lanes) -> None:
    """Send one customer as much as may be sent at once."""
    for _ in range(45):
        (grant,) = eventually(lanes.grant)
        done(lanes, grant, kind="accepted", wamid=f"wamid.{grant.id}")


def kept(client: redis.Redis) -> set[bytes | str]:
    """All keys except those that every connection may write."""
    return set(client.keys("*")) - {f"{PREFIX}clock".encode(), f"{PREFIX}epoch".encode()}


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
        assert kept(redis_client) == set()

    @pytest.mark.parametrize("type_", ["text", "template"])
    def test_nothing_new_is_queued(self, lanes: Lanes, redis_client: redis.Redis, type_: str) -> None:
        redis_client.zadd(NAMES.quota("waba"), {"1001": 1})
        before = kept(redis_client)
        with self.full(redis_client), pytest.raises(StoreUnavailableError):
            lanes.outbox.put(send("1002", type=type_), opens=type_ == "template")
        assert kept(redis_client) == before
        assert redis_client.zcard(NAMES.quota("waba")) == 1

    def test_what_was_taken_in_is_handled_and_sent(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.admit(message())
        with self.full(redis_client):
            _, (work,) = lanes.inbox.take("p", 0, 1)
            assert lanes.inbox.renew_leases([work]) == [True]
            assert lanes.inbox.finish(work, "p", [send(id="a")])
            (grant,) = lanes.grant()
            assert done(lanes, grant, kind="accepted", wamid="wamid.A").is_written
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
    """A send "a" without a response, and later ones with a status, so that "a" counts as not accepted."""
    lanes.outbox.put(send(id="a"))
    (grant,) = lanes.grant()
    done(lanes, grant, kind="unknown")
    eventually(lambda: lanes.store.call("read_clock")[1] > claimed(lanes, "a") + 2)
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
        """A send "a" that failed because no status came."""
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
