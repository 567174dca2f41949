"""Batches in the store: stored by index, fed into lanes, counted, paused, resumed, canceled, erased."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import redis
from structlog.testing import capture_logs

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send, system
from tests.integration.personal import traces
from tests.keys import NAMES, PREFIX
from wa_service.store.batches import (
    LOADING_SECONDS,
    Batch,
    Batches,
    BatchItem,
    NewBatch,
    StopWhen,
    longest_wait,
)
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.outbox import Limits, Priority, SendOutcome
from wa_service.store.records import Record, RecordFilter, item_record
from wa_service.store.schedule import Schedule
from wa_service.store.stop_digests import StopDigests
from wa_service.worker import batches as worker
from wa_service.worker.batches import BatchWorker

FIRST = 15551230000


@pytest.fixture
def batches(lanes: Lanes) -> Batches:
    return Batches(lanes.outbox, ttl_seconds=3_600)


def item(index: int, customer: int | None = None, **rest: Any) -> BatchItem:
    """An item to a separate customer."""
    outgoing = send(str(customer or FIRST + index), priority=Priority.BULK, tag="spring")
    return BatchItem(index, outgoing, opens=False, **rest)


def load(batches: Batches, items: list[BatchItem], *, batch_id: str = "b1", **facts: Any) -> str:
    """Store and start a batch; return its id."""
    batches.open(NewBatch(batch_id, "print", "tester", **facts))
    batches.add(batch_id, 0, len(items), items)
    batches.change(batch_id, "start")
    return batch_id


def read(batches: Batches, batch_id: str = "b1") -> Batch:
    batch = batches.get(batch_id)
    assert batch is not None
    return batch


def end(lanes: Lanes, kind: Any = "accepted", code: int | None = None, count: int = 16) -> list[str]:
    """End the sends that may leave now with this outcome; return the records' ids."""
    grants = lanes.grant(count=count)
    for grant in grants:
        error = {"code": code, "reason": "recipient"} if code else None
        outcome = SendOutcome(kind, wamid=f"wamid.{grant.id}", error=error, code=code)
        lanes.outbox.done(NUMBER, grant, outcome)
    return [grant.id for grant in grants]


def tell(lanes: Lanes, record_id: str, word: str, **raw: Any) -> None:
    status = meta_status(f"wamid.{record_id}", word, **raw)
    lanes.store.run([lanes.outbox.apply_status(status, int(time.time() * 1000))])


def test_nothing_leaves_before_all_of_it_is_stored(batches: Batches, lanes: Lanes) -> None:
    batches.open(NewBatch("b1", "print", "tester"))
    batches.add("b1", 0, 2, [item(0), item(1)])
    assert batches.feed(NUMBER, {}) == 0
    batches.change("b1", "start")
    assert batches.feed(NUMBER, {}) == 2
    assert sorted(end(lanes)) == sorted(item_record("b1", index) for index in (0, 1))


def test_a_place_that_is_stored_is_not_stored_again(batches: Batches) -> None:
    assert batches.open(NewBatch("b1", "print", "tester")) == ("loading", 0)
    assert batches.add("b1", 0, 2, [item(0), item(1)]) == 2
    assert batches.add("b1", 0, 2, [item(0), item(1)]) == 0
    assert batches.open(NewBatch("b1", "print", "tester")) == ("loading", 2)
    assert batches.open(NewBatch("b1", "other", "tester")).state == "conflict"
    assert batches.add("b1", 2, 4, [item(3)]) == 1, "place 2 was refused"
    assert read(batches).counts == {"scheduled": 3}


def test_a_batch_that_is_never_started_is_kept_a_day(batches: Batches, lanes: Lanes, redis_client: redis.Redis) -> None:
    batches.open(NewBatch("b1", "print", "tester"))
    batches.add("b1", 0, 2, [item(0), item(1)])
    of_batch = [f"{PREFIX}batch:b1", f"{PREFIX}batch_items:b1", f"{PREFIX}batch_wait:b1:{NUMBER}"]
    assert {redis_client.ttl(key) for key in of_batch} <= {LOADING_SECONDS, LOADING_SECONDS - 1}

    batches.change("b1", "start")

    assert min(redis_client.ttl(key) for key in of_batch) > longest_wait(35)


def test_what_stops_a_move_loses_no_item(batches: Batches, lanes: Lanes, redis_client: redis.Redis) -> None:
    load(batches, [item(0), item(1)])
    redis_client.set(f"{PREFIX}sends", "no list of sends")
    batches.feed(NUMBER, {})
    later = f"{PREFIX}batch_later:b1:{NUMBER}"
    assert redis_client.zcard(later) == 2
    assert redis_client.ttl(later) > LOADING_SECONDS

    redis_client.delete(f"{PREFIX}sends")
    redis_client.zadd(later, {"0": 0, "1": 0})
    redis_client.zadd(f"{PREFIX}batches:{NUMBER}", {"b1": 0})
    batches.feed(NUMBER, {})

    assert sorted(end(lanes)) == sorted(item_record("b1", index) for index in (0, 1))


