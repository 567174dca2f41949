"""The inbound worker over a real store, with a conversation that does what a test says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, cast

import gevent
import gevent.event
import orjson
import pytest
from structlog.testing import capture_logs

from tests.integration.lanes import KEEP, NUMBER, Lanes, message
from tests.keys import NAMES, PREFIX
from wa_service.conversation.pipeline import PipelineResult
from wa_service.conversation.utterance import Utterance
from wa_service.resilience.breaker import Unavailable
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.inbox import Finished, Inbox
from wa_service.store.retry import BETWEEN_TRIES
from wa_service.whatsapp.errors import WhatsAppConnectionError, WhatsAppRequestError
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.worker.inbound import (
    MAX_DELIVERIES,
    MAX_FAILURES,
    RENEW_LEASE_AFTER,
    RETRY_DELAYS,
    InboundWorker,
    LeaseLostError,
)
from wa_service.worker.maintenance import Maintenance
from wa_service.worker.read_receipts import ReadReceipts

BOX = f"{PREFIX}mailbox:{NUMBER}:15551230001"
Handle = Callable[[Utterance], PipelineResult]


class Conversation:
    """A pipeline that calls the test's function."""

    recording_seconds = 60.0

    def __init__(self, handle: Handle, typing_after: float = 0.0) -> None:
        self._handle = handle
        self.typing_after = typing_after
        self.seen: list[str] = []

    def wants_answer(self, utterance: Utterance) -> bool:
        return utterance.kind != "reaction"

    def apologise(self, utterance: Utterance) -> tuple[dict[str, Any], ...]:
        return ({"type": "text", "text": {"body": "Sorry."}},)

    def handle(self, utterance: Utterance, fetch_media: Any) -> PipelineResult:
        return self._handle(utterance)


class PoliteInbox(Inbox):
    """Waits for the wake-up by letting other greenlets run, because this process is not patched."""

    def wait_for_work(self, seconds: float) -> None:
        gevent.sleep(min(seconds, 0.005))


NO_RECEIPTS = ReadReceipts({}, cast(Any, None), enabled=False)


def echo(utterance: Utterance) -> PipelineResult:
    return PipelineResult(replies=({"type": "text", "text": {"body": utterance.text}},), intent="echo")


def no_media(number: str, media_id: str) -> Any:
    raise AssertionError("no media here")


def gevent_until(condition: Callable[[], Any], within: float = 5.0) -> Any:
    """Wait for a condition while greenlets run."""
    with gevent.Timeout(within, AssertionError(f"not within {within} s: {condition}")):
        while not (value := condition()):
            gevent.idle()
            gevent.sleep(0.005)
        return value


@pytest.fixture
def run(lanes: Lanes) -> Iterator[Callable[..., InboundWorker]]:
    started: list[tuple[InboundWorker, gevent.Greenlet]] = []

    def start(
        handle: Handle,
        *,
        timeout: float = 5.0,
        over: Lanes = lanes,
        consumer: str = "w",
        concurrency: int = 8,
        renew_after: float = RENEW_LEASE_AFTER,
        conversation: type[Conversation] = Conversation,
        **inbox: Any,
    ) -> InboundWorker:
        worker = InboundWorker(
            PoliteInbox(over.store, retention_seconds=KEEP, **inbox),
            conversation(handle),  # type: ignore[arg-type]  # what the worker calls of it
            NO_RECEIPTS,
            no_media,
            consumer=consumer,
            concurrency=concurrency,
            handle_timeout=timeout,
            reply_ttl_ms=60_000,
            renew_after=renew_after,
        )
        started.append((worker, gevent.spawn(worker.consume)))
        return worker

    yield start
    for worker, consuming in started:
        worker.stop()
        consuming.kill()
        worker.kill()


def bodies(lanes: Lanes, customer: str = "15551230001") -> list[str]:
    """The texts that wait to be sent to a customer, in order."""
    waiting = lanes.store.do("LRANGE", f"{PREFIX}lane:106540352242922:{customer}", 0, -1)
    stored = [lanes.store.do("HGET", f"{PREFIX}record:".encode() + record_id, "body") for record_id in waiting]
    return [orjson.loads(body)["text"]["body"] for body in stored]


