"""The history of a conversation, in order: received, answered, retried, reported."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, message, meta_status, send
from tests.keys import NAMES
from wa_service.service.conversation_view import ConversationView, ThreadMessage
from wa_service.service.message_story import story_of
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.events import Events
from wa_service.store.inbox import Work
from wa_service.store.outbox import SendOutcome
from wa_service.store.stored_event import reference
from wa_service.store.threads import Threads

ANA, BEN = "15551230001", "15551230002"
OF_ANA = f"{NUMBER}:{ANA}"


@pytest.fixture
def threads(store: Store) -> Threads:
    return Threads(store)


@pytest.fixture
def view(store: Store, threads: Threads) -> ConversationView:
    return ConversationView(threads, Contacts(store, [NUMBER]))


def take(lanes: Lanes) -> Work:
    (work,) = lanes.inbox.take("p", time.monotonic_ns(), 1)[1]
    return work


def answered(lanes: Lanes, wamid: str = "wamid.IN", text: str = "hello") -> str:
    """A message is received, transcribed and answered; Meta accepts the answer at the second attempt. Return its id."""
    lanes.admit(message(ANA, text, id=wamid))
    work = take(lanes)
    note = {"m": reference(NUMBER, wamid), "intent": "breakfast", "score": 0.8}
    lanes.inbox.retry_later(work, "p", 0, is_failure=True, note=orjson.dumps({"m": note["m"], "retry_ms": 0}).decode())
    work = take(lanes)
    heard = orjson.dumps({"message_id": wamid, "transcript": "breakfast please"}).decode()
    answer = send(ANA, origin=f"{note['m']}@1")
    lanes.inbox.finish(work, "p", [answer], transcript=heard, note=orjson.dumps(note).decode())
    for outcome in (
        SendOutcome("retry", delay=0.0, error={"reason": "transient", "code": 131000}),
        SendOutcome("accepted", wamid="wamid.OUT"),
    ):
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, outcome)
    return answer.id


def by_direction(view: ConversationView, conversation: str = OF_ANA) -> dict[str, ThreadMessage]:
    return {each.direction: each for each in view.page(conversation).messages}


def test_a_message_and_its_answer_stand_in_their_order_with_what_became_of_them(
    lanes: Lanes, view: ConversationView
) -> None:
    record_id = answered(lanes)
    came, left = view.page(OF_ANA).messages
    assert (came.direction, came.content.text, came.transcript) == ("in", "hello", "breakfast please")
    assert (came.intent, came.score) == ("breakfast", 0.8)
    assert [note for note in came.notes if "retry_ms" in note] != []
    assert (left.direction, left.id, left.status, left.content.text) == ("out", record_id, "accepted", "hi")
    assert left.answers == came.reference
    assert [note["code"] for note in left.notes] == [131000]


def test_a_story_tells_each_retry_and_the_seconds_between(lanes: Lanes, view: ConversationView) -> None:
    answered(lanes)
    messages = view.page(OF_ANA).messages
    steps = story_of(messages[0], messages)
    told = [step.what for step in steps]
    ladder = ["Received and stored", "Handling failed", "Handled", "Answer: Queued", "Answer: Meta did not take it"]
    assert [told.index(what) for what in ladder] == sorted(told.index(what) for what in ladder)
    assert next(step.detail for step in steps if "did not take" in step.what).startswith("code 131000, transient")
    assert steps[0].seconds is None
    assert all(step.seconds is not None and step.seconds >= 0 for step in steps[1:])
    assert [step.at for step in steps] == sorted(step.at for step in steps)


def test_a_send_that_meta_tells_in_whole_seconds_keeps_the_order_of_its_ladder(
    lanes: Lanes, view: ConversationView
) -> None:
    lanes.outbox.put(send(ANA, id="a"))
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.OUT"))
    second = int(time.time()) * 1000 - 1_000
    lanes.store.run([lanes.outbox.apply_status(meta_status("wamid.OUT", "sent"), second)])
    (sent,) = view.page(OF_ANA).messages
    words = [step.what for step in story_of(sent, [sent])]
    assert words == ["Queued", "Granted: it leaves", "Accepted by Meta", "Sent by Meta"]
    assert sent.at > second


def test_the_page_before_goes_on_where_the_page_began(lanes: Lanes, threads: Threads) -> None:
    lanes.admit(*(message(ANA, f"{i}") for i in range(5)))
    newest = threads.page(OF_ANA, count=2)
    before = threads.page(OF_ANA, newest.older or "", count=2)
    first = threads.page(OF_ANA, before.older or "", count=2)
    parts = (newest, before, first)
    texts = [[item.event.data["m"]["text"]["body"] for item in part.items if item.event] for part in parts]
    assert (texts, first.older) == ([["3", "4"], ["1", "2"], ["0"]], None)


def test_a_page_begins_before_an_event_or_a_record_never_a_note(
    lanes: Lanes, threads: Threads, redis_client: redis.Redis
) -> None:
    answered(lanes)
    redis_client.rpush(
        NAMES.thread(OF_ANA), *(orjson.dumps({"at": 1, "m": "x" * 300}).decode().join("n.") for _ in "12")
    )
    before, seen = "", []
    while True:
        part = threads.page(OF_ANA, before, count=1)
        seen += [item.place for item in part.items if item.note is None]
        if part.older is None:
            break
        assert part.older[0] in "er"
        before = part.older
    assert sorted(place[0] for place in seen) == ["e", "e", "r"]


def test_a_place_that_the_thread_does_not_have_is_told(lanes: Lanes, threads: Threads) -> None:
    answered(lanes)
    with pytest.raises(LookupError):
        threads.page(OF_ANA, "rnothing")


def test_what_became_of_a_message_is_told_wherever_its_page_ends(lanes: Lanes, view: ConversationView) -> None:
    answered(lanes)
    page = view.page(OF_ANA, count=1)
    while not any(each.direction == "in" for each in page.messages):
        assert page.older is not None
        page = view.page(OF_ANA, page.older, 1)
    ((intent, transcript),) = [(each.intent, each.transcript) for each in page.messages]
    assert (intent, transcript) == ("breakfast", "breakfast please")
    assert [each.direction for each in page.later] == ["out"]


def test_a_thread_holds_the_last_thousand(lanes: Lanes, redis_client: redis.Redis) -> None:
    redis_client.rpush(NAMES.thread(OF_ANA), *(f"e1-{i}" for i in range(1_100)))
    lanes.admit(message(ANA))
    assert redis_client.llen(NAMES.thread(OF_ANA)) == 1_000


def test_a_thread_of_a_wrong_type_stops_nothing(lanes: Lanes, redis_client: redis.Redis) -> None:
    redis_client.set(NAMES.thread(OF_ANA), "x")
    assert lanes.admit(message(ANA)) == [b"new"]
    assert redis_client.llen(NAMES.thread(OF_ANA)) == 1


def test_what_is_no_longer_kept_is_left_out(lanes: Lanes, threads: Threads, redis_client: redis.Redis) -> None:
    answered(lanes)
    redis_client.delete(NAMES.events)
    assert [item.record is not None for item in threads.page(OF_ANA).items if item.note is None] == [True]


def test_two_addresses_of_one_person_are_one_thread(lanes: Lanes, view: ConversationView) -> None:
    lanes.admit(message(ANA, "by number"))
    lanes.outbox.put(send("US.13491208655302741918"))
    lanes.admit(message(ANA, "by both", user_id="US.13491208655302741918"))
    texts = [each.content.text for each in view.page(OF_ANA).messages]
    assert sorted(texts) == ["by both", "by number", "hi"]


def test_a_conversation_is_found_by_anything_in_it(lanes: Lanes, threads: Threads) -> None:
    record_id = answered(lanes)
    place = threads.place_of_message(NUMBER, "wamid.IN")
    assert place is not None
    assert threads.conversation_of(place) == threads.conversation_of(f"r{record_id}") == OF_ANA
    assert threads.last_places([OF_ANA, "nobody"]) == {OF_ANA: f"r{record_id}"}


@pytest.mark.parametrize(
    "place", ["", "e", "r", "e1-1", "rnobody", "n{}", "e1-1\n", "r../x", "e99999999999999999999-1"]
)
def test_a_place_that_is_none_is_nobodys(threads: Threads, place: str) -> None:
    assert threads.conversation_of(place) is None


def test_who_was_there_last_stands_first(lanes: Lanes, threads: Threads, redis_client: redis.Redis) -> None:
    lanes.admit(message(ANA), message(BEN))
    redis_client.zincrby(NAMES.recent, -60_000, OF_ANA)
    assert [conversation for conversation, _ in threads.recent()] == [f"{NUMBER}:{BEN}", OF_ANA]
    lanes.admit(message(ANA))
    assert threads.recent(1)[0][0] in {OF_ANA, f"{NUMBER}:{BEN}"}
    assert redis_client.zscore(NAMES.recent, OF_ANA) > time.time() * 1000 - 60_000


def test_a_change_in_the_console_is_told_in_the_conversation(lanes: Lanes, view: ConversationView) -> None:
    lanes.admit(message(ANA))
    Events(lanes.store, retention_seconds=60).console(OF_ANA, {"key": "ops", "action": "pause"})
    told = by_direction(view)["event"]
    assert (told.kind, told.content.text) == ("console", "ops: pause")


class TestForgetting:
    """Records keep the content of sends, so erasure must delete it there, too."""

    def test_a_person_leaves_no_thread(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        answered(lanes)
        Contacts(lanes.store, [NUMBER]).forget(ANA)
        assert redis_client.exists(NAMES.thread(OF_ANA), NAMES.recent) == 0

    @pytest.mark.parametrize("ended", [True, False])
    def test_what_was_sent_to_somebody_else_and_names_the_person_is_dropped_once_it_left(
        self, lanes: Lanes, redis_client: redis.Redis, ended: bool
    ) -> None:
        body = orjson.dumps({"type": "text", "text": {"body": f"Your driver is {ANA}."}})
        told: Any = send(BEN, id="told")
        lanes.outbox.put(type(told)(id="told", number=NUMBER, type="text", body=body, address=BEN))
        (grant,) = lanes.grant()
        if ended:
            lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.OUT"))
        Contacts(lanes.store, [NUMBER]).forget(ANA)
        if not ended:
            lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.OUT"))
        assert redis_client.hmget(NAMES.record("told"), "body", "status") == [None, b"accepted"]