def test_counts_follow_every_status_and_it_is_done_once_all_have_ended(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(4)])
    batches.feed(NUMBER, {})
    assert read(batches).counts == {"queued": 4}
    (first, second) = end(lanes, count=2)
    tell(lanes, first, "delivered")
    tell(lanes, second, "failed", errors=[{"code": 131026, "title": "Undeliverable."}])
    end(lanes, "failed", code=131026, count=1)
    (unknown,) = end(lanes, "unknown")
    batch = read(batches)
    assert batch.counts == {"delivered": 1, "failed": 2, "unknown": 1}
    assert batch.reasons == {"131026": 2}
    assert batch.state == "running"
    assert batch.first is not None
    assert batch.last is not None

    tell(lanes, unknown, "read", biz_opaque_callback_data=unknown)

    assert read(batches).counts == {"delivered": 1, "failed": 2, "read": 1}
    assert read(batches).state == "done"
    assert [notice.state for notice in batches.notices()] == ["done"]
    assert batches.notices() == []
    assert lanes.store.do("EXISTS", f"{PREFIX}batch_items:b1") == 0, "what it said is forgotten"


def test_a_record_names_its_batch_and_its_place(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(0), item(1)])
    batches.feed(NUMBER, {})
    record = lanes.records.get(item_record("b1", 1))
    assert record is not None
    assert (record.batch, record.batch_index, record.tag, record.to) == ("b1", 1, "spring", str(FIRST + 1))


def test_replies_go_before_a_batch(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(3)])
    batches.feed(NUMBER, {})
    lanes.outbox.put(send("15559990000", id="reply"))
    assert lanes.grant(count=1)[0].id == "reply"


def test_only_a_few_stand_in_lanes_and_batches_take_turns(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(300)], batch_id="b1")
    load(batches, [item(index) for index in range(300, 400)], batch_id="b2")
    while batches.feed(NUMBER, {}):
        pass
    queued = [read(batches, batch_id).counts["queued"] for batch_id in ("b1", "b2")]
    assert sum(queued) == 160, "two seconds of the number's throughput"
    assert min(queued) >= 60


def test_a_paused_batch_takes_its_items_back_and_blocks_nobody(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(3)])
    batches.feed(NUMBER, {})
    lanes.outbox.put(send(str(FIRST), id="behind", priority=Priority.BULK))
    batches.change("b1", "pause")

    assert [grant.id for grant in lanes.grant(count=16)] == ["behind"]
    assert read(batches).counts == {"scheduled": 3}
    assert read(batches).reason == "asked"
    assert batches.feed(NUMBER, {}) == 0

    batches.change("b1", "resume")
    assert batches.feed(NUMBER, {}) == 3
    assert len(end(lanes)) == 2, "one customer's lane has a message on its way"
    assert read(batches).counts == {"accepted": 2, "queued": 1}


def test_a_pause_longer_than_the_ttl_fails_nothing_but_what_has_its_own(
    batches: Batches, lanes: Lanes, redis_client: redis.Redis
) -> None:
    load(batches, [item(0), item(1)])
    batches.feed(NUMBER, {})
    batches.change("b1", "pause")
    assert lanes.grant(count=16) == []
    for index in range(2):
        redis_client.hset(NAMES.record(item_record("b1", index)), "expires", 1)
    redis_client.hset(f"{PREFIX}batch_items:b1", "1", item(1, expires=1).stored())
    batches.change("b1", "resume")
    assert batches.feed(NUMBER, {}) == 2
    assert end(lanes) == [item_record("b1", 0)]
    assert read(batches).counts == {"accepted": 1, "failed": 1}


def test_a_disabled_template_pauses_the_batch_at_its_first_word(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(3)])
    batches.feed(NUMBER, {})
    end(lanes, "failed", code=132016, count=1)
    assert (read(batches).state, read(batches).reason) == ("paused", "template_disabled")
    assert lanes.grant(count=16) == []
    assert read(batches).counts == {"failed": 1, "scheduled": 2}


def test_a_paused_template_pauses_the_batch_and_none_of_its_messages_fails(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(3)])
    batches.feed(NUMBER, {})
    end(lanes, "held", code=132015, count=1)
    assert (read(batches).state, read(batches).reason) == ("paused", "template_paused")
    assert lanes.grant(count=16) == []
    assert read(batches).counts == {"scheduled": 3}


UNAVAILABLE = SendOutcome(
    "held",
    delay=600.0,
    error={"code": 134101, "reason": "template"},
    meta_healthy=True,
    reason="template_unavailable",
)


def template(index: int, **rest: Any) -> BatchItem:
    """A template to a separate customer."""
    outgoing = send(str(FIRST + index), type="template", template="spring en_US", priority=Priority.BULK)
    return BatchItem(index, outgoing, opens=True, **rest)