def test_messages_are_answered_in_order(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    lanes.admit(*(message(text=str(i)) for i in range(10)))
    run(echo)
    gevent_until(lambda: len(bodies(lanes)) == 10)
    assert bodies(lanes) == [str(i) for i in range(10)]


def test_a_reply_is_addressed_to_who_wrote(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    lanes.admit(message("", user_id="US.42", text="hi"))
    run(echo)
    (record_id,) = gevent_until(lambda: lanes.store.do("LRANGE", f"{PREFIX}lane:106540352242922:US.42", 0, -1))
    payload = orjson.loads(lanes.store.do("HGET", f"{PREFIX}record:".encode() + record_id, "body"))
    assert payload["recipient"] == "US.42"
    assert "to" not in payload


def test_a_reaction_is_finished_without_an_answer(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    piece = message()
    piece.raw.update(type="reaction", reaction={"message_id": "wamid.X", "emoji": "👍"})
    lanes.admit(piece)
    run(echo)
    gevent_until(lambda: not lanes.store.do("EXISTS", f"{PREFIX}due"))
    assert bodies(lanes) == []


def test_a_poisonous_message_delays_nobody_else(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    others_answered = gevent.event.Event()

    def handle(utterance: Utterance) -> PipelineResult:
        if utterance.text == "poison":
            others_answered.wait()
            raise ValueError("15551230001 said something")
        return echo(utterance)

    lanes.admit(message(text="poison"), message("15557770001", text="fine"))
    run(handle)
    gevent_until(lambda: bodies(lanes, "15557770001") == ["fine"])
    others_answered.set()


def test_after_five_failures_it_is_a_dead_letter_and_the_next_is_answered(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker]
) -> None:
    def handle(utterance: Utterance) -> PipelineResult:
        if utterance.text == "poison":
            raise ValueError("15551230001 said something")
        return echo(utterance)

    lanes.admit(message(text="poison"), message(text="next"))
    store.do("HSET", f"{PREFIX}conv:106540352242922:15551230001", "nothing", 0)
    run(handle)

    def hurried() -> bool:
        lanes.hurry("w")
        return bodies(lanes) == ["Sorry.", "next"]

    gevent_until(hurried)
    ((letter,), _) = DeadLetters(store, retention_seconds=60).page()
    assert (letter.kind, letter.reason, letter.tries) == ("failed", "ValueError", 5)


@pytest.mark.parametrize(
    "answer",
    [
        PipelineResult(replies=({"type": "text", "text": {"body": object()}},), intent=""),
        PipelineResult(replies=(), intent="", transcript="\ud800"),
    ],
)
def test_an_answer_that_cannot_be_written_is_a_failure_with_a_reason(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker], answer: PipelineResult
) -> None:
    lanes.admit(message())
    with capture_logs() as told:
        run(lambda _: answer)
        again = gevent_until(lambda: [line for line in told if line["event"] == "whatsapp.message.retry_scheduled"])
    assert again[0]["reason"] in {"TypeError", "JSONEncodeError"}
    assert store.do("HGET", f"{PREFIX}conv:106540352242922:15551230001", "failures") == b"1"


def test_a_failing_message_waits_longer_each_time(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    def handle(_: Utterance) -> PipelineResult:
        raise ValueError

    lanes.admit(message())
    with capture_logs() as told:
        run(handle)

        def ended() -> bool:
            lanes.hurry("w")
            return told[-1:] != [] and told[-1]["event"] == "whatsapp.message.dead_lettered"

        gevent_until(ended)
    waits = [line["seconds"] for line in told if line["event"] == "whatsapp.message.retry_scheduled"]
    assert len(waits) == len(RETRY_DELAYS)
    assert all(0.7 * delay <= wait <= 1.3 * delay for wait, delay in zip(waits, RETRY_DELAYS, strict=True))


def test_messages_that_failed_together_do_not_come_back_together(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker]
) -> None:
    def handle(_: Utterance) -> PipelineResult:
        raise ValueError

    lanes.admit(*(message(f"1555000{n:04}") for n in range(30)))
    with capture_logs() as told:
        run(handle)
        gevent_until(lambda: len([line for line in told if line["event"] == "whatsapp.message.retry_scheduled"]) >= 30)
    due = [score for _, score in store.client.zrange(NAMES.due, 0, -1, withscores=True)]
    assert max(due) - min(due) > 250


@pytest.mark.parametrize(("waited", "failures"), [(3_500, 0), (3_700, 1)])
def test_for_an_hour_what_meta_cannot_do_counts_as_no_try(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker], waited: int, failures: int
) -> None:
    def handle(_: Utterance) -> PipelineResult:
        raise WhatsAppConnectionError("no route")

    store.run([lanes.inbox.admit(message(), int(time.time() - waited) * 1000)])
    with capture_logs() as told:
        run(handle)
        gevent_until(lambda: [line for line in told if line["event"] == "whatsapp.message.retry_scheduled"])
    assert int(store.do("HGET", f"{PREFIX}conv:{NUMBER}:15551230001", "failures") or 0) == failures


def test_work_that_was_taken_too_often_is_a_dead_letter(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker]
) -> None:
    lanes.admit(message(text="kills its process"), message(text="next"))
    for counter in range(MAX_DELIVERIES):
        lanes.hurry()
        lanes.inbox.take("dead", counter, 1)
        lanes.inbox.release_consumer("dead", died=True)
    lanes.hurry()
    run(echo)
    gevent_until(lambda: bodies(lanes) == ["Sorry.", "next"])
    ((letter,), _) = DeadLetters(store, retention_seconds=60).page()
    assert letter.kind == "crashed"


