"""Nothing that Meta delivers is lost, answered twice or answered out of order, whatever process dies."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer, delivery, message, messages
from tests.e2e.stack import WORKERS, Stack
from tests.e2e.tool import Question
from tests.eventually import eventually
from tests.keys import PREFIX

REDELIVERED = 0.2


class Talk:
    """Customers who write numbered messages, each after the previous one was acknowledged; some are delivered twice."""

    def __init__(self, stack: Stack, customers: Sequence[str], count: int, seed: int) -> None:
        self.texts = [f"{SPOKEN} {n}" for n in range(count)]
        self._stack = stack
        self._customers = customers
        self._seed = seed
        self._acknowledged = 0
        self._mutex = threading.Lock()

    @property
    def acknowledged(self) -> int:
        return self._acknowledged

    def run(self) -> None:
        with ThreadPoolExecutor(12) as pool:
            for done in [pool.submit(self._one, wa_id) for wa_id in self._customers]:
                done.result()

    def _one(self, wa_id: str) -> None:
        dice = random.Random(f"{self._seed}:{wa_id}")
        for text in self.texts:
            body = delivery(messages(message(wa_id, text)))
            self._stack.webhooks.deliver(body)
            with self._mutex:
                self._acknowledged += 1
            if dice.random() < REDELIVERED:
                self._stack.webhooks.deliver(body, other_bytes=True)


def answered(stack: Stack) -> int:
    return sum(stack.meta.accepted().values())


def unknown(stack: Stack) -> Counter[tuple[str, str]]:
    """The replies of unknown outcome, as (customer, text)."""
    found: Counter[tuple[str, str]] = Counter()
    for key in stack.redis.scan_iter(f"{PREFIX}record:*", count=1_000):
        status, body = stack.redis.hmget(key, "status", "body")
        if status == b"unknown":
            reply = orjson.loads(body or b"")
            found[(reply["to"], reply["text"]["body"])] += 1
    return found


def resent(stack: Stack) -> set[tuple[str, str]]:
    """The replies that were sent again because they had no status. They may come after later replies."""
    found = set()
    for sent in stack.meta.seen()["sends"]:
        if stack.redis.hexists(f"{PREFIX}record:{sent['opaque']}", "resent"):
            found.add((sent["wa_id"], sent["content"]["body"]))
    return found


def check(stack: Stack, customers: Sequence[str], texts: Sequence[str]) -> None:
    """Check that every message has one reply, in order. An unknown one counts as answered, but never as two."""
    replies = [f"{text}!" for text in texts]
    open_still, late = unknown(stack), resent(stack)
    lost, twice, disordered = [], [], []
    for wa_id in customers:
        heard = stack.meta.heard(wa_id)
        count = Counter(heard)
        for reply in replies:
            total = count[reply] + open_still[(wa_id, reply)]
            lost += [(wa_id, reply)] * (total == 0)
            twice += [(wa_id, reply)] * (count[reply] > 1)
        punctual = [reply for reply in heard if (wa_id, reply) not in late]
        disordered += [wa_id] * (punctual != sorted(punctual, key=replies.index))
    assert (lost, twice, disordered) == ([], [], [])


def kill_in_turn(stack: Stack, victims: Sequence[Callable[[], None]], work: Callable[[], int], total: int) -> None:
    """Kill one victim after the other, each once another share of the work is done."""
    for n, kill in enumerate(victims, 1):
        goal = n * total // (len(victims) + 2)
        eventually(lambda: work() >= goal, within=60)  # noqa: B023 - called at once
        kill()


def store_dies(stack: Stack) -> None:
    stack.kill("valkey")
    stack.start("valkey")


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_while_processes_die_each_message_is_answered_once_and_in_order(
    stack: Stack, dice: random.Random, long_form: bool
) -> None:
    customers = [customer(n) for n in range(60 if long_form else 12)]
    talk = Talk(stack, customers, 10 if long_form else 6, dice.randrange(1 << 30))
    victims: list[Callable[[], None]] = [
        lambda: stack.kill_child("worker-1"),
        lambda: stack.kill_child("web"),
        lambda: store_dies(stack),
        lambda: stack.kill_child("worker-2"),
        lambda: stack.kill_child("web", 1),
    ] * (5 if long_form else 1)
    dice.shuffle(victims)
    total = len(customers) * len(talk.texts)
    with ThreadPoolExecutor(1) as pool:
        talking = pool.submit(talk.run)
        kill_in_turn(stack, victims, lambda: answered(stack), total)
        talking.result()
    eventually(lambda: answered(stack) + unknown(stack).total() >= total and stack.waiting() == 0, within=60, every=0.1)
    if long_form:  # three later messages let the unknown replies be settled
        Talk(stack, [customer(n) for n in range(900, 910)], 2, 1).run()
        eventually(lambda: unknown(stack).total() == 0 and stack.waiting() == 0, within=60, every=0.5)
    stack.meta.settled()
    check(stack, customers, talk.texts)


def test_a_worker_killed_between_webhook_and_answer_answers_once(stack: Stack) -> None:
    ana = customer(1)
    begun, killed = threading.Event(), threading.Event()

    def hold(_: Question) -> None:
        begun.set()
        killed.wait(30)

    stack.tool.meet = hold
    stack.meta.write(ana, f"{SPOKEN} 1")
    assert begun.wait(10)
    for worker in WORKERS:
        stack.kill_child(worker)
    killed.set()
    eventually(lambda: stack.meta.heard(ana), within=20)
    eventually(lambda: stack.waiting() == 0, within=20)
    assert stack.meta.heard(ana) == [f"{SPOKEN} 1!"]


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_a_message_that_kills_its_process_delays_nobody_else(stack: Stack, long_form: bool) -> None:
    poisoned, others = customer(0), [customer(n) for n in range(1, 11)]
    kills = 100 if long_form else 2  # the message kills in every attempt, or until the test cures it
    taken: list[int] = []

    def kill(question: Question) -> None:
        if question["text"].endswith("poison") and len(taken) < kills:
            taken.append(1)
            stack.kill_owner(question["asked_from"])

    stack.tool.meet = kill
    stack.meta.write(poisoned, f"{SPOKEN} poison")
    stack.meta.write(poisoned, f"{SPOKEN} next")
    for other in others:
        stack.meta.write(other, f"{SPOKEN} hello")
    eventually(lambda: all(stack.meta.heard(other) for other in others), within=20)
    eventually(lambda: f"{SPOKEN} next!" in stack.meta.heard(poisoned), within=200, every=0.1)
    assert len(taken) == (10 if long_form else kills)
    letters = stack.api("GET", "/v1/dead-letters").json()["items"]
    if long_form:
        assert [(letter["kind"], letter["tries"]) for letter in letters] == [("crashed", 11)]
        assert stack.meta.heard(poisoned) == [f"{SPOKEN} next!"]
    else:
        assert letters == []
        assert stack.meta.heard(poisoned) == [f"{SPOKEN} poison!", f"{SPOKEN} next!"]


@pytest.mark.timeout(200)
def test_a_message_that_kills_its_process_at_once_takes_along_nobody_who_was_taken_with_it(stack: Stack) -> None:
    """Count process deaths, not seconds, until the others are handled: the start time depends on the machine."""
    poisoned, others = customer(0), [customer(n) for n in range(1, 16)]
    working, cured = threading.Event(), threading.Event()
    deaths: list[str] = []

    def meet(question: Question) -> None:
        if not question["text"].endswith("poison"):
            working.wait(0.1)
        elif not cured.is_set():
            deaths.append(question["text"])
            stack.kill_owner(question["asked_from"])

    stack.kill("worker-2")
    stack.tool.meet = meet
    with stack.frozen("worker-1"):  # so that one process takes all of them at once
        for wa_id in (*others[:8], poisoned, *others[8:]):
            stack.meta.write(wa_id, f"{SPOKEN} {'poison' if wa_id == poisoned else 'hello'}")
        eventually(lambda: stack.redis.zcard(f"{PREFIX}due") == 16)
    died = eventually(lambda: len(deaths) if stack.redis.zcard(f"{PREFIX}due") == 1 else 0, within=90)
    cured.set()
    assert died <= 4
    eventually(lambda: all(stack.meta.heard(other) for other in others), within=60)
    eventually(lambda: stack.meta.heard(poisoned) == [f"{SPOKEN} poison!"], within=60)
    assert stack.api("GET", "/v1/dead-letters").json()["items"] == []


def test_what_is_answered_is_marked_as_read(stack: Stack) -> None:
    ana = customer(1)
    wrote = stack.meta.write(ana, f"{SPOKEN} 1")
    eventually(lambda: [one["status"] for one in stack.meta.chat(ana) if one["id"] == wrote] == ["read"])
