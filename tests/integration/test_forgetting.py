"""Erasure of a person in all cases: an expired alias, a number that is no longer configured, texts in a group."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson
import pytest
import redis
from structlog.testing import capture_logs

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send, system
from tests.integration.personal import NAME, WORDS, contents, traces, wamid
from tests.keys import NAMES, PREFIX
from wa_service.store.batches import Batches, BatchItem, NewBatch
from wa_service.store.client import Store, fields
from wa_service.store.contacts import Contacts
from wa_service.store.customer_names import CustomerNames
from wa_service.store.erasure import Eraser, address_digest
from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.inbox import Work
from wa_service.store.outbox import Idempotency, SendOutcome
from wa_service.store.schedule import Schedule
from wa_service.store.stop_digests import StopDigests
from wa_service.store.stored_event import reference
from wa_service.store.tag_numbers import TagNumbers
from wa_service.worker.retention import RetentionWorker

CUSTOMER, OTHER = "15551230001", "15559870002"
USER_ID = "US.13491208655302741918"
GROUP = "Y2FwaV9ncm91cDox"
GONE_NUMBER = "999999999999999"
IN_GROUP = f"{NUMBER}:{GROUP}"


@pytest.fixture
def contacts(store: Store) -> Contacts:
    return Contacts(store, [NUMBER])


def take(lanes: Lanes) -> list[Work]:
    return lanes.inbox.take("p", time.monotonic_ns(), 50)[1]


def naming(customer: str = OTHER) -> bytes:
    """The body of a send to somebody else that names the person."""
    return orjson.dumps({"to": customer, "type": "text", "text": {"body": f"call {CUSTOMER}"}})


def handled(lanes: Lanes, *pieces: Any) -> None:
    """Admit and handle, without an answer."""
    lanes.admit(*pieces)
    for work in take(lanes):
        lanes.inbox.finish(work, "p", [])


class TestAddresses:
    def test_an_alias_that_ended_before_its_contact_leads_to_the_person(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message("", WORDS, user_id=USER_ID, name=NAME), message(CUSTOMER, user_id=USER_ID))
        redis_client.delete(NAMES.alias(NUMBER, CUSTOMER))
        assert contacts.forget(CUSTOMER) > 0
        assert list(traces(redis_client, CUSTOMER, USER_ID)) == []

    def test_an_alias_that_outlived_its_contact_leads_to_the_person(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message("", WORDS, user_id=USER_ID, name=NAME), message(CUSTOMER, user_id=USER_ID))
        redis_client.delete(NAMES.contact(f"{NUMBER}:{USER_ID}"))
        contacts.forget(CUSTOMER)
        assert list(traces(redis_client, CUSTOMER, USER_ID)) == []

    @pytest.mark.parametrize("address", [CUSTOMER, OTHER])
    def test_who_changed_the_number_is_forgotten_by_either(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, address: str
    ) -> None:
        lanes.admit(message(CUSTOMER, WORDS, id=wamid(CUSTOMER), name=NAME))
        lanes.admit(system("wamid.CHANGED", sender=CUSTOMER, type="user_changed_number", wa_id=OTHER))
        lanes.admit(message(OTHER, id=wamid(OTHER)))
        lanes.outbox.put(send(OTHER))
        contacts.forget(address)
        assert list(traces(redis_client, CUSTOMER, OTHER)) == []

    @pytest.mark.parametrize("address", [CUSTOMER, USER_ID])
    def test_conversations_that_wait_to_be_joined_are_forgotten_together(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, address: str
    ) -> None:
        handled(lanes, message(CUSTOMER, WORDS, name=NAME))
        lanes.admit(message("", WORDS, user_id=USER_ID, name=NAME), message(CUSTOMER, user_id=USER_ID))
        contacts.forget(address)
        assert list(traces(redis_client, CUSTOMER, USER_ID)) == []

    def test_a_person_is_forgotten_on_a_number_that_is_no_longer_ours(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message(CUSTOMER, WORDS, number=GONE_NUMBER, user_id=USER_ID, name=NAME))
        lanes.outbox.put(send(CUSTOMER, number=GONE_NUMBER))
        assert contacts.forget(CUSTOMER) > 0
        assert list(traces(redis_client, CUSTOMER, USER_ID)) == []
        assert redis_client.keys(f"{PREFIX}record:*") == []

    def test_a_send_that_waits_on_such_a_number_is_found_when_all_else_has_ended(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        lanes.outbox.put(send(CUSTOMER, number=GONE_NUMBER))
        redis_client.delete(NAMES.alias(GONE_NUMBER, CUSTOMER), NAMES.contact(f"{GONE_NUMBER}:{CUSTOMER}"))
        contacts.forget(CUSTOMER)
        assert list(traces(redis_client, CUSTOMER)) == []
        assert redis_client.keys(f"{PREFIX}record:*") == []

    @pytest.mark.parametrize("is_known", [True, False])
    def test_events_with_the_other_spelling_of_a_number_go_too(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, is_known: bool
    ) -> None:
        number, other = "5511988880000", "551188880000"
        events = Events(lanes.store, retention_seconds=KEEP)
        lanes.store.run([events.management("user_preferences", {}, {"wa_id": other})])
        if is_known:
            lanes.admit(message(number))
        contacts.forget(number)
        assert list(traces(redis_client, other)) == []

    def test_the_other_spelling_stays_where_somebody_else_has_it(self, lanes: Lanes, contacts: Contacts) -> None:
        number, other = "5511988880000", "551188880000"
        lanes.admit(message(number, user_id="BR.1"), message(other, user_id="BR.2"))
        contacts.forget("BR.1")
        assert [contact.addresses for contact in contacts.find("BR.2")] == [(other, "BR.2")]
        (event,) = (
            entry for entry in Events(lanes.store, retention_seconds=KEEP).after("", 9) if entry.kind == "message"
        )
        assert event.data["a"] == [other, "BR.2"]


class TestGroups:
    def test_what_a_member_wrote_leaves_the_group_s_mailbox_and_the_next_is_due_at_once(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message(CUSTOMER, WORDS, group=GROUP, id=wamid(CUSTOMER), name=NAME))
        lanes.admit(message(OTHER, "stays", group=GROUP))
        (lost,) = take(lanes)
        contacts.forget(CUSTOMER)
        assert list(traces(redis_client, CUSTOMER)) == []
        (work,) = take(lanes)
        assert work.stored.piece.raw["text"]["body"] == "stays"
        assert not lanes.inbox.finish(lost, "p", [send(GROUP)])
        assert lanes.inbox.finish(work, "p", [])

    def test_a_mailbox_that_held_nothing_else_is_no_longer_due(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message(CUSTOMER, WORDS, group=GROUP))
        contacts.forget(CUSTOMER)
        assert redis_client.zcard(NAMES.due) == 0
        assert take(lanes) == []

    def test_who_works_on_another_member_s_message_goes_on(self, lanes: Lanes, contacts: Contacts) -> None:
        lanes.admit(message(OTHER, "stays", group=GROUP), message(CUSTOMER, WORDS, group=GROUP))
        (work,) = take(lanes)
        contacts.forget(CUSTOMER)
        assert lanes.inbox.finish(work, "p", [send(GROUP)])

    def test_a_message_that_waits_and_only_names_the_person_is_not_lost(self, lanes: Lanes, contacts: Contacts) -> None:
        lanes.admit(message(OTHER, f"call {CUSTOMER}"))
        contacts.forget(CUSTOMER)
        assert len(take(lanes)) == 1

    def test_transcripts_and_answers_of_a_member_go_and_those_of_others_stay(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        for customer, words in ((CUSTOMER, WORDS), (OTHER, "stays")):
            piece = message(customer, words, group=GROUP)
            lanes.admit(piece)
            (work,) = take(lanes)
            body = orjson.dumps({"text": {"body": f"You said: {words}"}})
            origin = f"{reference(NUMBER, piece.id)}@1"
            answer = replace(send(GROUP, id=f"to{customer}", origin=origin), body=body)
            heard = orjson.dumps({"message_id": piece.id, "transcript": words}).decode()
            lanes.inbox.finish(work, "p", [answer], transcript=heard)
        contacts.forget(CUSTOMER)
        assert list(traces(redis_client, CUSTOMER)) == []
        assert [grant.id for grant in lanes.grant(count=5)] == [f"to{OTHER}"]
        kinds = [entry[b"k"] for _, entry in redis_client.xrange(NAMES.events)]
        assert kinds == [b"message", b"transcript", b"erased"]

    def test_a_worker_that_ends_during_an_erasure_stores_nothing_about_a_member(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        piece = message(CUSTOMER, WORDS, group=GROUP)
        lanes.admit(piece)
        (work,) = take(lanes)
        body = orjson.dumps({"text": {"body": f"You said: {WORDS}"}})
        answer = replace(send(GROUP, origin=f"{reference(NUMBER, piece.id)}@1"), body=body)
        heard = orjson.dumps({"message_id": piece.id, "transcript": WORDS}).decode()
        ended = []

        def end(_: Eraser) -> None:
            ended.append(lanes.inbox.finish(work, "p", [answer], transcript=heard))

        names = [step.__name__ for step, _ in Eraser.STEPS]
        after = names.index("_stream") + 1
        monkeypatch.setattr(Eraser, "STEPS", (*Eraser.STEPS[:after], (end, ()), *Eraser.STEPS[after:]))
        contacts.forget(CUSTOMER)
        assert [bool(each) for each in ended] == [False]
        assert list(traces(redis_client, CUSTOMER)) == []

    def test_a_dead_letter_of_a_member_goes(self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis) -> None:
        lanes.admit(message(CUSTOMER, WORDS, group=GROUP, name=NAME))
        (work,) = take(lanes)
        lanes.inbox.dead_letter(work, "p", "failed", "ValueError")
        contacts.forget(CUSTOMER)
        assert list(traces(redis_client, CUSTOMER)) == []
        assert redis_client.zcard(NAMES.dead) == 0


class TestSends:
    def test_a_late_status_brings_nothing_of_the_person_back(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        record = send(CUSTOMER, id=uuid4().hex)
        lanes.outbox.put(record)
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid=wamid(CUSTOMER)))
        contacts.forget(CUSTOMER)
        errors = [{"code": 131026, "title": NAME}]
        raw = {"recipient_id": CUSTOMER, "biz_opaque_callback_data": record.id, "errors": errors}
        late = replace(meta_status(wamid(CUSTOMER), "failed", **raw), addresses=(CUSTOMER,))
        lanes.store.run([lanes.outbox.apply_status(late, 1)])
        assert list(traces(redis_client, CUSTOMER)) == []
        assert redis_client.llen(NAMES.foreign) == 1

    @pytest.mark.parametrize(
        "ending",
        [SendOutcome("accepted", wamid=wamid(CUSTOMER), wa_id=OTHER), SendOutcome("retry", delay=60.0)],
        ids=["accepted", "later"],
    )
    def test_a_send_that_ends_between_the_steps_of_an_erasure_writes_no_address(
        self, lanes: Lanes, redis_client: redis.Redis, ending: SendOutcome
    ) -> None:
        lanes.outbox.put(send(CUSTOMER))
        (grant,) = lanes.grant()
        of_the_conversation = [
            NAMES.of(family, grant.conversation) for family in ("contact", "conv", "lane", "pair", "thread")
        ]
        redis_client.zrem(NAMES.recent, grant.conversation)
        redis_client.delete(*of_the_conversation, NAMES.alias(NUMBER, CUSTOMER))
        lanes.outbox.done(NUMBER, grant, ending)
        told = {NAMES.part_of(key)[0] for key in traces(redis_client, CUSTOMER, OTHER)}
        assert told <= {"record", "events"}  # which the next steps erase

    def test_a_scheduled_send_to_somebody_else_that_names_the_person_leaves_whole_and_is_then_forgotten(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        body = naming()
        lanes.outbox.put(replace(send(OTHER, id="later", send_at=int(time.time() * 1000) + 60_000), body=body))
        contacts.forget(CUSTOMER)
        redis_client.zadd(NAMES.scheduled(NUMBER), {"later": 1})
        assert Schedule(lanes.outbox).move_due(NUMBER, 10).moved == 1
        (grant,) = lanes.grant()
        assert grant.body == body
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid=wamid(OTHER)))
        assert list(traces(redis_client, CUSTOMER)) == []

    def test_an_idempotency_key_goes_with_its_record(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        lanes.outbox.put(send(CUSTOMER), idempotency=Idempotency(NAMES.idempotency("tool", CUSTOMER), "f", 0))
        contacts.forget(CUSTOMER)
        assert redis_client.keys(f"{PREFIX}idempotency:*") == []


def test_what_a_worker_holds_does_not_name_the_person_any_more(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    lanes.admit(message(CUSTOMER))
    take(lanes)
    assert {f"{PREFIX}last_take:p".encode(), f"{PREFIX}leases:p".encode()} <= set(traces(redis_client, CUSTOMER))
    contacts.forget(CUSTOMER)
    assert list(traces(redis_client, CUSTOMER)) == []


def test_a_file_s_id_goes_wherever_it_stood(lanes: Lanes, contacts: Contacts, redis_client: redis.Redis) -> None:
    media_id = "1003383421387256"
    piece = message(CUSTOMER, group=GROUP)
    picture = {**piece.raw, "type": "image", "image": {"id": media_id, "caption": WORDS}}
    lanes.admit(replace(piece, raw=picture), replace(message(CUSTOMER), raw=picture, id="wamid.OTHER"))
    contacts.forget(CUSTOMER)
    assert list(traces(redis_client, media_id)) == []


def test_somebody_else_who_was_there_is_as_before(lanes: Lanes, contacts: Contacts, redis_client: redis.Redis) -> None:
    lanes.admit(message(OTHER, "stays", user_id="US.7"), message(OTHER, "stays too", group=GROUP))
    lanes.outbox.put(send(OTHER))
    before = contents(redis_client)
    lanes.admit(message(CUSTOMER, WORDS, user_id=USER_ID), message(CUSTOMER, WORDS, group=GROUP))
    contacts.forget(USER_ID)
    after = contents(redis_client)
    changed = {key for key in before if before[key] != after.get(key)}
    # Timestamps, wake-ups and marks have no personal data; the group's contact and lane record when somebody last
    # wrote, and how much; the stream has an `erased` event.
    assert {NAMES.part_of(key)[0] for key in changed} <= {
        "received",
        "received_bytes",
        "wake",
        "contact",
        "conv",
        "clock",
        "events",
        "thread",
    }
    assert contacts.find(OTHER)[0].addresses == (OTHER, "US.7")


def test_a_long_walk_says_how_far_it_came(lanes: Lanes, contacts: Contacts) -> None:
    lanes.admit(message(CUSTOMER))
    told: list[int] = []
    contacts.forget(CUSTOMER, progress=told.append)
    assert told == sorted(told)
    assert told[-1] > told[0] > 0


@pytest.mark.parametrize("address", [CUSTOMER, OTHER, USER_ID])
@pytest.mark.parametrize("done", range(1, len(Eraser.STEPS)))
def test_an_erasure_that_was_interrupted_is_continued_by_the_next(
    lanes: Lanes,
    contacts: Contacts,
    redis_client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    done: int,
) -> None:
    """Its first step deletes how addresses belong together; group messages are deleted before the replies."""
    lanes.admit(message(CUSTOMER, WORDS, user_id=USER_ID, name=NAME), message(CUSTOMER, group=GROUP, id="wamid.G"))
    lanes.outbox.put(send(CUSTOMER))  # a second after the change it is a send to the number's next holder
    lanes.admit(system("wamid.CHANGED", sender=CUSTOMER, type="user_changed_number", wa_id=OTHER))
    lanes.admit(message(OTHER, id=wamid(OTHER)))
    lanes.outbox.put(send(OTHER))
    lanes.outbox.put(send(GROUP, id="answer", origin=f"{reference(NUMBER, 'wamid.G')}@0"))
    lanes.store.run(
        [Events(lanes.store, retention_seconds=KEEP).stray({"from": customer}) for customer in (CUSTOMER, OTHER)]
    )

    def fails(_: Eraser) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as failing:
        failing.setattr(Eraser, "STEPS", (*Eraser.STEPS[:done], (fails, ()), *Eraser.STEPS[done:]))
        with pytest.raises(StoreUnavailableError):
            contacts.forget(address)
    contacts.forget(address)
    assert list(traces(redis_client, CUSTOMER, OTHER, USER_ID)) == []
    assert not redis_client.exists(NAMES.record("answer"), NAMES.of("erasures"))


def interrupted(
    contacts: Contacts, monkeypatch: pytest.MonkeyPatch, store: Store, *, ago: float, after: int = 1
) -> None:
    """Erase the customer, interrupted after so many steps, so many seconds ago."""

    def fails(_: Eraser) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as failing:
        failing.setattr(Eraser, "STEPS", (*Eraser.STEPS[:after], (fails, ())))
        with pytest.raises(StoreUnavailableError):
            contacts.forget(CUSTOMER)
    [(name, noted)] = fields(store.do("HGETALL", NAMES.of("erasures"))).items()
    began, _, person = noted.partition(" ")
    store.do("HSET", NAMES.of("erasures"), name, f"{int(began) - int(ago * 1000)} {person}")
    for record in store.do("ZRANGE", NAMES.sends, 0, -1):
        store.do("ZINCRBY", NAMES.sends, -int(ago * 1000), record)


def retention(lanes: Lanes, contacts: Contacts) -> RetentionWorker:
    names = CustomerNames(lanes.store, retention_seconds=KEEP)
    numbers = TagNumbers(lanes.store, retention_seconds=KEEP)
    return RetentionWorker(Events(lanes.store, retention_seconds=KEEP), names, numbers, contacts)


def test_an_interrupted_erasure_is_continued_by_a_worker(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes.admit(message(CUSTOMER, WORDS, user_id=USER_ID))
    lanes.outbox.put(send(CUSTOMER))
    interrupted(contacts, monkeypatch, lanes.store, ago=901)

    with capture_logs() as lines:
        for _ in range(2):
            retention(lanes, contacts).run_once()

    assert list(traces(redis_client, CUSTOMER, USER_ID)) == []
    [line] = lines
    assert (line["event"], line["digest"]) == ("whatsapp.erasure.continued", address_digest(CUSTOMER))
    assert line["erased"] > 0


def test_an_erasure_that_may_still_run_is_left_to_its_process(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes.admit(message(CUSTOMER, WORDS))
    interrupted(contacts, monkeypatch, lanes.store, ago=890)

    retention(lanes, contacts).run_once()

    assert redis_client.hlen(NAMES.of("erasures")) == 1


def test_of_a_person_who_wrote_after_an_interrupted_erasure_nothing_is_lost(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes.admit(message(CUSTOMER, WORDS))
    interrupted(contacts, monkeypatch, lanes.store, ago=901)
    lanes.admit(message(CUSTOMER, "back again", id="wamid.NEW"))

    with capture_logs() as lines:
        for _ in range(2):
            retention(lanes, contacts).run_once()

    assert len(take(lanes)) == 1
    assert [(line["event"], line["log_level"]) for line in lines] == [("whatsapp.erasure.interrupted", "error")]
    contacts.forget(CUSTOMER)
    assert list(traces(redis_client, CUSTOMER)) == []


def test_nor_of_one_who_comes_back_under_another_address_of_theirs(
    lanes: Lanes, contacts: Contacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contact is a new one, whose conversation has another id."""
    lanes.admit(message("", WORDS, user_id=USER_ID), message(CUSTOMER, user_id=USER_ID))
    interrupted(contacts, monkeypatch, lanes.store, ago=901)
    lanes.admit(message(CUSTOMER, "back again", user_id=USER_ID))

    retention(lanes, contacts).run_once()

    assert [work.conversation for work in take(lanes)] == [f"{NUMBER}:{CUSTOMER}"]


