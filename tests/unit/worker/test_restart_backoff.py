"""A worker process that died is replaced soon, but never in a tight loop."""

from __future__ import annotations

from wa_service.worker.restart_backoff import RestartBackoff


def test_a_process_that_worked_for_a_while_is_replaced_at_once() -> None:
    backoff = RestartBackoff()
    assert [backoff.next_pause(worked=True, lived=20.0) for _ in range(10)] == [0.0] * 10


def test_ten_deaths_at_once_keep_nobody_waiting_for_long() -> None:
    backoff = RestartBackoff()
    pauses = [backoff.next_pause(worked=True, lived=1.5) for _ in range(10)]
    assert sum(pauses) < 8
    assert pauses[:3] == [0.0, 0.2, 0.4]


def test_a_process_that_dies_at_once_is_not_started_in_a_tight_loop() -> None:
    backoff = RestartBackoff()
    pauses = [backoff.next_pause(worked=True, lived=1.5) for _ in range(100)]
    assert min(pauses[4:]) == 1.0


def test_a_process_that_cannot_even_start_waits_longer_each_time() -> None:
    backoff = RestartBackoff()
    pauses = [backoff.next_pause(worked=False, lived=60.0) for _ in range(9)]
    assert pauses == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