def stored_otherwise(store: Store, member: bytes) -> None:
    """Store the first message of a mailbox as another version would."""
    ((_, score),) = store.client.zpopmin(BOX)
    store.client.zadd(BOX, {member: score})


class Dying:
    """Worker processes in succession: a poisonous message ends each at once, and the next one takes over."""

    def __init__(self, lanes: Lanes, run: Callable[..., InboundWorker], consumers: int = 1) -> None:
        self.deaths = 0
        self._lanes = lanes
        self._run = run
        self._workers: dict[str, InboundWorker] = {}
        for n in range(consumers):
            self._start(f"process {n}")

    def _start(self, name: str) -> None:
        consumer = f"{name}, life {self.deaths}"

        def handle(utterance: Utterance) -> PipelineResult:
            if utterance.text == "poison":
                gevent.spawn(self._die, name, consumer)
                gevent.event.Event().wait()
            gevent.event.Event().wait(0.1)
            return echo(utterance)

        self._workers[name] = self._run(handle, consumer=consumer, concurrency=64)

    def _die(self, name: str, consumer: str) -> None:
        self.deaths += 1
        self._workers[name].stop()
        self._workers[name].kill()
        self._lanes.inbox.release_consumer(consumer, died=True)
        self._start(name)


@pytest.mark.parametrize(("processes", "others"), [(1, 15), (2, 60)])
def test_a_message_that_kills_its_process_at_once_takes_nobody_along(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker], processes: int, others: int
) -> None:
    customers = [f"1555777{n:04}" for n in range(others)]
    lanes.admit(*(message(customer, "fine") for customer in customers[::2]))
    lanes.admit(message(text="poison"), message(text="next"))
    lanes.admit(*(message(customer, "fine") for customer in customers[1::2]))
    dying = Dying(lanes, run, processes)
    gevent_until(lambda: all(bodies(lanes, customer) == ["fine"] for customer in customers), within=10)
    assert DeadLetters(store, retention_seconds=60).ids() == []

    def hurried() -> bool:
        lanes.hurry(*(f"process {n}, life {m}" for n in range(processes) for m in range(dying.deaths + 1)))
        return bodies(lanes) == ["Sorry.", "next"]

    gevent_until(hurried)
    assert dying.deaths == MAX_DELIVERIES
    ((letter,), _) = DeadLetters(store, retention_seconds=60).page()
    assert (letter.kind, letter.conversation) == ("crashed", f"{NUMBER}:15551230001")


