"""One customer with several addresses is one conversation: aliases, and joins of two conversations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, message, send, system
from tests.integration.personal import contents, traces
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.outbox import Limits, SendOutcome
from wa_service.store.schedule import Schedule
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.whatsapp.webhooks.identity import Identity
from wa_service.worker.reply_sends import ReplySends

OLD, NEW = "16505551234", "12195555358"
USER_ID = "US.13491208655302741918"
DAY_MS = 86_400_000


@pytest.fixture
def contacts(store: Store) -> Contacts:
    return Contacts(store, [NUMBER])


def handled(lanes: Lanes, *pieces: Piece) -> str:
    """Admit and handle; return the last conversation."""
    lanes.admit(*pieces)
    conversation = ""
    counter = time.monotonic_ns()
    while works := lanes.inbox.take("p", counter, 10)[1]:
        for work in works:
            lanes.inbox.finish(work, "p", [])
            conversation = work.conversation
        counter += 1
    return conversation


@pytest.mark.parametrize(
    "told",
    [
        {"type": "user_changed_number", "wa_id": NEW},
        {"type": "customer_changed_number", "customer": OLD, "new_wa_id": NEW},
    ],
    ids=["today", "legacy"],
)
def test_who_changed_the_number_goes_on_in_the_same_conversation(
    lanes: Lanes, contacts: Contacts, told: dict[str, Any]
) -> None:
    before = handled(lanes, message(OLD))
    handled(lanes, system("wamid.CHANGED", sender=OLD, **told))
    assert handled(lanes, message(NEW)) == before
    assert contacts.find(NEW)[0].addresses == (NEW,)
    assert contacts.find(OLD) == []


def test_a_send_to_the_new_number_waits_behind_the_replies_to_the_old_one(
    lanes: Lanes, redis_client: redis.Redis
) -> None:
    before = handled(lanes, message(OLD))
    lanes.outbox.put(send(OLD, id="old"))
    handled(lanes, system("wamid.CHANGED", sender=OLD, type="user_changed_number", wa_id=NEW))
    lanes.outbox.put(send(NEW, id="new"))
    assert redis_client.lrange(NAMES.lane(before), 0, -1) == [b"old", b"new"]


def two_conversations(lanes: Lanes) -> str:
    """A customer's two conversations, by number and by user id, since Meta omitted the number; return the older."""
    elder = handled(lanes, message(OLD, timestamp=int(time.time()) - 7_200, name=""))
    handled(lanes, message("", user_id=USER_ID, name="Ana"))
    return elder


def test_a_joined_conversation_keeps_the_later_window_and_the_only_name(lanes: Lanes, contacts: Contacts) -> None:
    elder = two_conversations(lanes)
    (younger,) = contacts.find(USER_ID)
    # The link comes in an old message without a name, so it changes neither window nor name.
    handled(lanes, message(OLD, user_id=USER_ID, timestamp=int(time.time()) - 7_000, name=""))
    (joined,) = contacts.find(OLD)
    assert (joined.conversation, joined.name) == (elder, "Ana")
    assert joined.window_end == younger.window_end


def test_a_join_by_a_send_keeps_when_the_customer_last_wrote(lanes: Lanes, contacts: Contacts) -> None:
    lanes.outbox.put(send(OLD, id="first"))
    handled(lanes, message(NEW))
    (younger,) = contacts.find(NEW)
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A", wa_id=NEW))
    (joined,) = contacts.find(OLD)
    assert joined.conversation == f"{NUMBER}:{OLD}"
    assert (joined.last_in, joined.window_end) == (younger.last_in, younger.window_end)
    assert joined.name == "Ana"


def test_a_joined_conversation_remembers_that_it_was_told_what_cannot_be_read(
    lanes: Lanes, redis_client: redis.Redis
) -> None:
    elder = handled(lanes, message(OLD))
    lanes.admit(message("", user_id=USER_ID))
    _, (work,) = lanes.inbox.take("p", time.monotonic_ns(), 1)
    lanes.inbox.finish(work, "p", [], stamps={"unsupported_at": 0})
    handled(lanes, message(OLD, user_id=USER_ID))
    assert redis_client.hexists(NAMES.contact(elder), "unsupported_at")