def look_again(lanes: Lanes, batch_id: str = "b1") -> None:
    """End the wait of a batch and its items."""
    later = f"{PREFIX}batch_later:{batch_id}:{NUMBER}"
    for index in lanes.store.do("ZRANGE", later, 0, -1):
        lanes.store.do("ZADD", later, 1, index)
    lanes.store.do("ZADD", f"{PREFIX}batches:{NUMBER}", "XX", 1, batch_id)


@pytest.fixture
def waits(batches: Batches, lanes: Lanes) -> Batches:
    """Return the batches; the template of b1, which has three items, cannot be sent yet."""
    load(batches, [template(index) for index in range(3)])
    batches.feed(NUMBER, {})
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, UNAVAILABLE)
    assert lanes.grant(count=16) == []
    return batches


def make_due(lanes: Lanes) -> None:
    """End the wait for the template."""
    look_again(lanes)
    lanes.store.do("DEL", f"{PREFIX}unavailable_templates:waba")


def held_item(lanes: Lanes) -> Record:
    found = lanes.records.get(item_record("b1", 0))
    assert found is not None
    return found


def test_a_batch_whose_template_cannot_be_sent_yet_waits_and_loses_nothing(waits: Batches, lanes: Lanes) -> None:
    assert (read(waits).state, read(waits).counts) == ("running", {"scheduled": 3})
    held = held_item(lanes).held
    assert held is not None
    assert held.reason == "template_unavailable"
    assert waits.feed(NUMBER, {}) == 0
    make_due(lanes)
    assert waits.feed(NUMBER, {}) == 3
    assert read(waits).counts == {"queued": 3}
    assert len(end(lanes)) == 3
    assert (read(waits).state, read(waits).counts) == ("done", {"accepted": 3})


def test_the_rest_of_the_batch_waits_as_long(batches: Batches, lanes: Lanes, redis_client: redis.Redis) -> None:
    load(batches, [template(index) for index in range(300)])
    batches.feed(NUMBER, {})
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, UNAVAILABLE)
    for _ in range(3):
        assert batches.feed(NUMBER, {}) == 0
    until = redis_client.zscore(f"{PREFIX}batch_later:b1:{NUMBER}", "299") or 0
    assert 590_000 < until - time.time() * 1000 <= 600_000


def test_a_clock_that_is_set_back_stops_no_batch(batches: Batches, lanes: Lanes, redis_client: redis.Redis) -> None:
    load(batches, [item(index) for index in range(300)])
    assert batches.feed(NUMBER, {}) == 100
    # So far the server's clock was an hour ahead.
    redis_client.hincrby(NAMES.of("clock"), "wall", 3_600_000)
    redis_client.zincrby(f"{PREFIX}batches:{NUMBER}", 3_599_000, "b1")
    assert batches.feed(NUMBER, {}) == 60


def test_items_with_another_message_go_on_while_a_template_cannot_be_sent(batches: Batches, lanes: Lanes) -> None:
    load(batches, [*map(template, range(200)), *map(item, range(200, 210))])
    batches.feed(NUMBER, {})
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, UNAVAILABLE)
    for _ in range(4):  # 64 lanes at each call
        assert lanes.grant(count=16) == []
    assert sum(batches.feed(NUMBER, {}) for _ in range(3)) == 10  # each call looks at a hundred items
    assert read(batches).counts == {"scheduled": 200, "queued": 10}


def test_an_item_that_waits_for_its_template_obeys_a_pause(waits: Batches, lanes: Lanes) -> None:
    waits.change("b1", "pause")
    make_due(lanes)
    assert waits.feed(NUMBER, {}) == 0
    assert lanes.grant(count=16) == []
    assert read(waits).counts == {"scheduled": 3}
    waits.change("b1", "resume")
    assert waits.feed(NUMBER, {}) == 3
    assert len(end(lanes)) == 3


def test_an_item_that_waits_for_its_template_is_canceled_with_its_batch(waits: Batches, lanes: Lanes) -> None:
    waits.change("b1", "cancel")
    waits.sweep("b1")
    assert read(waits).counts == {"canceled": 3}
    make_due(lanes)
    assert waits.feed(NUMBER, {}) == 0, "it is never moved into a lane again"


@pytest.mark.parametrize("change", ["pause", "cancel"])
def test_an_item_that_is_held_after_its_batch_stopped_obeys_it(
    batches: Batches, lanes: Lanes, redis_client: redis.Redis, change: Any
) -> None:
    load(batches, [template(0)])
    batches.feed(NUMBER, {})
    (grant,) = lanes.grant()
    batches.change("b1", change)
    batches.sweep("b1")
    lanes.outbox.done(NUMBER, grant, UNAVAILABLE)
    redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {grant.id: 1}, xx=True)
    redis_client.delete(f"{PREFIX}unavailable_templates:waba")
    Schedule(lanes.outbox).move_due(NUMBER, 10)
    assert lanes.grant(count=16) == []
    assert read(batches).counts == {"scheduled" if change == "pause" else "canceled": 1}


