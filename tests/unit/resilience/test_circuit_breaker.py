"""The circuit breaker for external services."""

from __future__ import annotations

import pytest

from wa_service.resilience.breaker import CircuitBreaker, Unavailable


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("the tool", failures=3, pause=30.0, clock=clock)


def fail(service: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="no"), service.calling():
            raise OSError("no")


def work(service: CircuitBreaker) -> None:
    with service.calling():
        pass


def test_a_few_failures_keep_it_open_to_calls(service: CircuitBreaker) -> None:
    fail(service, 2)

    work(service)


def test_a_success_in_between_starts_the_count_again(service: CircuitBreaker) -> None:
    fail(service, 2)
    work(service)
    fail(service, 2)

    work(service)


def test_after_too_many_failures_in_a_row_nothing_goes_out(service: CircuitBreaker) -> None:
    fail(service, 3)

    with pytest.raises(Unavailable):
        work(service)


def test_it_says_when_to_come_back(service: CircuitBreaker, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 10

    with pytest.raises(Unavailable) as caught:
        work(service)

    assert caught.value.retry_after == 20.0


def test_after_the_pause_one_success_closes_it_again(service: CircuitBreaker, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 30
    work(service)

    fail(service, 2)
    work(service)


def test_after_the_pause_one_failure_begins_another_pause(service: CircuitBreaker, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 30
    fail(service)

    with pytest.raises(Unavailable) as caught:
        work(service)

    assert caught.value.retry_after == 30.0


def test_after_the_pause_only_one_call_is_the_trial(service: CircuitBreaker, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 30

    with service.calling(), pytest.raises(Unavailable):
        work(service)


def test_calls_do_not_wait_for_each_other(service: CircuitBreaker) -> None:
    with service.calling():
        work(service)


class AnswerError(Exception):
    """An error response, which shows that the service works."""


@pytest.fixture
def asked(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("Meta", failures=3, clock=clock, is_answer=lambda error: isinstance(error, AnswerError))


def refuse(service: CircuitBreaker) -> None:
    with pytest.raises(AnswerError), service.calling():
        raise AnswerError


def test_an_answer_that_refuses_neither_counts_nor_forgives(asked: CircuitBreaker) -> None:
    fail(asked, 2)
    refuse(asked)
    fail(asked)
    assert asked.is_open


def test_an_answer_that_refuses_closes_it_after_the_pause(asked: CircuitBreaker, clock: Clock) -> None:
    fail(asked, 3)
    clock.now += 30
    refuse(asked)
    assert not asked.is_open


def test_calls_that_began_before_it_opened_tell_nothing_more(clock: Clock) -> None:
    opened: list[float] = []
    service = CircuitBreaker("Meta", failures=3, clock=clock, on_open=lambda: opened.append(clock.now))
    slow = [service.calling() for _ in range(2)]
    for call in slow:
        call.__enter__()
    fail(service, 3)
    clock.now += 10
    slow[0].__exit__(None, None, None)
    slow[1].__exit__(OSError, OSError("late"), None)
    assert (service.is_open, opened) == (True, [100.0])