def test_a_contact_that_ended_before_its_alias_begins_anew(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    conversation = handled(lanes, message(OLD))
    redis_client.delete(NAMES.contact(conversation))
    lanes.admit(message(OLD))
    assert redis_client.ttl(NAMES.contact(conversation)) > 0
    assert contacts.find(OLD)[0].addresses == (OLD,)


def test_what_waits_in_a_joined_conversation_is_handled_in_the_other_in_order(lanes: Lanes, contacts: Contacts) -> None:
    before = handled(lanes, message(OLD))
    now = int(time.time())
    lanes.admit(message("", "first", user_id=USER_ID, timestamp=now - 2), message(OLD, "second", timestamp=now - 1))
    lanes.admit(message(OLD, "third", user_id=USER_ID, timestamp=now))
    (joined,) = contacts.find(USER_ID)
    assert joined.addresses == (OLD, USER_ID)
    heard = []
    for _ in range(3):
        _, (work,) = lanes.inbox.take("p", time.monotonic_ns(), 10)
        assert work.conversation == before
        heard.append(work.stored.piece.raw["text"]["body"])
        lanes.inbox.finish(work, "p", [])
    assert heard == ["first", "second", "third"]
    assert lanes.inbox.take("p", time.monotonic_ns(), 10)[1] == []


def test_whoever_works_on_a_conversation_that_is_joined_has_lost_it(lanes: Lanes) -> None:
    handled(lanes, message(OLD))
    lanes.admit(message("", "first", user_id=USER_ID))
    _, (work,) = lanes.inbox.take("p", time.monotonic_ns(), 10)
    lanes.admit(message(OLD, "second", user_id=USER_ID))
    assert lanes.inbox.renew_leases([work]) == [False]
    assert not lanes.inbox.finish(work, "p", [send(OLD)])
    _, (again,) = lanes.inbox.take("q", 1, 10)
    assert again.stored.piece.raw["text"]["body"] == "first"
    assert lanes.inbox.finish(again, "q", [])


@pytest.mark.parametrize("elder_waits", [True, False])
@pytest.mark.parametrize("younger_leaves", [True, False])
def test_sends_of_a_joined_conversation_go_out_once_and_in_order(
    lanes: Lanes, elder_waits: bool, younger_leaves: bool
) -> None:
    handled(lanes, message(OLD))
    handled(lanes, message("", user_id=USER_ID))
    if younger_leaves:
        lanes.outbox.put(send(USER_ID, id="leaves"))
        (leaving,) = lanes.grant()
    for record in ("a", "b"):
        lanes.outbox.put(send(USER_ID, id=record))
    if elder_waits:
        lanes.outbox.put(send(OLD, id="elder"))
    handled(lanes, message(OLD, user_id=USER_ID))
    if younger_leaves:
        lanes.outbox.done(NUMBER, leaving, SendOutcome("accepted", wamid="wamid.leaves"))
    sent: list[str] = []
    while grants := lanes.grant(count=5):
        assert len(grants) == 1
        sent += [grant.id for grant in grants]
        lanes.outbox.done(NUMBER, grants[0], SendOutcome("accepted", wamid=f"wamid.{grants[0].id}"))
    assert sent == [*(["elder"] if elder_waits else []), "a", "b"]


def test_a_third_conversation_is_joined_however_busy_it_is(lanes: Lanes, contacts: Contacts) -> None:
    handled(lanes, message(OLD))
    handled(lanes, message("", user_id=USER_ID))
    lanes.admit(message(NEW))
    lanes.admit(message(NEW, user_id=USER_ID), message(OLD, user_id=USER_ID))
    (joined,) = contacts.find(NEW)
    assert set(joined.addresses) == {OLD, NEW, USER_ID}
    assert joined.conversation == f"{NUMBER}:{OLD}"


def says(client: redis.Redis, words: str) -> bool:
    """Return whether this text is anywhere in the store."""
    return any(words.encode() in content for content in contents(client).values())


def rotation(before: str, after: str, **more: Any) -> Piece:
    return system(f"wamid.R{after}", type="user_changed_user_id", previous_user_id=before, user_id=after, **more)


def test_a_user_id_that_changes_stays_one_person(lanes: Lanes, contacts: Contacts) -> None:
    before = handled(lanes, message("", user_id="US.OLD1"))
    (first,) = contacts.find("US.OLD1")
    handled(lanes, rotation("US.OLD1", "US.NEW1", previous_parent_user_id="US.ENT.O", parent_user_id="US.ENT.N"))
    assert handled(lanes, message("", "are you there?", user_id="US.NEW1")) == before
    found = [contacts.find(address) for address in ("US.OLD1", "US.NEW1", "US.ENT.O", "US.ENT.N")]
    assert [contact.conversation for (contact,) in found] == [before] * 4
    assert found[0][0].window_end is not None
    assert first.window_end is not None
    assert found[0][0].window_end >= first.window_end


def test_who_changed_user_id_before_we_heard_of_it_is_still_one_person(lanes: Lanes, contacts: Contacts) -> None:
    handled(lanes, message("", user_id="US.OLD1"))
    handled(lanes, message("", user_id="US.NEW1"))
    handled(lanes, rotation("US.OLD1", "US.NEW1"))
    assert contacts.find("US.OLD1") == contacts.find("US.NEW1")


@pytest.mark.parametrize("address", ["US.OLD1", "US.NEW1"])
def test_either_user_id_erases_all(lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, address: str) -> None:
    handled(lanes, message("", user_id="US.OLD1", name="Ana"))
    handled(lanes, rotation("US.OLD1", "US.NEW1"))
    handled(lanes, message("", "are you there?", user_id="US.NEW1"))
    lanes.outbox.put(send("US.NEW1"))
    contacts.forget(address)
    assert list(traces(redis_client, "US.OLD1", "US.NEW1")) == []
    assert not says(redis_client, "are you there?")


def test_a_place_in_the_template_quota_moves_along(store: Store) -> None:
    lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "w")})
    assert lanes.outbox.put(send("US.R1", type="template"), opens=True).outcome == "queued"
    handled(lanes, rotation("US.R1", "US.R2"))
    assert lanes.outbox.put(send("US.R2", type="template"), opens=True).outcome == "queued"
    assert lanes.outbox.put(send("US.X", type="template"), opens=True).outcome == "quota"


