"""Random interleavings of the store's steps against an independent model (lanes_model.py)."""

from __future__ import annotations

import random
import time

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.lanes_model import LanesMachine
from wa_service.store.client import Store

SEED = 4
LONG_SECONDS = 120.0


def drive(store: Store, client: redis.Redis, seed: int, examples: int) -> None:
    class Machine(LanesMachine):
        pass

    Machine.store, Machine.client = store, client
    Machine._hypothesis_internal_use_seed = seed
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_the_store_does_what_the_model_does(
    store: Store, redis_client: redis.Redis, long_form: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not long_form:
        drive(store, redis_client, SEED, 40)
        return
    seeds = []
    until = time.monotonic() + LONG_SECONDS
    while time.monotonic() < until:
        seeds.append(random.SystemRandom().randrange(1 << 30))
        with capsys.disabled():
            print(f"\nlanes model: seed {seeds[-1]}", end="", flush=True)
        drive(store, redis_client, seeds[-1], 50)
