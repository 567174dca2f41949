"""While Meta pauses a template its sends are held and reported, and they are sent when the pause ends."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, meta_status, send
from tests.integration.test_sender import YES, Meta, said
from tests.keys import PREFIX
from wa_service.delivery.sender import Sender
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.keys import template_key
from wa_service.store.outbox import Idempotency, Priority
from wa_service.store.records import Hold, Record
from wa_service.store.schedule import Schedule
from wa_service.store.template_pauses import TemplatePauses
from wa_service.whatsapp.client import Sent

CUSTOMER, OTHER = "15551230001", "15559870002"
OFFER, CODE = template_key("offer", "en_US"), template_key("code", "en_US")


@pytest.fixture
def schedule(lanes: Lanes) -> Schedule:
    return Schedule(lanes.outbox)


@pytest.fixture
def pauses(store: Store) -> TemplatePauses:
    return TemplatePauses(store, "waba", [NUMBER])


def template(lanes: Lanes, customer: str = CUSTOMER, name: str = OFFER, **rest: Any) -> str:
    wanted = send(customer, type="template", template=name, **rest)
    assert lanes.outbox.put(wanted, opens=True).outcome == "queued"
    return wanted.id


def record(lanes: Lanes, record_id: str) -> Record:
    found = lanes.records.get(record_id)
    assert found is not None
    return found


def hold(lanes: Lanes, pauses: TemplatePauses, record_id: str) -> Hold:
    """Hold a send because a webhook reported that its template is paused."""
    lanes.store.run([pauses.hold("offer", "en-US", 3600)])
    assert lanes.grant() == []
    found = record(lanes, record_id).held
    assert found is not None
    return found


def test_what_meta_refuses_for_a_pause_is_held_and_told(lanes: Lanes, redis_client: redis.Redis) -> None:
    sent = template(lanes)
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(said(132015)), lanes.outbox).send(grant)

    found = record(lanes, sent)
    assert found.status == "scheduled"
    assert found.error is not None
    assert (found.error["code"], found.error["reason"]) == (132015, "template")
    assert found.held is not None
    assert found.held.reason == "template_paused"
    assert found.held.until is not None
    assert found.held.until - found.held.since == 3 * 3_600_000
    last = redis_client.xrevrange(f"{PREFIX}events", count=1)[0][1][b"d"]
    assert b'"status":"scheduled"' in last
    assert b'"held":"template_paused"' in last
    assert b'"code":132015' in last


def test_who_waits_for_the_answer_is_told_at_once(lanes: Lanes, redis_client: redis.Redis) -> None:
    sent = template(lanes, notify=f"{PREFIX}results:web")
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(said(132015)), lanes.outbox).send(grant)
    assert redis_client.lrange(f"{PREFIX}results:web", 0, -1) == [sent.encode()]


def test_the_next_one_is_held_without_asking_meta(lanes: Lanes) -> None:
    template(lanes)
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(said(132015)), lanes.outbox).send(grant)
    second, other = template(lanes, OTHER), template(lanes, OTHER, CODE)

    assert [grant.id for grant in lanes.grant(count=8)] == [other]
    assert (record(lanes, second).held or Hold("", 0, 0)).reason == "template_paused"


@pytest.mark.parametrize(("code", "seconds"), [(134101, 600), (132069, 3_600)])
def test_a_template_that_meta_cannot_send_yet_is_tried_again_later(
    lanes: Lanes, schedule: Schedule, pauses: TemplatePauses, redis_client: redis.Redis, code: int, seconds: int
) -> None:
    sent = template(lanes)
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(said(code)), lanes.outbox).send(grant)
    second, other = template(lanes, OTHER), template(lanes, OTHER, CODE)

    assert [grant.id for grant in lanes.grant(count=8)] == [other]
    for each in (sent, second):
        found = record(lanes, each)
        assert (found.status, (found.held or Hold("", 0, 0)).reason) == ("scheduled", "template_unavailable")
    hold = record(lanes, sent).held or Hold("", 0, None)
    assert (hold.until or 0) - hold.since == seconds * 1000
    assert b'"held":"template_unavailable"' in redis_client.xrevrange(f"{PREFIX}events", count=1)[0][1][b"d"]
    assert pauses.note([{"name": "offer", "language": "en_US", "status": "APPROVED"}]) == 0, "it was never paused"

    redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {sent: 1})
    redis_client.hset(f"{PREFIX}unavailable_templates:waba", OFFER, 1)
    assert schedule.move_due(NUMBER, 10).moved == 1
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(YES), lanes.outbox).send(grant)
    assert (record(lanes, sent).status, record(lanes, sent).held) == ("accepted", None)


def test_a_template_that_meta_cannot_send_within_the_ttl_ends_the_send_and_says_so(
    lanes: Lanes, schedule: Schedule, redis_client: redis.Redis
) -> None:
    sent = template(lanes, ttl=60_000)
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(said(134101)), lanes.outbox).send(grant)
    due = redis_client.zscore(f"{PREFIX}scheduled:{NUMBER}", sent) or 0
    assert due < ((record(lanes, sent).held or Hold("", 0, 0)).until or 0), "it is looked at when its ttl is over"
    redis_client.hset(f"{PREFIX}record:{sent}", "expires", 1)
    redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {sent: 1})
    schedule.move_due(NUMBER, 10)
    assert lanes.grant() == []
    assert record(lanes, sent).error == {
        "reason": "expired",
        "title": "Meta could not send its template within its ttl.",
    }


def test_nobody_stands_behind_a_held_send(lanes: Lanes, pauses: TemplatePauses) -> None:
    sent = template(lanes)
    lanes.outbox.put(send(CUSTOMER, id="behind", priority=Priority.BULK))
    lanes.store.run([pauses.hold("offer", "en_US", 3600)])
    assert [grant.id for grant in lanes.grant(count=8)] == ["behind"]
    assert record(lanes, sent).held is not None


def test_it_is_sent_when_meta_tells_that_the_template_is_back(
    lanes: Lanes, schedule: Schedule, pauses: TemplatePauses
) -> None:
    sent = template(lanes)
    hold(lanes, pauses, sent)
    assert schedule.move_due(NUMBER, 10).moved == 0

    assert lanes.store.run([pauses.release("offer", "en_US")]) == [1]
    assert schedule.move_due(NUMBER, 10).moved == 1
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(YES), lanes.outbox).send(grant)
    found = record(lanes, sent)
    assert (grant.id, found.status, found.held, found.error) == (sent, "accepted", None, None)


def test_a_template_list_that_calls_it_approved_releases_it(
    lanes: Lanes, schedule: Schedule, pauses: TemplatePauses
) -> None:
    hold(lanes, pauses, template(lanes))
    assert pauses.note([{"name": "offer", "language": "en_US", "status": "PAUSED"}]) == 0
    assert pauses.note([{"name": "offer", "language": "en_US", "status": "APPROVED"}]) == 1
    assert schedule.move_due(NUMBER, 10).moved == 1


def test_what_waits_for_another_template_is_held_anew(lanes: Lanes, schedule: Schedule, pauses: TemplatePauses) -> None:
    lanes.store.run([pauses.hold("code", "en_US", 3600)])
    waits = template(lanes, OTHER, CODE)
    hold(lanes, pauses, template(lanes))
    lanes.store.run([pauses.release("offer", "en_US")])
    assert schedule.move_due(NUMBER, 10).moved == 2
    assert [grant.conversation for grant in lanes.grant(count=8)] == [f"{NUMBER}:{CUSTOMER}"]
    assert record(lanes, waits).held is not None


def test_after_the_pause_it_is_tried_again_by_itself(
    lanes: Lanes, schedule: Schedule, pauses: TemplatePauses, redis_client: redis.Redis
) -> None:
    sent = template(lanes)
    hold(lanes, pauses, sent)
    redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {sent: 1})
    redis_client.hset(f"{PREFIX}paused_templates:waba", OFFER, 1)
    assert schedule.move_due(NUMBER, 10).moved == 1
    assert [grant.id for grant in lanes.grant()] == [sent]


def test_a_pause_longer_than_its_ttl_ends_it_and_says_so(
    lanes: Lanes, schedule: Schedule, pauses: TemplatePauses, redis_client: redis.Redis
) -> None:
    sent = template(lanes, ttl=60_000)
    until = hold(lanes, pauses, sent).until
    due = redis_client.zscore(f"{PREFIX}scheduled:{NUMBER}", sent)
    assert due is not None
    assert until is not None
    assert due < until, "it is looked at when its ttl is over"
    redis_client.hset(f"{PREFIX}record:{sent}", "expires", 1)
    redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {sent: 1})
    schedule.move_due(NUMBER, 10)
    assert lanes.grant() == []
    found = record(lanes, sent)
    assert (found.status, found.held) == ("failed", None)
    assert found.error == {"reason": "expired", "title": "Meta paused its template for longer than its ttl."}


def test_it_keeps_no_place_in_the_template_quota(lanes: Lanes, pauses: TemplatePauses, store: Store) -> None:
    sent = template(lanes)
    hold(lanes, pauses, sent)
    assert store.do("ZCARD", f"{PREFIX}quota:waba") == 0


def test_it_may_be_canceled_and_a_repeat_is_the_same_request(
    lanes: Lanes, schedule: Schedule, pauses: TemplatePauses
) -> None:
    promise = Idempotency(f"{PREFIX}idempotency:caller:1", "print", 0)
    wanted = send(type="template", template=OFFER)
    lanes.outbox.put(wanted, opens=True, idempotency=promise)
    hold(lanes, pauses, wanted.id)
    again = send(type="template", template=OFFER)
    assert lanes.outbox.put(again, opens=True, idempotency=promise)[:2] == ("replayed", wanted.id)
    assert schedule.cancel(wanted.id).outcome == "canceled"
    lanes.store.run([pauses.release("offer", "en_US")])
    assert schedule.move_due(NUMBER, 10).moved == 0


def test_a_forgotten_person_has_no_held_send(
    lanes: Lanes, schedule: Schedule, pauses: TemplatePauses, store: Store, redis_client: redis.Redis
) -> None:
    hold(lanes, pauses, template(lanes))
    Contacts(store, [NUMBER]).forget(CUSTOMER)
    lanes.store.run([pauses.release("offer", "en_US")])
    assert schedule.move_due(NUMBER, 10).moved == 0
    assert redis_client.zcard(f"{PREFIX}scheduled:{NUMBER}") == 0


@pytest.mark.parametrize("word", ["held_for_quality_assessment", "paused"])
def test_what_meta_itself_holds_the_record_tells_until_it_is_sent(lanes: Lanes, word: str) -> None:
    sent = template(lanes)
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(Sent("wamid.OK", CUSTOMER, "", CUSTOMER, word, {})), lanes.outbox).send(grant)
    found = record(lanes, sent)
    assert found.status == "accepted"
    assert found.held is not None
    assert (found.held.reason, found.held.until) == (word, None)

    status = meta_status("wamid.OK", "sent", biz_opaque_callback_data=sent)
    lanes.store.run([lanes.outbox.apply_status(status, int(time.time() * 1000))])
    assert (record(lanes, sent).status, record(lanes, sent).held) == ("sent", None)


def test_what_meta_held_and_then_dropped_tells_that_the_template_is_paused(lanes: Lanes) -> None:
    sent = template(lanes)
    (grant,) = lanes.grant()
    held = Sent("wamid.OK", CUSTOMER, "", CUSTOMER, "held_for_quality_assessment", {})
    Sender(NUMBER, Meta(held), lanes.outbox).send(grant)
    error = {"code": 132015, "title": "Template is paused"}
    status = meta_status("wamid.OK", "failed", biz_opaque_callback_data=sent, errors=[error])
    lanes.store.run([lanes.outbox.apply_status(status, int(time.time() * 1000))])
    assert (record(lanes, sent).status, record(lanes, sent).held) == ("failed", None)

    waits = template(lanes, OTHER)
    assert lanes.grant() == []
    assert record(lanes, waits).held is not None