def test_a_place_in_the_quota_of_who_turns_out_to_be_another_is_one_place(store: Store) -> None:
    lanes = Lanes.over(store, limits={NUMBER: Limits(80, 2, "w")})
    for address in ("US.R1", "US.R2"):
        assert lanes.outbox.put(send(address, type="template"), opens=True).outcome == "queued"
    handled(lanes, rotation("US.R1", "US.R2"))
    assert lanes.outbox.put(send("US.X", type="template"), opens=True).outcome == "queued"


@pytest.mark.parametrize("told", [True, False], ids=["told", "silently"])
def test_the_next_holder_of_a_number_is_a_new_person(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, told: bool
) -> None:
    now = int(time.time())
    anas = handled(lanes, message(OLD, "my secret", user_id="GB.AAA", name="Ana", timestamp=now - 9))
    if told:
        moved = {"type": "user_changed_number", "wa_id": NEW, "user_id": "GB.AAA2", "previous_user_id": "GB.AAA"}
        handled(lanes, system("wamid.MOVED", sender=OLD, timestamp=now - 8, **moved))
    bos = handled(lanes, message(OLD, "hi", user_id="GB.BBB", name="Bo", timestamp=now))
    assert bos != anas
    (bo,) = contacts.find(OLD)
    assert (bo.name, bo.addresses, bo.address) == ("Bo", (OLD, "GB.BBB"), OLD)
    (ana,) = contacts.find("GB.AAA")
    assert OLD not in ana.addresses
    lanes.outbox.put(send(OLD, id="to_bo"))
    contacts.forget("GB.BBB")
    assert contacts.find(OLD) == []
    assert contacts.find("GB.AAA") == [ana]
    assert says(redis_client, "my secret")
    assert not redis_client.exists(f"{PREFIX}record:to_bo")


