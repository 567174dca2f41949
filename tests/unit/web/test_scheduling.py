"""`send_at` of `POST /v1/messages`, and `DELETE /v1/messages/{id}`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import CUSTOMER

HELLO = {"to": CUSTOMER, "text": "hello"}


def at(days: float = 1.0) -> int:
    return int(time.time() + days * 86_400)


def test_a_scheduled_message_is_answered_at_once_with_its_time(start_web: Start) -> None:
    web = start_web({"WA_SEND_WAIT": "20"})
    moment = at()

    answer = web.send(HELLO | {"send_at": moment})

    assert (answer.status_code, answer.json["status"]) == (202, "scheduled")
    assert datetime.fromisoformat(answer.json["send_at"]).timestamp() == moment
    assert datetime.fromisoformat(answer.json["expires"]).timestamp() == moment + 86_400
    listed = web.get("/v1/messages?status=scheduled").json["items"]
    assert [one["id"] for one in listed] == [answer.json["id"]]


def test_a_time_may_be_written_in_another_zone(web: Web) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    for zoned in ("+02:00", ".0+02:00", ".0000000+02:00", ".000000000+02:00"):
        answer = web.send(HELLO | {"send_at": moment.replace(tzinfo=None).isoformat() + zoned})
        assert datetime.fromisoformat(answer.json["send_at"]) == moment - timedelta(hours=2)


def test_a_time_that_is_past_means_now(web: Web) -> None:
    assert web.send(HELLO | {"send_at": at(-0.5)}).json["status"] == "queued"


@pytest.mark.parametrize(
    "wrong", ["tomorrow", "2026-12-01T10:00:00", "2026-13-41T10:00:00Z", True, -1, 1e12, {}, "1790000000"]
)
def test_what_is_no_time_is_refused(web: Web, wrong: Any) -> None:
    answer = web.send(HELLO | {"send_at": wrong})

    assert (answer.status_code, answer.json["type"]) == (400, "/docs#invalid-request")
    assert [one["field"] for one in answer.json["errors"]] == ["send_at"]


def test_a_time_too_far_ahead_is_refused(start_web: Start) -> None:
    web = start_web({"WA_SCHEDULE_DAYS": "3"})

    assert web.send(HELLO | {"send_at": at(4)}).json["type"] == "/docs#scheduled-too-far"
    assert web.send(HELLO | {"send_at": at(2)}).status_code == 202


def test_the_same_key_for_another_time_is_another_request(web: Web) -> None:
    first, other = at(1), at(2)
    sent = [web.send(HELLO | {"send_at": when}, Idempotency_Key="k") for when in (first, first, other)]

    assert [one.status_code for one in sent] == [202, 202, 422]
    assert sent[1].headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("more", [{}, {"send_at": at()}], ids=["queued", "scheduled"])
def test_a_message_that_has_not_left_is_canceled_and_asked_twice_it_is_the_same(web: Web, more: Any) -> None:
    sent = web.send(HELLO | more, Idempotency_Key="k").json["id"]

    answers = [web.delete(f"/v1/messages/{sent}", key="both") for _ in range(2)]

    assert [(one.status_code, one.json["status"]) for one in answers] == [(200, "canceled")] * 2
    again = web.send(HELLO | more, Idempotency_Key="k")
    assert (again.status_code, again.json["status"]) == (202, "canceled")
    assert web.runtime.observer.overview().depth["scheduled"] == 0


def test_a_message_that_has_left_is_not_canceled(web: Web) -> None:
    sent = web.send(HELLO).json["id"]
    web.accept("wamid.HBgLSENT")

    for name in (sent, "wamid.HBgLSENT"):
        answer = web.delete(f"/v1/messages/{name}", key="both")
        assert (answer.status_code, answer.json["type"], answer.json["id"]) == (409, "/docs#already-sent", sent)


def test_nobody_s_message_is_not_found(web: Web) -> None:
    assert web.delete("/v1/messages/nobody", key="both").status_code == 404


def test_how_many_are_scheduled_and_how_late_the_first_one_is_is_told(web: Web) -> None:
    web.send(HELLO | {"send_at": at()})

    samples = web.runtime.observer.overview().samples()

    assert samples["whatsapp_queue_depth"]["scheduled"] == 1
    assert samples["whatsapp_queue_oldest_seconds"]["scheduled"] == 0
