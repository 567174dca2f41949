"""A tag belongs to the numbers of one service; the data of former numbers expires."""

from __future__ import annotations

import time

import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import NAMES, PREFIX
from wa_service.store.batches import Batches, BatchItem, NewBatch
from wa_service.store.outbox import Priority
from wa_service.store.tag_numbers import TagNumbers, TagTakenError

OTHER, THIRD = "106540352242923", "106540352242924"


def tag(lanes: Lanes) -> TagNumbers:
    return TagNumbers(lanes.store, retention_seconds=KEEP)


def begin_batch(lanes: Lanes) -> None:
    """Start a batch of the number with one message."""
    batches = Batches(lanes.outbox, ttl_seconds=3_600)
    batches.open(NewBatch("b1", "print", "tester"))
    batches.add("b1", 0, 1, [BatchItem(0, send(priority=Priority.BULK), opens=False)])
    batches.change("b1", "start")


def expire_batch(redis_client: redis.Redis) -> None:
    """Let the batch end as after its retention: what has a lifetime is gone."""
    for key in redis_client.scan_iter(f"{PREFIX}batch*"):
        if redis_client.ttl(key) > 0:
            redis_client.delete(key)


class TestBinding:
    def test_another_service_is_told_whose_tag_it_is(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER])
        lanes.inbox.heartbeat("w")
        with pytest.raises(TagTakenError, match=f"WA_STORE_TAG.*{NUMBER}"):
            tag(lanes).bind([OTHER])

    def test_also_while_none_of_its_workers_is_there_but_its_customers_wait(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER])
        lanes.admit(message())
        with pytest.raises(TagTakenError):
            tag(lanes).bind([OTHER])

    def test_also_while_its_sends_wait(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER])
        lanes.outbox.put(send())
        with pytest.raises(TagTakenError):
            tag(lanes).bind([OTHER])

    def test_also_while_a_batch_of_its_own_waits(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER])
        begin_batch(lanes)
        with pytest.raises(TagTakenError):
            tag(lanes).bind([OTHER])

    def test_an_expired_batch_does_not_wait(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        tag(lanes).bind([NUMBER])
        begin_batch(lanes)
        expire_batch(redis_client)
        tag(lanes).bind([OTHER])

    def test_the_same_service_starts_as_often_as_it_likes(self, lanes: Lanes) -> None:
        for _ in range(3):
            tag(lanes).bind([NUMBER, OTHER])
            lanes.inbox.heartbeat("w")

    def test_numbers_may_come_and_go_while_one_stays(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER, OTHER])
        lanes.inbox.heartbeat("w")
        tag(lanes).bind([OTHER, THIRD])
        tag(lanes).bind([THIRD])
        with pytest.raises(TagTakenError):
            tag(lanes).bind([NUMBER])

    def test_a_tag_of_which_nobody_has_anything_any_more_may_be_taken(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER])
        tag(lanes).bind([OTHER])


class TestANumberThatIsNoLongerOurs:
    def former(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER, OTHER])
        lanes.outbox.put(send(id="waits"))
        lanes.outbox.put(send("15551230002", id="over"))
        tag(lanes).bind([OTHER])

    def test_its_sends_fail_when_their_time_is_over(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        self.former(lanes)
        assert tag(lanes).expire_former() == []
        redis_client.hset(NAMES.record("over"), "expires", int(time.time() * 1000) - 1)
        assert tag(lanes).expire_former() == ["over"]
        record = lanes.records.get("over")
        assert record is not None
        assert record.error == {"reason": "expired", "title": "It waited longer than its ttl."}
        assert redis_client.ttl(NAMES.record("over")) > 0
        assert tag(lanes).former() == [NUMBER]

    def test_it_is_remembered_no_longer_than_they_wait(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        self.former(lanes)
        for record in ("waits", "over"):
            redis_client.hset(NAMES.record(record), "expires", int(time.time() * 1000) - 1)
        assert set(tag(lanes).expire_former()) == {"waits", "over"}
        assert tag(lanes).former() == []

    def test_it_is_remembered_while_its_batches_have_items(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER, OTHER])
        begin_batch(lanes)
        tag(lanes).bind([OTHER])
        assert tag(lanes).expire_former() == []
        assert tag(lanes).former() == [NUMBER]
        Batches(lanes.outbox, ttl_seconds=3_600).change("b1", "cancel")
        Batches(lanes.outbox, ttl_seconds=3_600).sweep_canceled()
        assert tag(lanes).expire_former() == []
        assert tag(lanes).former() == []

    def test_also_of_a_paused_batch(self, lanes: Lanes) -> None:
        tag(lanes).bind([NUMBER, OTHER])
        begin_batch(lanes)
        batches = Batches(lanes.outbox, ttl_seconds=3_600)
        batches.change("b1", "pause")
        assert batches.feed(NUMBER, {}) == 0
        tag(lanes).bind([OTHER])
        assert tag(lanes).expire_former() == []
        assert tag(lanes).former() == [NUMBER]

    def test_but_not_for_a_batch_that_has_expired(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        tag(lanes).bind([NUMBER, OTHER])
        begin_batch(lanes)
        tag(lanes).bind([OTHER])
        expire_batch(redis_client)
        assert tag(lanes).expire_former() == []
        assert tag(lanes).former() == []
