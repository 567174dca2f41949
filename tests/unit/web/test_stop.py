"""STOP and START by every way that the web process handles, and their effect on marketing templates."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import redis

from tests.keys import NAMES
from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import (
    CUSTOMER,
    FOREIGN_NUMBER,
    NOW,
    NUMBER,
    OTHER_NUMBER,
    WABA,
    delivery,
    status_of,
    text_message,
    value_of,
)
from wa_service.store.template_categories import TemplateCategories

OFFER = {"to": CUSTOMER, "template": {"name": "offer", "language": "en_US"}}
PREFERENCES = "user_preferences"
STOPPED = (422, "/docs#customer-stopped")


class Account:
    """A business account with one marketing template, which has no parameters."""

    phone_number_id = NUMBER

    def list_templates(self) -> list[dict[str, Any]]:
        return [{"name": "offer", "language": "en_US", "category": "MARKETING", "components": []}]


@pytest.fixture
def web(start_web: Start) -> Web:
    return start_web(clients={NUMBER: Account(), OTHER_NUMBER: Account()})


def message(body: str = "stop", *, at: int = NOW, **more: Any) -> dict[str, Any]:
    return delivery(value_of(messages=[text_message(f"wamid.HBgL{at}", body, at) | more]))


def standby(**more: Any) -> dict[str, Any]:
    return delivery(value_of(standby={"messages": [text_message("wamid.HBgLSTANDBY", "STOP") | more]}), field="standby")


def preference(
    value: str, *, at: int = NOW, category: str = "marketing_messages", number: str = NUMBER
) -> dict[str, Any]:
    said = {"wa_id": CUSTOMER, "category": category, "value": value, "timestamp": at}
    return delivery(value_of(number, user_preferences=[said]), field=PREFERENCES)


def offered(web: Web, **more: Any) -> tuple[int, str]:
    answer = web.send(OFFER | more)
    return answer.status_code, answer.json.get("type", "")


def button(payload: str) -> dict[str, Any]:
    return {"type": "button", "button": {"text": "No more", "payload": payload}}


def edit(body: str) -> dict[str, Any]:
    content = {"type": "text", "text": {"body": body}}
    return {"type": "edit", "edit": {"original_message_id": "wamid.HBgLBEFORE", "message": content}}


ROADS: dict[str, Any] = {
    "an edit": lambda web: web.webhook(message("STPO", **edit("STOP"))),
    "a word": lambda web: web.webhook(message(" Stop. ")),
    "a button": lambda web: web.webhook(message(**button("STOP"))),
    "a word in another's thread": lambda web: web.webhook(standby()),
    "WhatsApp's menu": lambda web: web.webhook(preference("stop")),
    "REST": lambda web: web.put(f"/v1/contacts/+{CUSTOMER}/stop", {}),
    "an import": lambda web: web.post(
        "/v1/stops", key="boss", data=f'{{"to":"{CUSTOMER}"}}\n"15550009999"\n', content_type="application/x-ndjson"
    ),
}


@pytest.mark.parametrize("road", ROADS)
def test_a_stop_refuses_marketing_at_once_on_all_numbers(web: Web, road: str) -> None:
    assert offered(web)[0] == 202

    assert ROADS[road](web).status_code == 200

    assert offered(web) == STOPPED
    assert offered(web, **{"from": OTHER_NUMBER}) == STOPPED
    assert web.send({"to": CUSTOMER, "text": "your table", "take": True}).status_code == 202
    assert offered(web, to="15550001234")[0] == 202


@pytest.mark.parametrize(
    "said",
    [
        message("stop it"),
        message("please stop"),
        message(group_id="Y2FwaV9ncm91cDox"),
        preference("stop", category="x"),
        preference("stop", number=FOREIGN_NUMBER),
        standby(to=CUSTOMER, **{"from": "15550001111"}),
    ],
    ids=["more-words", "in-a-sentence", "in-a-group", "another-category", "another-business", "said-by-the-business"],
)
def test_what_is_no_stop_stops_nothing(web: Web, said: dict[str, Any]) -> None:
    web.webhook(said)

    assert offered(web)[0] == 202


@pytest.mark.parametrize(
    "again", [message("Start", at=NOW - 1), preference("resume", at=NOW - 1), preference("signup", at=NOW - 1), None]
)
def test_a_start_reopens(web: Web, again: dict[str, Any] | None) -> None:
    web.webhook(message(at=NOW - 2))
    assert offered(web) == STOPPED

    answer = web.webhook(again) if again else web.delete(f"/v1/contacts/{CUSTOMER}/stop")

    assert answer.status_code == 200
    assert offered(web)[0] == 202


def test_a_contact_tells_since_when_and_by_what(web: Web) -> None:
    web.webhook(message(at=NOW - 5))

    card = web.get(f"/v1/contacts/{CUSTOMER}").json

    assert card["stopped"]["by"] == "words"
    assert web.put(f"/v1/contacts/{CUSTOMER}/stop", {}).json["stopped"]["by"] == "api"
    assert web.delete(f"/v1/contacts/{CUSTOMER}/stop").json == {"stopped": None}
    events = web.get("/v1/events?kind=stop").json["items"]
    assert [(one["contact"], one["data"]["marketing"]) for one in events] == [
        (CUSTOMER, "stopped"),
        (CUSTOMER, "started"),
    ]


def test_a_stop_outlives_an_erasure_without_the_address(web: Web, redis_client: redis.Redis) -> None:
    web.webhook(message())
    web.delete(f"/v1/contacts/{CUSTOMER}")

    assert offered(web) == STOPPED
    assert not any(CUSTOMER.encode() in key for key in redis_client.keys(f"{NAMES.prefix}stop*"))


def test_only_an_admin_s_key_sends_marketing_all_the_same(web: Web) -> None:
    web.webhook(message())

    assert web.send(OFFER | {"despite_stop": True}).status_code == 403
    assert web.send(OFFER | {"despite_stop": True}, key="boss").status_code == 202


def test_words_are_configured_and_may_be_off(start_web: Start) -> None:
    clients = {NUMBER: Account(), OTHER_NUMBER: Account()}
    web = start_web({"WA_STOP_WORDS": "halt", "WA_START_WORDS": "none"}, clients=clients)
    web.webhook(message("stop", at=NOW - 3))
    assert offered(web)[0] == 202
    web.webhook(message("HALT!", at=NOW - 2))
    web.webhook(message("start", at=NOW - 1))
    assert offered(web) == STOPPED


def test_an_import_names_the_lines_that_it_cannot_use(web: Web) -> None:
    lines = b'{"to":"+1 (555) 123-4567"}\n\nnonsense\n{"to":5}\n"US.13491208655302741918"\n'

    answer = web.post("/v1/stops", key="boss", data=lines, content_type="application/jsonl")

    assert (answer.json["taken"], [one["index"] for one in answer.json["refused"]]) == (2, [2, 3])
    assert offered(web) == STOPPED
    as_json = web.post("/v1/stops", key="boss", data=lines, content_type="application/json")
    assert as_json.status_code == 415
    much = web.post("/v1/stops", key="boss", data=b"\n" * 10_001, content_type="application/x-ndjson")
    assert (much.status_code, much.json["detail"]) == (413, "The body may have at most 10000 lines.")


def test_a_template_that_meta_moves_to_marketing_is_judged_so_at_once(web: Web, redis_client: redis.Redis) -> None:
    TemplateCategories(web.runtime.store, WABA).note([{"name": "news", "language": "en_US", "category": "UTILITY"}])
    web.webhook(message())
    moved = {"message_template_name": "news", "message_template_language": "en-US", "new_category": "MARKETING"}
    web.webhook(delivery(moved, field="template_category_update"))

    assert redis_client.hget(NAMES.categories(WABA), "news en_US") == b"MARKETING"


def test_an_older_category_of_a_template_does_not_replace_a_newer_one(web: Web, redis_client: redis.Redis) -> None:
    """Meta's events come in any order, and a list may have been cached before they came."""
    assert web.get("/v1/templates").json["items"][0]["category"] == "MARKETING"
    named = {"message_template_name": "offer", "message_template_language": "en-US"}
    soon = int(time.time()) + 5
    for at, category in ((soon - 100, "UTILITY"), (soon - 200, "AUTHENTICATION")):
        web.webhook(delivery(named | {"new_category": category}, field="template_category_update", at=at))
    assert redis_client.hget(NAMES.categories(WABA), "offer en_US") == b"UTILITY"

    categories = TemplateCategories(web.runtime.store, WABA)
    listed = [{"name": "offer", "language": "en_US", "category": "MARKETING"}]
    categories.note(listed, at=soon - 150)
    assert redis_client.hget(NAMES.categories(WABA), "offer en_US") == b"UTILITY"

    categories.note(listed)
    assert redis_client.hget(NAMES.categories(WABA), "offer en_US") == b"MARKETING"


