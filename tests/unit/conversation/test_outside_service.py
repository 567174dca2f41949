"""The breaker of an outside service."""

import pytest

from wa_service.resilience.breaker import OutsideService, Unavailable


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> OutsideService:
    return OutsideService("the tool", failures=3, pause=30.0, clock=clock)


def fail(service: OutsideService, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(OSError, match="no"), service.calling():
            raise OSError("no")


def work(service: OutsideService) -> None:
    with service.calling():
        pass


def test_a_few_failures_keep_it_open_to_calls(service: OutsideService) -> None:
    fail(service, 2)

    work(service)


def test_a_success_in_between_starts_the_count_again(service: OutsideService) -> None:
    fail(service, 2)
    work(service)
    fail(service, 2)

    work(service)


def test_after_too_many_failures_in_a_row_nothing_goes_out(service: OutsideService) -> None:
    fail(service, 3)

    with pytest.raises(Unavailable):
        work(service)


def test_it_says_when_to_come_back(service: OutsideService, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 10

    with pytest.raises(Unavailable) as caught:
        work(service)

    assert caught.value.retry_after == 20.0


def test_after_the_pause_one_success_closes_it_again(service: OutsideService, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 30
    work(service)

    fail(service, 2)
    work(service)


def test_after_the_pause_one_failure_begins_another_pause(service: OutsideService, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 30
    fail(service)

    with pytest.raises(Unavailable) as caught:
        work(service)

    assert caught.value.retry_after == 30.0


def test_after_the_pause_only_one_call_is_the_trial(service: OutsideService, clock: Clock) -> None:
    fail(service, 3)
    clock.now += 30

    with service.calling(), pytest.raises(Unavailable):
        work(service)


def test_calls_do_not_wait_for_each_other(service: OutsideService) -> None:
    with service.calling():
        work(service)
