"""Messages in quick succession are handled together with WA_DEBOUNCE, and one by one without it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import orjson
import pytest

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.integration.test_old_and_changed_messages import edit, piece, revoke, text
from tests.integration.test_worker_inbound import NO_RECEIPTS, Conversation, PoliteInbox, bodies, gevent_until, no_media
from tests.keys import NAMES, PREFIX
from wa_service.conversation.pipeline import PipelineResult
from wa_service.conversation.utterance import Utterance
from wa_service.store.client import Store
from wa_service.store.inbox import Finished, Inbox, Work
from wa_service.store.stored_event import read_event, write_event
from wa_service.whatsapp.stop_words import StopWords
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.worker.inbound import InboundWorker

CUSTOMER = "15551230001"
CONVERSATION = f"{NUMBER}:{CUSTOMER}"
CONV = f"{PREFIX}conv:{CONVERSATION}"
WINDOW = 1.5
MOST = 4.0
TICK = 0.05
_counters = itertools.count(1)


@pytest.fixture
def patient(store: Store) -> Lanes:
    """Lanes in which texts wait for further messages."""
    lanes = Lanes.over(store)
    lanes.inbox = Inbox(store, retention_seconds=KEEP, debounce=WINDOW, debounce_most=MOST)
    return lanes


def due_in(lanes: Lanes) -> float | None:
    """Seconds until the conversation is due, or None."""
    score = lanes.store.do("ZSCORE", NAMES.due, CONVERSATION)
    if score is None:
        return None
    seconds, micros = lanes.store.client.time()
    return (float(score) - seconds * 1000 - micros / 1000) / 1000


def take(lanes: Lanes, consumer: str = "p") -> Work:
    """Take the conversation at once, even if it would still wait."""
    lanes.hurry()
    (work,) = lanes.inbox.take(consumer, next(_counters), 1)[1]
    return work


def said(work: Work) -> list[str]:
    """The texts that are handled together; for other messages their type."""
    raws = [read_event(member).piece.raw for member in (work.member, *work.behind)]
    return [raw["text"]["body"] if raw["type"] == "text" else raw["type"] for raw in raws]


def finish(lanes: Lanes, work: Work, consumer: str = "p") -> Finished:
    return lanes.inbox.finish(work, consumer, [send()], behind=work.behind)


def picture(message_id: str, caption: str = "") -> Piece:
    return piece(id=message_id, type="image", image={"id": message_id, "mime_type": "image/jpeg", "caption": caption})


def button(message_id: str) -> Piece:
    reply = {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}}
    return piece(id=message_id, type="interactive", interactive=reply)


def reaction(message_id: str) -> Piece:
    return piece(id=message_id, type="reaction", reaction={"message_id": "wamid.X", "emoji": "👍"})


def test_texts_wait_for_silence_and_are_handed_out_together(patient: Lanes) -> None:
    patient.admit(text("w1", "I would like"))
    assert WINDOW - 0.5 < (due_in(patient) or 0) <= WINDOW + TICK
    patient.admit(text("w2", "a room"), text("w3", "for two"))
    assert patient.inbox.take("p", next(_counters), 1)[1] == []
    work = take(patient)
    assert said(work) == ["I would like", "a room", "for two"]
    assert finish(patient, work)
    assert not finish(patient, work)
    assert due_in(patient) is None
    assert patient.store.do("EXISTS", f"{PREFIX}mailbox:{CONVERSATION}") == 0


def test_however_much_they_write_they_are_answered_after_the_longest_time(patient: Lanes, store: Store) -> None:
    patient.admit(text("w1", "one"))
    began = float(store.do("HGET", CONV, "burst_since"))
    store.do("HSET", CONV, "burst_since", began - MOST * 1000 + 200)
    patient.admit(text("w2", "two"))
    assert 0 <= (due_in(patient) or 0) <= 0.2 + TICK


def location(message_id: str) -> Piece:
    return piece(id=message_id, type="location", location={"latitude": 1, "longitude": 1})


@pytest.mark.parametrize("pressed", [button, location])
def test_a_button_is_due_at_once_and_takes_what_waits_along(patient: Lanes, pressed: Callable[[str], Piece]) -> None:
    patient.admit(text("w1", "before"))
    patient.admit(pressed("b1"))
    assert (due_in(patient) or 0) <= 0
    patient.admit(text("w2", "after"))
    work = take(patient)
    assert len(said(work)) == 2
    assert said(work)[0] == "before"
    finish(patient, work)
    assert said(take(patient)) == ["after"]


def test_a_reaction_neither_hastens_a_burst_nor_is_part_of_it(patient: Lanes) -> None:
    patient.admit(text("w1", "one"), text("w2", "two"))
    patient.admit(reaction("r1"))
    assert (due_in(patient) or 0) > WINDOW - 0.5
    work = take(patient)
    assert said(work) == ["one", "two"]
    finish(patient, work)
    assert said(take(patient)) == ["reaction"]


def test_a_group_s_messages_are_handled_one_by_one(patient: Lanes) -> None:
    patient.admit(*(message(CUSTOMER, str(n), group="120363") for n in range(2)))
    patient.hurry()
    ((work,),) = [patient.inbox.take("p", next(_counters), 1)[1]]
    assert said(work) == ["0"]


def test_a_stop_stands_for_itself_and_ends_a_burst(store: Store) -> None:
    lanes = Lanes.over(store)
    lanes.inbox = Inbox(store, retention_seconds=KEEP, debounce=WINDOW, stop_words=StopWords.of(["STOP"], []))
    lanes.admit(text("w1", "one"), text("w2", "stop!"), text("w3", "three"))
    for words in (["one"], ["stop!"], ["three"]):
        work = take(lanes)
        assert said(work) == words
        finish(lanes, work)


def test_what_comes_while_a_burst_is_answered_waits_for_more_itself(patient: Lanes) -> None:
    patient.admit(text("w1", "one"))
    work = take(patient)
    lease = due_in(patient) or 0
    patient.admit(text("w2", "two"))
    assert abs((due_in(patient) or 0) - lease) < 1  # the lease is unchanged
    finish(patient, work)
    assert WINDOW - 0.5 < (due_in(patient) or 0) <= WINDOW + TICK
    patient.admit(text("w3", "three"))
    assert said(take(patient)) == ["two", "three"]


def test_twenty_are_handled_together_and_the_rest_at_once_after_them(patient: Lanes) -> None:
    patient.admit(*(text(f"w{n}", str(n)) for n in range(25)))
    work = take(patient)
    assert len(said(work)) == 20
    finish(patient, work)
    assert (due_in(patient) or 0) <= 0
    assert len(said(take(patient))) == 5


def test_a_crash_gives_the_same_burst_back_whatever_came_since(patient: Lanes) -> None:
    patient.admit(text("w1", "one"), text("w2", "two"))
    take(patient, "dies")
    patient.admit(text("w3", "three"))
    patient.inbox.release_consumer("dies", died=True)
    work = take(patient)
    assert (said(work), work.deliveries) == (["one", "two"], 2)
    assert finish(patient, work)
    assert said(take(patient)) == ["three"]


def test_a_repeated_take_gives_the_same_burst(patient: Lanes) -> None:
    patient.admit(text("w1", "one"), text("w2", "two"))
    patient.hurry()
    counter = next(_counters)
    (first,) = patient.inbox.take("p", counter, 1)[1]
    patient.admit(text("w3", "three"))
    (again,) = patient.inbox.take("p", counter, 1)[1]
    assert said(first) == said(again) == ["one", "two"]


def test_a_burst_that_fails_over_and_over_comes_apart(patient: Lanes) -> None:
    patient.admit(text("w1", "one"), text("w2", "poison"))
    for _ in range(3):
        work = take(patient)
        assert said(work) == ["one", "poison"]
        patient.inbox.retry_later(work, "p", 1, is_failure=True)
    alone = take(patient)
    assert said(alone) == ["one"]
    finish(patient, alone)
    guilty = take(patient)
    assert (said(guilty), guilty.deliveries) == (["poison"], 1)


def test_a_dead_letter_is_of_the_head_alone(patient: Lanes) -> None:
    patient.admit(text("w1", "one"), text("w2", "two"))
    assert patient.inbox.dead_letter(take(patient), "p", "failed", "ValueError")
    assert said(take(patient)) == ["two"]


def test_a_message_revoked_out_of_a_burst_at_work_is_not_answered(patient: Lanes) -> None:
    patient.admit(text("w1", "one"), text("w2", "4111 1111"))
    work = take(patient)
    patient.admit(revoke("rv", "w2"))
    assert not finish(patient, work)
    assert said(take(patient)) == ["one"]


def test_a_message_edited_while_it_waits_is_part_of_its_burst(patient: Lanes) -> None:
    patient.admit(text("w1", "one"), text("w2", "tow"))
    patient.admit(edit("e1", "w2", "two"))
    assert (due_in(patient) or 0) > WINDOW - 0.5
    assert said(take(patient)) == ["one", "two"]


def test_a_burst_stays_whole_where_two_conversations_become_one(patient: Lanes) -> None:
    user_id = "US.42"
    patient.admit(message("", "one", user_id=user_id), message("", "two", user_id=user_id))
    patient.admit(message(CUSTOMER, "three", user_id=user_id))
    assert said(take(patient)) == ["one", "two", "three"]


def test_where_it_is_off_what_is_stored_and_due_is_as_without_it(lanes: Lanes) -> None:
    one, two = text("w1", "one"), text("w2", "two")
    lanes.admit(one, two)
    (work,) = lanes.inbox.take("p", next(_counters), 1)[1]
    assert (said(work), work.behind) == (["one"], ())
    assert work.member == write_event(one, work.stored.received)
    stored = lanes.store.do("HKEYS", CONV)
    assert not [name for name in stored if name.startswith(b"burst")]


@pytest.fixture
def run(patient: Lanes) -> Iterator[Callable[..., InboundWorker]]:
    """Start a worker that handles with the test's function, over an inbox with a short window."""
    started: list[tuple[InboundWorker, gevent.Greenlet]] = []

    def start(handle: Callable[[Utterance], PipelineResult], **options: Any) -> InboundWorker:
        receipts, typing_after = options.pop("receipts", NO_RECEIPTS), options.pop("typing_after", 0.0)
        worker = InboundWorker(
            PoliteInbox(patient.store, **{"retention_seconds": KEEP, "debounce": 0.05} | options),
            Conversation(handle, typing_after),  # type: ignore[arg-type]  # what the worker calls of it
            receipts,
            no_media,
            consumer="w",
            concurrency=8,
            handle_timeout=5.0,
            reply_ttl_ms=60_000,
        )
        started.append((worker, gevent.spawn(worker.consume)))
        return worker

    yield start
    for worker, consuming in started:
        worker.stop()
        consuming.kill()
        worker.kill()


