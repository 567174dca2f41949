"""Long polls are limited per key and per process, so that webhooks find a connection."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from tests.eventually import eventually
from tests.unit.web.conftest import KEYS, Web
from wa_service.store.event_watch import EventWatch
from wa_service.store.events import Entry, Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.web.event_routes import LONGEST_POLL, read_page
from wa_service.web.long_polls import MOST_OF_A_KEY, MOST_OF_A_PROCESS, LongPolls
from wa_service.web.problems import ProblemError


def test_a_key_has_at_most_so_many_open(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, go_on = threading.Semaphore(0), threading.Event()

    def wait_for_events(*_: object) -> list[object]:
        waiting.release()
        assert go_on.wait(30)
        return []

    monkeypatch.setattr(Events, "after", wait_for_events)
    with ThreadPoolExecutor(MOST_OF_A_KEY) as pool:
        polls = [
            pool.submit(web.app.test_client().get, "/v1/events?wait=0.01", headers=KEYS["reader"])
            for _ in range(MOST_OF_A_KEY)
        ]
        assert all(waiting.acquire(timeout=30) for _ in range(MOST_OF_A_KEY))
        one_more = web.client.get("/v1/events?wait=0.01", headers=KEYS["reader"])
        go_on.set()
        answers = [poll.result(30).status_code for poll in polls]

    assert (one_more.status_code, one_more.json["type"]) == (429, "/docs#too-many-calls")
    assert one_more.headers["Retry-After"] == "1"
    assert answers == [200] * MOST_OF_A_KEY
    assert web.get("/v1/events?wait=0.01", key="reader").status_code == 200


def test_a_process_has_at_most_so_many_open() -> None:
    polls = LongPolls()
    with ExitStack() as held:
        for i in range(MOST_OF_A_PROCESS):
            held.enter_context(polls.hold(f"key{i // MOST_OF_A_KEY}"))
        with pytest.raises(ProblemError), polls.hold("another"):
            pass
    with polls.hold("another"):
        pass


def test_one_key_s_polls_leave_room_for_another_s() -> None:
    polls = LongPolls()
    with ExitStack() as held:
        for _ in range(MOST_OF_A_KEY):
            held.enter_context(polls.hold("greedy"))
        with polls.hold("another"):
            pass


def calls(client: redis.Redis, *commands: str) -> int:
    """Return how often the server has run these commands, from any client."""
    counted: Any = client.info("commandstats")
    return sum(counted.get(f"cmdstat_{command}", {"calls": 0})["calls"] for command in commands)


def test_while_nothing_happens_the_stream_is_read_once_for_all_who_wait(web: Web, redis_client: redis.Redis) -> None:
    def of_each_poll() -> int:
        return calls(redis_client, "xrange", "evalsha")

    def of_all_polls() -> int:
        return calls(redis_client, "xrevrange")

    def waits_without_reading() -> bool:
        before, until = of_each_poll(), of_all_polls() + 3
        eventually(lambda: of_all_polls() >= until)
        return of_each_poll() == before

    with ThreadPoolExecutor(MOST_OF_A_KEY) as pool:
        before = of_each_poll()
        polls = [
            pool.submit(web.app.test_client().get, f"/v1/events?wait={LONGEST_POLL}", headers=KEYS["reader"])
            for _ in range(MOST_OF_A_KEY)
        ]
        eventually(lambda: of_each_poll() >= before + MOST_OF_A_KEY)
        eventually(waits_without_reading, within=15)
        web.runtime.events.console("", {"what": "a change"})
        answers = [poll.result(30).json for poll in polls]

    assert [[item["kind"] for item in answer["items"]] for answer in answers] == [["console"]] * MOST_OF_A_KEY


def test_a_poll_returns_what_comes_between_its_look_and_its_wait(web: Web) -> None:
    """Another poll has just read the stream, so the next shared read is some time away."""
    events, contacts = web.runtime.events, web.runtime.contacts
    watch = EventWatch(events)
    watch.wait_for_change(watch.newest, time.monotonic() + 0.01)
    looked = events.after

    def comes_late(cursor: str, count: int) -> list[Entry]:
        found = looked(cursor, count)
        if not web.runtime.store.do("EXISTS", web.runtime.store.keys.events):
            events.console("", {"what": "a change"})
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "after", comes_late)
        page = read_page(events, contacts, watch, "", LONGEST_POLL, 10)
    assert [item.kind for item in page.items] == ["console"]


def test_a_failover_that_lost_the_newest_event_is_a_change(web: Web, redis_client: redis.Redis) -> None:
    """The waiting poll must then read, because that read makes the stream continue after its cursor."""
    events = web.runtime.events
    for i in range(2):
        events.console("", {"what": i})
    kept, lost = events.after("", 2)
    watch = EventWatch(events)
    watch.wait_for_change("", time.monotonic() + LONGEST_POLL)
    assert watch.newest == lost.cursor
    redis_client.xdel(web.runtime.store.keys.events, lost.cursor)
    watch.wait_for_change(lost.cursor, time.monotonic() + LONGEST_POLL)
    assert watch.newest == kept.cursor


def test_a_poll_ends_with_an_error_when_the_store_goes_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(_: Events) -> str:
        raise StoreUnavailableError

    monkeypatch.setattr(Events, "last_cursor", unavailable)
    assert web.get(f"/v1/events?wait={LONGEST_POLL}").status_code == 503