def test_a_message_that_a_later_version_stored_waits_for_that_version(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker]
) -> None:
    lanes.admit(message(text="new"))
    ours: Any = store.client.zrange(BOX, 0, 0)[0]
    stored_otherwise(store, b'{"v":3}')
    with capture_logs() as told:
        run(echo)
        again = gevent_until(lambda: [line for line in told if line["event"] == "whatsapp.message.retry_scheduled"])
    assert "start workers of that version" in again[0]["reason"]
    assert store.client.zrange(BOX, 0, -1) == [b'{"v":3}']
    stored_otherwise(store, ours)
    store.do("ZADD", f"{PREFIX}due", "XX", 0, f"{NUMBER}:15551230001")
    gevent_until(lambda: bodies(lanes) == ["new"])


@pytest.mark.parametrize("member", [b"not JSON", b"[]", b'{"v":2}', b'"2"', b"\xff"])
def test_a_stored_message_that_nobody_can_read_is_a_dead_letter_and_the_next_is_answered(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker], member: bytes
) -> None:
    lanes.admit(message(), message(text="next"))
    stored_otherwise(store, member)
    run(echo)
    gevent_until(lambda: bodies(lanes) == ["next"])
    ((letter,), _) = DeadLetters(store, retention_seconds=60).page()
    assert (letter.kind, letter.number, letter.event) == (
        "malformed",
        NUMBER,
        member.decode("utf-8", "replace").encode(),
    )


def test_an_unavailable_service_counts_no_try(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    tries = []

    def handle(utterance: Utterance) -> PipelineResult:
        tries.append(1)
        if len(tries) <= 12:
            raise Unavailable("responder", 0.0)
        return echo(utterance)

    lanes.admit(message(text="patient"))
    run(handle)
    gevent_until(lambda: bodies(lanes) == ["patient"])


@pytest.mark.parametrize(
    ("error", "failures"), [(WhatsAppConnectionError("no route"), b"0"), (WhatsAppRequestError("no"), b"1")]
)
def test_what_meta_cannot_do_now_counts_no_try(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker], error: Exception, failures: bytes
) -> None:
    def handle(_: Utterance) -> PipelineResult:
        raise error

    lanes.admit(message())
    run(handle)
    gevent_until(
        lambda: (
            store.do("HGET", f"{PREFIX}conv:106540352242922:15551230001", "head")
            and not store.do("HLEN", f"{PREFIX}leases:w")
        )
    )
    assert (store.do("HGET", f"{PREFIX}conv:106540352242922:15551230001", "failures") or b"0") == failures


@pytest.mark.parametrize(
    "error", [WhatsAppConnectionError("not today", retry_after=10_800), Unavailable("responder", 10_800.0)]
)
def test_whoever_asks_for_three_hours_is_asked_again_after_one(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker], error: Exception
) -> None:
    def handle(_: Utterance) -> PipelineResult:
        raise error

    lanes.admit(message())
    run(handle)
    gevent_until(lambda: store.do("EXISTS", f"{PREFIX}last_take:w") and not store.do("HLEN", f"{PREFIX}leases:w"))
    wait, works = lanes.inbox.take("another", 0, 1)
    assert works == []
    assert 3_590 < wait <= 3_600


def test_a_handler_that_takes_too_long_is_cut_off(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker]
) -> None:
    def handle(_: Utterance) -> PipelineResult:
        gevent.event.Event().wait()
        raise AssertionError

    lanes.admit(message())
    run(handle, timeout=0.05)
    gevent_until(lambda: store.do("HGET", f"{PREFIX}conv:106540352242922:15551230001", "failures") == b"1")


