"""Meta's events about accounts and numbers: all are logged, those about our own take effect."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import redis

from tests.keys import PREFIX
from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import (
    CUSTOMER,
    NOW,
    NUMBER,
    OTHER_NUMBER,
    WABA,
    delivery,
    status_of,
    text_message,
    value_of,
)
from wa_service.push.meta_form import meta_envelope

QUALITY = "phone_number_quality_update"


def message_for(number: str, seen_as: str) -> dict[str, Any]:
    """Return a delivery with the display number of one of our numbers."""
    value = value_of(number, messages=[text_message(f"wamid.HBgL{number}")])
    return delivery(value | {"metadata": {"phone_number_id": number, "display_phone_number": seen_as}})


def upgrade(seen_as: str, **more: Any) -> dict[str, Any]:
    return delivery({"display_phone_number": seen_as, "event": "THROUGHPUT_UPGRADE"} | more, field=QUALITY)


def throughput(web: Web) -> list[int]:
    """Return the throughput limits of our two numbers."""
    numbers = web.runtime.observer.overview().numbers
    return [numbers[number].throughput_limit for number in (NUMBER, OTHER_NUMBER)]


def told(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "event"} for line in lines if line["event"] == name]


def test_an_upgrade_raises_the_number_that_customers_see_so(web: Web, lines: list[dict[str, Any]]) -> None:
    web.webhook(message_for(NUMBER, "15550001111"))
    web.webhook(message_for(OTHER_NUMBER, "15550002222"))

    web.webhook(upgrade("+1 555-000-2222"))

    assert throughput(web) == [80, 1_000]
    assert told(lines, "whatsapp.limit.reported") == [
        {"log_level": "info", "number": OTHER_NUMBER, "per_second": 1_000}
    ]


def test_a_server_that_took_another_s_place_is_told_as_what_our_numbers_are_seen(
    start_web: Start, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wa_service.store.flusher.FRESH_SECONDS", 0.0)  # checks the connection before each use
    others = {client["id"] for client in redis_client.client_list()}
    web = start_web()
    web.webhook(message_for(NUMBER, "15550001111"))
    redis_client.flushdb()  # like a replica that lacks the last writes
    for client in redis_client.client_list():
        if client["id"] not in others:
            redis_client.client_kill_filter(_id=client["id"])

    statuses = [web.webhook(message_for(NUMBER, "15550001111")).status_code for _ in range(2)]

    assert statuses == [200, 200]  # the first reconnects, the second stores the display number
    assert web.runtime.events.display_numbers([NUMBER]) == {NUMBER: "15550001111"}


def test_another_number_s_upgrade_changes_nothing(web: Web, lines: list[dict[str, Any]]) -> None:
    web.webhook(message_for(NUMBER, "15550001111"))

    web.webhook(upgrade("15550003333"))
    web.webhook(upgrade(""))
    web.webhook(upgrade("15550001111", metadata={"phone_number_id": "999"}))

    assert throughput(web) == [80, 80]
    assert told(lines, "whatsapp.limit.reported") == []


def test_with_one_number_only_another_s_upgrade_changes_nothing_either(start_web: Start) -> None:
    web = start_web({"WHATSAPP_PHONE_NUMBER_ID": NUMBER})

    web.webhook(upgrade("15550003333"))

    assert web.runtime.observer.overview().numbers[NUMBER].throughput_limit == 80


def test_which_number_customers_see_is_known_after_a_restart(start_web: Start) -> None:
    start_web().webhook(message_for(NUMBER, "+1 555 000 1111"))

    web = start_web()
    web.webhook(upgrade("15550001111"))

    assert throughput(web) == [1_000, 80]


def test_it_is_told_to_the_store_once_by_each_process(web: Web) -> None:
    web.webhook(message_for(NUMBER, "15550001111"))
    web.runtime.store.do("DEL", f"{PREFIX}meta_limits:{NUMBER}")

    web.webhook(message_for(NUMBER, "15550001111"))

    assert web.runtime.store.do("EXISTS", f"{PREFIX}meta_limits:{NUMBER}") == 0


def test_what_did_not_reach_the_store_is_told_once_more(web: Web) -> None:
    web.runtime.store.do("LPUSH", f"{PREFIX}alias:{NUMBER}:{CUSTOMER}", "no string")
    assert web.webhook(message_for(NUMBER, "15550001111")).status_code == 503
    web.runtime.store.do("DEL", f"{PREFIX}alias:{NUMBER}:{CUSTOMER}", f"{PREFIX}meta_limits:{NUMBER}")

    web.webhook(message_for(NUMBER, "15550001111"))

    assert web.runtime.store.do("HGET", f"{PREFIX}meta_limits:{NUMBER}", "seen_as") == b"15550001111"


@pytest.mark.parametrize(("tier", "limit"), [("TIER_10K", 10_000), ("TIER_2K", 2_000)])
def test_a_new_tier_sets_the_daily_limit(web: Web, lines: list[dict[str, Any]], tier: str, limit: int) -> None:
    value = {"display_phone_number": "15550001111", "event": "ONBOARDING", "current_limit": tier}

    web.webhook(delivery(value, field=QUALITY))

    assert web.runtime.observer.overview().daily_limit == limit
    assert told(lines, "whatsapp.limit.reported") == [{"log_level": "info", "daily": limit}]


def test_a_management_event_is_one_line_without_its_value(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    web.webhook(delivery({"event": "PIN_CHANGED", "requester": CUSTOMER}, field="security"))

    assert told(lines, "whatsapp.management") == [
        {"log_level": "info", "field": "security", "name": "PIN_CHANGED", "waba_id": WABA}
    ]
    assert len(lines) == 1


def test_an_error_notice_is_one_warning_with_its_code(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    web.webhook(delivery(value_of(errors=[{"code": 130429, "title": f"Rate limit hit by {CUSTOMER}"}])))

    assert told(lines, "whatsapp.management") == [
        {"log_level": "warning", "field": "error", "code": 130429, "waba_id": WABA, "number": NUMBER}
    ]
    assert CUSTOMER not in str(lines)


def test_a_customer_s_click_is_no_line(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    web.webhook(delivery(value_of(user_actions=[{"action_type": "marketing_messages_link_click"}])))
    web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLX", "read")])))

    assert lines == []


def test_a_user_id_update_joins_the_old_and_the_new_id_of_one_customer(web: Web) -> None:
    web.webhook(message_for(NUMBER, "15550001111"))
    (before,) = web.runtime.contacts.find(CUSTOMER)
    ids = {"previous": "US.UPA", "current": "US.UPB"}
    update = {"wa_id": CUSTOMER, "user_id": ids, "timestamp": str(2_000_000_000)}
    assert web.webhook(delivery({"user_id_update": [update]}, field="user_id_update")).status_code == 200
    assert [contact.conversation for contact in web.runtime.contacts.find("US.UPB")] == [before.conversation]
    assert web.runtime.contacts.find("US.UPA") == web.runtime.contacts.find(CUSTOMER)


def test_a_user_id_update_about_nobody_we_know_makes_no_contact(web: Web) -> None:
    ids = {"previous": "US.UPA", "current": "US.UPB"}
    update = {"wa_id": "15559998888", "user_id": ids, "timestamp": "1700000000"}
    assert web.webhook(delivery({"user_id_update": [update]}, field="user_id_update")).status_code == 200
    assert web.runtime.contacts.find("US.UPB") == []


def test_an_older_limit_that_comes_late_changes_nothing(web: Web, lines: list[dict[str, Any]]) -> None:
    for tier, at in (("TIER_100K", NOW), ("TIER_2K", NOW - 7_200)):
        value = {"max_daily_conversations_per_business": tier}
        assert web.webhook(delivery(value, field="business_capability_update", at=at)).status_code == 200
    assert web.runtime.observer.overview().daily_limit == 100_000
    assert [line["daily"] for line in told(lines, "whatsapp.limit.reported")] == [100_000]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message_template_quality_update", {"new_quality_score": "RED", "message_template_id": 806312}),
        (QUALITY, {"event": "FLAGGED"}),
    ],
)
def test_an_event_that_names_nothing_pauses_no_batch(web: Web, field: str, value: dict[str, Any]) -> None:
    body = {"message": {"text": "hello"}, "items": [{"to": CUSTOMER}]}
    batch = web.post("/v1/batches", json=body).json["id"]
    assert web.webhook(delivery(value, field=field)).status_code == 200
    assert web.get(f"/v1/batches/{batch}").json["state"] == "running"


def test_a_customer_s_click_names_the_customer_in_both_forms(web: Web) -> None:
    action = {"action_type": "marketing_messages_link_click", "timestamp": "1750030073"}
    value = value_of(user_actions=[action])
    web.webhook(delivery(value))
    (item,) = web.get("/v1/events?kind=management").json["items"]
    assert item["data"]["contact"] == value["contacts"][0]
    stored = web.runtime.events.find(item["cursor"])
    assert stored is not None
    told_to_tools = meta_envelope("management", "", orjson.dumps(stored.data), {})
    assert told_to_tools is not None
    assert orjson.loads(told_to_tools)["entry"][0]["changes"][0]["value"]["contacts"] == value["contacts"]


@pytest.mark.parametrize(("direction", "opens"), [("USER_INITIATED", True), ("BUSINESS_INITIATED", False)])
def test_a_customer_who_calls_opens_the_service_window(web: Web, direction: str, opens: bool) -> None:
    call = {"id": "wacid.1", "from": CUSTOMER, "event": "connect", "timestamp": str(NOW), "direction": direction}
    web.webhook(delivery(value_of(calls=[call]), field="calls"))
    found = web.runtime.contacts.find(CUSTOMER)
    assert [contact.window_end // 1000 - NOW for contact in found] == ([86_400] if opens else [])


def test_a_call_that_is_told_again_after_an_erasure_makes_no_contact(web: Web) -> None:
    call = {"id": "wacid.1", "from": CUSTOMER, "event": "connect", "timestamp": str(NOW), "direction": "USER_INITIATED"}
    told = delivery(value_of(calls=[call]), field="calls")
    web.webhook(told)
    web.runtime.contacts.forget(CUSTOMER)
    assert web.webhook(told).status_code == 200
    call["id"], call["timestamp"] = "wacid.2", str(NOW - 2 * 86_400)
    assert web.webhook(delivery(value_of(calls=[call]), field="calls")).status_code == 200
    assert web.runtime.contacts.find(CUSTOMER) == []


def test_a_limit_from_the_future_does_not_outlast_those_that_follow(web: Web) -> None:
    now = int(time.time())
    for tier, at in (("TIER_100K", now + 86_400), ("TIER_2K", now + 3_600)):
        value = {"max_daily_conversations_per_business": tier}
        assert web.webhook(delivery(value, field="business_capability_update", at=at)).status_code == 200
    assert web.runtime.observer.overview().daily_limit == 2_000


CALL = {"id": "wacid.1", "from": CUSTOMER, "event": "connect", "timestamp": str(NOW), "direction": "USER_INITIATED"}
CLICK = {"action_type": "marketing_messages_link_click", "timestamp": str(NOW)}


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("account_alerts", {"entity_type": "BUSINESS", "alert_info": {"alert_type": "OBA_APPROVED"}}, NOW),
        ("calls", value_of(calls=[CALL]), 0),
        ("messages", value_of(user_actions=[CLICK]), 0),
    ],
    ids=["account_alerts", "calls", "user_actions"],
)
def test_an_event_that_meta_delivers_again_is_told_once(
    web: Web, lines: list[dict[str, Any]], field: str, value: dict[str, Any], at: int
) -> None:
    again = dict(reversed(value.items()))
    for each in (value, again, value):
        assert web.webhook(delivery(each, field=field, at=at)).status_code == 200
    assert len(web.get("/v1/events?kind=management").json["items"]) == 1
    assert len(told(lines, "whatsapp.management")) <= 1
    # Only where the event has no time of its own does that of its delivery count.
    assert web.webhook(delivery(value, field=field, at=NOW + 1)).status_code == 200
    assert len(web.get("/v1/events?kind=management").json["items"]) == (2 if at else 1)


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("account_alerts", {"entity_type": "BUSINESS"}, 0),
        ("messages", value_of(errors=[{"code": 130429, "title": "Rate limit hit"}]), NOW),
    ],
    ids=["without a time", "errors"],
)
def test_two_events_that_no_time_tells_apart_are_two(web: Web, field: str, value: dict[str, Any], at: int) -> None:
    for _ in range(2):
        assert web.webhook(delivery(value, field=field, at=at)).status_code == 200
    assert len(web.get("/v1/events?kind=management").json["items"]) == 2


def test_a_call_that_comes_again_after_an_erasure_is_not_stored(web: Web) -> None:
    repeated = delivery(value_of(calls=[CALL]), field="calls")
    web.webhook(repeated)
    web.runtime.contacts.forget(CUSTOMER)
    assert web.webhook(repeated).status_code == 200
    assert web.get("/v1/events?kind=management").json["items"] == []


def test_a_user_id_update_that_comes_again_after_an_erasure_makes_no_contact(start_web: Start) -> None:
    web = start_web({"WHATSAPP_PHONE_NUMBER_ID": NUMBER})
    update = {"wa_id": CUSTOMER, "user_id": {"previous": "US.1", "current": "US.2"}, "timestamp": str(NOW)}
    repeated = delivery({"user_id_update": [update]}, field="user_id_update")
    web.webhook(repeated)
    assert [set(contact.addresses) for contact in web.runtime.contacts.find("US.2")] == [{"US.2", "US.1", CUSTOMER}]
    web.runtime.contacts.forget(CUSTOMER)
    assert web.webhook(repeated).status_code == 200
    assert web.runtime.contacts.find(CUSTOMER) == []
    later = update | {"timestamp": str(NOW + 1)}
    assert web.webhook(delivery({"user_id_update": [later]}, field="user_id_update")).status_code == 200
    assert len(web.runtime.contacts.find(CUSTOMER)) == 1
