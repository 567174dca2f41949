"""Two web processes with one store act as one service."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.keys import PREFIX
from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, delivery, status_of, text_message, value_of


def test_the_same_event_on_two_processes_at_the_same_moment_is_one_event(start_web: Start) -> None:
    both = [start_web(), start_web()]
    both[0].send({"to": CUSTOMER, "text": "hello"})
    both[0].accept("wamid.HBgLOURS")
    rounds = [
        *(value_of(messages=[text_message(f"wamid.HBgL{i}")]) for i in range(40)),
        value_of(statuses=[status_of("wamid.HBgLOURS", "delivered")]),
        value_of(messages=["no object"]),
    ]
    at_once = threading.Barrier(2)

    def post(web: Web) -> list[int]:
        answers = []
        for value in rounds:
            at_once.wait(10)
            answers.append(web.webhook(delivery(value)).status_code)
        return answers

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(post, both))

    events = [event["kind"] for event in both[0].get("/v1/events").json["items"]]
    assert answers == [[200] * len(rounds)] * 2
    assert both[0].runtime.store.do("ZCARD", f"{PREFIX}mailbox:{NUMBER}:{CUSTOMER}") == 40
    assert (events.count("message"), events.count("status")) == (40, 1)
    assert len(both[0].get("/v1/dead-letters").json["items"]) == 1