def test_a_refusal_of_a_week_says_when(start_web: Start) -> None:
    web = start_web({"WA_MARKETING_PER_WEEK": "1"}, clients={NUMBER: Account(), OTHER_NUMBER: Account()})
    web.send(OFFER)
    web.accept("wamid.HBgLOFFER")

    answer = web.send(OFFER)

    assert (answer.status_code, answer.json["type"]) == (429, "/docs#marketing-limit")
    assert 600_000 < int(answer.headers["Retry-After"]) <= 604_800


def test_a_stop_by_four_roads_leaves_none_of_a_thousand(web: Web) -> None:
    customers = [f"1555{n:07}" for n in range(1_000_000, 1_001_000)]
    for customer in customers[:200]:
        web.send(OFFER | {"to": customer}, Prefer="respond-async")
    said = [text_message(f"wamid.HBgL{one}", "STOP") | {"from": one} for one in customers[:250]]
    web.webhook(delivery(value_of(messages=said) | {"contacts": []}))
    chosen = [
        {"wa_id": one, "category": "marketing_messages", "value": "stop", "timestamp": NOW}
        for one in customers[250:500]
    ]
    web.webhook(delivery(value_of(user_preferences=chosen), field=PREFERENCES))
    for one in customers[500:510]:
        web.put(f"/v1/contacts/{one}/stop", {})
    imported = b"\n".join(orjson.dumps({"to": one}) for one in customers[510:])
    assert web.post("/v1/stops", key="boss", data=imported, content_type="application/x-ndjson").json["taken"] == 490

    answers = {web.send(OFFER | {"to": one}, Prefer="respond-async").status_code for one in customers}

    assert answers == {422}
    batch = web.runtime.outbox.next(NUMBER, "worker", 1, 500)
    assert batch.grants == []
    assert {reason for _, reason in batch.failed} == {"customer_stopped"}