def test_an_item_that_waited_for_its_template_obeys_quiet_hours(waits: Batches, lanes: Lanes) -> None:
    make_due(lanes)
    assert waits.feed(NUMBER, {"b1": int(time.time() * 1000) + 3_600_000}) == 0
    Schedule(lanes.outbox).move_due(NUMBER, 10)
    assert lanes.grant(count=16) == []
    make_due(lanes)
    assert waits.feed(NUMBER, {}) == 3
    assert len(end(lanes)) == 3


def test_an_item_that_waits_longer_for_its_template_than_its_ttl_ends(
    waits: Batches, lanes: Lanes, redis_client: redis.Redis
) -> None:
    redis_client.hset(NAMES.record(item_record("b1", 0)), "expires", 1)
    make_due(lanes)
    assert waits.feed(NUMBER, {}) == 3
    assert len(end(lanes)) == 2
    assert held_item(lanes).error == {"reason": "expired", "title": "Meta could not send its template within its ttl."}


def test_a_second_wait_for_the_template_is_shown_and_counts_for_the_ttl(
    waits: Batches, lanes: Lanes, redis_client: redis.Redis
) -> None:
    expires = held_item(lanes).expires
    redis_client.hset(NAMES.record(item_record("b1", 0)), "held_until", 1)
    look_again(lanes)
    assert waits.feed(NUMBER, {}) == 0
    held = held_item(lanes).held
    assert held is not None
    assert (held.until or 0) > time.time() * 1000
    make_due(lanes)
    assert waits.feed(NUMBER, {}) == 3
    assert held_item(lanes).expires == expires


def test_quiet_hours_after_the_wait_for_a_template_do_not_count_for_the_ttl(
    waits: Batches, lanes: Lanes, redis_client: redis.Redis
) -> None:
    now = int(time.time() * 1000)
    redis_client.hset(
        NAMES.record(item_record("b1", 0)),
        mapping={"held_until": now - 8 * 3_600_000, "expires": now - 7 * 3_600_000},
    )
    make_due(lanes)
    assert waits.feed(NUMBER, {}) == 3
    assert len(end(lanes)) == 3


def test_an_item_that_waited_for_its_template_enters_the_lane_that_is_its_customer_s_now(
    batches: Batches, lanes: Lanes, redis_client: redis.Redis
) -> None:
    lanes.admit(message("", user_id="US.42"))
    older = f"{NUMBER}:US.42"
    redis_client.hset(f"{PREFIX}contact:{older}", "since", 1)
    load(batches, [template(0)])
    batches.feed(NUMBER, {})
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, UNAVAILABLE)
    lanes.admit(message(str(FIRST), user_id="US.42"))
    make_due(lanes)
    assert batches.feed(NUMBER, {}) == 1
    (again,) = lanes.grant()
    assert (again.id, grant.conversation, again.conversation) == (grant.id, f"{NUMBER}:{FIRST}", older)


def test_a_spam_limit_pauses_the_batch_though_its_message_is_tried_again(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(0), item(1)])
    batches.feed(NUMBER, {})
    end(lanes, "retry", code=131048, count=1)
    assert (read(batches).state, read(batches).reason) == ("paused", "spam_limited")


def test_it_stops_when_too_many_fail_and_counts_anew_after_a_resume(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(20)], stop_when=StopWhen(0.5, 4))
    batches.feed(NUMBER, {})
    end(lanes, count=2)
    end(lanes, "failed", code=131026, count=1)
    assert read(batches).state == "running"
    end(lanes, "failed", code=131026, count=1)
    assert (read(batches).state, read(batches).reason) == ("paused", "too_many_failed")
    batches.change("b1", "resume")
    batches.feed(NUMBER, {})
    end(lanes, "failed", code=131026, count=1)
    assert read(batches).state == "running"


def test_items_that_meta_never_got_count_neither_as_sent_nor_as_failed(batches: Batches, lanes: Lanes) -> None:
    too_late = int(time.time() * 1000) - 1
    late = [item(index, expires=too_late) for index in range(6)]
    load(batches, [*late, *map(item, range(6, 12))], stop_when=StopWhen(0.5, 2))
    batches.feed(NUMBER, {})
    batch = read(batches)
    assert (batch.state, batch.reasons, batch.first) == ("running", {"expired": 6}, None)

    end(lanes, count=1)
    end(lanes, "failed", code=131026, count=1)

    batch = read(batches)
    assert (batch.state, batch.reason) == ("paused", "too_many_failed")
    assert batch.first is not None


def test_a_status_of_an_item_that_had_expired_counts_it_as_sent(batches: Batches, lanes: Lanes) -> None:
    """It was sent, and its answer was lost."""
    load(batches, [item(0), item(1)], stop_when=StopWhen(0.5, 1))
    batches.feed(NUMBER, {})
    (grant,) = lanes.grant(count=1)
    lanes.outbox.done(NUMBER, grant, SendOutcome("retry"))
    lanes.store.do("HSET", f"{PREFIX}record:{grant.id}", "expires", 1)
    lanes.store.do("ZADD", f"{PREFIX}out:{NUMBER}:1", "XX", 1, grant.conversation)
    lanes.grant(count=1)
    assert read(batches).reasons == {"expired": 1}

    tell(lanes, grant.id, "failed", errors=[{"code": 131026}], biz_opaque_callback_data=grant.id)

    assert (read(batches).state, read(batches).reason) == ("paused", "too_many_failed")


