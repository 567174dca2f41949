"""Long polls are bounded for a key and for a process, so that webhooks find a connection."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.unit.web.conftest import KEYS, Web
from wa_service.store.events import Events
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
