"""Management calls have a circuit breaker of their own and slow down near Meta's limit."""

from __future__ import annotations

import pytest

from wa_service.delivery.management_guard import ManagementGuard
from wa_service.whatsapp.errors import WhatsAppCircuitOpenError, WhatsAppConnectionError, WhatsAppRateLimitError
from wa_service.whatsapp.http.transport import CallOutcome
from wa_service.whatsapp.usage import Usage


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def used(percent: float, regain: float = 0.0) -> CallOutcome:
    usage = Usage("waba", "whatsapp_business_management", percent, 1.0, 1.0, regain)
    return CallOutcome(http_status=200, error=None, retry_after=None, usage=(usage,), version="v24.0")


def call(guard: ManagementGuard, name: str = "templates", error: Exception | None = None) -> None:
    with guard.guard(name):
        if error:
            raise error


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> ManagementGuard:
    return ManagementGuard(lambda: None, clock)


def test_far_from_the_limit_nothing_waits(guard: ManagementGuard) -> None:
    guard.observe(used(90))
    call(guard)


def test_near_the_limit_calls_are_spaced(guard: ManagementGuard, clock: Clock) -> None:
    guard.observe(used(96))
    with pytest.raises(WhatsAppRateLimitError) as refused:
        call(guard)
    assert refused.value.retry_after == pytest.approx(18)
    clock.now += 18
    call(guard)


def test_metas_own_time_to_wait_is_kept(guard: ManagementGuard) -> None:
    guard.observe(used(100, regain=5))
    with pytest.raises(WhatsAppRateLimitError) as refused:
        call(guard)
    assert refused.value.retry_after == pytest.approx(300)


def test_media_is_not_under_these_limits(guard: ManagementGuard) -> None:
    guard.observe(used(100, regain=5))
    call(guard, "media_download")


def test_failures_open_a_breaker_of_their_own(guard: ManagementGuard) -> None:
    for _ in range(5):
        with pytest.raises(WhatsAppConnectionError):
            call(guard, error=WhatsAppConnectionError("down"))
    with pytest.raises(WhatsAppCircuitOpenError):
        call(guard)
