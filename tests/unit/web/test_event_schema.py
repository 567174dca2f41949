"""The response of `GET /v1/events` matches its schema, for each kind of event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import orjson
import pytest

from tests.unit.web.conftest import Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, delivery, status_of, text_message, value_of
from wa_service.delivery.verdict import error_record
from wa_service.push.event_form import event_body
from wa_service.store.events import Entry
from wa_service.web.event_schema import EVENT_KINDS, EventError, item_name
from wa_service.whatsapp.errors import classify

MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


@pytest.fixture
def document(web: Web) -> dict[str, Any]:
    return dict(web.client.get("/openapi.json").json or {})


def fits(document: dict[str, Any], item: dict[str, Any]) -> None:
    schema = {"$ref": f"#/components/schemas/{item_name(item['kind'])}", "components": document["components"]}
    jsonschema.validate(item, schema)
    jsonschema.validate(item, {"$ref": "#/components/schemas/EventItem", "components": document["components"]})


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_each_kind_has_an_example_that_fits(document: dict[str, Any], kind: str) -> None:
    (example,) = document["components"]["schemas"][item_name(kind)]["examples"]

    assert example["kind"] == kind
    fits(document, example)


def test_every_member_of_a_failure_is_described() -> None:
    refused = classify(
        400, {"error": {"code": 131026, "error_subcode": 1, "message": "Undeliverable", "fbtrace_id": "A"}}
    )

    assert EventError.model_validate(error_record(refused)).model_extra == {}


def happened(web: Web) -> Iterator[dict[str, Any]]:
    """Yield an event of each kind that webhooks, API calls and workers cause."""
    failed = [{"code": 131026, "title": "Message undeliverable"}]
    echo = {"id": "wamid.HBgLECHO", "from": "1", "to": CUSTOMER, "type": "text", "text": {"body": "staff"}}
    metadata = {"phone_number_id": NUMBER, "display_phone_number": "1"}
    web.webhook(delivery(value_of(messages=[text_message()])))
    web.send({"to": CUSTOMER, "text": "hello", "tag": "a-tag"})
    web.accept("wamid.HBgLOURS")
    for wamid in ("wamid.HBgLOURS", "wamid.HBgLTHEIRS"):
        web.webhook(delivery(value_of(statuses=[status_of(wamid, "failed", errors=failed)])))
    changes = [
        {"field": "account_alerts", "value": {"alert_type": "x"}},
        {"field": "smb_message_echoes", "value": {"metadata": metadata, "message_echoes": [echo]}},
    ]
    web.webhook({"object": "whatsapp_business_account", "entry": [{"id": "1", "time": 1, "changes": changes}]})
    web.put(f"/v1/contacts/{CUSTOMER}/stop", {})
    yield from web.get("/v1/events").json["items"]
    web.delete(f"/v1/contacts/{CUSTOMER}")
    yield web.get("/v1/events").json["items"][-1]


def test_whatever_happens_fits_with_one_clock(web: Web, document: dict[str, Any]) -> None:
    items = list(happened(web))

    for item in items:
        fits(document, item)
        times = [item["time"], *(item["data"].get(name) for name in ("time", "timestamp", "until"))]
        assert [time for time in times if time is not None and not MOMENT.fullmatch(time)] == []
    told = {item["kind"]: item["data"] for item in items}
    assert set(told) >= {"message", "send", "status", "foreign_status", "management", "echo", "stop", "erased"}
    assert (told["status"]["to"], told["status"]["message_type"], told["status"]["tag"]) == (CUSTOMER, "text", "a-tag")
    assert (told["send"]["to"], told["send"]["error"], told["status"]["error"]["reason"]) == (
        CUSTOMER,
        None,
        "recipient",
    )
    time = "2023-11-14T22:15:00.000Z"
    names = {"status": "failed", "time": time, "to": CUSTOMER, "wamid": "wamid.HBgLTHEIRS", "pricing": None}
    assert told["foreign_status"] == names | {"error": told["status"]["error"]}


def test_meta_s_names_reach_the_caller(web: Web, document: dict[str, Any]) -> None:
    contact = {"profile": {"name": "Ada", "username": "ada.l"}, "wa_id": CUSTOMER}
    conversation = {"id": "72b14d", "origin": {"type": "utility"}, "expiration_timestamp": "1750116480"}
    web.webhook(delivery(value_of(messages=[text_message()]) | {"contacts": [contact]}))
    record_id = web.send({"to": CUSTOMER, "text": "hello", "biz_opaque_callback_data": "order:12"}).json["id"]
    web.accept("wamid.HBgLOURS")
    for wamid, opaque in (("wamid.HBgLOURS", record_id), ("wamid.HBgLTHEIRS", "ticket:7")):
        status = status_of(wamid, "sent", conversation=conversation, biz_opaque_callback_data=opaque)
        web.webhook(delivery(value_of(statuses=[status])))

    items = web.get("/v1/events?kind=message,status,foreign_status").json["items"]

    for item in items:
        fits(document, item)
    message, ours, theirs = (item["data"] for item in items)
    assert (message["name"], message["username"]) == ("Ada", "ada.l")
    assert ours["conversation"] == theirs["conversation"] == conversation
    assert (ours["biz_opaque_callback_data"], theirs["biz_opaque_callback_data"]) == ("order:12", "ticket:7")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("transcript", {"message_id": "wamid.X", "transcript": "", "confidence": None, "understood": False}),
        ("pause", {"reason": "reply-limit", "until": 1_800_000_000}),
        ("batch", {"id": "b", "state": "done", "total": 2}),
        ("history", {"thread": "1", "metadata": {}, "messages": []}),
        ("console", {"key": "ana", "action": "reply"}),
    ],
)
def test_what_is_pushed_fits_too(document: dict[str, Any], kind: str, data: dict[str, Any]) -> None:
    fits(document, orjson.loads(event_body(Entry("1795858200000-0", kind, f"{NUMBER}:{CUSTOMER}", data))))