def test_the_next_holder_without_a_user_id_is_a_new_person_once_the_change_was_told(
    lanes: Lanes, contacts: Contacts
) -> None:
    now = int(time.time())
    anas = handled(lanes, message(OLD, name="Ana", timestamp=now - 9))
    handled(lanes, system("wamid.MOVED", sender=OLD, timestamp=now - 8, type="user_changed_number", wa_id=NEW))
    assert handled(lanes, message(OLD, name="Bo", timestamp=now)) != anas
    assert [contact.name for contact in contacts.find(OLD)] == ["Bo"]
    assert [contact.name for contact in contacts.find(NEW)] == ["Ana"]


def test_erasing_the_one_leaves_the_next_holder_of_the_number(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    handled(lanes, message(OLD, "my secret", user_id="GB.AAA", timestamp=int(time.time()) - 9))
    handled(lanes, message(OLD, "of mine", user_id="GB.BBB"))
    contacts.forget("GB.AAA")
    assert not says(redis_client, "my secret")
    assert says(redis_client, "of mine")
    assert len(contacts.find(OLD)) == 1


WITH_IDS = {"type": "user_changed_number", "wa_id": NEW, "user_id": "GB.2", "previous_user_id": "GB.1"}


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        (OLD, {"type": "user_changed_number", "wa_id": NEW}),
        (OLD, {"type": "user_changed_number", "wa_id": f"+{NEW}"}),
        (OLD, {"type": "user_changed_number", "new_wa_id": int(NEW)}),
        ("", {"type": "customer_changed_number", "new_wa_id": NEW, "customer": OLD}),
        (OLD, WITH_IDS),
        ("", WITH_IDS),
    ],
)
def test_every_spelling_of_a_number_change_joins_and_opens_no_window(
    lanes: Lanes, contacts: Contacts, sender: str, told: dict[str, Any]
) -> None:
    day_ago = int(time.time()) - 90_000
    before = handled(lanes, message(OLD, user_id="GB.1", timestamp=day_ago))
    handled(lanes, system("wamid.MOVED", sender=sender, **told))
    (contact,) = contacts.find(NEW)
    assert contact.conversation == before
    assert contact.window_end == (day_ago + 86_400) * 1000


def test_a_system_message_of_somebody_unknown_opens_no_window_and_frees_no_quota(store: Store) -> None:
    lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "w")})
    handled(lanes, system("wamid.MOVED", sender=OLD, type="user_changed_number", wa_id=NEW))
    assert Contacts(store, [NUMBER]).find(NEW)[0].window_end is None
    assert lanes.outbox.put(send(NEW, type="template"), opens=True).outcome == "queued"
    assert lanes.outbox.put(send("15559990000", type="template"), opens=True).outcome == "quota"


@pytest.mark.parametrize(
    ("written", "other"),
    [("5491122223333", "541122223333"), ("5215512345678", "525512345678"), ("551188880000", "5511988880000")],
)
def test_either_spelling_of_a_number_finds_the_person(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis, written: str, other: str
) -> None:
    conversation = handled(lanes, message(written))
    assert [contact.conversation for contact in contacts.find(other)] == [conversation]
    lanes.outbox.put(send(other, id="a"))
    assert redis_client.lrange(NAMES.lane(conversation), 0, -1) == [b"a"]
    record = lanes.records.get("a")
    assert record is not None
    assert record.to == other
    assert contacts.forget(other) > 0
    assert contacts.find(written) == []


def test_a_record_tells_where_the_message_went(lanes: Lanes) -> None:
    handled(lanes, message(OLD, user_id="GB.1"))
    lanes.outbox.put(send("GB.1", id="a"))
    record = lanes.records.get("a")
    assert record is not None
    assert record.to == "GB.1"


