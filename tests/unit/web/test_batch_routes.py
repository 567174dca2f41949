"""`/v1/batches`: submitted, checked item by item, repeated, monitored, changed only by its owner."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import redis

from tests.keys import PREFIX
from tests.unit.web.conftest import KEYS, Start, Web
from tests.unit.web.deliveries import NUMBER, OTHER_NUMBER, WABA
from wa_service.service.quiet_hours import QuietHours
from wa_service.store.batches import Batches
from wa_service.store.flusher import StoreUnavailableError

HELLO = {"text": "Hello {{ name }}, your code is {{ code }}."}
ANA, BEN, CARL = (
    {"to": f"4477009001{n}", "name": name, "code": n} for n, name in ((23, "Ana"), (24, "Ben"), (25, "C"))
)


def post(web: Web, body: Any, *, key: str = "both", **headers: str) -> Any:
    sent = KEYS[key] | {name.replace("_", "-"): value for name, value in headers.items()}
    return web.client.post("/v1/batches", json=body, headers=sent)


def feed(web: Web, number: str = NUMBER) -> list[dict[str, Any]]:
    """Return the requests that a worker would send to Meta now."""
    web.runtime.batches.feed(number, {})
    answer = web.runtime.outbox.next(number, "worker", time.monotonic_ns(), 16)
    return [orjson.loads(grant.body) for grant in answer.grants]


def test_each_item_gets_its_own_values(web: Web) -> None:
    taken = post(web, {"message": HELLO, "items": [ANA, BEN], "tag": "spring"})
    assert taken.status_code == 202
    assert taken.json["taken"] == 2
    assert taken.json["refused"] == []
    assert taken.headers["Location"] == f"/v1/batches/{taken.json['id']}"
    sent = {body["to"]: body["text"]["body"] for body in feed(web)}
    assert sent == {ANA["to"]: "Hello Ana, your code is 23.", BEN["to"]: "Hello Ben, your code is 24."}


def test_a_template_takes_values_by_name_or_its_own_parts(web: Web) -> None:
    template = {"name": "welcome", "language": "en_US", "body": ["{{ name }}"]}
    items = [ANA, {"to": BEN["to"], "body": ["somebody"]}]
    assert post(web, {"template": template, "items": items}).json["taken"] == 2
    texts = {body["to"]: body["template"]["components"][0]["parameters"][0]["text"] for body in feed(web)}
    assert texts == {ANA["to"]: "Ana", BEN["to"]: "somebody"}


def test_what_is_wrong_is_told_by_its_place_and_the_others_go(web: Web) -> None:
    items = [ANA, {"to": "0123", "name": "x", "code": 1}, {"to": BEN["to"], "name": "Ben"}, "nobody", CARL]
    taken = post(web, {"message": HELLO, "items": items}).json
    assert taken["taken"] == 2
    assert [(item["index"], [error["field"] for error in item["errors"]]) for item in taken["refused"]] == [
        (1, ["to"]),
        (2, ["code"]),
        (3, []),
    ]
    shown = web.get(f"/v1/batches/{taken['id']}").json
    assert (shown["total"], shown["refused"], shown["counts"]) == (2, 3, {"scheduled": 2})


def test_a_batch_whose_time_is_past_is_sent_now_however_short_its_ttl(web: Web) -> None:
    past = int(time.time()) - 7_200
    assert post(web, {"message": HELLO, "items": [ANA], "ttl": 3_600, "send_at": past}).json["taken"] == 1
    assert [body["to"] for body in feed(web)] == [ANA["to"]]


def test_a_batch_is_kept_until_its_time_however_far_ahead_it_may_be(
    start_web: Start, redis_client: redis.Redis
) -> None:
    web = start_web({"WA_SCHEDULE_DAYS": "90"})
    taken = post(web, {"message": HELLO, "items": [ANA], "send_at": int(time.time()) + 89 * 86_400}).json
    redis_client.zincrby(f"{PREFIX}batches", -(web.runtime.retention_seconds + 90 * 86_400) * 1000, taken["id"])
    web.runtime.events.trim()
    assert [batch["id"] for batch in web.get("/v1/batches").json["items"]] == [taken["id"]]
    assert redis_client.ttl(f"{PREFIX}batch_items:{taken['id']}") > web.runtime.retention_seconds + 90 * 86_400


def test_lines_are_messages_of_their_own(web: Web) -> None:
    lines = [
        {"batch": {"tag": "autumn", "stop_when": {"failed_share": 0.2, "after": 200}}},
        {"to": ANA["to"], "text": "one"},
        {"to": BEN["to"], "text": "two", "from": OTHER_NUMBER, "tag": "own"},
    ]
    body = b"\n".join(orjson.dumps(line) for line in lines) + b"\nnot json\n"
    headers = KEYS["both"] | {"Content-Type": "application/x-ndjson"}
    taken = web.client.post("/v1/batches", data=body, headers=headers)
    assert (taken.json["taken"], [item["index"] for item in taken.json["refused"]]) == (2, [2])
    assert [body["text"]["body"] for body in feed(web) + feed(web, OTHER_NUMBER)] == ["one", "two"]
    items = web.get(f"/v1/messages?batch={taken.json['id']}").json["items"]
    assert [(item["batch_index"], item["tag"], item["from"]) for item in items] == [
        (1, "own", OTHER_NUMBER),
        (0, "autumn", NUMBER),
    ]
    assert web.get(f"/v1/batches/{taken.json['id']}").json["stop_when"] == {"failed_share": 0.2, "after": 200}


@pytest.mark.parametrize(
    "first",
    [
        b'{"batch": {"tag": "autumn",}}',
        b'{"batch": {"tag": "autumn"}, "to": "447700900124", "text": "one"}',
        b'["batch"]',
    ],
)
def test_settings_that_cannot_be_read_refuse_the_whole_batch(web: Web, first: bytes) -> None:
    body = first + b'\n{"to": "447700900123", "text": "two"}\n'
    headers = KEYS["both"] | {"Content-Type": "application/x-ndjson"}
    refused = web.client.post("/v1/batches", data=body, headers=headers)
    assert (refused.status_code, [error["field"] for error in refused.json["errors"]]) == (400, ["batch"])
    assert web.get("/v1/batches").json["items"] == []


def test_a_byte_order_mark_hides_no_settings(web: Web) -> None:
    body = b'\xef\xbb\xbf{"batch": {"tag": "autumn"}}\r\n{"to": "447700900123", "text": "one"}\r\n'
    headers = KEYS["both"] | {"Content-Type": "application/x-ndjson"}
    taken = web.client.post("/v1/batches", data=body, headers=headers).json
    assert (taken["taken"], taken["refused"]) == (1, [])
    assert web.get(f"/v1/batches/{taken['id']}").json["tag"] == "autumn"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"items": []}, "items"),
        ({"message": {"text": "Hello {{ First name }}"}}, "message"),
        ({"items": [ANA] * 10_001}, "items"),
        ({"template": {"name": "x"}}, "template"),
        ({"message": None}, "template"),
        ({"tagg": "x"}, "tagg"),
        ({"tag": ""}, "tag"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"quiet": "9-5"}, "quiet"),
        ({"quiet": "21:00-08:00 Europe/Atlantis"}, "quiet"),
        ({"stop_when": {"failed_share": 2, "after": 1}}, "stop_when"),
    ],
)
def test_what_is_wrong_with_the_batch_itself_is_named(web: Web, changed: dict[str, Any], field: str) -> None:
    refused = post(web, {"message": HELLO, "items": [ANA]} | changed)
    assert refused.status_code == 400
    assert [error["field"] for error in refused.json["errors"]] == [field]


def test_a_repeat_sends_nothing_and_another_request_is_refused(web: Web) -> None:
    body = {"message": HELLO, "items": [ANA, BEN]}
    first = post(web, body, Idempotency_Key="k1")
    again = post(web, body, Idempotency_Key="k1")
    assert (again.status_code, again.json) == (202, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(feed(web)) == 2
    other = post(web, {"message": HELLO, "items": [ANA]}, Idempotency_Key="k1")
    assert (other.status_code, other.json["id"]) == (422, first.json["id"])


def test_a_batch_that_was_not_stored_to_its_end_goes_on_where_it_ended(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [{"to": str(447700900000 + index), "name": "x", "code": index} for index in range(250)]
    add, calls = web.runtime.batches.add, []

    def away(batch_id: str, first: int, *given: Any) -> int:
        calls.append(first)
        if len(calls) == 2:
            raise StoreUnavailableError("ConnectionError")
        return add(batch_id, first, *given)

    monkeypatch.setattr("wa_service.store.batches.Batches.add", lambda _, *given: away(*given))
    assert post(web, {"message": HELLO, "items": items}, Idempotency_Key="k").status_code == 503
    assert feed(web) == []
    (loading,) = web.get("/v1/batches").json["items"]
    assert (loading["state"], loading["counts"]) == ("loading", {"scheduled": 100})
    assert post(web, {"message": HELLO, "items": items}, Idempotency_Key="k").json["taken"] == 250
    assert calls == [0, 100, 100, 200]
    assert web.get(f"/v1/batches/{loading['id']}").json["counts"] == {"scheduled": 250}


@pytest.mark.parametrize(
    ("step", "headers", "may_run"),
    [("open", {}, False), ("add", {}, False), ("change", {}, True), ("change", {"Idempotency_Key": "k"}, False)],
)
def test_a_503_says_whether_the_batch_may_have_been_started(
    web: Web, monkeypatch: pytest.MonkeyPatch, step: str, headers: dict[str, str], may_run: bool
) -> None:
    execute = getattr(Batches, step)

    def without_answer(*arguments: Any, **named: Any) -> None:
        execute(*arguments, **named)
        raise StoreUnavailableError("TimeoutError")

    monkeypatch.setattr(Batches, step, without_answer)
    refused = post(web, {"message": HELLO, "items": [ANA]}, **headers)
    (batch,) = web.get("/v1/batches").json["items"]
    assert (refused.status_code, batch["state"]) == (503, "running" if step == "change" else "loading")
    assert (batch["id"] in refused.json["detail"], "may send it twice" in refused.json["detail"]) == (may_run, may_run)
    assert ("Nothing of it is sent." in refused.json["detail"]) == (step != "change")


def test_whose_batch_it_is_may_change_it_and_who_manages(start_web: Start) -> None:
    web = start_web()
    name = post(web, {"message": HELLO, "items": [ANA]}, key="sender").json["id"]
    assert web.post(f"/v1/batches/{name}/pause").status_code == 403
    assert web.post(f"/v1/batches/{name}/pause", key="sender").json["state"] == "paused"
    assert web.post(f"/v1/batches/{name}/resume", key="boss").json["state"] == "running"
    gone = web.delete(f"/v1/batches/{name}", key="sender")
    assert (gone.json["state"], gone.json["counts"]) == ("canceled", {"canceled": 1})
    assert web.delete(f"/v1/batches/{name}", key="sender").json == gone.json
    assert web.get(f"/v1/messages?batch={name}").json["items"][0]["status"] == "canceled"
    assert web.delete("/v1/batches/none").status_code == 404


def test_events_tell_a_pause(web: Web) -> None:
    name = post(web, {"message": HELLO, "items": [ANA], "tag": "spring"}).json["id"]
    web.post(f"/v1/batches/{name}/pause")
    (event,) = web.get("/v1/events?kind=batch").json["items"]
    assert event["data"] == {"id": name, "state": "paused", "reason": "asked", "tag": "spring", "total": 1}


@pytest.mark.parametrize(
    ("quiet", "moment", "until"),
    [
        ("21:00-08:00 Europe/Berlin", "2026-07-01T20:00:00+00:00", "2026-07-02T06:00:00+00:00"),
        ("21:00-08:00 Europe/Berlin", "2026-07-01T05:59:59+00:00", "2026-07-01T06:00:00+00:00"),
        ("21:00-08:00 Europe/Berlin", "2026-07-01T06:00:00+00:00", None),
        ("21:00-08:00 Europe/Berlin", "2026-10-24T23:00:00+00:00", "2026-10-25T07:00:00+00:00"),  # the clocks go back
        ("21:00-02:30 Europe/Berlin", "2026-10-25T00:10:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("21:00-02:30 Europe/Berlin", "2026-10-25T01:10:00+00:00", "2026-10-25T01:30:00+00:00"),  # 02:10 again
        ("21:00-03:30 Europe/Berlin", "2026-10-25T01:10:00+00:00", "2026-10-25T02:30:00+00:00"),
        ("21:00-01:45 Australia/Lord_Howe", "2026-04-04T15:10:00+00:00", "2026-04-04T15:15:00+00:00"),
        ("21:00-08:00 America/New_York", "2026-03-08T06:59:00+00:00", "2026-03-08T12:00:00+00:00"),
        ("12:00-13:30 UTC", "2026-07-01T12:00:00+00:00", "2026-07-01T13:30:00+00:00"),
    ],
)
def test_quiet_hours_end_by_the_zones_own_clock(quiet: str, moment: str, until: str | None) -> None:
    found = QuietHours.read(quiet).until(datetime.fromisoformat(moment))
    assert found == (int(datetime.fromisoformat(until).timestamp() * 1000) if until else None)


def test_without_a_zone_nobody_is_woken_in_a_country_of_many(web: Web) -> None:
    found = QuietHours.read("21:00-08:00").until(datetime.fromisoformat("2026-07-01T19:30:00+00:00"))
    assert isinstance(found, dict)
    assert "GB" not in found, "20:30"
    assert found["DE"] == int(datetime.fromisoformat("2026-07-02T06:00:00+00:00").timestamp() * 1000)


# Kosovo, Ascension and Tristan da Cunha, which the IANA database does not list, and a country without any zone.
@pytest.mark.parametrize("address", ["38343201234", "2476123456", "29081234", "XX.13491208655302741918"])
def test_without_a_zone_nobody_is_woken_in_a_country_that_has_none(web: Web, address: str) -> None:
    quiet = "00:00-23:59"
    field = "recipient" if "." in address else "to"
    items = [{field: address, "name": "x", "code": 1}]
    batch = post(web, {"message": HELLO, "items": items, "quiet": quiet}).json["id"]
    later = QuietHours.read(quiet).until(datetime.now(UTC).replace(hour=3) + timedelta(days=1))
    assert later is not None
    assert web.runtime.batches.feed(NUMBER, {batch: later}) == 0
    assert web.get(f"/v1/batches/{batch}").json["counts"] == {"scheduled": 1}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("message_template_status_update", {"event": "PAUSED", "message_template_name": "spring"}, "template_paused"),
        (
            "message_template_status_update",
            {"event": "DISABLED", "message_template_name": "spring"},
            "template_disabled",
        ),
        ("message_template_status_update", {"event": "PAUSED", "message_template_name": "other"}, None),
        (
            "message_template_quality_update",
            {"new_quality_score": "RED", "message_template_name": "spring"},
            "quality_red",
        ),
        ("phone_number_quality_update", {"event": "FLAGGED", "display_phone_number": "15550783881"}, "quality_red"),
        ("phone_number_quality_update", {"event": "FLAGGED", "display_phone_number": "15550783882"}, None),
    ],
)
def test_a_batch_pauses_when_meta_tells_that_it_would_be_refused(
    web: Web, field: str, value: dict[str, Any], reason: str | None
) -> None:
    web.runtime.store.run([web.runtime.events.set_display_number(NUMBER, "15550783881")])
    name = post(web, {"template": {"name": "spring", "language": "en_US"}, "items": [ANA]}).json["id"]
    change = {"field": field, "value": value}
    entry = {"id": WABA, "time": int(time.time()), "changes": [change]}
    assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
    shown = web.get(f"/v1/batches/{name}").json
    assert (shown["state"], shown["reason"]) == (("paused", reason) if reason else ("running", None))


@pytest.mark.parametrize(
    ("language", "more", "paused"),
    [
        ("de", {}, True),
        ({"code": "de"}, {}, True),
        ("en-US", {}, False),
        ("de_AT", {}, False),
        ("{{ code }}", {}, True),
        ("en_US", {"language": "de"}, True),
    ],
)
@pytest.mark.parametrize("event", [{"event": "PAUSED"}, {"new_quality_score": "RED"}])
def test_a_batch_in_another_language_than_the_paused_one_goes_on(
    web: Web, language: Any, more: dict[str, str], event: dict[str, str], *, paused: bool
) -> None:
    item = ANA | {"code": "fr"} | more
    name = post(web, {"template": {"name": "spring", "language": language}, "items": [item]}).json["id"]
    value = {"message_template_name": "spring", "message_template_language": "de"} | event
    change = {"field": "message_template_status_update", "value": value}
    entry = {"id": WABA, "time": int(time.time()), "changes": [change]}
    assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
    assert web.get(f"/v1/batches/{name}").json["state"] == ("paused" if paused else "running")


def test_a_null_of_an_item_leaves_what_all_items_have(web: Web) -> None:
    template = {"name": "spring", "language": "de", "header": "A", "body": ["{{ name }}"], "buttons": ["x"]}
    nulls = dict.fromkeys(("header", "body", "buttons", "language", "from", "ttl", "take", "send_at"))
    shared = {"template": template, "from": OTHER_NUMBER, "ttl": 60}
    taken = [post(web, shared | {"items": [item]}).json for item in (ANA, BEN | {"name": "Ana"} | nulls)]
    kept = [web.get(f"/v1/messages?batch={each['id']}").json["items"][0] for each in taken]
    assert abs(datetime.fromisoformat(kept[0]["expires"]) - datetime.fromisoformat(kept[1]["expires"])).seconds < 60
    first, second = feed(web, OTHER_NUMBER)
    assert second["template"] == first["template"]


@pytest.mark.parametrize("shared", [{"to": "4915123456789"}, {"recipient": "DE.13491208655302741918"}])
def test_the_message_of_all_items_has_no_recipient(web: Web, shared: dict[str, str]) -> None:
    items = [{"to": "447700900123"}, {"recipient": "US.13491208655302741918"}, {"name": "Ana"}]
    taken = post(web, {"message": {"text": "hello", **shared}, "items": items}).json
    assert [(each["index"], each["errors"][0]["field"]) for each in taken["refused"]] == [(2, "to")]
    assert [{name: body.get(name) for name in ("to", "recipient")} for body in feed(web)] == [
        {"to": "447700900123", "recipient": None},
        {"to": None, "recipient": "US.13491208655302741918"},
    ]


@pytest.mark.parametrize(("field", "address"), [("to", "447700900123"), ("recipient", "US.13491208655302741918")])
def test_the_message_of_all_items_may_name_the_value_that_has_the_recipient(web: Web, field: str, address: str) -> None:
    items = [{"address": address}, {"name": "Ana"}]
    taken = post(web, {"message": {"text": "hello", field: "{{ address }}"}, "items": items}).json
    assert [(each["index"], each["errors"][0]["field"]) for each in taken["refused"]] == [(1, "address")]
    assert [body[field] for body in feed(web)] == [address]


@pytest.mark.parametrize(
    ("others", "paused"),
    [
        ([], True),
        ([{"template": {"name": "spring", "language": "en_US"}}, "nonsense"], True),
        ([{"template": {"name": "autumn", "language": "de"}}], False),
        ([{"text": "hello"}], False),
    ],
)
def test_a_batch_of_complete_messages_pauses_with_their_one_template(
    web: Web, others: list[Any], *, paused: bool
) -> None:
    messages = [{"template": {"name": "spring", "language": {"code": "de"}}}, *others]
    lines = [json.dumps({"to": "447700900123", **each} if isinstance(each, dict) else each) for each in messages]
    headers = KEYS["both"] | {"Content-Type": "application/x-ndjson"}
    name = web.client.post("/v1/batches", data="\n".join(lines), headers=headers).json["id"]
    value = {"message_template_name": "spring", "message_template_language": "de", "new_quality_score": "RED"}
    change = {"field": "message_template_quality_update", "value": value}
    entry = {"id": WABA, "time": int(time.time()), "changes": [change]}
    assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
    shown = web.get(f"/v1/batches/{name}").json
    assert (shown["state"], shown["template"]) == (("paused", "spring") if paused else ("running", None))


@pytest.mark.parametrize(
    ("field", "name", "later", "bad", "state"),
    [
        ("message_template_status_update", "event", "APPROVED", "PAUSED", "running"),
        ("message_template_status_update", "event", "PENDING", "PAUSED", "paused"),
        ("message_template_quality_update", "new_quality_score", "GREEN", "RED", "running"),
        ("message_template_quality_update", "new_quality_score", "RED", "RED", "paused"),
    ],
)
def test_what_comes_after_its_end_pauses_no_batch(
    web: Web, field: str, name: str, later: str, bad: str, state: str
) -> None:
    batch = post(web, {"template": {"name": "spring", "language": "en_US"}, "items": [ANA]}).json["id"]
    value = {"message_template_name": "spring", "message_template_language": "en_US"}
    now = int(time.time())
    for word, at in ((later, now - 100), (bad, now - 200)):
        change = {"field": field, "value": value | {name: word}}
        entry = {"id": WABA, "time": at, "changes": [change]}
        assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
    assert web.get(f"/v1/batches/{batch}").json["state"] == state


@pytest.mark.parametrize(("digits", "state"), [("15550783881", "running"), ("15550783882", "paused")])
def test_nor_does_a_number_that_is_red_no_longer(web: Web, digits: str, state: str) -> None:
    web.runtime.store.run([web.runtime.events.set_display_number(NUMBER, "15550783881")])
    batch = post(web, {"template": {"name": "spring", "language": "en_US"}, "items": [ANA]}).json["id"]
    now = int(time.time())
    for event, number, at in (("UNFLAGGED", digits, now - 100), ("FLAGGED", "15550783881", now - 200)):
        change = {"field": "phone_number_quality_update", "value": {"event": event, "display_phone_number": number}}
        entry = {"id": WABA, "time": at, "changes": [change]}
        assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
    assert web.get(f"/v1/batches/{batch}").json["state"] == state


def test_an_event_that_comes_again_pauses_no_batch_that_was_resumed(web: Web) -> None:
    name = post(web, {"template": {"name": "spring", "language": "en_US"}, "items": [ANA]}).json["id"]
    value = {"new_quality_score": "RED", "message_template_name": "spring", "message_template_id": 1}

    def reported(at: float) -> str:
        entry = {"id": WABA, "time": int(at), "changes": [{"field": "message_template_quality_update", "value": value}]}
        assert web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
        return str(web.get(f"/v1/batches/{name}").json["state"])

    now = time.time()
    assert reported(now) == "paused"
    assert web.post(f"/v1/batches/{name}/resume", key="boss").json["state"] == "running"
    assert reported(now) == "running"
    assert reported(now + 1) == "paused"


def test_an_item_that_waits_is_shown_and_canceled_by_its_id(web: Web) -> None:
    batch = post(web, {"message": HELLO, "items": [ANA, BEN, CARL], "tag": "spring"}).json["id"]
    (_, ben, _) = web.client.get(f"/v1/messages?batch={batch}", headers=KEYS["both"]).json["items"]
    address = f"/v1/messages/{ben['id']}"
    shown = web.client.get(address, headers=KEYS["both"]).json
    assert (shown["status"], shown["batch"], shown["batch_index"]) == ("scheduled", batch, 1)
    assert (shown["to"], shown["tag"]) == (BEN["to"], "spring")

    for _ in range(2):
        canceled = web.client.delete(address, headers=KEYS["both"])
        assert (canceled.status_code, canceled.json["status"]) == (200, "canceled")

    assert web.client.get(f"/v1/batches/{batch}", headers=KEYS["both"]).json["counts"] == {
        "scheduled": 2,
        "canceled": 1,
    }
    assert {body["to"] for body in feed(web)} == {ANA["to"], CARL["to"]}
    assert web.client.get(address, headers=KEYS["both"]).json["status"] == "canceled"
    (carl, _, _) = web.client.get(f"/v1/messages?batch={batch}", headers=KEYS["both"]).json["items"]
    assert web.client.delete(f"/v1/messages/{carl['id']}", headers=KEYS["both"]).status_code == 409


def test_a_batch_whose_last_items_are_canceled_one_by_one_is_done(web: Web) -> None:
    batch = post(web, {"message": HELLO, "items": [ANA, BEN]}).json["id"]
    for item in web.client.get(f"/v1/messages?batch={batch}", headers=KEYS["both"]).json["items"]:
        web.client.delete(f"/v1/messages/{item['id']}", headers=KEYS["both"])
    told = web.client.get(f"/v1/batches/{batch}", headers=KEYS["both"]).json
    assert (told["state"], told["counts"]) == ("done", {"canceled": 2})


def test_an_item_of_a_canceled_batch_is_told_as_canceled(web: Web) -> None:
    batch = post(web, {"message": HELLO, "items": [ANA]}).json["id"]
    web.client.delete(f"/v1/batches/{batch}", headers=KEYS["both"])
    address = f"/v1/messages/{batch}00000000"
    assert web.client.get(address, headers=KEYS["both"]).json["status"] == "canceled"
    assert web.client.delete(address, headers=KEYS["both"]).json["status"] == "canceled"
    assert web.client.get(f"/v1/messages/{batch}00000001", headers=KEYS["both"]).status_code == 404


def test_the_items_of_a_batch_are_not_listed_by_time(web: Web) -> None:
    refused = web.client.get("/v1/messages?batch=b1&since=2026-01-01", headers=KEYS["both"])
    assert refused.status_code == 400
    assert [error["field"] for error in refused.json["errors"]] == ["since"]


def test_refused_items_are_counted_told_in_part_and_listed_whole(web: Web) -> None:
    items = [{"to": "0123", "name": "x", "code": 1}] * 1_200 + [ANA]
    taken = post(web, {"message": HELLO, "items": items}, Idempotency_Key="once").json
    assert (taken["taken"], taken["refused_count"], len(taken["refused"])) == (1, 1_200, 1_000)

    listed: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = web.client.get(f"/v1/batches/{taken['id']}/refused?after={after}&limit=500", headers=KEYS["both"]).json
        listed += page["items"]
        after = page["next"]
    assert [item["index"] for item in listed] == list(range(1_200))
    assert listed[:1_000] == taken["refused"]
    post(web, {"message": HELLO, "items": items}, Idempotency_Key="once")
    again = web.client.get(f"/v1/batches/{taken['id']}/refused?after=1199", headers=KEYS["both"]).json
    assert ([item["index"] for item in again["items"]], again["next"]) == ([1_199], None), "a repeat adds none"
    assert web.client.get("/v1/batches/none/refused", headers=KEYS["both"]).status_code == 404
