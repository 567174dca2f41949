"""Random interleavings of the store's steps against an independent model (lanes_model.py)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.lanes_model import ViolationError, drive
from tests.integration.lanes_mutations import MUTATIONS, mutate
from tests.integration.lanes_servers import Pair, steps_with_a_set_clock

SEED, RUNS = 4, 25
# One run in so many has failovers, which take a second each.
FAILOVERS_EVERY = 10
# A deliberate fault must be found within this many runs.
MUTATION_SEED, MUTATION_RUNS = 7000, 500
# The long form: its duration, and its first seed (random by default).
LONG_SECONDS = float(os.environ.get("TEST_MODEL_SECONDS", "120"))
LONG_SEED = int(os.environ.get("TEST_MODEL_SEED") or random.SystemRandom().randrange(1 << 30))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path / "servers", steps_with_a_set_clock(tmp_path / "steps"))
    yield pair
    pair.stop()


@pytest.mark.chaos
@pytest.mark.timeout(LONG_SECONDS + 300)
def test_the_store_does_what_the_model_does(servers: Pair, long_form: bool, capsys: pytest.CaptureFixture[str]) -> None:
    if not long_form:
        for n in range(RUNS):
            drive(servers, SEED + n, failovers=int(n % FAILOVERS_EVERY == 0))
        return
    until, n = time.monotonic() + LONG_SECONDS, 0
    while time.monotonic() < until:
        if n % 100 == 0:
            with capsys.disabled():
                print(f"\nlanes model: from seed {LONG_SEED + n}", end="", flush=True)
        drive(servers, LONG_SEED + n, failovers=2 * int(n % FAILOVERS_EVERY == 0))
        n += 1
    with capsys.disabled():
        print(f"\nlanes model: {n} runs without a violation", flush=True)


@pytest.mark.chaos_only
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mistake", MUTATIONS)
def test_the_model_finds_each_deliberate_mistake(tmp_path: Path, mistake: str) -> None:
    steps = steps_with_a_set_clock(tmp_path / "steps", lambda folder: mutate(mistake, folder))
    pair = Pair(tmp_path / "servers", steps)

    def drive_on() -> None:
        for n in range(MUTATION_RUNS):
            drive(pair, MUTATION_SEED + n, failovers=int(n % FAILOVERS_EVERY == 0), shrink=False)

    try:
        with pytest.raises(ViolationError):
            drive_on()
    finally:
        pair.stop()