def only_number(sender: str = OLD, new: str = NEW, *, at: int, id: str = "wamid.MOVED") -> Piece:  # noqa: A002 - the field's name
    """Meta's notice of a new number, without the user id that comes with it."""
    return system(id, sender=sender, timestamp=at, type="user_changed_number", wa_id=new)


class TestANoticeThatNamesOnlyTheNumber:
    """The customer's user id changes with the number, but Meta does not say to what."""

    NOW = int(time.time())

    def people(self, contacts: Contacts, *addresses: str) -> set[str]:
        return {contact.conversation for address in addresses for contact in contacts.find(address)}

    @pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)], ids=["in order", "the notice comes late"])
    def test_the_id_first_seen_with_it_is_theirs(
        self, lanes: Lanes, contacts: Contacts, order: tuple[int, int, int]
    ) -> None:
        told = [
            message(OLD, user_id="GB.1", timestamp=self.NOW - 20),
            only_number(at=self.NOW - 10),
            message(NEW, user_id="GB.2", timestamp=self.NOW),
        ]
        for one in order:
            handled(lanes, told[one])
        (contact,) = contacts.find(NEW)
        assert set(contact.addresses) == {NEW, "GB.1", "GB.2"}
        assert contact.addresses[0] == "GB.2"  # replies go to the first

    def test_a_notice_that_names_the_old_id_is_no_other(self, lanes: Lanes, contacts: Contacts) -> None:
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20))
        value = {"type": "user_changed_number", "wa_id": NEW, "previous_user_id": "GB.1"}
        handled(lanes, system("wamid.MOVED", sender=OLD, timestamp=self.NOW - 10, **value))
        handled(lanes, message(NEW, user_id="GB.2"))
        assert len(self.people(contacts, NEW, "GB.1", "GB.2")) == 1

    def test_a_message_without_an_id_in_between_changes_nothing(self, lanes: Lanes, contacts: Contacts) -> None:
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20))
        handled(lanes, message(NEW, timestamp=self.NOW - 5), only_number(at=self.NOW - 10))
        handled(lanes, message(NEW, user_id="GB.2"))
        assert len(self.people(contacts, NEW, "GB.1", "GB.2")) == 1

    def test_the_id_without_the_number_waits_for_both(self, lanes: Lanes, contacts: Contacts) -> None:
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20), only_number(at=self.NOW - 10))
        handled(lanes, message("", user_id="GB.2", timestamp=self.NOW - 5), message(NEW, user_id="GB.2"))
        assert len(self.people(contacts, NEW, "GB.1", "GB.2")) == 1

    def test_the_next_change_names_an_id_that_nobody_has_seen(self, lanes: Lanes, contacts: Contacts) -> None:
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20), only_number(at=self.NOW - 10))
        changed = {"type": "user_changed_user_id", "previous_user_id": "GB.2", "user_id": "GB.3"}
        handled(lanes, system("wamid.ID", sender=NEW, timestamp=self.NOW - 5, **changed))
        assert len(self.people(contacts, NEW, "GB.1", "GB.2", "GB.3")) == 1

    @pytest.mark.parametrize("first", ["GB.1", "GB.2"], ids=["the old id", "the new id"])
    def test_a_second_id_is_the_next_holder_s(self, lanes: Lanes, contacts: Contacts, first: str) -> None:
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20), only_number(at=self.NOW - 10))
        handled(lanes, message(NEW, user_id=first, timestamp=self.NOW - 5))
        handled(lanes, message(NEW, user_id="GB.9"))
        assert self.people(contacts, "GB.1").isdisjoint(self.people(contacts, NEW))
        assert self.people(contacts, NEW) == self.people(contacts, "GB.9")

    @pytest.mark.parametrize("number", ["", "15550001111"], ids=["by the id", "with another number"])
    def test_an_id_that_was_known_before_is_somebody_else_s(
        self, lanes: Lanes, contacts: Contacts, number: str
    ) -> None:
        handled(lanes, message(number, user_id="GB.9", timestamp=self.NOW - 20))
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20), only_number(at=self.NOW + 3_600))
        handled(lanes, message(NEW, user_id="GB.9", timestamp=self.NOW + 3_601))
        assert self.people(contacts, "GB.1").isdisjoint(self.people(contacts, NEW, "GB.9"))

    def test_an_id_that_comes_after_a_month_is_the_next_holder_s(self, lanes: Lanes, contacts: Contacts) -> None:
        then = self.NOW - 40 * 86_400
        handled(lanes, message(OLD, user_id="GB.1", timestamp=then), only_number(at=then + 5))
        handled(lanes, message(NEW, user_id="GB.9"))
        assert self.people(contacts, "GB.1").isdisjoint(self.people(contacts, NEW))

    @pytest.mark.parametrize("known", ["GB.1", ""], ids=["known", "known by the number alone"])
    def test_a_late_message_of_the_number_s_former_holder_is_not_theirs(
        self, lanes: Lanes, contacts: Contacts, known: str
    ) -> None:
        handled(lanes, message(OLD, user_id=known, timestamp=self.NOW - 20), only_number(at=self.NOW - 10))
        handled(lanes, message(NEW, user_id="GB.9", timestamp=self.NOW - 30))
        assert self.people(contacts, NEW).isdisjoint(self.people(contacts, "GB.9"))

    def test_a_second_notice_after_the_number_has_another_holder_joins_nobody(
        self, lanes: Lanes, contacts: Contacts
    ) -> None:
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20), only_number(at=self.NOW - 10))
        handled(lanes, message(NEW, user_id="GB.2", timestamp=self.NOW - 8))
        handled(lanes, message(NEW, user_id="GB.9", timestamp=self.NOW - 5))
        handled(lanes, only_number(at=self.NOW - 10, id="wamid.AGAIN"))
        assert self.people(contacts, "GB.1", "GB.2").isdisjoint(self.people(contacts, NEW, "GB.9"))

    def test_a_sent_status_names_the_id(self, lanes: Lanes, contacts: Contacts) -> None:
        handled(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 20), only_number(at=self.NOW - 10))
        who = Identity(numbers=(NEW,), user_ids=("GB.2",))
        lanes.store.run([lanes.inbox.link(NUMBER, who, self.NOW, moves=False)])
        (contact,) = contacts.find("GB.2")
        assert set(contact.addresses) == {NEW, "GB.1", "GB.2"}


