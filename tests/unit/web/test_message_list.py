"""`GET /v1/messages`: sends, newest first, by status, customer, tag and time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import redis

from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import CUSTOMER, delivery, status_of, text_message, value_of
from wa_service.store import records
from wa_service.store.outbox import SendOutcome

OTHER = "15557654321"


def sent(web: Web, to: str = CUSTOMER, **more: Any) -> str:
    """Send a message and return its id."""
    answer = web.send({"to": to, "text": "hello"} | more)
    assert answer.status_code == 202, answer.text
    return str(answer.json["id"])


def listed(web: Web, query: str = "") -> list[str]:
    answer = web.get(f"/v1/messages?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def test_the_newest_come_first(web: Web) -> None:
    ids = [sent(web) for _ in range(3)]

    assert listed(web) == ids[::-1]


def test_pages_follow_each_other_without_a_gap(web: Web) -> None:
    ids = [sent(web, to=f"1555000000{i}") for i in range(7)]
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = web.get(f"/v1/messages?limit=2&after={after}").json
        found += [item["id"] for item in page["items"]]
        after = page["next"]

    assert found == ids[::-1]


def test_they_are_found_by_tag_customer_and_status(web: Web) -> None:
    first = sent(web, tag="spring")
    second = sent(web, to=OTHER, tag="spring")
    third = sent(web, to=OTHER)
    web.accept("wamid.HBgLFIRST")

    assert listed(web, "tag=spring") == [second, first]
    assert listed(web, f"to=%2B{OTHER}") == [third, second]
    assert listed(web, "status=accepted") == [first]
    assert listed(web, f"tag=spring&to={OTHER}&status=queued") == [second]


@pytest.mark.parametrize(
    ("sent_to", "asked"),
    [("5511988880000", "551188880000"), ("551188880000", "5511988880000"), ("5491122223333", "+54 11 2222-3333")],
)
def test_they_are_found_by_the_other_spelling_of_a_number(web: Web, sent_to: str, asked: str) -> None:
    first = sent(web, to=sent_to)
    sent(web, to=OTHER)

    assert listed(web, urlencode({"to": asked})) == [first]


def test_they_are_found_by_another_address_of_the_customer(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[{**text_message(), "from_user_id": "US.1"}])))
    by_number = sent(web)
    by_user_id = web.send({"recipient": "US.1", "text": "hello"}).json["id"]
    sent(web, to=OTHER)

    assert listed(web, "to=US.1") == listed(web, f"to={CUSTOMER}") == [by_user_id, by_number]


def test_they_are_found_by_time(web: Web) -> None:
    ids = [sent(web)]

    assert listed(web, "since=2020-01-01T00:00:00Z") == ids
    assert listed(web, "since=1577836800") == ids
    assert listed(web, "since=2999-01-01") == []


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2020, 1, 1, 9, 30, 0, 123_456, UTC).isoformat(),
        "2020-01-01T09:30:00.1234567Z",
        "2020-01-01t09:30:00.123456789z",
        "2020-01-01T09:30+05:30",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_time_may_be_as_exact_as_programs_write_it(web: Web, moment: str) -> None:
    ids = [sent(web)]
    assert listed(web, urlencode({"since": moment})) == ids


def test_a_plus_that_a_url_lost_is_named(web: Web) -> None:
    (problem,) = web.get("/v1/messages?since=2020-01-01T09:30:00+05:30").json["errors"]
    assert problem["field"] == "since"
    assert "%2B" in problem["detail"]


def test_what_a_list_looks_at_is_bounded_and_it_says_where_to_go_on(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = sent(web, tag="spring")
    for _ in range(4):
        sent(web)
    monkeypatch.setattr(records, "MOST_LOOKED_AT", 3)

    first = web.get("/v1/messages?tag=spring").json
    second = web.get(f"/v1/messages?tag=spring&after={first['next']}").json

    assert first["items"] == []
    assert [item["id"] for item in second["items"]] == [wanted]


@pytest.mark.parametrize("query", ["after=x", "since=yesterday", "status=lost", "limit=0", "state=failed"])
def test_a_parameter_that_is_wrong_or_unknown_is_named(web: Web, query: str) -> None:
    answer = web.get(f"/v1/messages?{query}")

    assert answer.status_code == 400
    assert [problem["field"] for problem in answer.json["errors"]] == [query.partition("=")[0]]


@pytest.mark.parametrize("path", ["/v1/templates", "/v1/contacts/15551234567", "/v1/dead-letters", "/v1/events"])
def test_every_route_names_a_parameter_that_it_does_not_know(web: Web, path: str) -> None:
    answer = web.get(f"{path}?kinds=message")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "kinds")


@pytest.mark.parametrize("tag", ["", "x" * 65, "a\nb", 7, ["a"]])
def test_a_tag_is_a_short_text(web: Web, tag: Any) -> None:
    answer = web.send({"to": CUSTOMER, "text": "hello", "tag": tag})

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "tag")


def test_a_message_s_tag_and_type_stand_on_its_record_and_events(web: Web) -> None:
    record_id = sent(web, tag="spring")
    web.accept("wamid.HBgLFIRST")
    web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLFIRST", "delivered")])))

    events = [item for item in web.get("/v1/events?kind=send,status").json["items"] if item["data"]["id"] == record_id]
    assert web.get(f"/v1/messages/{record_id}").json["tag"] == "spring"
    assert {item["kind"] for item in events} == {"send", "status"}
    assert {(item["data"]["message_type"], item["data"]["tag"], item["contact"]) for item in events} == {
        ("text", "spring", CUSTOMER)
    }


def test_a_template_in_a_message_s_place_keeps_its_tag(web: Web) -> None:
    fallback = {"name": "again", "language": "en_US"}
    sent(web, tag="spring", fallback_template=fallback)
    web.runtime.outbox.done(
        web.runtime.numbers[0],
        web.grant(),
        SendOutcome("failed", error={"reason": "recipient", "code": 131047}, code=131047),
    )

    assert [item["type"] for item in web.get("/v1/messages?tag=spring").json["items"]] == ["template", "text"]


def test_a_send_whose_record_is_gone_is_left_out(web: Web, redis_client: redis.Redis) -> None:
    gone, kept = sent(web), sent(web)
    redis_client.delete(web.runtime.store.keys.record(gone))

    assert listed(web) == [kept]


def test_events_are_filtered_by_number_and_contact(start_web: Start) -> None:
    web = start_web()
    web.webhook(delivery(value_of(messages=[{"from": OTHER, "id": "wamid.A", "timestamp": "1", "type": "text"}])))

    def kinds(query: str) -> list[str]:
        return [item["kind"] for item in web.get(f"/v1/events?{query}").json["items"]]

    assert kinds(f"contact={OTHER}") == ["message"]
    assert kinds("contact=15550000000") == kinds("number=1") == kinds("kind=status") == []
    assert kinds(f"kind=message,send&number={web.runtime.numbers[0]}") == ["message"]


def test_a_cursor_that_is_none_is_told_what_to_give(web: Web) -> None:
    assert "Give the `next` of an earlier page" in web.get("/v1/events?after=x").json["errors"][0]["detail"]


@pytest.mark.parametrize("address", ["15551239999", "%2B15551239999", "%2B1 555 123-9999", "GB.1234567890123"])
def test_events_are_found_by_any_address_of_the_customer(web: Web, address: str) -> None:
    one = {"from": "15551239999", "from_user_id": "GB.1234567890123", "id": "wamid.A", "timestamp": "1", "type": "text"}
    web.webhook(delivery(value_of(messages=[one]) | {"contacts": []}))
    assert [item["kind"] for item in web.get(f"/v1/events?contact={address}").json["items"]] == ["message"]
