"""The whole service with a language model (WA_RESPONDER=llm): real processes, and a chat server of the test's own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer, delivery, message, messages
from tests.e2e.stack import WORKERS, Stack
from tests.e2e.starter import WITHOUT_MODELS, Started
from tests.eventually import eventually
from tests.integration.chat_server import ChatServer, Reply, said, streamed

ANA = "447700900123"


def echo(request: dict[str, Any]) -> Reply:
    """Repeat the customer's last message."""
    return said(f"You wrote: {request['messages'][-1]['content']}")


@pytest.fixture(scope="module")
def model() -> Iterator[ChatServer]:
    with ChatServer(echo) as server:
        yield server


@pytest.fixture(scope="module")
def _stack(tmp_path_factory: pytest.TempPathFactory, model: ChatServer) -> Iterator[Stack]:
    settings = {"WA_RESPONDER": "llm", "WA_LLM_URL": model.url, "WA_LLM_MODEL": "small"}
    with Stack(tmp_path_factory.mktemp("model"), web_processes=1, environment=settings) as stack:
        yield stack


@pytest.fixture
def stack(_stack: Stack, model: ChatServer) -> Stack:
    """An empty stack whose model echoes."""
    model.answers = [echo]
    _stack.calm()
    model.requests.clear()
    return _stack


def heard_once(stack: Stack, wa_id: str, answer: str) -> None:
    eventually(lambda: stack.meta.heard(wa_id), within=40)
    eventually(lambda: stack.waiting() == 0, within=30)
    stack.meta.settled()
    assert stack.meta.heard(wa_id) == [answer]


def test_make_run_answers_with_the_model_and_remembers(tmp_path: Path, model: ChatServer) -> None:
    model.answers = [echo, streamed({"content": "And "}, {"content": "again."})]
    model.requests.clear()
    service = Started(tmp_path / "var", "run", "--llm", model.url, WA_LLM_MODEL="small", **WITHOUT_MODELS)
    try:
        service.until_ready()
        service.write(ANA, "Is there a sauna?")
        eventually(lambda: service.answers(ANA) == 1, within=30)
        service.write(ANA, "And a pool?")
        eventually(lambda: service.answers(ANA) == 2, within=30)
    finally:
        assert service.stop() == 0
    assert [request["model"] for request in model.requests] == ["small", "small"]
    assert model.asked(1) == [
        ("user", "Is there a sauna?"),
        ("assistant", "You wrote: Is there a sauna?"),
        ("user", "And a pool?"),
    ]


@pytest.mark.timeout(120)
def test_a_worker_that_dies_while_the_model_answers_answers_once(stack: Stack, model: ChatServer) -> None:
    killed: list[int] = []

    def kill(port: int) -> None:
        if len(killed) < 4:
            with contextlib.suppress(LookupError, ProcessLookupError):  # already killed for another request
                stack.kill_owner(port)
                killed.append(port)

    def answer(request: dict[str, Any]) -> Reply:
        reply = echo(request)
        reply.before = kill
        return reply

    model.answers = [answer]
    customers = [customer(n) for n in range(4)]
    for wa_id in customers:
        stack.meta.write(wa_id, SPOKEN)
    for wa_id in customers:
        heard_once(stack, wa_id, f"You wrote: {SPOKEN}")
    assert killed
    assert len(model.requests) > len(customers)  # killed processes asked again


@pytest.mark.timeout(120)
def test_workers_that_die_between_the_models_answer_and_meta_send_it_once(stack: Stack, model: ChatServer) -> None:
    answered = threading.Event()

    def answer(request: dict[str, Any]) -> Reply:
        reply = echo(request)
        reply.after = lambda _: answered.set()
        return reply

    model.answers = [answer]
    ana = customer(9)
    with stack.frozen("emulator"):  # nothing reaches the customer meanwhile
        stack.webhooks.deliver(delivery(messages(message(ana, SPOKEN))))
        assert answered.wait(30)
        eventually(lambda: is_stored(stack), within=30)
        for worker in WORKERS:
            stack.kill_child(worker)
    heard_once(stack, ana, f"You wrote: {SPOKEN}")
    assert len(model.requests) == 1


def is_stored(stack: Stack) -> bool:
    """Return whether the answer is stored as a send."""
    return bool(stack.api("GET", "/v1/messages").json()["items"])