@pytest.fixture
def full_quota(store: Store) -> Lanes:
    """Return the lanes of a number that may message one customer a day first."""
    lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "waba")})
    lanes.outbox.put(send("15559990000", type="template"), opens=True)
    end(lanes)
    return lanes


def test_items_that_need_no_room_in_the_quota_do_not_wait_for_those_that_do(full_quota: Lanes) -> None:
    batches = Batches(full_quota.outbox, ttl_seconds=3_600)
    load(batches, [*map(template, range(150)), *map(item, range(150, 153))])
    assert sum(batches.feed(NUMBER, {}) for _ in range(2)) == 3
    assert read(batches).counts == {"scheduled": 150, "queued": 3}


def test_one_step_looks_at_a_hundred_items_of_all_batches_together(
    full_quota: Lanes, redis_client: redis.Redis
) -> None:
    """The store serves nobody else during a step."""
    batches = Batches(full_quota.outbox, ttl_seconds=3_600)
    for number in range(10):
        load(batches, [template(20 * number + index) for index in range(20)], batch_id=f"b{number}")
    assert batches.feed(NUMBER, {}) == 0
    assert [redis_client.llen(f"{PREFIX}batch_wait:b{number}:{NUMBER}") for number in range(10)] == [10] * 10


def test_a_batch_that_waits_for_the_quota_stops_no_other(full_quota: Lanes, redis_client: redis.Redis) -> None:
    batches = Batches(full_quota.outbox, ttl_seconds=3_600)
    load(batches, [template(index) for index in range(250)])
    assert [batches.feed(NUMBER, {}) for _ in range(3)] == [0, 0, 0]
    until = redis_client.zscore(f"{PREFIX}batches:{NUMBER}", "b1") or 0
    assert 55_000 < until - time.time() * 1000 <= 60_000, "it is not looked at in every call"
    load(batches, [item(index) for index in range(300, 303)], batch_id="b2")
    assert batches.feed(NUMBER, {}) == 3
    assert len(end(full_quota)) == 3
    assert read(batches).counts == {"scheduled": 250}

    look_again(full_quota)
    redis_client.delete(NAMES.quota("waba"))
    assert batches.feed(NUMBER, {}) == 1
    assert len(end(full_quota)) == 1


def test_single_sends_that_wait_for_the_quota_stop_no_batch(full_quota: Lanes) -> None:
    for index in range(161):
        waiting = send(str(FIRST + index), type="template", template="spring en_US", priority=Priority.BULK)
        assert full_quota.outbox.put(waiting, opens=True).outcome == "queued"
    assert [full_quota.grant() for _ in range(4)] == [[]] * 4  # each looks at 64 lanes
    batches = Batches(full_quota.outbox, ttl_seconds=3_600)
    load(batches, [item(index) for index in range(300, 303)])
    assert batches.feed(NUMBER, {}) == 3
    assert len(end(full_quota)) == 3


def test_who_may_be_messaged_without_room_does_not_wait_behind_who_may_not(full_quota: Lanes) -> None:
    batches = Batches(full_quota.outbox, ttl_seconds=3_600)
    full_quota.admit(message(str(FIRST + 1)), message(str(FIRST + 3)))
    load(batches, [template(index) for index in range(4)])
    assert batches.feed(NUMBER, {}) == 2
    assert end(full_quota) == [item_record("b1", index) for index in (1, 3)]


def test_an_item_that_waited_for_the_quota_obeys_quiet_hours(full_quota: Lanes, redis_client: redis.Redis) -> None:
    batches = Batches(full_quota.outbox, ttl_seconds=3_600)
    load(batches, [template(0, country="US")], quiet="21:00-08:00")
    batches.feed(NUMBER, {})
    look_again(full_quota)
    redis_client.delete(NAMES.quota("waba"))
    assert batches.feed(NUMBER, {"b1": {"US": int(time.time() * 1000) + 60_000}}) == 0
    assert full_quota.grant() == []


def test_an_item_that_a_pause_took_back_waits_for_the_quota_in_its_batch(
    full_quota: Lanes, redis_client: redis.Redis
) -> None:
    batches = Batches(full_quota.outbox, ttl_seconds=3_600)
    redis_client.delete(NAMES.quota("waba"))
    load(batches, [template(0)])
    batches.feed(NUMBER, {})
    batches.change("b1", "pause")
    assert full_quota.grant() == []
    redis_client.zadd(NAMES.quota("waba"), {"15559990000": time.time() * 1000})
    batches.change("b1", "resume")
    assert batches.feed(NUMBER, {}) == 0
    assert read(batches).counts == {"scheduled": 1}

    look_again(full_quota)
    redis_client.delete(NAMES.quota("waba"))
    assert batches.feed(NUMBER, {}) == 1
    assert redis_client.zcard(NAMES.quota("waba")) == 1
    assert end(full_quota) == [item_record("b1", 0)]


