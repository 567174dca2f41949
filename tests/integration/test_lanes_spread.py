"""Grants come apart, so that when Meta got each one is known well enough to use what it allows."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.integration.lanes import NUMBER, Lanes, send
from tests.keys import PREFIX
from wa_service.store.client import Store
from wa_service.store.outbox import Limits


@pytest.fixture
def lanes(store: Store) -> Lanes:
    """Eighty a second, and a hundred sends that wait."""
    lanes = Lanes.over(store, limits={NUMBER: Limits(80, 0, "w")})
    for i in range(100):
        lanes.outbox.put(send(f"1555000{i:04}"))
    return lanes


def test_a_few_go_at_once_and_the_next_ones_a_quarter_faster_than_meta_takes_them(lanes: Lanes) -> None:
    answer = lanes.outbox.next(NUMBER, "p", 1, 50)
    assert len(answer.grants) == 10
    assert answer.why == "throughput"
    assert 0 < answer.wait <= 0.010


def test_spread_grants_use_what_meta_allows_within_the_second(lanes: Lanes) -> None:
    def eighty() -> bool:
        granted.extend(lanes.grant(count=50))
        return len(granted) >= 80

    granted: list[object] = []
    eventually(eighty, within=0.95, every=0.005)
    assert lanes.outbox.next(NUMBER, "p", 1, 50).grants == []


def test_after_a_clock_was_turned_back_nobody_waits_for_the_old_time(lanes: Lanes) -> None:
    lanes.store.do("SET", f"{PREFIX}spacing:{NUMBER}", "9999999999999")
    eventually(lambda: lanes.grant(count=5), within=2)