def test_nor_what_was_sent_to_them_since(lanes: Lanes, contacts: Contacts, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes.admit(message(CUSTOMER, WORDS))
    interrupted(contacts, monkeypatch, lanes.store, ago=901)
    lanes.outbox.put(send(CUSTOMER, id="new"))

    retention(lanes, contacts).run_once()

    assert [grant.id for grant in lanes.grant()] == ["new"]


def test_nor_where_their_contact_was_not_erased_yet(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes.admit(message(CUSTOMER, WORDS))
    redis_client.hset(NAMES.contact(f"{NUMBER}:{CUSTOMER}"), mapping={"since": 1, "last_in": 1})
    interrupted(contacts, monkeypatch, lanes.store, ago=901, after=0)
    lanes.outbox.put(send(CUSTOMER, id="new"))

    retention(lanes, contacts).run_once()

    assert [grant.id for grant in lanes.grant()] == ["new"]


@pytest.mark.parametrize("ago", [0, 1_802])
def test_but_an_item_of_an_earlier_batch_whose_turn_came_since_ends_no_erasure(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch, ago: int
) -> None:
    lanes.admit(message(CUSTOMER, WORDS))
    redis_client.hset(NAMES.contact(f"{NUMBER}:{CUSTOMER}"), mapping={"since": 1, "last_in": 1})
    batches = Batches(lanes.outbox, ttl_seconds=3_600)
    batches.open(NewBatch("b1", "fingerprint", "crm"))
    batches.add("b1", 0, 1, [BatchItem(0, send(CUSTOMER), opens=False)], [])
    batches.change("b1", "start")
    redis_client.hincrby(NAMES.of("batch", "b1"), "created", -ago * 1000)
    interrupted(contacts, monkeypatch, lanes.store, ago=901, after=0)
    assert batches.feed(NUMBER, {}) == 1

    retention(lanes, contacts).run_once()

    is_earlier = ago > 901
    assert len(lanes.grant()) == (0 if is_earlier else 1)
    assert (list(traces(redis_client, CUSTOMER)) == []) is is_earlier


def test_nor_does_the_fallback_of_an_earlier_send(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes.admit(message(CUSTOMER, WORDS))
    redis_client.hset(NAMES.contact(f"{NUMBER}:{CUSTOMER}"), mapping={"since": 1, "last_in": 1})
    lanes.outbox.put(send(CUSTOMER, id="a", fallback=orjson.dumps({"to": CUSTOMER, "type": "template"})))
    interrupted(contacts, monkeypatch, lanes.store, ago=901, after=0)
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("failed", error={"code": 131047}, code=131047))
    assert redis_client.hget(NAMES.record("af"), "instead_of") == b"a"

    retention(lanes, contacts).run_once()

    assert list(traces(redis_client, CUSTOMER)) == []


def test_an_interrupted_erasure_that_nobody_continues_is_forgotten_after_a_week(
    contacts: Contacts, redis_client: redis.Redis
) -> None:
    week_ago = int(time.time() * 1000) - 7 * 86_400_000
    noted = b'{"addresses":["1555"],"conversations":[],"former":[],"messages":[],"references":[]}'
    for name, at in (("old", week_ago - 1), ("young", week_ago + 60_000)):
        redis_client.hset(NAMES.of("erasures"), name, b"%d %s" % (at, noted))
    contacts.forget(CUSTOMER)
    assert redis_client.hkeys(NAMES.of("erasures")) == [b"young"]


def test_a_person_is_erased_from_a_store_that_is_full(store: Store, lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message(CUSTOMER, WORDS, user_id=USER_ID, name=NAME), message(CUSTOMER, WORDS, group=GROUP))
    lanes.outbox.put(send(CUSTOMER))
    lanes.outbox.put(replace(send(OTHER), body=naming()))
    contacts = Contacts(store, [NUMBER], digests=StopDigests(store, b"key"))
    redis_client.hset(NAMES.contact(f"{NUMBER}:{CUSTOMER}"), mapping={"stopped_at": 1, "stopped_by": "words"})
    redis_client.config_set("maxmemory", 1)
    try:
        contacts.forget(USER_ID)
    finally:
        redis_client.config_set("maxmemory", 0)
    (waiting,) = lanes.grant()
    lanes.outbox.done(NUMBER, waiting, SendOutcome("accepted", wamid="wamid.X"))
    assert list(traces(redis_client, CUSTOMER, USER_ID)) == []
    assert len(redis_client.keys(f"{PREFIX}stop:*")) == 2


def test_labels_of_sends_to_others_that_name_the_person_go_and_other_labels_stay(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    """A caller's tag is in the record, the batch with its items, and for 400 days in the costs."""
    batches = Batches(lanes.outbox, ttl_seconds=3_600)
    batches.open(NewBatch("b1", "fingerprint", "crm", tag=f"lead {CUSTOMER}"))
    for index, tag in enumerate((f"lead {CUSTOMER}", "spring")):
        outgoing = replace(send(f"1555888000{index}"), tag=tag, opaque=f"for {CUSTOMER}")
        batches.add("b1", index, index + 1, [BatchItem(index, outgoing, opens=False)], [])
    for name, tag in (("named", CUSTOMER), ("other", "spring")):
        lanes.outbox.put(send(OTHER, id=name, tag=tag, opaque=f"for {CUSTOMER}"))
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid=f"wamid.{name}"))
        pricing = {"category": "utility", "type": "regular", "pricing_model": "PMP", "billable": True}
        status = meta_status(f"wamid.{name}", "delivered", timestamp="1795900000", pricing=pricing)
        lanes.store.run([lanes.outbox.apply_status(status, 1_795_900_000_000)])
    batches.open(NewBatch("b2", "fingerprint", "crm", tag=f"lead {CUSTOMER}"))
    batches.change("b2", "cancel")
    contacts.forget(CUSTOMER)
    assert list(traces(redis_client, CUSTOMER)) == []
    assert redis_client.hget(NAMES.record("other"), "tag") == b"spring"
    (costs,) = redis_client.scan_iter(f"{PREFIX}costs:*")
    flat = lanes.store.do("HGETALL", costs)
    tags = [kind.rpartition(b"\t")[2] for kind in flat[::2]]
    assert dict(zip(tags, flat[1::2], strict=True)) == {b"": b"1", b"spring": b"1"}
    batches.change("b1", "start")
    assert batches.feed(NUMBER, {}) == 2
    assert {grant.tag for grant in map(lanes.records.get, (f"b1{0:08x}", f"b1{1:08x}")) if grant} == {None, "spring"}


def test_costs_without_the_tag_expire_as_before(lanes: Lanes, contacts: Contacts, redis_client: redis.Redis) -> None:
    lanes.outbox.put(send(OTHER, tag=f"lead {CUSTOMER}"))
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.X"))
    pricing = {"category": "utility", "type": "regular"}
    lanes.store.run(
        [lanes.outbox.apply_status(meta_status("wamid.X", "delivered", pricing=pricing), 1_795_900_000_000)]
    )
    (costs,) = redis_client.scan_iter(f"{PREFIX}costs:*")
    before = redis_client.ttl(costs)
    contacts.forget(CUSTOMER)
    assert before - 60 < redis_client.ttl(costs) <= before