def test_a_stop_under_the_user_id_holds_for_the_number_that_a_status_named_with_it(web: Web) -> None:
    web.send({"to": CUSTOMER, "text": "hello"}, Prefer="respond-async")
    web.accept("wamid.HBgLSENT")
    sent = status_of("wamid.HBgLSENT", "sent", recipient_user_id="US.1")
    web.webhook(delivery(value_of(statuses=[sent])))
    stop = text_message("wamid.HBgLSTOP", "STOP") | {"from_user_id": "US.1"}
    del stop["from"]
    web.webhook(delivery(value_of(messages=[stop]) | {"contacts": []}))
    assert offered(web) == STOPPED


def test_a_status_takes_no_number_from_a_person_with_another_user_id(web: Web) -> None:
    web.webhook(message("hello", from_user_id="US.1"))
    (before,) = web.runtime.contacts.find(CUSTOMER)
    web.send({"to": CUSTOMER, "text": "hello"}, Prefer="respond-async")
    web.accept("wamid.HBgLSENT")
    sent = status_of("wamid.HBgLSENT", "sent", at=NOW + 10, recipient_user_id="US.2")
    web.webhook(delivery(value_of(statuses=[sent])))
    (after,) = web.runtime.contacts.find(CUSTOMER)
    assert (after.conversation, after.addresses) == (before.conversation, before.addresses)
    assert web.runtime.contacts.find("US.2") == []
