"""Sends to groups: what they have in common with sends to customers (reference 2.2, 2.7, 7.1)."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.unit.emulator.emulated import ANA, NUMBER, Emulator, error

GROUP = "77"
BEN = "15550102030"
TEXT = {"type": "text", "text": {"body": "hello"}}


@pytest.fixture
def group(fresh: Emulator) -> Emulator:
    """Return an emulator with a group of Ana and Ben."""
    fresh.do("groups", {"id": GROUP, "participants": [ANA, BEN]})
    return fresh


def send(meta: Emulator, body: dict[str, Any], **options: Any) -> TestResponse:
    return meta.send({"recipient_type": "group", **body}, to=GROUP, **options)


def sent(meta: Emulator, body: dict[str, Any]) -> dict[str, Any]:
    """Send a message, which must be accepted, and return it as Ana's phone shows it."""
    answer = send(meta, body)
    assert answer.status_code == 200, answer.text
    return meta.last()


def template(name: str) -> dict[str, Any]:
    return {"type": "template", "template": {"name": name, "language": {"code": "en_US"}}}


def test_they_count_for_the_throughput(group: Emulator) -> None:
    group.control("PATCH", f"numbers/{NUMBER}", {"messages_per_second": 2})
    answers = [send(group, TEXT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert error(answers[2])["code"] == 130429


def test_a_planned_failed_status_fails_for_every_participant(group: Emulator) -> None:
    group.do("faults", {"kind": "failed_status", "code": 131049, "details": "Not now."})
    message = sent(group, TEXT)
    assert (message["status"], message["errors"][0]["code"]) == ("failed", 131049)
    assert message["errors"][0]["error_data"] == {"details": "Not now."}
    assert [list(times) for times in message["participants"].values()] == [["failed"], ["failed"]]


def test_a_quoted_message_is_named(group: Emulator) -> None:
    assert sent(group, {**TEXT, "context": {"message_id": "wamid.X="}})["context"] == {"id": "wamid.X="}


def test_a_context_without_an_id_is_refused(group: Emulator) -> None:
    assert error(send(group, {**TEXT, "context": {}}))["code"] == 131008


def test_a_template_is_answered_with_message_status(group: Emulator) -> None:
    (message,) = send(group, template("hello_world")).json["messages"]
    assert (message["message_status"], message["group_id"]) == ("accepted", GROUP)


def test_a_template_with_buttons_is_refused(group: Emulator) -> None:
    assert error(send(group, template("weekend_offer")))["code"] == 131051


def test_marketing_that_is_off_the_cloud_api_is_refused(group: Emulator) -> None:
    group.world.marketing_off_cloud = True
    body = {"type": "BODY", "text": "Two nights are one."}
    offer = {"name": "plain", "language": "en_US", "category": "MARKETING", "components": [body]}
    group.do("seed", {"templates": [offer]})
    assert error(send(group, template("plain")))["code"] == 131063


def test_their_statuses_wait_for_the_status_delay(group: Emulator) -> None:
    group.do("behaviour", {"status_delay": 60})
    before = sent(group, TEXT)["participants"]
    group.do("clock", {"advance": 121})
    group.do("settle", {"timeout": 5})
    assert (before, list(group.last()["participants"][ANA])) == ({}, ["sent", "delivered"])


def test_their_statuses_can_be_left_out(group: Emulator) -> None:
    group.do("behaviour", {"send_statuses": False})
    before = group.world.webhooks.counts["unsubscribed"]
    sent(group, TEXT)
    assert group.world.webhooks.counts["unsubscribed"] == before


def test_a_group_s_id_cannot_be_mistaken_for_a_number(fresh: Emulator) -> None:
    found = fresh.do("groups", {"participants": [ANA]})["id"]
    assert found.startswith("Y2FwaV9ncm91cDo")  # base64 of capi_group:
    body = {"type": "text", "text": {"body": "hello"}, "recipient_type": "group"}
    assert fresh.send(body, to=found).json["messages"][0]["group_id"] == found