def begun(lanes: Lanes, consumer: str = "p") -> list[tuple[str, str]]:
    """Take, and return the messages, as (number, id), for which typing should be shown."""
    told: list[tuple[str, str]] = []
    lanes.inbox.take(
        consumer, next(_counters), 1, on_burst=lambda number, message_id: told.append((number, message_id))
    )
    return told


def test_the_first_of_a_burst_is_told_once_to_show_typing(patient: Lanes) -> None:
    patient.admit(text("w1", "I would like"), text("w2", "a room"))
    assert begun(patient) == [(NUMBER, "w1")]
    patient.admit(text("w3", "for two"))
    assert begun(patient, "another") == []
    work = take(patient)
    assert finish(patient, work)
    patient.admit(text("w4", "and breakfast"))
    assert begun(patient) == [(NUMBER, "w4")]


def test_of_what_is_due_at_once_or_taken_by_then_no_typing_is_told(patient: Lanes) -> None:
    patient.admit(text("w1", "before"), button("b1"))
    patient.hurry()
    assert begun(patient) == []


def test_who_talks_with_a_person_sees_no_typing_of_ours(patient: Lanes, store: Store) -> None:
    patient.admit(text("w1", "hello"))
    finish(patient, take(patient))
    store.do("HSET", f"{PREFIX}contact:{CONVERSATION}", "paused_until", int(time.time() * 1000) + 60_000)
    patient.admit(text("w2", "are you there?"))
    assert begun(patient) == []


