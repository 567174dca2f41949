"""Two bots talk to each other: after a number of answers the conversation is paused, and an event reports it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.integration.test_worker_inbound import bodies, echo, gevent_until
from tests.integration.test_worker_inbound import run as run
from tests.keys import PREFIX
from wa_service.push.event_form import event_item
from wa_service.store.client import Store
from wa_service.store.events import Events
from wa_service.store.inbox import Finished, Inbox, Pause, ReplyLimit
from wa_service.worker.inbound import InboundWorker

CUSTOMER = "15551230001"
CONTACT = f"{PREFIX}contact:{NUMBER}:{CUSTOMER}"
ANSWERED = f"{PREFIX}answered:{NUMBER}:{CUSTOMER}"
_counters = itertools.count(1)


@pytest.fixture
def limited(store: Store) -> Lanes:
    """Lanes in which a customer gets three answers in ten minutes."""
    lanes = Lanes.over(store)
    lanes.inbox = Inbox(store, retention_seconds=KEEP, reply_limit=ReplyLimit(3, 600))
    return lanes


def answer(lanes: Lanes, customer: str = CUSTOMER, replies: int = 1, pause: Pause | None = None) -> Finished:
    """Answer one message of a customer."""
    lanes.admit(message(customer))
    (work,) = lanes.inbox.take("p", next(_counters), 1)[1]
    return lanes.inbox.finish(work, "p", [send(customer) for _ in range(replies)], pause=pause)


def pauses(lanes: Lanes) -> list[dict[str, object]]:
    entries = Events(lanes.store, retention_seconds=KEEP).after("", 1_000)
    return [event_item(entry)["data"] for entry in entries if entry.kind == "pause"]


def test_one_answer_too_many_is_not_given_and_begins_half_an_hour_of_silence(limited: Lanes, store: Store) -> None:
    assert [answer(limited, replies=2) for _ in range(3)] == [Finished.DONE] * 3
    assert answer(limited) == Finished.OVER_REPLY_LIMIT
    assert store.do("LLEN", f"{PREFIX}lane:{NUMBER}:{CUSTOMER}") == 6
    now = store.do("TIME")
    ms = int(now[0]) * 1000
    assert 1_790_000 < float(store.do("HGET", CONTACT, "paused_until")) - ms <= 1_801_000
    (told,) = pauses(limited)
    assert told["reason"] == "reply-limit"
    assert answer(limited, "15557770001") == Finished.DONE


def test_a_handover_beyond_the_limit_is_told_and_pauses_too(limited: Lanes, store: Store) -> None:
    for _ in range(3):
        answer(limited)
    assert answer(limited, pause=Pause(7_200, "handover", "wants a refund")) == Finished.OVER_REPLY_LIMIT
    assert [(told["reason"], told.get("note")) for told in pauses(limited)] == [
        ("reply-limit", None),
        ("handover", "wants a refund"),
    ]
    assert float(store.do("HGET", CONTACT, "paused_until")) > (int(store.do("TIME")[0]) + 7_190) * 1000


def test_what_is_not_answered_does_not_count(limited: Lanes) -> None:
    assert [answer(limited, replies=0) for _ in range(5)] == [Finished.DONE] * 5
    assert answer(limited) == Finished.DONE


def test_answers_of_long_ago_do_not_count(limited: Lanes, store: Store) -> None:
    for _ in range(3):
        answer(limited)
    times = [float(at) for at in store.do("LRANGE", ANSWERED, 0, -1)]
    store.do("DEL", ANSWERED)
    store.do("RPUSH", ANSWERED, *(at - 600_000 for at in times))
    assert answer(limited) == Finished.DONE


def test_by_default_of_the_step_there_is_no_limit(lanes: Lanes, store: Store) -> None:
    assert [answer(lanes, replies=0) for _ in range(40)] == [Finished.DONE] * 40
    assert answer(lanes) == Finished.DONE
    assert store.do("EXISTS", ANSWERED) == 0


@pytest.mark.parametrize(("reason", "note"), [("handover", "wants a refund"), ("responder", "")])
def test_a_pause_that_an_answer_begins_is_told(limited: Lanes, store: Store, reason: str, note: str) -> None:
    assert answer(limited, pause=Pause(60, reason, note)) == Finished.DONE  # type: ignore[arg-type]  # one of the two
    (told,) = pauses(limited)
    assert (told["reason"], told.get("note", "")) == (reason, note)
    assert float(store.do("HGET", CONTACT, "paused_until")) == pytest.approx(time.time() * 1000 + 60_000, abs=5_000)
    assert answer(limited, pause=Pause(0, "responder")) == Finished.PAUSED
    assert len(pauses(limited)) == 1


def test_the_worker_says_so_once_and_counts_it(store: Store, run: Callable[..., InboundWorker]) -> None:
    name = "whatsapp_reply_limit_reached_total"
    before = REGISTRY.get_sample_value(name) or 0.0
    lanes = Lanes.over(store)
    with capture_logs() as told:
        run(echo, over=lanes, reply_limit=ReplyLimit(2, 600))
        for n in range(5):
            lanes.admit(message(text=str(n)))
        gevent_until(lambda: not store.do("EXISTS", f"{PREFIX}due"))
    assert bodies(lanes) == ["0", "1"]
    assert [line["event"] for line in told].count("whatsapp.conversation.reply_limit_reached") == 1
    assert REGISTRY.get_sample_value(name) == before + 1
