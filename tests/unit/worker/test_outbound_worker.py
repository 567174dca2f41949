"""The consumer of a number's lanes: what it requests, and how it waits."""

from __future__ import annotations

from typing import Any, cast

import gevent.event
import pytest

from wa_service.delivery.sender import Sender
from wa_service.store.grants import Grant, GrantBatch
from wa_service.store.outbox import Outbox
from wa_service.worker.outbound import OutboundWorker


class Asked:
    """An outbox that returns the given answers and records calls."""

    def __init__(self, *answers: GrantBatch) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []
        self.waited: list[float] = []
        self.worker: OutboundWorker | None = None

    def next(self, number: str, consumer: str, counter: int, count: int, *, most_bulk: int) -> GrantBatch:
        del number, consumer, counter
        self.asked.append((count, most_bulk))
        answer = self.answers.pop(0)
        if not self.answers:
            assert self.worker is not None
            self.worker.stop()
        return answer

    def wait_for_work(self, number: str, seconds: float) -> None:
        del number
        self.waited.append(seconds)


def consume(asked: Asked, sender: Any = None, concurrency: int = 8) -> OutboundWorker:
    worker = OutboundWorker("n", cast(Outbox, asked), cast(Sender, sender), consumer="c", concurrency=concurrency)
    asked.worker = worker
    worker.consume()
    return worker


def grant(name: str) -> Grant:
    return Grant(name, 1, "c", "text", b"{}", 0, 0, 0, "", 0)


@pytest.mark.parametrize(("why", "wakes"), [("bulk", True), ("idle", True), ("throughput", False), ("pause", False)])
def test_while_only_bulk_sends_have_to_wait_a_reply_wakes_it(why: str, wakes: bool) -> None:
    asked = Asked(GrantBatch([], 0.06, why, []), GrantBatch([], 0.0, why, []))
    consume(asked)
    assert asked.waited == ([0.06] if wakes else [])


def test_bulk_sends_never_take_the_last_quarter_of_its_slots() -> None:
    held = gevent.event.Event()

    class Slow:
        def send(self, _: Grant) -> None:
            held.wait()

    asked = Asked(
        GrantBatch([grant(f"a{i}") for i in range(4)], 0.0, "", []),
        GrantBatch([grant(f"b{i}") for i in range(3)], 0.0, "", []),
        GrantBatch([], 0.0, "", []),
    )
    worker = consume(asked, Slow())
    held.set()
    assert worker.join(5)
    assert asked.asked == [(8, 6), (4, 2), (1, 0)]