def test_a_late_message_to_another_application_s_thread_is_not_marked_as_read(patient: Lanes, store: Store) -> None:
    patient.admit(text("w1", "hello"))
    finish(patient, take(patient))
    now = int(time.time())
    ownership = {"other_until": (now + 60) * 1000, "owner_since": now + 1}
    store.do("HSET", f"{PREFIX}contact:{CONVERSATION}", *(part for fact in ownership.items() for part in fact))
    patient.admit(text("w2", "are you there?"))
    assert begun(patient) == []


def test_where_it_is_off_no_burst_begins(lanes: Lanes) -> None:
    lanes.admit(text("w1", "one"))
    assert begun(lanes) == []
    assert lanes.store.do("EXISTS", f"{PREFIX}begun") == 0


class Shown:
    """Read receipts that record for which messages they showed typing."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def begin_typing(self, _number: str, message_id: str) -> None:
        self.messages.append(message_id)

    def kill(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(("typing_after", "shown"), [(0.0, ["w1"]), (1.0, [])])
def test_while_a_burst_waits_its_customer_sees_typing_unless_a_tool_decides(
    patient: Lanes, run: Callable[..., InboundWorker], typing_after: float, shown: list[str]
) -> None:
    receipts = Shown()
    patient.admit(text("w1", "one"), text("w2", "two"))
    run(lambda _: PipelineResult(), receipts=receipts, debounce=WINDOW, typing_after=typing_after)
    gevent_until(lambda: receipts.messages == shown and patient.store.do("LLEN", NAMES.wake) == 0)
    assert receipts.messages == shown
    assert (due_in(patient) or 0) > 0  # it still waits


def album() -> list[Piece]:
    return [picture(f"A{n}", "is this one in stock?" if n == 9 else "") for n in range(10)]


@pytest.mark.parametrize(
    ("pieces", "kind", "words"),
    [
        (
            [text("w1", "I would like"), text("w2", "a room"), text("w3", "for two")],
            "text",
            "I would like\na room\nfor two",
        ),
        (album(), "image", "is this one in stock?"),
        ([text("w1", "this one:"), button("b1")], "choice", "this one:\nYes"),
        ([text("w1", "look:"), picture("p1", "nice?"), picture("p2")], "image", "look:\nnice?"),
    ],
)
def test_a_burst_is_one_question_and_one_answer(
    patient: Lanes, run: Callable[..., InboundWorker], pieces: list[Piece], kind: str, words: str
) -> None:
    heard: list[Utterance] = []

    def handle(utterance: Utterance) -> PipelineResult:
        heard.append(utterance)
        return PipelineResult(replies=({"type": "text", "text": {"body": "one answer"}},), intent="all")

    patient.admit(*pieces)
    patient.hurry()
    run(handle)
    gevent_until(lambda: bodies(patient))
    gevent_until(lambda: due_in(patient) is None)
    assert bodies(patient) == ["one answer"]
    assert [(one.kind, one.text, len(one.messages)) for one in heard] == [(kind, words, len(pieces))]
    assert heard[0].id == pieces[0].id


def test_of_a_burst_what_is_too_old_by_now_is_left_out(patient: Lanes, run: Callable[..., InboundWorker]) -> None:
    now = int(time.time())
    patient.admit(message(CUSTOMER, "old", timestamp=now - 7_200), message(CUSTOMER, "new", timestamp=now))
    patient.hurry()
    run(
        lambda utterance: PipelineResult(replies=({"type": "text", "text": {"body": utterance.text}},), intent="x"),
        answer_max_age=3_600,
    )
    gevent_until(lambda: bodies(patient))
    assert bodies(patient) == ["new"]


def test_a_reply_to_a_burst_goes_to_where_the_latest_of_it_came_from(
    patient: Lanes, run: Callable[..., InboundWorker]
) -> None:
    patient.admit(message(CUSTOMER, "one", user_id="US.42"))
    patient.admit(message("", "two", user_id="US.42"))
    patient.hurry()
    run(lambda _: PipelineResult(replies=({"type": "text", "text": {"body": "yes"}},), intent="x"))
    (record_id,) = gevent_until(lambda: patient.store.do("LRANGE", f"{PREFIX}lane:{CONVERSATION}", 0, -1))
    assert (
        orjson.loads(patient.store.do("HGET", f"{PREFIX}record:".encode() + record_id, "body"))["recipient"] == "US.42"
    )
