"""What happens to a send after each of Meta's responses."""

from __future__ import annotations

from typing import Any

import pytest

from wa_service.delivery.verdict import LIMITED_DELAYS, judge
from wa_service.store.grants import Grant
from wa_service.whatsapp.errors import (
    CODES,
    WhatsAppCircuitOpenError,
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppOutcomeUnknownError,
    classify,
)


def grant(**counts: int) -> Grant:
    facts: dict[str, Any] = {"limited_retries": 0, "pair_retries": 0, "unwell_retries": 0} | counts
    return Grant("id", 1, "n:c", "text", b"{}", origin="", waited_ms=0, **facts)


def meta(code: int, status: int = 400) -> WhatsAppError:
    return classify(status, {"error": {"code": code, "message": "said"}})


def asking(code: int, seconds: int) -> WhatsAppError:
    return classify(400, {"error": {"code": code, "message": "said"}}, {"Retry-After": str(seconds)})


def test_what_never_left_comes_again_and_meta_counts_as_ill() -> None:
    outcome = judge(WhatsAppConnectionError("no route"), grant()).outcome
    assert (outcome.kind, outcome.retry_class, outcome.meta_healthy) == ("retry", "unwell", False)


def test_an_open_breaker_says_nothing_of_metas_health() -> None:
    assert judge(WhatsAppCircuitOpenError("open"), grant()).outcome.meta_healthy is None


@pytest.mark.parametrize("never", [WhatsAppConnectionError("no route"), WhatsAppCircuitOpenError("open")], ids=str)
def test_only_what_never_left_is_said_to_have_never_left(never: WhatsAppError) -> None:
    assert judge(never, grant()).outcome.never_left
    assert not judge(meta(131016, 500), grant()).outcome.never_left


def test_the_pauses_grow_up_to_a_minute() -> None:
    delays = [judge(WhatsAppConnectionError("no"), grant(unwell_retries=tries)).outcome.delay for tries in (0, 4, 20)]
    assert delays[0] < 1 < delays[1] < 11
    assert 40 < delays[2] <= 75


def test_a_lost_answer_is_unknown() -> None:
    assert judge(WhatsAppOutcomeUnknownError("lost"), grant()).outcome.kind == "unknown"


@pytest.mark.parametrize("code", [1, 2, 131000])
def test_an_unknown_error_of_metas_is_tried_five_times_in_two_minutes(code: int) -> None:
    outcomes = [judge(meta(code, 500), grant(limited_retries=tries)).outcome for tries in range(5)]
    assert [outcome.kind for outcome in outcomes] == ["retry"] * 4 + ["failed"]
    assert sum(LIMITED_DELAYS) * 1.25 < 125


def test_throughput_slows_the_number() -> None:
    verdict = judge(meta(130429), grant())
    assert verdict.slow_down
    assert verdict.outcome.kind == "retry"
    assert verdict.pause is None


def test_maintenance_pauses_the_number_for_a_minute() -> None:
    verdict = judge(meta(131057, 500), grant())
    assert verdict.pause == 60
    assert verdict.outcome.kind == "retry"


def test_the_pair_limit_waits_four_to_the_n() -> None:
    delays = [judge(meta(131056), grant(pair_retries=tries)).outcome.delay for tries in range(6)]
    assert delays[1:] == [4, 16, 64, 256, 256]
    assert delays[0] >= 1
    assert judge(meta(131056), grant()).pause is None


@pytest.mark.parametrize("code", [190, 10, 200, 368, 131031, 131042, 131045, 133010])
def test_an_account_error_pauses_at_once_and_calls_a_person(code: int) -> None:
    verdict = judge(meta(code), grant())
    assert verdict.outcome.kind == "retry"
    assert verdict.pause is not None
    assert verdict.alert


def test_what_a_paused_template_says_is_held_as_long_as_its_first_pause() -> None:
    outcome = judge(meta(132015), grant()).outcome
    assert (outcome.kind, outcome.delay, outcome.meta_healthy) == ("held", 3 * 3600, True)
    assert outcome.reason == "template_paused"


@pytest.mark.parametrize(("code", "seconds"), [(134101, 600), (132069, 3600)])
def test_what_a_template_that_is_not_ready_says_is_held_as_long_as_meta_advises(code: int, seconds: int) -> None:
    verdict = judge(meta(code), grant())
    assert (verdict.outcome.kind, verdict.outcome.delay, verdict.pause) == ("held", seconds, None)
    assert verdict.outcome.reason == "template_unavailable"
    assert judge(asking(code, 90), grant()).outcome.delay == 90


@pytest.mark.parametrize("code", [100, 131008, 131009, 131026, 131047, 131051, 131053, 132000, 132001, 132016])
def test_a_refusal_fails_at_once_with_its_reason(code: int) -> None:
    outcome = judge(meta(code), grant()).outcome
    assert (outcome.kind, outcome.code) == ("failed", code)
    assert outcome.error is not None
    assert outcome.error["code"] == code
    assert outcome.meta_healthy is True


@pytest.mark.parametrize(("code", "retryable"), [(138009, True), (138012, True), (131044, False)])
def test_a_refused_call_fails_its_own_message_and_does_not_pause_the_number(code: int, retryable: bool) -> None:
    error = meta(code)
    verdict = judge(error, grant())
    assert (verdict.outcome.kind, verdict.pause, verdict.alert) == ("failed", None, False)
    assert error.retryable is retryable


@pytest.mark.parametrize("code", [130429, 131000, 131016, 131056, 133004])
def test_retry_after_is_honoured(code: int) -> None:
    assert judge(asking(code, 7), grant()).outcome.delay == 7


@pytest.mark.parametrize("code", [4, 190, 80007, 131057])
def test_retry_after_says_how_long_the_number_pauses(code: int) -> None:
    assert judge(asking(code, 90), grant()).pause == 90


def test_too_many_requests_without_an_error_object_pauses_as_long_as_asked() -> None:
    assert judge(classify(429, None, {"Retry-After": "90"}), grant()).pause == 90
    assert judge(classify(429, None), grant()).pause == 60


def test_a_usage_header_says_how_long_the_number_pauses() -> None:
    usage = '{"1": [{"type": "messaging", "call_count": 100, "estimated_time_to_regain_access": 7}]}'
    error = classify(400, {"error": {"code": 80007, "message": "m"}}, {"x-business-use-case-usage": usage})
    assert judge(error, grant()).pause == 420


def test_the_pair_limit_never_waits_less_than_asked_nor_than_its_turn() -> None:
    assert judge(asking(131056, 300), grant(pair_retries=2)).outcome.delay == 300
    assert judge(asking(131056, 3), grant(pair_retries=2)).outcome.delay == 16
    assert judge(meta(131056), grant(pair_retries=5_000)).outcome.delay == 256


@pytest.mark.parametrize(
    "error", [meta(131016, 500), meta(133004, 500), WhatsAppCircuitOpenError("open", retry_after=1.0)], ids=str
)
def test_what_a_table_advises_does_not_keep_a_pause_from_growing(error: WhatsAppError) -> None:
    assert judge(error, grant(unwell_retries=5)).outcome.delay > 10


@pytest.mark.parametrize("code", [130429, 131016])
def test_no_two_sends_wait_the_same_time_unless_asked_to(code: int) -> None:
    assert len({judge(meta(code), grant()).outcome.delay for _ in range(5)}) > 1


def test_every_code_has_a_verdict() -> None:
    for code in CODES:
        assert judge(meta(code), grant()).outcome.kind in {"retry", "held", "failed", "unknown"}
