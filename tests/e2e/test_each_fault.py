"""Each fault of the emulated Meta, and how the service handles it.

A customer gets one message, or the caller gets a clear problem; a file arrives whole, or its reader learns that it
did not. Afterwards nothing waits, there are no dead letters, and the service is ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import requests

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import customer
from tests.e2e.stack import Stack
from tests.eventually import eventually

ANA, BEN, WITNESS = customer(1), customer(2), customer(3)
# One file of several chunks, one smaller than a chunk.
FILE = bytes(range(256)) * 1600
SMALL_FILE = bytes(range(256)) * 16

# Meta has the message, or asks to retry later: the outcome is known within a second or two.
SOON_KNOWN: dict[str, dict[str, Any]] = {
    "error": {"status": 503, "code": 131016},
    "delay": {"seconds": 0.2},
    "slow_body": {"seconds": 0.2},
    "answer_lost": {},
    "truncated": {},
    "cut": {},
}
# Meta does not have the message and does not say so: the send is settled after WA_SETTLE_SECONDS.
NEVER_KNOWN: dict[str, dict[str, Any]] = {"html": {"status": 500}, "empty": {"status": 500}, "reset": {}}
# Meta accepts the message and fails it later.
FAILED_LATER = "failed_status"

# One fault that a retry overcomes: the caller does not notice.
FILE_COMES = [
    *((kind, "media_url") for kind in ("error", "html", "empty", "reset", "delay", "answer_lost")),
    *((kind, "media_url") for kind in ("truncated", "cut", "slow_body", "expired_url")),
    *((kind, "media_download") for kind in ("error", "html", "empty", "delay", "slow_body")),
]
# Faults that persist or are not retried: (kind, endpoint, how often, status, type of the problem).
FILE_REFUSED = [
    ("error", "media_url", None, 502, "/docs#meta-failed"),
    ("truncated", "media_url", None, 502, "/docs#meta-failed"),
    ("expired_url", "media_url", None, 404, "/docs#media-not-found"),
    ("error", "media_download", None, 502, "/docs#media-download"),
    ("html", "media_download", None, 502, "/docs#media-download"),
    ("reset", "media_download", 1, 502, "/docs#media-download"),
    ("answer_lost", "media_download", 1, 502, "/docs#media-download"),
]
# The fault occurs after the response has begun.
FILE_BREAKS_OFF = [("truncated", "media_download"), ("cut", "media_download")]
FILE_IS_NOT_WHAT_META_SAID = [("wrong_sha256", "media_url"), ("corrupt", "media_download")]

# What must not be repeated blindly has an unknown outcome; what Meta rejects has failed.
NO_WORD = (504, "/docs#outcome-unknown", False)
POST_ANSWERS = {
    "error": (502, "/docs#meta-failed", True),
    **dict.fromkeys(("html", "empty", "reset", "answer_lost", "truncated", "cut"), NO_WORD),
}
# These are retried; where Meta executed the first call, the file no longer exists.
DELETE_ANSWERS = {
    **dict.fromkeys(("error", "html", "empty", "reset"), 204),
    **dict.fromkeys(("answer_lost", "truncated", "cut"), 404),
}


@pytest.fixture
def service(stack: Stack) -> Iterator[Stack]:
    """The shared stack. Afterwards it is ready, nothing waits and there are no dead letters."""
    # Each web process suspends its calls to Meta after five failures in a row, for a second. Successes of both begin
    # the count anew.
    file_id = kept_file(stack, SMALL_FILE)
    eventually(lambda: all(comes(stack, file_id, SMALL_FILE) for _ in range(8)), within=20)
    yield stack
    eventually(lambda: stack.waiting() == 0, within=20)
    stack.meta.settled()
    assert stack.ready() == 200
    assert stack.api("GET", "/v1/dead-letters").json()["items"] == []


def send(stack: Stack, wa_id: str, **headers: str) -> requests.Response:
    body = {"to": wa_id, "text": SPOKEN}
    return stack.api("POST", "/v1/messages", json=body, headers={"Idempotency-Key": wa_id, **headers})


def record(stack: Stack, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = stack.api("GET", f"/v1/messages/{record_id}").json()
    return found


def reaches(stack: Stack, record_id: str, status: str) -> None:
    eventually(lambda: record(stack, record_id)["status"] == status, within=20)


def got_one(stack: Stack, wa_ids: Sequence[str]) -> None:
    eventually(lambda: all(stack.meta.heard(wa_id) for wa_id in wa_ids), within=20)
    stack.meta.settled()
    counts = stack.meta.accepted()
    assert {wa_id: counts[wa_id] for wa_id in wa_ids} == dict.fromkeys(wa_ids, 1)


def comes(stack: Stack, file_id: str, content: bytes) -> bool:
    return stack.api("GET", f"/v1/media/{file_id}").content == content


def kept_file(stack: Stack, content: bytes = FILE) -> str:
    """Upload a file to Meta and return its id."""
    return str(stack.meta.call("POST", "media", files={"file": ("a.pdf", content, "application/pdf")})["id"])


def is_problem(answer: requests.Response, status: int, kind: str) -> bool:
    said = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, said["type"], said["status"]) == (status, kind, status)
    return bool(said["retryable"])


def test_every_kind_of_failure_has_a_case_here(stack: Stack) -> None:
    of_files = {kind for kind, *_ in (*FILE_COMES, *FILE_REFUSED, *FILE_BREAKS_OFF, *FILE_IS_NOT_WHAT_META_SAID)}
    cases = {*SOON_KNOWN, *NEVER_KNOWN, FAILED_LATER, *of_files}
    assert cases == set(stack.meta.call("GET", "faults")["kinds"])


@pytest.mark.parametrize("kind", SOON_KNOWN)
def test_a_reply_and_a_send_that_meta_answers_badly_reach_their_customers_once(service: Stack, kind: str) -> None:
    for wa_id in (ANA, BEN):
        service.meta.fault(kind, phone=wa_id, **SOON_KNOWN[kind])
    service.meta.write(ANA, SPOKEN)
    answer = send(service, BEN)
    assert answer.status_code in {200, 202}
    reaches(service, answer.json()["id"], "delivered")
    got_one(service, [ANA, BEN])
    repeat = send(service, BEN)
    assert (repeat.status_code, repeat.json()["id"]) == (200, answer.json()["id"])


def test_sends_that_meta_never_took_and_never_answered_reach_their_customers_once(service: Stack) -> None:
    # Concurrently, because each takes WA_SETTLE_SECONDS.
    wa_ids = {kind: customer(n) for n, kind in enumerate(NEVER_KNOWN, 10)}
    for kind, wa_id in wa_ids.items():
        service.meta.fault(kind, phone=wa_id, **NEVER_KNOWN[kind])
    records = [send(service, wa_id, Prefer="respond-async").json()["id"] for wa_id in wa_ids.values()]
    for record_id in records:
        reaches(service, record_id, "unknown")
    # A message without a status counts as not accepted, once three later messages have one.
    for n in range(3):
        service.api("POST", "/v1/messages", json={"to": WITNESS, "text": f"{SPOKEN} {n}"})
    for record_id in records:
        reaches(service, record_id, "delivered")
    got_one(service, list(wa_ids.values()))


def test_a_send_that_meta_fails_later_ends_failed_with_metas_reason(service: Stack) -> None:
    service.meta.call("POST", "behaviour", json={"status_delay": 0.3})
    service.meta.fault(FAILED_LATER, phone=ANA, code=131026)
    answer = send(service, ANA)
    assert answer.status_code == 200
    reaches(service, answer.json()["id"], "failed")
    assert record(service, answer.json()["id"])["error"]["code"] == 131026
    assert is_problem(send(service, ANA), 422, "/docs#meta-recipient") is False


def test_a_failed_status_that_overtakes_its_answer_leaves_metas_reason(service: Stack) -> None:
    service.meta.call("POST", "behaviour", json={"statuses_before_answer": True})
    service.meta.fault(FAILED_LATER, phone=ANA, code=131026)
    record_id = send(service, ANA).json()["id"]
    eventually(lambda: service.waiting() == 0)
    assert record(service, record_id)["error"]["code"] == 131026


def test_a_send_that_meta_refuses_is_a_clear_problem_and_the_next_one_goes_out(service: Stack) -> None:
    service.meta.fault("error", phone=ANA, status=400, code=100)
    answer = send(service, ANA)
    assert is_problem(answer, 400, "/docs#meta-request") is False
    assert record(service, answer.json()["id"])["status"] == "failed"
    assert send(service, ANA, **{"Idempotency-Key": "another"}).status_code == 200
    got_one(service, [ANA])


def test_while_meta_refuses_connections_sends_wait_and_files_are_a_clear_problem(service: Stack) -> None:
    file_id = kept_file(service)
    service.meta.call("POST", "refuse", json={"seconds": 2})
    eventually(lambda: not service.meta.answers())
    record_id = send(service, ANA, Prefer="respond-async").json()["id"]
    assert is_problem(service.api("GET", f"/v1/media/{file_id}"), 503, "/docs#meta-unreachable") is True
    assert service.ready() == 200
    reaches(service, record_id, "delivered")
    got_one(service, [ANA])
    eventually(lambda: service.api("GET", f"/v1/media/{file_id}").content == FILE)


@pytest.mark.parametrize(("kind", "endpoint"), FILE_COMES)
def test_a_file_comes_whole_where_asking_again_or_waiting_helps(service: Stack, kind: str, endpoint: str) -> None:
    service.meta.fault(kind, endpoint=endpoint, seconds=0.2)
    answer = service.api("GET", f"/v1/media/{kept_file(service)}")
    assert (answer.status_code, answer.content == FILE) == (200, True)


@pytest.mark.parametrize(("kind", "endpoint", "count", "status", "problem"), FILE_REFUSED)
def test_a_file_that_cannot_be_had_is_a_clear_problem_and_comes_afterwards(
    service: Stack, kind: str, endpoint: str, count: int | None, status: int, problem: str
) -> None:
    service.meta.fault(kind, endpoint=endpoint, count=count)
    file_id = kept_file(service)
    assert is_problem(service.api("GET", f"/v1/media/{file_id}"), status, problem) is (status != 404)
    service.meta.call("DELETE", "faults")
    assert service.api("GET", f"/v1/media/{file_id}").content == FILE


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        *FILE_BREAKS_OFF,
        *FILE_IS_NOT_WHAT_META_SAID,
    ],
)
def test_a_file_that_goes_wrong_while_it_comes_is_never_taken_for_whole(
    service: Stack, kind: str, endpoint: str
) -> None:
    service.meta.fault(kind, endpoint=endpoint)
    file_id = kept_file(service)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        service.api("GET", f"/v1/media/{file_id}")
    assert service.api("GET", f"/v1/media/{file_id}").content == FILE


@pytest.mark.parametrize(("kind", "endpoint"), [*FILE_BREAKS_OFF, *FILE_IS_NOT_WHAT_META_SAID])
def test_a_small_file_that_goes_wrong_is_a_clear_problem(service: Stack, kind: str, endpoint: str) -> None:
    service.meta.fault(kind, endpoint=endpoint)
    file_id = kept_file(service, SMALL_FILE)
    assert is_problem(service.api("GET", f"/v1/media/{file_id}"), 502, "/docs#media-download") is True
    assert service.api("GET", f"/v1/media/{file_id}").content == SMALL_FILE


@pytest.mark.parametrize("kind", POST_ANSWERS)
def test_an_upload_that_meta_answers_badly_is_a_clear_problem_and_can_be_repeated(service: Stack, kind: str) -> None:
    form = {"file": ("a.pdf", FILE, "application/pdf")}
    service.meta.fault(kind, endpoint="media_upload")
    status, problem, _ = POST_ANSWERS[kind]
    assert is_problem(service.api("POST", "/v1/media", files=form), status, problem) is True
    uploaded = service.api("POST", "/v1/media", files=form).json()["id"]
    assert comes(service, uploaded, FILE)


@pytest.mark.parametrize("kind", DELETE_ANSWERS)
def test_a_file_is_deleted_whatever_meta_answers(service: Stack, kind: str) -> None:
    file_id = kept_file(service)
    service.meta.fault(kind, endpoint="media_delete")
    assert service.api("DELETE", f"/v1/media/{file_id}").status_code == DELETE_ANSWERS[kind]
    assert is_problem(service.api("GET", f"/v1/media/{file_id}"), 404, "/docs#media-not-found") is False


@pytest.mark.parametrize("kind", POST_ANSWERS)
def test_a_read_mark_that_meta_answers_badly_is_a_clear_problem_and_can_be_repeated(service: Stack, kind: str) -> None:
    message_id = service.meta.write(ANA, SPOKEN)
    got_one(service, [ANA])
    # The service marks the message as read beside its reply; the fault is for the explicit request.
    eventually(lambda: [one["status"] for one in service.meta.chat(ANA) if one["id"] == message_id] == ["read"])
    service.meta.fault(kind, endpoint="read")
    status, problem, retryable = POST_ANSWERS[kind]
    assert is_problem(service.api("POST", f"/v1/messages/{message_id}/read"), status, problem) is retryable
    assert service.api("POST", f"/v1/messages/{message_id}/read").status_code == 200


@pytest.mark.parametrize("kind", POST_ANSWERS)
def test_a_reply_reaches_its_customer_once_where_its_read_mark_fails(service: Stack, kind: str) -> None:
    service.meta.fault(kind, endpoint="read")
    service.meta.write(ANA, SPOKEN)
    got_one(service, [ANA])


def test_templates_that_cannot_be_had_are_a_clear_problem_and_come_afterwards(service: Stack) -> None:
    # A process caches templates for a minute: restart web, so that the cache is empty.
    service.kill("web")
    service.start("web")
    for kind in ("error", "reset"):
        service.meta.fault(kind, endpoint="templates", count=None)
        assert is_problem(service.api("GET", "/v1/templates"), 502, "/docs#meta-failed") is True
        service.meta.call("DELETE", "faults")
    service.meta.fault("cut", endpoint="templates")
    names = [template["name"] for template in service.api("GET", "/v1/templates").json()["items"]]
    assert "hello_world" in names