def test_what_meta_withholds_pauses_from_the_twentieth_on(store: Store) -> None:
    lanes = Lanes.over(store, limits={NUMBER: Limits(1_000, 0, "waba")})
    batches = Batches(lanes.outbox, ttl_seconds=3_600)
    load(batches, [item(index) for index in range(60)])
    batches.feed(NUMBER, {})
    ids = [id_ for _ in range(2) for id_ in end(lanes, count=10)]
    for record_id in ids[:19]:
        tell(lanes, record_id, "failed", errors=[{"code": 131049}])
    assert read(batches).state == "running"
    tell(lanes, ids[19], "failed", errors=[{"code": 131049}])
    assert (read(batches).state, read(batches).reason) == ("paused", "withheld_by_meta")


def test_items_rest_by_country_and_leave_when_their_time_has_come(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(0, country="US"), item(1, country="DE")], quiet="21:00-08:00")
    assert batches.active(NUMBER) == {"b1": "21:00-08:00"}
    batches.feed(NUMBER, {"b1": {"US": int(time.time() * 1000) + 60_000}})
    assert end(lanes) == [item_record("b1", 1)]
    assert batches.feed(NUMBER, {}) == 0
    later = f"{PREFIX}batch_later:b1:{NUMBER}"
    lanes.store.do("ZADD", later, 0, "0")
    lanes.store.do("ZADD", f"{PREFIX}batches:{NUMBER}", 0, "b1")
    assert batches.feed(NUMBER, {}) == 1


def test_a_batch_rests_as_a_whole_in_a_named_zone_and_until_its_time(batches: Batches, lanes: Lanes) -> None:
    in_an_hour = int(time.time() * 1000) + 3_600_000
    load(batches, [item(0)], quiet="21:00-08:00 Europe/Berlin")
    batches.feed(NUMBER, {"b1": in_an_hour})
    load(batches, [item(1)], batch_id="b2", send_at=in_an_hour)
    assert batches.feed(NUMBER, {}) == 0
    assert lanes.grant(count=16) == []


def test_quiet_hours_begin_on_the_minute_however_recently_they_were_computed(
    batches: Batches, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = datetime(2026, 7, 1, 20, 59, 55, tzinfo=UTC).timestamp()
    monkeypatch.setattr(worker, "time", SimpleNamespace(time=lambda: clock, monotonic=lambda: clock))
    now = SimpleNamespace(now=lambda zone: datetime.fromtimestamp(clock, zone))
    monkeypatch.setattr(worker, "datetime", now)
    feeding = BatchWorker(batches, [NUMBER])
    for batch_id, seconds, state in (("b1", 0, "queued"), ("b2", 6, "scheduled")):
        clock += seconds
        load(batches, [item(0)], batch_id=batch_id, quiet="21:00-08:00 UTC")
        feeding.run_once()
        assert read(batches, batch_id).counts == {state: 1}


def test_quiet_hours_in_a_zone_that_this_machine_does_not_know_hold_up_no_other_batch(
    batches: Batches, lanes: Lanes
) -> None:
    load(batches, [item(0)], quiet="21:00-08:00 Nowhere/Known")
    load(batches, [item(1)], batch_id="b2")

    with capture_logs() as lines:
        BatchWorker(batches, [NUMBER]).run_once()

    assert end(lanes) == [item_record("b2", 1)]
    assert [line["event"] for line in lines] == ["whatsapp.batch.quiet_hours_unreadable"]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_batch_waits_for_its_time_however_often_it_is_looked_at(
    batches: Batches, lanes: Lanes, redis_client: redis.Redis, *, resumed: bool
) -> None:
    """It is looked at once a minute: its time is the server's, that of a look the store's own."""
    in_an_hour = int(time.time() * 1000) + 3_600_000
    load(batches, [item(0)], send_at=in_an_hour)
    if resumed:
        batches.change("b1", "pause")
        batches.change("b1", "resume")
    for _ in range(2):
        look_again(lanes)
        assert batches.feed(NUMBER, {}) == 0
    assert read(batches).counts == {"scheduled": 1}

    redis_client.hset(f"{PREFIX}batch:b1", "at", 1)
    look_again(lanes)
    assert batches.feed(NUMBER, {}) == 1


def test_a_cancel_leaves_nothing_that_was_not_claimed(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(index) for index in range(200)])
    batches.feed(NUMBER, {})
    (claimed,) = lanes.grant(count=1)
    assert batches.change("b1", "cancel") == "canceled"
    batches.sweep("b1")

    assert read(batches).counts == {"canceled": 199, "queued": 1}
    assert lanes.grant(count=16) == []
    assert batches.feed(NUMBER, {}) == 0
    (waited, *_), _ = lanes.records.page(RecordFilter(batch="b1"), "", 10)
    assert (waited.id, waited.status, waited.to) == (item_record("b1", 199), "canceled", str(FIRST + 199))
    assert b"hi" not in lanes.store.do("HGET", f"{PREFIX}batch_items:b1", 199), "what it said is forgotten"

    lanes.outbox.done(NUMBER, claimed, SendOutcome("accepted", wamid="wamid.A"))
    assert read(batches).counts == {"accepted": 1, "canceled": 199}
    assert batches.change("b1", "resume") == "canceled"


