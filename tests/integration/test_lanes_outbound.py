"""Lanes of sends on a real server: put, next, done, reap, settle, status, pause."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.grants import Grant
from wa_service.store.outbox import CallTiming, Idempotency, Limits, Priority, SendOutcome
from wa_service.store.schedule import Schedule
from wa_service.whatsapp.errors import CODES

UP_TO_TWO: dict[str, Any] = {
    "retention": 60,
    "idempotency": "",
    "fingerprint": "",
    "wait_ms": 0,
    "ceiling": 2,
    "waba": "w",
    "daily_limit": 0,
    "opens": 0,
    "take": 0,
    "stops": "[]",
    "marketing_per_week": 0,
    "who": b'{"group":"","numbers":[["1"]],"ids":[],"at":0}',
}
ACCEPTED = SendOutcome("accepted", wamid="wamid.A1", wa_id="15551230001", meta_healthy=True)
DAY = 86_400_000


def done(lanes: Lanes, grant: Grant, **ending: Any) -> Any:
    return lanes.outbox.done(NUMBER, grant, SendOutcome(**ending))


def status(lanes: Lanes, wamid: str, word: str, **raw: Any) -> list[Any]:
    return lanes.store.run([lanes.outbox.apply_status(meta_status(wamid, word, **raw), int(time.time() * 1000))])[0]


def sent(lanes: Lanes, customer: str = "15551230001", wamid: str = "wamid.A1", **rest: Any) -> str:
    """Submit a send that Meta accepts; return its id."""
    record = send(customer, **rest)
    lanes.outbox.put(record)
    (grant,) = lanes.grant()
    done(lanes, grant, kind="accepted", wamid=wamid)
    return record.id


def to_be_retried_in_an_hour(lanes: Lanes, record_id: str, **rest: Any) -> None:
    lanes.outbox.put(send(id=record_id, **rest))
    (grant,) = lanes.grant()
    done(lanes, grant, kind="retry", delay=3_600.0)


def state(lanes: Lanes, record_id: str) -> str:
    record = lanes.records.get(record_id)
    assert record is not None
    return record.status


class TestPutting:
    def test_a_send_is_handed_out_once(self, lanes: Lanes) -> None:
        assert lanes.outbox.put(send(id="a")).outcome == "queued"
        (grant,) = lanes.grant()
        assert (grant.id, grant.type) == ("a", "text")
        assert lanes.grant() == []

    def test_the_same_key_and_request_give_the_first_record(self, lanes: Lanes) -> None:
        key = Idempotency(f"{PREFIX}idempotency:k:1", "print", 0)
        assert lanes.outbox.put(send(id="a"), idempotency=key).outcome == "queued"
        again = lanes.outbox.put(send(id="b"), idempotency=key)
        assert (again.outcome, again.id) == ("replayed", "a")

    def test_while_the_first_caller_waits_a_repeat_is_told_so(self, lanes: Lanes) -> None:
        key = Idempotency(f"{PREFIX}idempotency:k:1", "print", 5_000)
        lanes.outbox.put(send(id="a"), idempotency=key)
        assert lanes.outbox.put(send(id="b"), idempotency=key).outcome == "waiting"
        lanes.outbox.caller_answered(key)
        assert lanes.outbox.put(send(id="b"), idempotency=key).outcome == "replayed"

    def test_the_same_key_for_another_request_is_a_conflict(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"), idempotency=Idempotency(f"{PREFIX}idempotency:k:1", "one", 0))
        assert (
            lanes.outbox.put(send(id="b"), idempotency=Idempotency(f"{PREFIX}idempotency:k:1", "two", 0)).outcome
            == "conflict"
        )

    def test_a_key_lives_a_day_after_its_record_ended(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(id="a"), idempotency=Idempotency(f"{PREFIX}idempotency:k:1", "one", 0))
        assert redis_client.ttl(f"{PREFIX}idempotency:k:1") > 86_400
        (grant,) = lanes.grant()
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert 86_000 < redis_client.ttl(f"{PREFIX}idempotency:k:1") <= 86_400

    def test_a_full_lane_refuses(self, lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
        lanes.store.run([lanes.store.step("put", send=send().spec(), **UP_TO_TWO) for _ in range(2)])
        refused = lanes.store.call("put", send=send().spec(), **UP_TO_TWO)
        assert refused == [b"full"]

    def test_a_waiting_record_has_no_end_of_life(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(id="a"))
        assert redis_client.ttl(f"{PREFIX}record:a") == -1
        (grant,) = lanes.grant()
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert redis_client.ttl(f"{PREFIX}record:a") > 0

    def test_an_ended_record_keeps_what_it_said_as_long_as_itself(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        record_id = sent(lanes)
        assert b'"hi"' in redis_client.hget(f"{PREFIX}record:{record_id}", "body")
        assert 0 < redis_client.ttl(f"{PREFIX}record:{record_id}") <= KEEP


class TestOrder:
    def test_a_lane_gives_its_head_only(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.put(send(id="b"))
        assert [grant.id for grant in lanes.grant(count=5)] == ["a"]

    def test_the_next_head_follows_when_the_first_ended(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.put(send(id="b"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert [grant.id for grant in lanes.grant()] == ["b"]

    def test_a_record_tried_again_later_keeps_its_place(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.put(send(id="b"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="retry", delay=60, retry_class="limited")
        assert lanes.grant() == []
        redis_client.zadd(NAMES.out(NUMBER, 0), {grant.conversation: 0})
        (again,) = lanes.grant()
        assert (again.id, again.limited_retries) == ("a", 1)

    def test_no_send_waits_for_the_retry_of_one_that_was_canceled(self, lanes: Lanes) -> None:
        to_be_retried_in_an_hour(lanes, "a")
        lanes.outbox.put(send(id="b"))
        assert lanes.grant() == []
        Schedule(lanes.outbox).cancel("a")
        assert [grant.id for grant in lanes.grant()] == ["b"]

    def test_a_person_does_not_wait_for_the_retry_of_a_withdrawn_answer(self, lanes: Lanes) -> None:
        lanes.admit(message())
        to_be_retried_in_an_hour(lanes, "a", origin="m@1")
        lanes.outbox.put(send(id="b"))
        Contacts(lanes.store, [NUMBER]).pause("15551230001", 60)
        assert state(lanes, "a") == "failed"
        assert [grant.id for grant in lanes.grant()] == ["b"]

    def test_a_send_that_leaves_from_behind_the_head_does_not_hurry_it(self, lanes: Lanes) -> None:
        to_be_retried_in_an_hour(lanes, "a")
        lanes.outbox.put(send(id="b"))
        Schedule(lanes.outbox).cancel("b")
        assert lanes.grant() == []

    def test_a_canceled_head_does_not_release_the_send_under_way_behind_it(self, lanes: Lanes) -> None:
        record_id = sent(lanes, fallback=b"{}")
        lanes.outbox.put(send(id="b"))
        (under_way,) = lanes.grant()
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131047}])
        Schedule(lanes.outbox).cancel(record_id + "f")
        assert lanes.grant() == []
        done(lanes, under_way, kind="accepted", wamid="wamid.B")
        assert lanes.grant() == []

    def test_a_fallback_does_not_wait_for_the_retry_of_a_later_send(self, lanes: Lanes) -> None:
        record_id = sent(lanes, fallback=b"{}")
        to_be_retried_in_an_hour(lanes, "b")
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131047}])
        assert [grant.id for grant in lanes.grant()] == [record_id + "f"]

    def test_other_customers_go_on_meanwhile(self, lanes: Lanes) -> None:
        lanes.outbox.put(send("15550000001"))
        lanes.outbox.put(send("15550000002"))
        assert len(lanes.grant(count=5)) == 2

    def test_replies_go_before_bulk(self, lanes: Lanes) -> None:
        lanes.outbox.put(send("15550000001", id="bulk", priority=Priority.BULK))
        lanes.outbox.put(send("15550000002", id="reply"))
        assert [grant.id for grant in lanes.grant()] == ["reply"]

    def test_a_reply_behind_bulk_in_its_lane_takes_the_lane_along(self, lanes: Lanes) -> None:
        lanes.outbox.put(send("15550000001", id="other", priority=Priority.BULK))
        lanes.outbox.put(send("15550000002", id="bulk", priority=Priority.BULK))
        lanes.outbox.put(send("15550000002", id="reply"))
        assert [grant.id for grant in lanes.grant()] == ["bulk"]

    def test_bulk_gets_every_tenth_grant_at_least(self, lanes: Lanes) -> None:
        for i in range(20):
            lanes.outbox.put(send(f"1555000{i:04}"))
        lanes.outbox.put(send("15559999999", id="bulk", priority=Priority.BULK))
        assert "bulk" in [grant.id for grant in lanes.grant(count=10)]

    def test_a_repeated_next_gives_a_whole_claim(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(id="a"))
        (grant,) = lanes.outbox.next(NUMBER, "p", 1, 1).grants
        nearly_over = time.time() * 1000 + 300
        redis_client.zadd(NAMES.busy, {"a": nearly_over})
        redis_client.zadd(NAMES.rate(NUMBER), {f"a:{grant.token}": nearly_over})
        lanes.outbox.next(NUMBER, "p", 1, 1)
        assert redis_client.zscore(NAMES.busy, "a") > nearly_over + 40_000
        assert redis_client.zscore(NAMES.rate(NUMBER), f"a:{grant.token}") > nearly_over + 40_000

    def test_while_the_claim_of_a_probe_is_given_anew_its_number_stays_paused(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.pause(NUMBER, "meta_unwell")
        redis_client.hset(NAMES.pause(NUMBER), "until", 1)
        assert lanes.outbox.next(NUMBER, "p", 1, 1).grants
        redis_client.hset(NAMES.pause(NUMBER), "until", 1)
        assert lanes.outbox.next(NUMBER, "p", 1, 1).grants
        assert lanes.outbox.next(NUMBER, "another", 1, 1).why == "pause"

    def test_a_repeated_next_gives_the_same_answer(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        first = lanes.outbox.next(NUMBER, "p", 4_000_000, 5)
        again = lanes.outbox.next(NUMBER, "p", 4_000_000, 5)
        assert [(g.id, g.token) for g in first.grants] == [(g.id, g.token) for g in again.grants]

    def test_what_waited_too_long_fails_as_expired(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.put(send(id="b"))
        lanes.store.do("HSET", f"{PREFIX}record:a", "expires", int(time.time() * 1000) - 1)
        answer = lanes.outbox.next(NUMBER, "p", 1, 5)
        assert [grant.id for grant in answer.grants] == ["b"]
        record = lanes.records.get("a")
        assert record is not None
        assert (record.status, record.error["reason"]) == ("failed", "expired")


class TestEndings:
    def test_an_accepted_send_is_found_by_its_wamid(self, lanes: Lanes) -> None:
        record_id = sent(lanes, wamid="wamid.A1")
        found = lanes.records.find("wamid.A1", (NUMBER,))
        assert found is not None
        assert (found.id, found.status, found.wamid) == (record_id, "accepted", "wamid.A1")

    def test_an_ending_written_twice_counts_once(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.put(send(id="b"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert [grant.id for grant in lanes.grant()] == ["b"]
        assert state(lanes, "a") == "accepted"

    def test_a_refusal_keeps_metas_reason(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="failed", error={"code": 131009, "title": "no"}, code=131009)
        record = lanes.records.get("a")
        assert record is not None
        assert (record.status, record.error) == ("failed", {"code": 131009, "title": "no"})

    def test_an_unknown_send_leaves_its_lane(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.put(send(id="b"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="unknown")
        assert state(lanes, "a") == "unknown"
        assert [grant.id for grant in lanes.grant()] == ["b"]

    def test_a_claim_that_ran_out_is_unknown(self, store: Store) -> None:
        lanes = Lanes.over(store, claim_seconds=0.02)
        lanes.outbox.put(send(id="a"))
        lanes.grant()
        assert eventually(lanes.outbox.reap) == ["a"]
        assert state(lanes, "a") == "unknown"

    def test_a_late_answer_beats_unknown(self, store: Store) -> None:
        lanes = Lanes.over(store, claim_seconds=0.02)
        lanes.outbox.put(send(id="a"))
        (grant,) = lanes.grant()
        eventually(lanes.outbox.reap)
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert state(lanes, "a") == "accepted"
        assert lanes.store.do("ZCARD", NAMES.unknown) == 0

    def test_a_puller_ends_no_claim_that_is_another_ones_by_now(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01, resend_unknown=True)
        lanes.outbox.put(send(id="a"))
        lanes.grant(consumer="one")
        redis_client.zadd(NAMES.busy, {"a": 0})
        assert lanes.outbox.reap() == ["a"]
        eventually(lambda: int(time.time() * 1000) > claimed(lanes, "a") + 2)
        for i in range(3):
            sent(lanes, f"777{i}", f"wamid.H{i}")
            status(lanes, f"wamid.H{i}", "sent")
        assert eventually(lanes.outbox.settle) == [("a", "resent")]
        (grant,) = lanes.grant(consumer="two")
        assert lanes.inbox.release_consumer("one", died=False) == 0
        assert lanes.outbox.reap() == []
        assert done(lanes, grant, kind="accepted", wamid="wamid.A").is_written

    def test_a_dead_workers_claims_end_at_once(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.grant(consumer="dead")
        lanes.inbox.release_consumer("dead", died=True)
        assert eventually(lanes.outbox.reap) == ["a"]

    def test_the_waiting_caller_is_told(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(id="a", notify=f"{PREFIX}results:web"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert redis_client.lrange(f"{PREFIX}results:web", 0, -1) == [b"a"]

    def test_metas_own_address_becomes_an_alias(self, lanes: Lanes) -> None:
        record = send("5511988887777", id="a")
        lanes.outbox.put(record)
        (grant,) = lanes.grant()
        done(lanes, grant, kind="accepted", wamid="wamid.A", wa_id="551188887777")
        lanes.admit(message("551188887777"))
        _, (work,) = lanes.inbox.take("p", 0, 1)
        assert work.conversation == f"{NUMBER}:5511988887777"


class TestStatuses:
    def test_the_ladder_only_goes_up(self, lanes: Lanes) -> None:
        record_id = sent(lanes)
        assert status(lanes, "wamid.A1", "delivered")[0] == b"applied"
        assert status(lanes, "wamid.A1", "sent")[0] == b"late"
        assert state(lanes, record_id) == "delivered"

    def test_a_repeated_status_is_a_duplicate(self, lanes: Lanes) -> None:
        sent(lanes)
        status(lanes, "wamid.A1", "sent")
        assert status(lanes, "wamid.A1", "sent")[0] == b"duplicate"

    def test_a_late_status_is_in_the_history(self, lanes: Lanes) -> None:
        record_id = sent(lanes)
        status(lanes, "wamid.A1", "read")
        status(lanes, "wamid.A1", "sent")
        record = lanes.records.get(record_id)
        assert record is not None
        assert {"sent", "read"} <= {name for name, _ in record.history}

    def test_failed_does_not_undo_delivered(self, lanes: Lanes) -> None:
        record_id = sent(lanes)
        status(lanes, "wamid.A1", "delivered")
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131026, "title": "no"}])
        assert state(lanes, record_id) == "delivered"

    def test_a_failure_keeps_its_reason_and_price_is_kept(self, lanes: Lanes) -> None:
        record_id = sent(lanes)
        status(lanes, "wamid.A1", "sent", pricing={"category": "service"})
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131026, "title": "no", "error_data": "text"}])
        record = lanes.records.get(record_id)
        assert record is not None
        assert record.error == {
            "code": 131026,
            "subcode": None,
            "title": "no",
            "details": "text",
            "advice": CODES[131026].advice,
            "reason": "recipient",
        }
        assert record.pricing == {"category": "service"}

    def test_a_message_that_was_delivered_after_all_has_no_error(self, lanes: Lanes) -> None:
        record_id = sent(lanes)
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131026, "title": "no"}])
        status(lanes, "wamid.A1", "delivered")
        record = lanes.records.get(record_id)
        assert record is not None
        assert (record.status, record.error) == ("delivered", None)
        assert "failed" in [name for name, _ in record.history]

    def test_a_failure_that_comes_after_the_delivery_is_no_error(self, lanes: Lanes) -> None:
        record_id = sent(lanes)
        status(lanes, "wamid.A1", "delivered")
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131026, "title": "no"}])
        record = lanes.records.get(record_id)
        assert record is not None
        assert (record.status, record.error) == ("delivered", None)

    def test_a_status_before_the_sends_answer_writes_the_wamid(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        (grant,) = lanes.grant()
        assert status(lanes, "wamid.EARLY", "sent", biz_opaque_callback_data="a")[0] == b"applied"
        done(lanes, grant, kind="unknown")
        record = lanes.records.get("a")
        assert record is not None
        assert (record.status, record.wamid) == ("sent", "wamid.EARLY")
        assert lanes.grant() == []

    def test_what_was_to_be_tried_again_is_not_when_meta_has_it(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        lanes.outbox.put(send(id="b"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="retry", delay=0, retry_class="limited")
        status(lanes, "wamid.A", "sent", biz_opaque_callback_data="a")
        assert [grant.id for grant in lanes.grant(count=5)] == ["b"]
        assert state(lanes, "a") == "sent"

    def test_a_status_settles_an_unknown_send(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a"))
        (grant,) = lanes.grant()
        done(lanes, grant, kind="unknown")
        status(lanes, "wamid.Z", "delivered", biz_opaque_callback_data="a")
        assert state(lanes, "a") == "delivered"
        assert lanes.store.do("ZCARD", NAMES.unknown) == 0

    def test_whatever_stands_in_a_status_it_is_stored(self, lanes: Lanes) -> None:
        deep: Any = 0
        for _ in range(900):
            deep = [deep]
        sent(lanes)
        raw = {"pricing": {"deep": deep}, "errors": [{"code": deep, "error_data": deep, "title": 7}], "more": deep}
        assert status(lanes, "wamid.A1", "failed", **raw)[0] == b"applied"
        assert status(lanes, "wamid.OTHER", "failed", **raw)[0] == b"foreign"

    def test_a_status_of_somebody_elses_send_is_kept_aside(self, lanes: Lanes) -> None:
        assert status(lanes, "wamid.OTHER", "sent")[0] == b"foreign"
        assert lanes.store.do("LLEN", NAMES.foreign) == 1

    def test_the_callers_own_data_comes_back_in_the_stream(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        sent(lanes, opaque="order:12")
        status(lanes, "wamid.A1", "delivered")
        newest = redis_client.xrevrange(NAMES.events, count=1)[0][1]
        assert orjson.loads(newest[b"d"])["biz_opaque_callback_data"] == "order:12"


class TestSettling:
    def heard(self, lanes: Lanes, count: int) -> None:
        for i in range(count):
            wamid = f"wamid.H{i}"
            sent(lanes, f"1555777{i:04}", wamid)
            status(lanes, wamid, "sent")

    def unknown(self, lanes: Lanes, **rest: Any) -> str:
        record = send(**rest)
        lanes.outbox.put(record)
        (grant,) = lanes.grant()
        done(lanes, grant, kind="unknown")
        eventually(lambda: int(time.time() * 1000) > claimed(lanes, record.id) + 2)
        return record.id

    def test_metas_silence_means_no_once_three_later_ones_were_heard(self, store: Store) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01)
        record_id = self.unknown(lanes)
        self.heard(lanes, 3)
        assert eventually(lanes.outbox.settle) == [(record_id, "failed")]
        record = lanes.records.get(record_id)
        assert record is not None
        assert record.error["reason"] == "no_word_from_meta"

    def test_with_two_it_is_not_judged(self, store: Store) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01)
        record_id = self.unknown(lanes)
        self.heard(lanes, 2)
        eventually(lambda: not lanes.store.do("ZRANGEBYSCORE", NAMES.unknown, 0, int(time.time() * 1000) - 1) or True)
        assert lanes.outbox.settle() == []
        assert state(lanes, record_id) == "unknown"

    def test_on_a_quiet_number_a_day_of_silence_means_no(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01, resend_unknown=True)
        record_id = self.unknown(lanes)
        redis_client.hincrby(f"{PREFIX}record:{record_id}", "claimed", -DAY + 60_000)
        redis_client.zadd(NAMES.unknown, {record_id: 0})
        assert lanes.outbox.settle() == []
        redis_client.hincrby(f"{PREFIX}record:{record_id}", "claimed", -60_000)
        redis_client.zadd(NAMES.unknown, {record_id: 0})
        assert lanes.outbox.settle() == [(record_id, "failed")]
        assert redis_client.ttl(f"{PREFIX}record:{record_id}") > 0

    def test_after_a_refused_webhook_it_takes_twelve_times_as_long(self, store: Store) -> None:
        lanes = Lanes.over(store, settle_seconds=20)
        record_id = self.unknown(lanes)
        self.heard(lanes, 3)
        store.run([lanes.outbox.webhook_rejected(), ("ZADD", NAMES.unknown, 0, record_id)])
        assert lanes.outbox.settle() == []
        wait = float(store.do("ZSCORE", NAMES.unknown, record_id)) - claimed(lanes, record_id)
        assert wait == 12 * 20_000

    def test_when_asked_for_it_is_sent_once_more_and_only_once(self, store: Store) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01, resend_unknown=True)
        record_id = self.unknown(lanes)
        self.heard(lanes, 3)
        assert eventually(lanes.outbox.settle) == [(record_id, "resent")]
        (grant,) = lanes.grant()
        assert grant.id == record_id
        done(lanes, grant, kind="unknown")
        eventually(lambda: int(time.time() * 1000) > claimed(lanes, record_id) + 2)
        self.heard(lanes, 3)
        assert eventually(lanes.outbox.settle) == [(record_id, "failed")]

    def test_a_template_is_never_sent_again(self, store: Store) -> None:
        lanes = Lanes.over(store, settle_seconds=0.01, resend_unknown=True)
        record_id = self.unknown(lanes, type="template")
        self.heard(lanes, 3)
        assert eventually(lanes.outbox.settle) == [(record_id, "failed")]


def claimed(lanes: Lanes, record_id: str) -> int:
    return int(lanes.store.do("HGET", f"{PREFIX}record:{record_id}", "claimed"))


class TestLimits:
    def test_throughput_is_not_passed(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(10, 0, "w")})
        for i in range(30):
            lanes.outbox.put(send(f"1555000{i:04}"))
        grants = lanes.grant(count=30)
        assert len(grants) == 10
        began = time.monotonic()
        for grant in grants:
            done(lanes, grant, kind="accepted", wamid=f"wamid.{grant.id}")
        answer = lanes.outbox.next(NUMBER, "q", 1, 5)
        assert (answer.grants, answer.why) == ([], "throughput")
        assert 0.9 - (time.monotonic() - began) <= answer.wait <= 1.025

    @pytest.mark.parametrize(("received", "allowed"), [(3, 7), (4, 6), (5, 5), (6, 5), (30, 5)])
    def test_received_messages_count_but_half_stays_for_replies(
        self, store: Store, received: int, allowed: int
    ) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(10, 0, "w")})
        lanes.admit(*(message(f"1555111{i:04}") for i in range(received)))
        for i in range(10):
            lanes.outbox.put(send(f"1555000{i:04}"))
        assert len(lanes.grant(count=30)) == allowed

    @pytest.mark.parametrize(("received", "allowed"), [(0, 9), (5, 4), (7, 3), (30, 3)])
    def test_a_quarter_stays_for_bulk_sends_and_they_leave_a_tenth(
        self, store: Store, received: int, allowed: int
    ) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(10, 0, "w")})
        lanes.admit(*(message(f"1555111{i:04}") for i in range(received)))
        for i in range(10):
            lanes.outbox.put(send(f"1555000{i:04}", priority=Priority.BULK))
        assert len(lanes.grant(count=30)) == allowed

    def test_a_reply_finds_room_though_bulk_sends_wait_for_theirs(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(10, 0, "w")})
        for i in range(10):
            lanes.outbox.put(send(f"1555000{i:04}", priority=Priority.BULK))
        assert len(lanes.grant(count=30)) == 9
        answer = lanes.outbox.next(NUMBER, "q", 1, 5)
        assert (answer.grants, answer.why) == ([], "bulk")

        lanes.outbox.put(send("15559999999", id="reply"))

        assert [grant.id for grant in lanes.grant(count=5)] == ["reply"]

    def test_so_many_bulk_sends_are_granted_as_the_worker_has_slots_for_them(self, lanes: Lanes) -> None:
        for i in range(5):
            lanes.outbox.put(send(f"1555000{i:04}", id=f"bulk{i}", priority=Priority.BULK))
        lanes.outbox.put(send("15559999999", id="reply"))

        answer = lanes.outbox.next(NUMBER, "q", 1, 10, most_bulk=2)

        assert [grant.id for grant in answer.grants] == ["reply", "bulk0", "bulk1"]
        assert (answer.why, answer.wait) == ("bulk", 0.02)
        assert lanes.outbox.next(NUMBER, "q", 2, 10, most_bulk=0).grants == []

    def test_one_customer_who_floods_does_not_mute_the_number(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(20, 0, "w")})
        for n in range(60):
            lanes.outbox.put(send(f"1555000{n:04}"))
        sent: set[str] = set()

        def flooded_and_sent() -> bool:
            lanes.admit(*(message(f"1555111{i:04}") for i in range(2)))
            for grant in lanes.grant(count=30):
                done(lanes, grant, kind="accepted", wamid=f"wamid.{grant.id}")
                sent.add(grant.id)
            return len(sent) > 20  # more than were free in the first second, before the flood

        eventually(flooded_and_sent)

    def test_a_send_counts_as_long_as_it_is_on_its_way(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(1, 0, "w")})
        lanes.outbox.put(send("15550000001", id="a"))
        lanes.grant()
        counts_from = redis_client.zscore(NAMES.rate(NUMBER), "a:1")
        assert counts_from is not None
        assert counts_from > (time.time() + 30) * 1000

    def test_a_send_that_took_long_counts_from_its_answer(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(1, 0, "w")})
        redis_client.hset(f"{PREFIX}round_trip:{NUMBER}", mapping={"fastest": 20, "seen": 100})
        lanes.outbox.put(send("15550000001", id="a"))
        lanes.outbox.put(send("15550000002", id="b"))
        (grant,) = lanes.grant()
        redis_client.hset(f"{PREFIX}record:a", "claimed", int(time.time() * 1000) - 5_000)
        began = time.monotonic()
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        wait = lanes.outbox.next(NUMBER, "asks", 1, 1).wait
        assert 0.9 - (time.monotonic() - began) <= wait <= 1.025

    def test_a_way_that_is_always_long_costs_no_throughput(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(1, 0, "w")})
        redis_client.hset(f"{PREFIX}round_trip:{NUMBER}", mapping={"fastest": 400, "seen": 100})
        lanes.outbox.put(send("15550000001", id="a"))
        lanes.outbox.put(send("15550000002", id="b"))
        (grant,) = lanes.grant()
        redis_client.hset(f"{PREFIX}record:a", "claimed", int(time.time() * 1000) - 400)
        done(lanes, grant, kind="accepted", wamid="wamid.A")
        assert lanes.outbox.next(NUMBER, "asks", 1, 1).wait <= 0.625

    def test_what_lies_between_the_answer_and_its_record_costs_no_throughput(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(1, 0, "w")})
        lanes.outbox.put(send("15550000001", id="a"))
        lanes.outbox.put(send("15550000002", id="b"))
        (grant,) = lanes.grant()
        half_a_second_ago = CallTiming(5, time.monotonic() - 0.5)
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A"), half_a_second_ago)
        assert lanes.outbox.next(NUMBER, "asks", 1, 1).wait <= 0.51

    def test_a_customer_gets_forty_five_at_once_then_waits(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(1000, 0, "w")})
        for _ in range(46):
            lanes.outbox.put(send())
        began = time.monotonic()
        for _ in range(45):
            (grant,) = lanes.grant()
            done(lanes, grant, kind="accepted", wamid=f"wamid.{grant.id}")
        answer = lanes.outbox.next(NUMBER, "asks", 1, 1)
        passed = time.monotonic() - began
        assert (answer.grants, answer.why) == ([], "later")
        assert 6.5 - passed - 0.01 <= answer.wait <= 6.5

    def test_the_daily_reach_refuses_one_more_customer(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(80, 2, "w")})
        for customer in ("1001", "1002"):
            assert lanes.outbox.put(send(customer, type="template"), opens=True).outcome == "queued"
        refused = lanes.outbox.put(send("1003", type="template"), opens=True)
        assert refused.outcome == "quota"
        assert 86_000 < refused.retry_after <= 86_401

    def test_a_customer_opened_today_is_free(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "w")})
        for _ in range(3):
            assert lanes.outbox.put(send("1001", type="template"), opens=True).outcome == "queued"

    def test_a_customer_whose_window_is_open_is_free(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "w")})
        lanes.outbox.put(send("1001", type="template"), opens=True)
        lanes.admit(message("1002"))
        assert lanes.outbox.put(send("1002", type="template"), opens=True).outcome == "queued"

    def test_asked_to_it_waits_for_a_place(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "w")})
        lanes.outbox.put(send("1001", type="template"), opens=True)
        done(lanes, lanes.grant()[0], kind="accepted", wamid="wamid.1")
        waits = lanes.outbox.put(send("1002", id="w", type="template", priority=Priority.BULK), opens=True)
        assert waits.outcome == "queued"
        assert lanes.grant() == []
        redis_client.zadd(NAMES.quota("w"), {"1001": int(time.time() * 1000) - DAY - 1})
        redis_client.zadd(NAMES.out(NUMBER, 0), {f"{NUMBER}:1002": 0})
        assert [grant.id for grant in lanes.grant()] == ["w"]

    def test_what_meta_said_comes_first(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "w")})
        lanes.store.call("set_meta_limits", number_or_waba="w", at=0, facts=("daily_limit", "2"))
        lanes.store.call("set_meta_limits", number_or_waba=NUMBER, at=0, facts=("throughput", "3"))
        for customer in ("1001", "1002"):
            assert lanes.outbox.put(send(customer, type="template"), opens=True).outcome == "queued"
        for i in range(5):
            lanes.outbox.put(send(f"1555000{i:04}"))
        assert len(lanes.grant(count=10)) == 3

    def test_too_fast_lowers_the_pace_once_a_second(self, lanes: Lanes) -> None:
        assert lanes.outbox.slow_down(NUMBER) == 64
        assert lanes.outbox.slow_down(NUMBER) == 0

    def test_the_pace_grows_back(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.slow_down(NUMBER)
        redis_client.hset(NAMES.pace(NUMBER), "grown", int(time.time() * 1000) - 60_000)
        lanes.outbox.put(send())
        lanes.grant()
        assert not redis_client.exists(NAMES.pace(NUMBER))

    def test_marks_leave_a_fifth_free(self, store: Store) -> None:
        lanes = Lanes.over(store, limits={NUMBER: Limits(10, 0, "w")})
        assert [lanes.outbox.reserve_spare(NUMBER) for _ in range(9)] == [True] * 8 + [False]


class TestPause:
    def test_a_paused_number_sends_nothing(self, lanes: Lanes) -> None:
        lanes.outbox.put(send())
        assert lanes.outbox.pause(NUMBER, "meta_unwell") == 5
        answer = lanes.outbox.next(NUMBER, "asks", 1, 5)
        assert (answer.grants, answer.why) == ([], "pause")

    def test_failures_under_way_do_not_lengthen_it(self, lanes: Lanes) -> None:
        lanes.outbox.pause(NUMBER, "meta_unwell")
        assert lanes.outbox.pause(NUMBER, "meta_unwell") == 0

    def over(self, redis_client: redis.Redis) -> None:
        redis_client.hset(NAMES.pause(NUMBER), "until", int(time.time() * 1000) - 1)

    def test_after_it_one_record_is_the_probe(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        for i in range(5):
            lanes.outbox.put(send(f"1555000{i:04}"))
        lanes.outbox.pause(NUMBER, "meta_unwell")
        self.over(redis_client)
        assert len(lanes.grant(count=5)) == 1
        assert lanes.grant(count=5) == []

    def test_a_good_probe_lifts_it(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        for i in range(5):
            lanes.outbox.put(send(f"1555000{i:04}"))
        lanes.outbox.pause(NUMBER, "meta_unwell")
        self.over(redis_client)
        (probe,) = lanes.grant(count=5)
        lanes.outbox.done(NUMBER, probe, ACCEPTED)
        assert len(lanes.grant(count=5)) == 4

    def test_a_bad_probe_doubles_it(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send())
        lanes.outbox.pause(NUMBER, "meta_unwell")
        self.over(redis_client)
        (probe,) = lanes.grant()
        done(lanes, probe, kind="retry", delay=0, retry_class="unwell", meta_healthy=False, reason="meta_unwell")
        answer = lanes.outbox.next(NUMBER, "asks", 1, 5)
        assert answer.why == "pause"
        assert 9 < answer.wait <= 10

    def test_a_refusal_shows_that_meta_is_well(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send())
        lanes.outbox.pause(NUMBER, "meta_unwell")
        self.over(redis_client)
        (probe,) = lanes.grant()
        done(lanes, probe, kind="failed", error={"code": 131026}, meta_healthy=True)
        assert not redis_client.exists(NAMES.pause(NUMBER))

    def test_resume_ends_it(self, lanes: Lanes) -> None:
        lanes.outbox.put(send())
        lanes.outbox.pause(NUMBER, "account")
        assert lanes.outbox.resume(NUMBER)
        assert len(lanes.grant()) == 1


class TestFallback:
    TEMPLATE = orjson.dumps({"to": "15551230001", "type": "template", "template": {"name": "again"}})

    def test_a_closed_window_sends_the_template_before_what_waits(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(id="a", fallback=self.TEMPLATE))
        lanes.outbox.put(send(id="b"))
        (grant,) = lanes.grant()
        ended = done(lanes, grant, kind="failed", error={"code": 131047}, code=131047)
        assert ended.fallback_id == "af"
        (template,) = lanes.grant()
        assert (template.id, template.type, template.body) == ("af", "template", self.TEMPLATE)

    def test_as_a_later_status_too_and_only_once(self, lanes: Lanes) -> None:
        sent(lanes, id="a", fallback=self.TEMPLATE)
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131047}])
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131047}])
        assert [grant.id for grant in lanes.grant(count=5)] == ["af"]
        record = lanes.records.get("a")
        assert record is not None
        assert record.replaced_by == "af"

    def test_another_failure_sends_none(self, lanes: Lanes) -> None:
        sent(lanes, id="a", fallback=self.TEMPLATE)
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131026}])
        assert lanes.grant() == []

    def test_while_another_is_being_sent_the_template_goes_next(self, lanes: Lanes) -> None:
        sent(lanes, id="a", fallback=self.TEMPLATE)
        lanes.outbox.put(send(id="b"))
        lanes.outbox.put(send(id="c"))
        (b,) = lanes.grant()
        status(lanes, "wamid.A1", "failed", errors=[{"code": 131047}])
        assert lanes.grant() == []
        done(lanes, b, kind="accepted", wamid="wamid.B")
        assert [grant.id for grant in lanes.grant()] == ["af"]
