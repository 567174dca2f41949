"""`classify` turns Meta's response into an error by its code, or by the HTTP status if the code is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from wa_service.whatsapp.errors import (
    WhatsAppAuthError,
    WhatsAppError,
    WhatsAppMediaError,
    WhatsAppOutcomeUnknownError,
    WhatsAppRateLimitError,
    WhatsAppRecipientError,
    WhatsAppRequestError,
    WhatsAppServerError,
    WhatsAppTemplateError,
    classify,
    from_status_error,
)


def answer(code: Any = None, **more: Any) -> Any:
    return {"error": {"message": f"(#{code}) said Meta", "code": code, "fbtrace_id": "Atrace", **more}}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_known_code_decides_whatever_the_status(status: Any) -> None:
    assert type(classify(status, answer(131047))) is WhatsAppRecipientError


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, WhatsAppRequestError),
        (401, WhatsAppAuthError),
        (403, WhatsAppAuthError),
        (404, WhatsAppRequestError),
        (429, WhatsAppRateLimitError),
        (500, WhatsAppServerError),
        (503, WhatsAppServerError),
    ],
)
def test_the_status_decides_where_the_code_is_unknown(status: Any, error: Any) -> None:
    assert type(classify(status, answer(999_999))) is error


def test_an_unknown_code_that_meta_calls_transient_may_be_repeated() -> None:
    error = classify(400, answer(999_999, is_transient=True))
    assert (type(error), error.retryable, error.group) == (WhatsAppServerError, True, "few")


def test_an_unknown_code_of_the_template_family_is_a_template_error() -> None:
    assert type(classify(400, answer(132_999))) is WhatsAppTemplateError


def test_a_template_subcode_says_more_than_code_100() -> None:
    body = answer(100, error_subcode=2388046, error_user_title="Name Format", error_user_msg="Only lower case.")
    error = classify(400, body)
    assert type(error) is WhatsAppTemplateError
    assert (error.code, error.subcode) == (100, 2388046)


def test_a_subcode_of_an_auth_error_changes_nothing() -> None:
    error = classify(401, answer(190, error_subcode=463))
    assert (type(error), error.subcode) == (WhatsAppAuthError, 463)


@pytest.mark.parametrize("body", [None, "text", [], {}, {"error": None}, {"error": "oops"}, {"error": {}}, {"data": 1}])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 200])
def test_a_post_without_an_answer_from_meta_has_an_unknown_outcome(status: Any, body: Any) -> None:
    error = classify(status, body, method="POST")
    assert (type(error), error.group, error.retryable) == (WhatsAppOutcomeUnknownError, "unknown", False)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_get_without_an_answer_from_meta_may_be_repeated(method: Any) -> None:
    error = classify(502, None, method=method)
    assert (type(error), error.retryable) == (WhatsAppServerError, True)


@pytest.mark.parametrize(("status", "error"), [(401, WhatsAppAuthError), (404, WhatsAppRequestError)])
def test_a_4xx_without_error_object_is_a_refusal(status: Any, error: Any) -> None:
    assert type(classify(status, None)) is error


@pytest.mark.parametrize("data", ["a plain text", {"details": "a plain text"}])
def test_error_data_may_be_a_text_or_an_object(data: Any) -> None:
    assert classify(400, answer(131009, error_data=data)).details == "a plain text"


@pytest.mark.parametrize("data", [None, 7, [], {"blame_field_specs": [["name"]]}, {"details": 9}])
def test_any_other_error_data_is_no_harm(data: Any) -> None:
    assert isinstance(classify(400, answer(131009, error_data=data)), WhatsAppRequestError)


@pytest.mark.parametrize("code", ["131047", 131047])
def test_the_code_may_be_a_text(code: Any) -> None:
    assert classify(400, answer(code)).code == 131047


@pytest.mark.parametrize("code", [True, None, 1.5, [], "x", "9" * 40])
def test_a_code_that_is_no_number_is_no_code(code: Any) -> None:
    assert classify(400, answer(code)).code is None


def test_retry_after_is_honoured() -> None:
    assert classify(429, answer(130429), {"Retry-After": "17"}).retry_after == 17


@pytest.mark.parametrize("value", ["soon", "-3", "nan", "inf", "99999999", ""])
def test_a_senseless_retry_after_is_not(value: Any) -> None:
    assert classify(429, answer(130429), {"Retry-After": value}).retry_after == 1


def test_without_retry_after_the_usage_header_says_when() -> None:
    usage = '{"102":[{"type":"whatsapp_business_management","call_count":100,"estimated_time_to_regain_access":7}]}'
    assert classify(400, answer(80007), {"x-business-use-case-usage": usage}).retry_after == 420


def test_the_error_of_a_failed_status_is_the_same_error() -> None:
    error = from_status_error(
        {"code": 131053, "title": "Media upload error", "error_data": {"details": "no such link"}}
    )
    assert (type(error), error.title, error.details) == (WhatsAppMediaError, "Media upload error", "no such link")


@pytest.mark.parametrize("obj", [None, 1, "x", [], {}, {"code": {}}, {"code": 1, "error_data": []}])
def test_a_failed_status_may_carry_anything(obj: Any) -> None:
    assert isinstance(from_status_error(obj), WhatsAppError)


def test_an_error_reads_as_one_line_for_the_log() -> None:
    body = answer(131047, error_data={"details": "More than 24 hours\nhave passed."})
    line = str(classify(400, body))
    assert line == "(#131047) said Meta (code 131047, HTTP 400): More than 24 hours have passed. [fbtrace_id Atrace]"


def test_neither_tokens_nor_numbers_nor_message_ids_show_in_the_line() -> None:
    said = "Bad token EAAJabcdef0123456789 for +351912345001 and wamid.HBgMMzUxOTEyMzQ1MDAx access_token=abc"
    error = classify(400, {"error": {"code": 190, "message": said, "error_data": {"details": said}}})
    for text in (str(error), repr(error)):
        for secret in ("EAAJabcdef", "351912345001", "HBgMMzUx", "=abc"):
            assert secret not in text


def test_the_details_keep_numbers_for_the_caller_but_no_token() -> None:
    error = classify(400, answer(100, error_data={"details": "to 351912345001 with EAAJabcdef0123456789"}))
    assert error.details == "to 351912345001 with [secret]"


def test_a_long_error_text_is_cut() -> None:
    assert len(str(classify(400, {"error": {"code": 1, "message": "x" * 100_000}}))) < 1_000
