"""Three texts within a second get one call of the tool and one reply, whatever process dies (WA_DEBOUNCE)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer, delivery, message, messages
from tests.e2e.stack import WORKERS, Stack
from tests.e2e.test_answered_once import store_dies
from tests.e2e.tool import Question
from tests.eventually import eventually

TEXTS = [f"{SPOKEN} {n}" for n in range(3)]
ANSWER = "\n".join(TEXTS) + "!"


@pytest.fixture(scope="module")
def _patient_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("bursts")
    with Stack(directory, web_processes=1, environment={"WA_DEBOUNCE": "1", "WA_DEBOUNCE_MOST": "10"}) as stack:
        yield stack


@pytest.fixture
def patient(_patient_stack: Stack) -> Stack:
    """An empty stack that waits one second for further messages."""
    _patient_stack.calm()
    return _patient_stack


def write_three(stack: Stack, wa_id: str) -> None:
    for text in TEXTS:
        stack.webhooks.deliver(delivery(messages(message(wa_id, text))))


def test_three_texts_in_a_second_are_one_question_and_one_answer(patient: Stack) -> None:
    ana = customer(1)
    write_three(patient, ana)
    eventually(lambda: patient.meta.heard(ana), within=20)
    eventually(lambda: patient.waiting() == 0, within=20)
    assert patient.meta.heard(ana) == [ANSWER]
    (question,) = patient.tool.asked
    assert (question["burst"], [one["text"]["body"] for one in question["messages"]]) == (3, TEXTS)


@pytest.mark.timeout(100)
def test_with_kills_in_between_each_burst_is_answered_once(patient: Stack) -> None:
    customers = [customer(n) for n in range(6)]
    begun, killed = threading.Event(), threading.Event()

    def hold(_: Question) -> None:
        begun.set()
        killed.wait(30)

    patient.tool.meet = hold
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda wa_id: write_three(patient, wa_id), customers))
    store_dies(patient)  # while they wait for further messages
    assert begun.wait(20)
    for worker in WORKERS:  # while the tool is called
        patient.kill_child(worker)
    killed.set()
    eventually(lambda: all(patient.meta.heard(wa_id) for wa_id in customers), within=40)
    eventually(lambda: patient.waiting() == 0, within=20)
    assert [patient.meta.heard(wa_id) for wa_id in customers] == [[ANSWER]] * 6
    asked = {(question["message"]["from"], question["id"], question["burst"]) for question in patient.tool.asked}
    assert len(asked) == 6  # a repeated call has the same id
