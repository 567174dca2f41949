"""Grants are spread over time, so that their arrival at Meta is known precisely enough to use the limit."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from tests.integration.lanes import NUMBER, Lanes, send
from tests.keys import PREFIX
from wa_service.store.client import Store
from wa_service.store.outbox import Limits, Priority


@pytest.fixture
def lanes(store: Store) -> Lanes:
    """Eighty a second, with a hundred sends waiting."""
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
    granted, rounds = 0, 0

    def eighty() -> bool:
        nonlocal granted, rounds
        rounds += 1
        answer = lanes.outbox.next(NUMBER, "p", rounds, 50)
        granted += len(answer.grants)
        # No wait is longer than the time between two grants.
        assert granted >= 80 or answer.wait <= 0.010
        return granted >= 80

    eventually(eighty, within=30, every=0.005)
    assert granted == 80


def test_bulk_sends_come_at_an_even_pace_so_that_no_second_is_full_early(store: Store) -> None:
    lanes = Lanes.over(store, limits={NUMBER: Limits(20, 0, "w")})
    for i in range(10):
        lanes.outbox.put(send(f"1555000{i:04}", priority=Priority.BULK))
    assert len(lanes.grant(count=10)) == 10
    due, due_in_bulk = (float(store.do("GET", f"{PREFIX}{key}:{NUMBER}")) for key in ("spacing", "bulk_spacing"))
    assert due_in_bulk - due == pytest.approx(10 * (1000 / 18 - 1000 / 25), abs=1), "18 a second: a tenth stays free"

    store.do("SET", f"{PREFIX}bulk_spacing:{NUMBER}", due - 400 + 900)
    store.do("DEL", f"{PREFIX}spacing:{NUMBER}")
    lanes.outbox.put(send("15550001000", priority=Priority.BULK))
    lanes.outbox.put(send("15550001001", id="reply"))
    assert [grant.id for grant in lanes.grant(count=10)] == ["reply"]


def test_after_a_clock_was_turned_back_nobody_waits_for_the_old_time(lanes: Lanes) -> None:
    lanes.store.do("SET", f"{PREFIX}spacing:{NUMBER}", "9999999999999")
    eventually(lambda: lanes.grant(count=5), within=2)
