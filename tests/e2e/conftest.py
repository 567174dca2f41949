"""The stack that end-to-end tests share when they only use it or kill parts of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.leaks import leaks
from tests.e2e.phones import SECRETS
from tests.e2e.stack import REDIS_PASSWORD, Stack
from tests.e2e.starter import Started
from tests.e2e.tool import SECRET as RESPONDER_SECRET

SHORT_DAILY_LIMIT = 5
LONG_DAILY_LIMIT = 1_000


@pytest.fixture
def dice(pytestconfig: pytest.Config, long_form: bool) -> random.Random:
    """Random choices: from a fixed seed, or in the long form from the seed of pytest-randomly."""
    seed = pytestconfig.getoption("randomly_seed", default=4) if long_form else 4
    return random.Random(int(seed))


@pytest.fixture(scope="session")
def daily_limit(long_form: bool) -> int:
    """How many customers the shared stack may message first by template."""
    return LONG_DAILY_LIMIT if long_form else SHORT_DAILY_LIMIT


@pytest.fixture(scope="session")
def _shared_stack(tmp_path_factory: pytest.TempPathFactory, daily_limit: int) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), environment={"WHATSAPP_DAILY_LIMIT": str(daily_limit)}) as stack:
        yield stack


@pytest.fixture
def stack(_shared_stack: Stack) -> Iterator[Stack]:
    """The shared stack, running and empty. Afterwards no log line may contain a secret, a text or a number."""
    _shared_stack.calm()
    yield _shared_stack
    tells_nothing(_shared_stack)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start what `make run` starts, always in the same directory; stop all of it afterwards."""
    running: list[Started] = []

    def begin(*more: str, **environment: str) -> Started:
        running.append(Started(tmp_path / "var", "run", *more, **environment))
        return running[-1]

    yield begin
    for started in running:
        if started.process.poll() is None:
            started.stop()


def tells_nothing(stack: Stack) -> None:
    """Fail when a new log line contains a secret, a text or a customer's number."""
    secrets = (*SECRETS, REDIS_PASSWORD, RESPONDER_SECRET)
    told = [(kind, line) for line in stack.new_lines() for kind in leaks(line, secrets)]
    assert told == [], f"{len(told)} lines tell too much, the first: {told[0]}"
