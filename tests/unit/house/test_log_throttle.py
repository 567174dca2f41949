"""Frequent log lines are written once per period, with a count."""

from __future__ import annotations

from wa_service.observability.log_throttle import LogThrottle


def test_one_line_of_a_kind_in_its_time_and_the_next_tells_how_many() -> None:
    now = [0.0]
    throttle = LogThrottle(60, clock=lambda: now[0])

    told = [throttle.count("a"), throttle.count("a"), throttle.count("b"), throttle.count("a")]
    now[0] = 60.0

    assert (told, throttle.count("a"), throttle.count("b")) == ([1, 0, 1, 0], 3, 1)
