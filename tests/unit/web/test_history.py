"""The chat history of a number shared with the app: complete, each message once, without replies."""

from __future__ import annotations

from typing import Any

import orjson

from tests.unit.web.conftest import Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, delivery, text_message, value_of

METADATA = {"phase": 1, "chunk_order": 1, "progress": 55}


def old_message(n: int) -> dict[str, Any]:
    return text_message(f"wamid.HBgLH{n}", "x" * 200, at=1_700_000_000 + n) | {"to": "15550001111"}


def chunk(*messages: dict[str, Any]) -> dict[str, Any]:
    threads = [{"id": CUSTOMER, "messages": list(messages)}]
    return delivery(value_of(history=[{"metadata": METADATA, "threads": threads}]), field="history")


def told(web: Web) -> list[dict[str, Any]]:
    return [item for item in web.get("/v1/events?limit=1000").json["items"] if item["kind"] == "history"]


def test_a_large_chunk_is_told_whole(web: Web) -> None:
    messages = [old_message(n) for n in range(400)]
    assert web.webhook(chunk(*messages)).status_code == 200
    items = told(web)
    assert [message for item in items for message in item["data"]["messages"]] == messages
    for item in items:
        assert (item["data"]["thread"], item["data"]["metadata"]) == (CUSTOMER, METADATA)
        assert item["phone_number_id"] == NUMBER
        assert len(orjson.dumps(item["data"]["messages"])) <= 17_000


def test_a_large_message_of_before_stands_aside_whole_and_is_erased(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message("wamid.HBgLNOW", "hello")])))
    large = text_message("wamid.HBgLLARGE", "x" * 30_000, at=1_700_000_000)
    web.webhook(chunk(old_message(1), large, old_message(2)))
    first, second, third = told(web)
    assert [item["data"]["messages"][0]["id"] for item in (first, third)] == ["wamid.HBgLH1", "wamid.HBgLH2"]
    (short,) = second["data"]["messages"]
    assert (short["id"], short["left_out"], "text" in short) == ("wamid.HBgLLARGE", True, False)
    assert web.get(f"/v1/events/{second['cursor']}").json["data"]["messages"] == [large]

    assert web.delete(f"/v1/contacts/{CUSTOMER}").status_code == 200
    assert told(web) == []
    assert web.runtime.store.do("KEYS", web.runtime.store.keys.of("large_event", "*")) == []


def test_each_message_is_told_once_in_whatever_chunks_it_comes(web: Web) -> None:
    web.webhook(chunk(old_message(1), old_message(2)))
    web.webhook(chunk(old_message(2), old_message(3)))
    web.webhook(chunk(old_message(1), old_message(3)))
    assert [message["id"] for item in told(web) for message in item["data"]["messages"]] == [
        "wamid.HBgLH1",
        "wamid.HBgLH2",
        "wamid.HBgLH3",
    ]


def test_media_that_come_later_are_told_too(web: Web) -> None:
    placeholder = old_message(7) | {"type": "media_placeholder"}
    image = old_message(7) | {"type": "image", "image": {"id": "1"}}
    web.webhook(chunk(placeholder))
    web.webhook(delivery(value_of(messages=[image]), field="history"))
    assert [item["data"]["messages"][0]["type"] for item in told(web)] == ["media_placeholder", "image"]


def test_history_makes_nobody_known_and_waits_for_no_answer(web: Web) -> None:
    web.webhook(chunk(old_message(1)))
    assert web.get(f"/v1/contacts/{CUSTOMER}").status_code == 404
    assert web.runtime.store.do("EXISTS", web.runtime.store.keys.due) == 0


def test_history_of_who_is_known_is_erased_with_them(web: Web) -> None:
    web.webhook(chunk(old_message(1)))
    web.delete(f"/v1/contacts/{CUSTOMER}")
    assert told(web) == []


def test_that_sharing_was_declined_is_a_management_event(web: Web) -> None:
    declined = {"errors": [{"code": 2593109, "title": "History sharing is turned off"}]}
    assert web.webhook(delivery(value_of(history=[declined]), field="history")).status_code == 200
    assert told(web) == []
    assert [item["kind"] for item in web.get("/v1/events").json["items"]] == ["management"]


def test_the_address_book_names_who_told_no_name(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message()]) | {"contacts": []}))
    contact = {"full_name": "Ana Lima", "phone_number": f"+{CUSTOMER}"}
    sync = {"state_sync": [{"type": "contact", "contact": contact, "action": "add"}, {"action": "remove"}, 1]}
    assert web.webhook(delivery(value_of() | sync, field="smb_app_state_sync")).status_code == 200
    assert web.get(f"/v1/contacts/{CUSTOMER}").json["name"] == "Ana Lima"


def test_messages_without_an_id_are_each_told(web: Web) -> None:
    messages = [{name: part for name, part in old_message(n).items() if name != "id"} for n in (1, 2)]
    web.webhook(chunk(*messages))
    web.webhook(chunk(*messages))
    assert [message for item in told(web) for message in item["data"]["messages"]] == messages