def test_a_claimed_item_that_never_left_is_canceled_when_it_comes_back(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(0)])
    batches.feed(NUMBER, {})
    (claimed,) = lanes.grant()
    batches.change("b1", "cancel")
    batches.sweep("b1")
    lanes.outbox.done(NUMBER, claimed, SendOutcome("retry", never_left=True))
    assert lanes.grant() == []
    assert read(batches).counts == {"canceled": 1}


def test_what_waited_too_long_is_not_sent(batches: Batches, lanes: Lanes) -> None:
    load(batches, [item(0, expires=int(time.time() * 1000) - 1)])
    batches.feed(NUMBER, {})
    assert read(batches).reasons == {"expired": 1}


def test_a_customer_whose_lane_is_full_waits_and_the_others_go_on(batches: Batches, lanes: Lanes) -> None:
    crowded = f"{PREFIX}lane:{NUMBER}:{FIRST}"
    lanes.store.do("RPUSH", crowded, *[f"x{i}" for i in range(1_000)])
    load(batches, [item(0), item(1)])
    batches.feed(NUMBER, {})
    assert read(batches).counts == {"queued": 1, "scheduled": 1}


def test_who_is_forgotten_is_not_written_to(batches: Batches, lanes: Lanes, store: Store) -> None:
    load(batches, [item(0), item(1), item(2)])
    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(str(FIRST + 1))
    batches.feed(NUMBER, {})
    assert len(end(lanes)) == 2
    assert read(batches).total == 2
    assert read(batches).state == "done"


def test_who_is_forgotten_is_not_written_to_at_a_former_number(batches: Batches, lanes: Lanes, store: Store) -> None:
    former, new = str(FIRST), "15559870002"
    lanes.admit(message(former))
    load(batches, [item(0), item(1)])
    lanes.admit(system("wamid.CHANGED", sender=former, type="user_changed_number", wa_id=new))
    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(new)
    batches.feed(NUMBER, {})
    assert end(lanes) == [item_record("b1", 1)]
    assert read(batches).total == 1


@pytest.mark.parametrize("kind", ["accepted", "failed"])
def test_an_item_to_somebody_else_that_names_who_is_forgotten_is_sent_whole_and_then_deleted(
    batches: Batches, lanes: Lanes, store: Store, redis_client: redis.Redis, kind: str
) -> None:
    gone = "15559870002"
    body = orjson.dumps({"to": str(FIRST), "text": {"body": f"call {gone}"}})
    load(batches, [replace(item(0), send=replace(item(0).send, body=body)), item(1)])
    for _ in range(2):
        Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(gone)
    batches.feed(NUMBER, {})
    bodies = {grant.id: grant.body for grant in lanes.grant(count=2)}
    assert bodies[item_record("b1", 0)] == body
    for grant_id in bodies:
        tell(lanes, grant_id, "sent" if kind == "accepted" else "failed", biz_opaque_callback_data=grant_id)
    assert list(traces(redis_client, gone)) == []
    assert redis_client.hexists(NAMES.record(item_record("b1", 1)), "body")
    assert redis_client.hget(f"{PREFIX}batch:b1", "bytes") == b"0"


def test_an_item_that_names_who_is_forgotten_and_is_refused_leaves_no_content(
    batches: Batches, lanes: Lanes, store: Store, redis_client: redis.Redis
) -> None:
    gone, later = "15559870002", int(time.time() * 1000) + 60_000
    lanes.admit(message(str(FIRST)))
    redis_client.hset(NAMES.contact(f"{NUMBER}:{FIRST}"), "other_until", later)
    outgoing = replace(item(0).send, body=orjson.dumps({"to": str(FIRST), "text": {"body": f"call {gone}"}}))
    load(batches, [replace(item(0), send=outgoing)])
    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(gone)
    batches.feed(NUMBER, {})
    assert read(batches).reasons == {"not_owner": 1}
    assert list(traces(redis_client, gone)) == []


def test_who_is_forgotten_in_a_lane_counts_no_more(batches: Batches, lanes: Lanes, store: Store) -> None:
    load(batches, [item(0), item(1)])
    batches.feed(NUMBER, {})
    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(str(FIRST + 1))
    assert (read(batches).counts, read(batches).total) == ({"queued": 1}, 1)
    assert end(lanes) == [item_record("b1", 0)]
    assert (read(batches).counts, read(batches).state) == ({"accepted": 1}, "done")


