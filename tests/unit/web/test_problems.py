"""Every error has one response, in one format."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.unit.web.conftest import IN_CHUNKS, KEYS, BrokenChunks, Web
from wa_service.delivery.verdict import error_record
from wa_service.web import problems
from wa_service.web.models import ProblemBody
from wa_service.web.problems import META_ERRORS, ProblemError, all_kinds, kind_of, of_failure, of_meta, of_status
from wa_service.whatsapp import errors
from wa_service.whatsapp.errors import CODES, SUBCODES, WhatsAppError, classify


def classes(error: type[WhatsAppError] = WhatsAppError) -> list[type[WhatsAppError]]:
    return [each for child in error.__subclasses__() for each in (child, *classes(child))]


@pytest.mark.parametrize("error", classes(), ids=lambda error: error.__name__)
def test_every_class_of_meta_s_errors_has_an_answer(error: type[WhatsAppError]) -> None:
    assert 400 <= kind_of(error).status <= 504


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_of_meta_s_has_an_answer_with_its_words(code: int) -> None:
    error = classify(400, {"error": {"code": code, "message": "A title", "error_data": {"details": "Why"}}})

    problem = of_meta(error).response()

    told = problem.get_json(force=True)
    assert problem.status_code == kind_of(CODES[code].error).status == told["status"]
    assert (told["code"], told["details"], told["retryable"]) == (code, "Why", CODES[code].retryable)
    assert told.keys() <= ProblemBody.model_fields.keys()


def possible_errors(error: type[WhatsAppError]) -> list[WhatsAppError]:
    """A class's errors by default, by each code and subcode, and as raised with a value of its own."""
    known = [info for info in (*CODES.values(), *SUBCODES.values()) if info.error is error]
    found = [error("Refused"), *(error("Refused", retryable=info.retryable) for info in known)]
    if error is errors.MediaDownloadError:  # raised so for a file on a host that is not Meta's
        found.append(error("The file is not fetched", retryable=False))
    if error is errors.WhatsAppOutcomeUnknownError:  # raised so for an upload
        found.append(error("No answer", retryable=True))
    return found


@pytest.mark.parametrize("error", META_ERRORS, ids=lambda error: error.__name__)
def test_what_is_documented_as_retryable_agrees_with_the_answers(error: type[WhatsAppError]) -> None:
    answered = {of_meta(each).response().get_json(force=True)["retryable"] for each in possible_errors(error)}

    assert answered == ({True, False} if kind_of(error).retryable is None else {kind_of(error).retryable})


def test_the_subcodes_have_answers_too() -> None:
    assert all(kind_of(info.error) for info in SUBCODES.values())


def test_a_limit_of_meta_s_says_when_to_come_back() -> None:
    problem = of_meta(errors.WhatsAppRateLimitError("Slow down", code=130429, retry_after=2.4)).response()

    assert (problem.status_code, problem.headers["Retry-After"]) == (429, "3")


def test_a_trace_of_meta_s_is_passed_on() -> None:
    problem = of_meta(errors.WhatsAppServerError("Down", code=131000, fbtrace_id="AbC")).response()

    assert problem.get_json(force=True)["fbtrace_id"] == "AbC"


def test_no_two_kinds_share_a_name() -> None:
    names = [kind.name for kind in all_kinds()]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("failure", "name", "status"),
    [
        ({"reason": "expired", "title": "It waited longer than its ttl."}, "expired", 504),
        ({"reason": "no_word_from_meta"}, "no-word-from-meta", 504),
        ({"reason": "recipient", "code": 131026}, "meta-recipient", 422),
        ({"code": 132000}, "meta-template", 422),
        ({"code": 190}, "meta-account", 502),
        ({"code": 131000}, "meta-failed", 502),
        ({}, "meta-request", 400),
    ],
)
def test_a_failed_record_is_answered_by_what_it_says(failure: dict[str, Any], name: str, status: int) -> None:
    kind = of_failure(failure).kind

    assert (kind.name, kind.status) == (name, status)


@pytest.mark.parametrize(
    "error",
    [
        {"code": 987654, "message": "A code without a row"},
        {"code": 100, "message": "A subcode", "error_subcode": 2388043},
        {"code": 987654, "message": "For a moment", "is_transient": True},
        {"code": 4, "message": "Too many calls"},
    ],
)
@pytest.mark.parametrize("status", [400, 401, 429, 503])
def test_a_failed_record_is_answered_as_meta_s_answer_would_have_been(error: dict[str, Any], status: int) -> None:
    told = classify(status, {"error": error})

    kept = of_failure(error_record(told))

    assert (kept.kind, kept.members["retryable"]) == (kind_of(type(told)), told.retryable)


def test_an_unknown_address_is_a_problem(web: Web) -> None:
    answer = web.client.get("/nowhere")

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_method_that_is_not_taken_is_a_problem_that_names_those_that_are(web: Web) -> None:
    answer = web.client.put("/v1/messages", headers=KEYS["both"])

    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize(
    ("query", "field"),
    [("after=x", "after"), ("wait=21", "wait"), ("wait=-1", "wait"), ("wait=nan", "wait"), ("limit=0", "limit")],
)
def test_a_parameter_that_is_not_right_is_named(web: Web, query: str, field: str) -> None:
    answer = web.get(f"/v1/events?{query}")

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert [problem["field"] for problem in answer.json["errors"]] == [field]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/v1/messages", "application/json"),
        ("/v1/messages/wamid.X/read", "application/json"),
        ("/v1/media", "multipart/form-data; boundary=x"),
    ],
)
def test_chunks_that_cannot_be_read_are_the_caller_s_problem(
    web: Web, lines: list[dict[str, Any]], path: str, content_type: str
) -> None:
    headers = KEYS["both"] | {"Content-Type": content_type}

    answer = web.client.post(path, input_stream=BrokenChunks(), headers=headers, environ_overrides=IN_CHUNKS)

    assert (answer.status_code, answer.json["type"]) == (400, "/docs#invalid-request")
    assert [line["event"] for line in lines] == ["whatsapp.api"]


@pytest.fixture
def broken_app() -> Flask:
    app = Flask(__name__)
    problems.install(app)

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("the number 15551234567 could not be read")

    @app.get("/refused")
    def refused() -> str:
        raise errors.MediaTooLargeError("The file has 17 MB")

    @app.get("/wrong")
    def wrong() -> str:
        raise ProblemError(problems.INVALID, fields=[("to", "This field is required.")], retry_after=0.2, id="1")

    return app


def test_an_error_of_ours_tells_the_caller_nothing(broken_app: Flask, lines: list[dict[str, Any]]) -> None:
    answer = broken_app.test_client().get("/broken")

    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert "15551234567" not in answer.text
    assert [line["event"] for line in lines] == ["whatsapp.web.failed"]


def test_an_error_of_meta_s_that_no_view_catches_is_its_problem(broken_app: Flask) -> None:
    assert broken_app.test_client().get("/refused").status_code == 413


def test_a_problem_has_the_members_of_the_standard_and_ours(broken_app: Flask) -> None:
    answer = broken_app.test_client().get("/wrong")

    assert answer.json == {
        "type": "/docs#invalid-request",
        "title": "The request is not valid.",
        "status": 400,
        "retryable": False,
        "errors": [{"field": "to", "detail": "This field is required."}],
        "id": "1",
    }
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 414, 415, 417, 429, 431, 500, 501, 503])
def test_a_request_that_the_server_refuses_has_a_documented_type(status: int) -> None:
    problem = of_status(status, "Refused.").response()
    assert problem.status_code == status
    assert problem.get_json(force=True)["type"] in {kind.type for kind in all_kinds()}
