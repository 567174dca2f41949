"""The circuit breaker of a number."""

from __future__ import annotations

import pytest

from tests.eventually import eventually
from wa_service.delivery.breakers import MetaBreaker
from wa_service.whatsapp.errors import (
    WhatsAppCircuitOpenError,
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppOutcomeUnknownError,
    WhatsAppRecipientError,
    WhatsAppServerError,
)


class Told:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def call(breaker: MetaBreaker, error: WhatsAppError | None = None) -> None:
    with breaker.guard("messages"):
        if error is not None:
            raise error


def fail(breaker: MetaBreaker, error: WhatsAppError, times: int) -> None:
    for _ in range(times):
        with pytest.raises(type(error)):
            call(breaker, error)


@pytest.mark.parametrize("ill", [WhatsAppConnectionError, WhatsAppOutcomeUnknownError, WhatsAppServerError])
def test_five_failures_in_a_row_open_it_and_tell_once(ill: type[WhatsAppError]) -> None:
    told = Told()
    breaker = MetaBreaker(told)
    fail(breaker, ill("down"), 5)
    assert breaker.is_open
    assert told.times == 1


def test_open_it_tries_nothing() -> None:
    breaker = MetaBreaker(Told(), reopen_seconds=60)
    fail(breaker, WhatsAppConnectionError("down"), 5)
    with pytest.raises(WhatsAppCircuitOpenError):
        call(breaker)


def test_the_real_error_is_seen_when_it_opens() -> None:
    breaker = MetaBreaker(Told(), failures=1)
    with pytest.raises(WhatsAppServerError, match="down"):
        call(breaker, WhatsAppServerError("down"))


def test_a_refusal_neither_counts_nor_forgives() -> None:
    breaker = MetaBreaker(Told())
    fail(breaker, WhatsAppConnectionError("down"), 4)
    fail(breaker, WhatsAppRecipientError("no"), 20)
    assert not breaker.is_open
    fail(breaker, WhatsAppConnectionError("down"), 1)
    assert breaker.is_open


def test_a_success_forgives() -> None:
    breaker = MetaBreaker(Told())
    fail(breaker, WhatsAppConnectionError("down"), 4)
    call(breaker)
    fail(breaker, WhatsAppConnectionError("down"), 4)
    assert not breaker.is_open


def test_after_a_moment_it_tries_again() -> None:
    breaker = MetaBreaker(Told(), failures=1, reopen_seconds=0.02)
    fail(breaker, WhatsAppConnectionError("down"), 1)

    def works() -> bool:
        try:
            call(breaker)
        except WhatsAppCircuitOpenError:
            return False
        return True

    eventually(works)
    assert not breaker.is_open


def test_a_refusal_after_the_moment_closes_it_too() -> None:
    breaker = MetaBreaker(Told(), failures=1, reopen_seconds=0.0)
    fail(breaker, WhatsAppConnectionError("down"), 1)
    fail(breaker, WhatsAppRecipientError("no"), 1)
    assert not breaker.is_open


def test_guarded_calls_run_side_by_side() -> None:
    import threading

    breaker = MetaBreaker(Told())
    both = threading.Barrier(2, timeout=5)

    def meet() -> None:
        with breaker.guard("messages"):
            both.wait()

    other = threading.Thread(target=meet)
    other.start()
    meet()
    other.join()