def test_who_is_forgotten_between_a_cancel_and_its_sweep_counts_no_more(batches: Batches, store: Store) -> None:
    load(batches, [item(0), item(1)])
    batches.change("b1", "cancel")
    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(str(FIRST + 1))
    batches.sweep("b1")
    assert read(batches).counts == {"canceled": 1}


def test_who_said_stop_gets_no_marketing_though_forgotten_since(store: Store) -> None:
    lanes = Lanes.over(store, digests=StopDigests(store))
    batches = Batches(lanes.outbox, ttl_seconds=3_600)
    store.do("HSET", f"{PREFIX}categories:waba", "spring en_US", "MARKETING")
    load(batches, [replace(each, send=replace(each.send, template="spring en_US")) for each in (item(0), item(1))])
    (digest,) = StopDigests(store).of([str(FIRST + 1)])
    store.do("HSET", f"{PREFIX}stop:{digest}", "at", int(time.time() * 1000), "by", "words")
    batches.feed(NUMBER, {})
    assert end(lanes) == [item_record("b1", 0)]
    assert read(batches).reasons == {"customer_stopped": 1}
    # This customer has no contact: the rejected send is all that is stored about them.
    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(str(FIRST + 1))
    assert not lanes.records.get(item_record("b1", 1))


def test_memory_of_a_waiting_item(batches: Batches, redis_client: redis.Redis) -> None:
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "15551230000",
        "type": "template",
    }
    parameters = [{"type": "text", "text": "a value of the customer"} for _ in range(3)]
    components = [{"type": "body", "parameters": parameters}]
    body |= {"template": {"name": "spring_offer_2026", "language": {"code": "en_US"}, "components": components}}
    many = []
    for index in range(2_000):
        number = str(FIRST + index)
        outgoing = send(number, type="template", tag="spring")
        outgoing = replace(outgoing, body=orjson.dumps(body | {"to": number}))
        many.append(BatchItem(index, outgoing, opens=True, country="US"))
    before = redis_client.info("memory")["used_memory"]
    batches.open(NewBatch("b1", "print", "tester"))
    for first in range(0, 2_000, 100):
        batches.add("b1", first, first + 100, many[first : first + 100])
    assert (redis_client.info("memory")["used_memory"] - before) / 2_000 < 1_200


class TestBytes:
    """The content that waits in batches counts towards an API key's bytes until it ends."""

    @staticmethod
    def large(index: int) -> BatchItem:
        outgoing = replace(send(str(FIRST + index), priority=Priority.BULK), body=b'{"text":"' + b"x" * 100_000 + b'"}')
        return BatchItem(index, outgoing, opens=False)

    @staticmethod
    def waiting(store: Store, batch_id: str = "b1") -> int:
        return int(store.do("HGET", f"{PREFIX}batch:{batch_id}", "bytes") or 0)

    def test_they_have_an_end_and_what_found_no_room_is_forgotten(self, batches: Batches, store: Store) -> None:
        store.do("HSET", f"{PREFIX}unsent_bytes", "tester", (64 << 20) - 250_000)
        batches.open(NewBatch("b1", "print", "tester"))
        assert batches.add("b1", 0, 1, [self.large(0)]) == 1
        assert batches.add("b1", 1, 3, [self.large(1), self.large(2)]) == -1
        batches.drop("b1")
        assert batches.get("b1") is None
        assert store.do("KEYS", f"{PREFIX}batch*b1*") == []
        batches.open(NewBatch("b2", "print", "another"))
        assert batches.add("b2", 0, 1, [self.large(0)]) == 1

    def test_other_batches_of_the_key_count_with_it(self, batches: Batches, store: Store) -> None:
        load(batches, [self.large(0)])
        store.do("HSET", f"{PREFIX}batch:b1", "bytes", 64 << 20)
        batches.open(NewBatch("b2", "print", "tester"))
        assert batches.add("b2", 0, 1, [item(0)]) == -1
        store.do("DEL", f"{PREFIX}batch:b1")
        assert batches.add("b2", 0, 1, [item(0)]) == 1

    @pytest.mark.parametrize("end_of", ["accepted", "canceled", "erased"])
    def test_what_ended_counts_no_more(self, batches: Batches, lanes: Lanes, store: Store, end_of: str) -> None:
        load(batches, [self.large(0), self.large(1)])
        assert self.waiting(store) > 200_000
        match end_of:
            case "accepted":
                batches.feed(NUMBER, {})
                end(lanes)
            case "canceled":
                batches.change("b1", "cancel")
                batches.sweep("b1")
            case "erased":
                for index in (0, 1):
                    Contacts(store, (NUMBER,), retention_seconds=KEEP).forget(str(FIRST + index))
        assert self.waiting(store) < 1_000


def test_a_started_batch_is_not_dropped(batches: Batches) -> None:
    load(batches, [item(0)])
    batches.drop("b1")
    assert read(batches).state == "running"