def test_what_a_handler_calls_does_not_take_the_cut_off_for_a_time_out_of_its_own(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker]
) -> None:
    def download(_: Utterance) -> PipelineResult:
        try:
            gevent.event.Event().wait()
        except Exception as error:  # as HTTP libraries do with a socket's timeout
            raise WhatsAppConnectionError("read timed out") from error
        raise AssertionError

    lanes.admit(message())
    with capture_logs() as told:
        run(download, timeout=0.05)
        again = gevent_until(lambda: [line for line in told if line["event"] == "whatsapp.message.retry_scheduled"])
    assert again[0]["reason"] == "TimeoutError"
    assert store.do("HGET", f"{PREFIX}conv:106540352242922:15551230001", "failures") == b"1"


def test_a_voice_note_has_the_time_of_its_transcription_in_addition(
    lanes: Lanes, store: Store, run: Callable[..., InboundWorker]
) -> None:
    transcribed, kinds = gevent.event.Event(), []

    def handle(utterance: Utterance) -> PipelineResult:
        kinds.append(utterance.kind)
        (transcribed if utterance.kind == "audio" else gevent.event.Event()).wait()
        return PipelineResult(replies=({"type": "text", "text": {"body": "heard"}},))

    note = message()
    note.raw.update({"type": "audio", "audio": {"id": "77", "mime_type": "audio/ogg", "voice": True}})
    lanes.admit(note, message("15551230002"))
    run(handle, timeout=0.05)
    gevent_until(lambda: store.do("HGET", f"{PREFIX}conv:106540352242922:15551230002", "failures") == b"1")
    transcribed.set()
    gevent_until(lambda: bodies(lanes) == ["heard"])

    assert kinds.count("audio") == 1


class Held:
    """A handler that works until it is released, and records what interrupted it."""

    def __init__(self) -> None:
        self.begun, self.go = gevent.event.Event(), gevent.event.Event()
        self.broken_off: list[type[BaseException]] = []

    def __call__(self, utterance: Utterance) -> PipelineResult:
        self.begun.set()
        try:
            self.go.wait()
        except BaseException as error:
            self.broken_off.append(type(error))
            raise
        return echo(utterance)


def lease_ends(lanes: Lanes, at: float | None = None) -> float:
    """Return when the first conversation's lease ends (Unix seconds), after setting it to `at` if given."""
    if at is not None:
        lanes.store.do("ZADD", NAMES.due, "XX", at * 1000, f"{NUMBER}:15551230001")
    return float(lanes.store.do("ZSCORE", NAMES.due, f"{NUMBER}:15551230001")) / 1000