class TestRepliesThatWait:
    """A customer's number changes while replies to it wait."""

    NOW = int(time.time())

    def wait(self, lanes: Lanes, piece: Piece, *replies: str) -> None:
        """Handle a message with these replies, which do not leave yet."""
        lanes.admit(piece)
        _, (work,) = lanes.inbox.take("p", time.monotonic_ns(), 1)
        texts = [{"type": "text", "text": {"body": reply}} for reply in replies]
        sends = ReplySends(DAY_MS).make(work.stored, texts, address=piece.addresses[0])
        assert lanes.inbox.finish(work, "p", sends)

    def hold(self, lanes: Lanes, piece: Piece) -> str:
        """Handle a message with the reply "one", which is held; return its id."""
        self.wait(lanes, piece, "one")
        (leaving,) = lanes.grant()
        lanes.outbox.done(NUMBER, leaving, SendOutcome("held", delay=60.0, reason="template_paused"))
        return str(leaving.id)

    def leave(self, lanes: Lanes) -> list[tuple[str, str]]:
        """Where what waits goes, and what it says, in order."""
        sent: list[tuple[str, str]] = []
        while grants := lanes.grant():
            body = orjson.loads(grants[0].body)
            sent.append((body.get("to") or body["recipient"], body["text"]["body"]))
            lanes.outbox.done(NUMBER, grants[0], SendOutcome("accepted", wamid=f"wamid.{len(sent)}"))
            record = lanes.records.get(grants[0].id)
            assert record is not None
            assert record.to == sent[-1][0]
        return sent

    def test_they_go_to_the_new_number(self, lanes: Lanes) -> None:
        quoting = 'Say {"to":"' + OLD + '"}'
        self.wait(lanes, message(OLD, timestamp=self.NOW - 9), "one", quoting)
        handled(lanes, only_number(at=self.NOW - 5))
        assert self.leave(lanes) == [(NEW, "one"), (NEW, quoting)]

    def test_they_do_not_go_to_the_number_s_next_holder(self, lanes: Lanes) -> None:
        self.wait(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 9), "one")
        handled(lanes, message(OLD, user_id="GB.2"))
        assert self.leave(lanes) == [("GB.1", "one")]

    def test_another_spelling_of_the_number_is_the_number(self, lanes: Lanes) -> None:
        self.wait(lanes, message("5491122223333", timestamp=self.NOW - 9), "one")
        handled(lanes, only_number("541122223333", at=self.NOW - 5))
        assert self.leave(lanes) == [(NEW, "one")]

    def test_they_go_to_the_user_id_that_replaced_the_other(self, lanes: Lanes) -> None:
        self.wait(lanes, message("", user_id="GB.1", timestamp=self.NOW - 9), "one")
        handled(lanes, rotation("GB.1", "GB.2"))
        assert self.leave(lanes) == [("GB.2", "one")]

    CHANGES = (
        pytest.param({"customer": OLD}, lambda at: only_number(at=at), NEW, id="new number"),
        pytest.param(
            {"customer": OLD, "user_id": "GB.1"}, lambda at: message(OLD, user_id="GB.2"), "GB.1", id="next holder"
        ),
        pytest.param(
            {"customer": "", "user_id": "GB.1"}, lambda at: rotation("GB.1", "GB.2"), "GB.2", id="new user id"
        ),
    )

    @pytest.mark.parametrize(("wrote", "change", "goes_to"), CHANGES)
    @pytest.mark.parametrize("is_answered", [True, False])
    def test_one_that_was_being_made_goes_there_too(
        self, lanes: Lanes, wrote: dict[str, str], change: Callable[[int], Piece], goes_to: str, *, is_answered: bool
    ) -> None:
        lanes.admit(message(**wrote, timestamp=self.NOW - 9))
        _, (work,) = lanes.inbox.take("p", time.monotonic_ns(), 1)
        lanes.admit(change(self.NOW - 5))
        reply = {"type": "text", "text": {"body": "one"}}
        sends = ReplySends(DAY_MS).make(work.stored, [reply], address=work.stored.piece.addresses[0])
        if is_answered:
            assert lanes.inbox.finish(work, "p", sends)
        else:
            assert lanes.inbox.dead_letter(work, "p", "failed", "a defect", replies=sends)
        assert self.leave(lanes) == [(goes_to, "one")]

    @pytest.mark.parametrize(("wrote", "change", "goes_to"), CHANGES)
    @pytest.mark.parametrize("then", ["tried again", "lost with its worker"])
    def test_one_that_was_being_sent_but_did_not_leave_goes_there_too(
        self, lanes: Lanes, wrote: dict[str, str], change: Callable[[int], Piece], goes_to: str, then: str
    ) -> None:
        self.wait(lanes, message(**wrote, timestamp=self.NOW - 9), "one")
        (leaving,) = lanes.grant()
        handled(lanes, change(self.NOW - 5))
        if then == "tried again":
            lanes.outbox.done(NUMBER, leaving, SendOutcome("retry", never_left=True))
        else:
            lanes.inbox.release_consumer("p", died=True, begun=[])
        assert self.leave(lanes) == [(goes_to, "one")]

    def test_one_that_is_sent_once_more_as_meta_was_silent_goes_there_too(
        self, store: Store, redis_client: redis.Redis
    ) -> None:
        lanes = Lanes.over(store, resend_unknown=True)
        self.wait(lanes, message(OLD, timestamp=self.NOW - 9), "one")
        (leaving,) = lanes.grant()
        lanes.outbox.done(NUMBER, leaving, SendOutcome("unknown"))
        handled(lanes, only_number(at=self.NOW - 5))
        redis_client.rpush(f"{PREFIX}confirmed:{NUMBER}", *[10**15] * 3)
        redis_client.zadd(f"{PREFIX}unknown", {leaving.id: 0})
        assert lanes.outbox.settle() == [(leaving.id, "resent")]
        assert self.leave(lanes) == [(NEW, "one")]

    @pytest.mark.parametrize(("wrote", "change", "goes_to"), CHANGES)
    def test_one_that_was_held_goes_there_too(
        self,
        lanes: Lanes,
        redis_client: redis.Redis,
        wrote: dict[str, str],
        change: Callable[[int], Piece],
        goes_to: str,
    ) -> None:
        """A tool may answer with a template, and Meta may have paused it."""
        leaving = self.hold(lanes, message(**wrote, timestamp=self.NOW - 9))
        handled(lanes, change(self.NOW - 5))
        redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {leaving: 0})
        assert Schedule(lanes.outbox).move_due(NUMBER, 9).moved == 1
        assert self.leave(lanes) == [(goes_to, "one")]

    def test_one_that_was_held_follows_its_customer_through_two_joins(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        oldest = handled(lanes, message(OLD))
        handled(lanes, message(NEW))
        leaving = self.hold(lanes, message("", user_id="GB.1"))
        handled(lanes, message(NEW, user_id="GB.1"))
        lanes.outbox.put(send(OLD))
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A", wa_id=NEW))
        handled(lanes, rotation("GB.1", "GB.2"))
        redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {leaving: 0})
        assert Schedule(lanes.outbox).move_due(NUMBER, 9).moved == 1
        assert redis_client.hget(NAMES.record(leaving), "c") == oldest.encode()
        assert self.leave(lanes) == [("GB.2", "one")]

    def test_one_that_was_held_stays_when_the_number_s_next_holder_is_erased(
        self, lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
    ) -> None:
        leaving = self.hold(lanes, message(OLD, user_id="GB.1", timestamp=self.NOW - 9))
        handled(lanes, message(OLD, user_id="GB.2"))
        contacts.forget("GB.2")
        redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {leaving: 0}, xx=True)
        assert Schedule(lanes.outbox).move_due(NUMBER, 9).moved == 1
        assert self.leave(lanes) == [("GB.1", "one")]

    def test_one_that_was_held_creates_no_contact_that_never_ends(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        """Its customer's contact has expired meanwhile."""
        leaving = self.hold(lanes, message(OLD, timestamp=self.NOW - 9))
        redis_client.hset(NAMES.record(leaving), "type", "template")
        redis_client.delete(NAMES.contact(f"{NUMBER}:{OLD}"))
        redis_client.zadd(f"{PREFIX}scheduled:{NUMBER}", {leaving: 0})
        assert Schedule(lanes.outbox).move_due(NUMBER, 9).moved == 1
        assert redis_client.ttl(NAMES.contact(f"{NUMBER}:{OLD}")) != -1
        assert self.leave(lanes) == [(OLD, "one")]

    def test_what_is_being_sent_stays_as_it_left(self, lanes: Lanes) -> None:
        self.wait(lanes, message(OLD, timestamp=self.NOW - 9), "one", "two")
        (leaving,) = lanes.grant()
        handled(lanes, only_number(at=self.NOW - 5))
        assert lanes.records.get(leaving.id).to == OLD
        lanes.outbox.done(NUMBER, leaving, SendOutcome("accepted", wamid="wamid.LEFT"))
        assert self.leave(lanes) == [(NEW, "two")]

    def test_the_send_of_a_caller_goes_where_the_caller_wrote(self, lanes: Lanes) -> None:
        handled(lanes, message(OLD, timestamp=self.NOW - 9))
        lanes.outbox.put(send(OLD, id="caller"))
        handled(lanes, only_number(at=self.NOW - 5))
        assert self.leave(lanes) == [(OLD, "hi")]