def test_a_lease_is_renewed_while_its_handler_works(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    lanes.admit(message(text="slow"))
    held = Held()
    worker = run(held, renew_after=0.0)
    assert held.begun.wait(5)
    nearly_over = lease_ends(lanes, time.time() + 1)
    Maintenance(
        lanes.outbox, lanes.inbox, Events(lanes.store, retention_seconds=KEEP), "w", worker.renew_leases
    ).run_once()
    assert lease_ends(lanes) > nearly_over + 10
    held.go.set()
    gevent_until(lambda: bodies(lanes) == ["slow"])


def test_a_young_lease_is_left_alone(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    lanes.admit(message())
    held = Held()
    worker = run(held)
    assert held.begun.wait(5)
    end = lease_ends(lanes, time.time() + 1)
    worker.renew_leases()
    assert lease_ends(lanes) == pytest.approx(end, abs=0.001)


def test_a_handler_whose_lease_is_anothers_is_broken_off(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    lanes.admit(message(text="twice?"))
    held = Held()
    worker = run(held, renew_after=0.0)
    assert held.begun.wait(5)
    worker.stop()
    lease_ends(lanes, 0.0)
    assert len(lanes.inbox.take("another", 0, 1)[1]) == 1
    with capture_logs() as told:
        worker.renew_leases()
        assert worker.join(5)
    assert held.broken_off == [LeaseLostError]
    assert [line["event"] for line in told] == ["whatsapp.message.lease_lost"]
    assert bodies(lanes) == []


def test_a_handler_that_lost_its_lease_writes_nothing(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    go = gevent.event.Event()
    entered = gevent.event.Event()

    def handle(utterance: Utterance) -> PipelineResult:
        entered.set()
        go.wait()
        return echo(utterance)

    lanes.admit(message(text="twice?"))
    slow = run(handle)
    assert entered.wait(5)
    slow.stop()
    lanes.inbox.release_consumer("w", died=True)
    run(echo, consumer="other")
    gevent_until(lambda: bodies(lanes) == ["twice?"])
    go.set()
    assert slow.join(5)
    assert bodies(lanes) == ["twice?"]


@pytest.mark.parametrize("failures", [0, MAX_FAILURES - 1])
def test_a_failure_after_the_lease_was_lost_is_reported_as_a_lost_lease(
    lanes: Lanes, run: Callable[..., InboundWorker], failures: int
) -> None:
    def fail_without_lease(utterance: Utterance) -> PipelineResult:
        worker.stop()
        lanes.inbox.release_consumer("w", died=True)
        raise RuntimeError("broken")

    lanes.admit(message())
    lanes.store.do("HSET", f"{PREFIX}conv:{NUMBER}:15551230001", "failures", failures)
    with capture_logs() as told:
        worker = run(fail_without_lease)
        gevent_until(lambda: [line for line in told if line["event"] == "whatsapp.message.lease_lost"])
    outcomes = {"whatsapp.message.retry_scheduled", "whatsapp.message.dead_lettered"}
    assert outcomes.isdisjoint(line["event"] for line in told)
    assert int(lanes.store.do("ZCARD", BOX)) == 1


def test_replies_that_a_pause_prevented_are_not_reported(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    def pause_meanwhile(utterance: Utterance) -> PipelineResult:
        Contacts(lanes.store, [NUMBER], retention_seconds=KEEP).pause("15551230001", 60)
        return echo(utterance)

    lanes.admit(message())
    with capture_logs() as told:
        run(pause_meanwhile)
        (line,) = gevent_until(lambda: [line for line in told if line["event"] == "whatsapp.message.handled"])
    assert line["replies"] == bodies(lanes) == []


def test_a_stopped_worker_takes_nothing_more(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    worker = run(echo)
    worker.stop()
    gevent.sleep(0)
    lanes.admit(message())
    assert worker.join(1)
    assert bodies(lanes) == []


def test_an_answer_is_written_once_the_store_is_back(lanes: Lanes) -> None:
    class Away(PoliteInbox):
        tried: ClassVar[list[float]] = []

        def finish(self, *args: Any, **rest: Any) -> Finished:
            self.tried.append(time.monotonic())
            if len(self.tried) < 3:
                raise StoreUnavailableError("away")
            return super().finish(*args, **rest)

    asked = []

    def handle(utterance: Utterance) -> PipelineResult:
        asked.append(1)
        return echo(utterance)

    worker = InboundWorker(
        Away(lanes.store, retention_seconds=KEEP),
        Conversation(handle),  # type: ignore[arg-type]  # what the worker calls of it
        NO_RECEIPTS,
        no_media,
        consumer="w",
        concurrency=1,
        handle_timeout=5.0,
        reply_ttl_ms=60_000,
        wait_for_store=lambda _: True,
    )
    lanes.admit(message(text="patient"))
    consuming = gevent.spawn(worker.consume)
    try:
        gevent_until(lambda: bodies(lanes) == ["patient"])
    finally:
        worker.stop()
        consuming.kill()
    assert len(asked) == 1
    assert all(later - earlier >= BETWEEN_TRIES for earlier, later in pairwise(Away.tried))


def test_a_customer_whose_message_became_a_dead_letter_hears_one_sentence_once(
    lanes: Lanes, run: Callable[..., InboundWorker]
) -> None:
    for text in ("one", "two"):
        broken = message(text=text)
        broken.raw["text"] = 7
        lanes.admit(broken)
    lanes.admit(message(text="fine"))

    run(echo)

    gevent_until(lambda: len(bodies(lanes)) == 2)
    assert bodies(lanes) == ["Sorry.", "fine"]


def test_what_is_too_old_to_be_answered_gets_no_apology(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    broken = message(timestamp=int(time.time()) - 24 * 3600)
    broken.raw["text"] = 7
    lanes.admit(broken)
    lanes.admit(message(text="fine"))

    run(echo)

    gevent_until(lambda: bodies(lanes))
    assert bodies(lanes) == ["fine"]


def broken_message(**others: Any) -> Piece:
    broken = message(**others)
    broken.raw["text"] = 7
    return broken


def test_an_apology_that_fails_leaves_no_message_at_the_head_of_its_mailbox(
    lanes: Lanes, run: Callable[..., InboundWorker]
) -> None:
    class Broken(Conversation):
        def apologise(self, utterance: Utterance) -> tuple[dict[str, Any], ...]:
            raise RuntimeError("a defect")

    lanes.admit(broken_message())
    lanes.admit(message(text="fine"))

    with capture_logs() as lines:
        run(echo, conversation=Broken)
        gevent_until(lambda: bodies(lanes))

    assert bodies(lanes) == ["fine"]
    told = [line["event"] for line in lines if line["log_level"] == "error"]
    assert told == ["whatsapp.message.failed", "whatsapp.message.dead_lettered"]


def test_an_unexpected_error_beside_the_handler_is_told_and_the_message_is_taken_again(
    lanes: Lanes, run: Callable[..., InboundWorker]
) -> None:
    results = [PipelineResult(pause_seconds=float("inf"))]
    lanes.admit(message(text="hello"))

    with capture_logs() as lines:
        run(lambda utterance: results.pop() if results else echo(utterance), lease_seconds=0.2)
        gevent_until(lambda: bodies(lanes) == ["hello"])

    assert [line["reason"] for line in lines if line["event"] == "whatsapp.message.failed"] == ["OverflowError"]


@pytest.mark.parametrize("field", ["paused_until", "other_until"])
def test_where_a_person_or_another_application_answers_there_is_no_apology(
    lanes: Lanes, run: Callable[..., InboundWorker], field: str
) -> None:
    lanes.admit(broken_message())
    contact = NAMES.contact(f"{NUMBER}:15551230001")
    lanes.store.do("HSET", contact, field, round(time.time() * 1000) + 60_000)

    worker = run(echo)

    gevent_until(lambda: not lanes.store.do("EXISTS", NAMES.due))
    worker.stop()
    assert bodies(lanes) == []
    assert lanes.store.do("HGET", contact, "apologised_at") is None


def test_a_message_that_is_too_old_for_the_operator_gets_no_apology(
    lanes: Lanes, run: Callable[..., InboundWorker]
) -> None:
    lanes.admit(broken_message(timestamp=int(time.time()) - 3_000))

    run(echo, answer_max_age=1_000)

    gevent_until(lambda: not lanes.store.do("EXISTS", NAMES.due))
    assert bodies(lanes) == []


def test_a_pause_keeps_quiet_and_ends(lanes: Lanes, run: Callable[..., InboundWorker]) -> None:
    pauses = iter([60.0, 0.0])

    def handle(utterance: Utterance) -> PipelineResult:
        return replace(echo(utterance), pause_seconds=next(pauses, None))

    lanes.admit(message(text="one"), message(text="two"))
    run(handle)

    gevent_until(lambda: not lanes.store.do("EXISTS", NAMES.due))
    assert bodies(lanes) == ["one"]


@pytest.mark.parametrize("type_", ["edit", "revoke", "system", "reaction"])
def test_what_asks_nothing_gets_no_apology(lanes: Lanes, run: Callable[..., InboundWorker], type_: str) -> None:
    broken = message()
    broken.raw.update({"type": type_, type_: 7})
    lanes.admit(broken)
    lanes.admit(message(text="fine"))

    run(echo)

    gevent_until(lambda: bodies(lanes))
    assert bodies(lanes) == ["fine"]
