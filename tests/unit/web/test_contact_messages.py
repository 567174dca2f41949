"""`GET /v1/contacts/{id}/messages`: a conversation, newest first."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.unit.web.conftest import Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, delivery, text_message, value_of
from wa_service.store.outbox import Send
from wa_service.store.stored_event import reference


def talk(web: Web) -> str:
    """Deliver a message of Ada's, reply to it, and return the reply's id."""
    web.webhook(delivery(value_of(messages=[text_message("wamid.IN", "hello")])))
    (work,) = web.runtime.inbox.take("worker", 1, 1)[1]
    ours = reference(NUMBER, "wamid.IN")
    body = orjson.dumps({"to": CUSTOMER, "type": "text", "text": {"body": "Good morning, Ada."}})
    answer = Send(id="answer", number=NUMBER, type="text", body=body, address=CUSTOMER, origin=f"{ours}@1")
    note = orjson.dumps({"m": ours, "intent": "greeting", "score": 0.9}).decode()
    web.runtime.inbox.finish(work, "worker", [answer], note=note)
    web.accept()
    return answer.id


def test_a_conversation_tells_what_came_and_what_was_answered(web: Web) -> None:
    record_id = talk(web)

    page = web.get(f"/v1/contacts/{CUSTOMER}/messages").json

    sent, came = page["items"]
    assert (page["phone_number_id"], page["next"]) == (NUMBER, None)
    assert (came["direction"], came["id"], came["answers"]) == ("in", "wamid.IN", [record_id])
    assert (came["intent"], came["score"], came["message"]["text"]["body"]) == ("greeting", 0.9, "hello")
    assert (sent["direction"], sent["status"]) == ("out", "accepted")
    assert sent["message"]["text"]["body"] == "Good morning, Ada."


def test_a_conversation_goes_on_page_by_page(web: Web) -> None:
    for i in range(3):
        web.webhook(delivery(value_of(messages=[text_message(f"wamid.{i}", f"{i}")])))

    first = web.get(f"/v1/contacts/{CUSTOMER}/messages?limit=2").json
    second = web.get(f"/v1/contacts/{CUSTOMER}/messages?limit=2&after={first['next']}").json

    texts = [[item["message"]["text"]["body"] for item in page["items"]] for page in (first, second)]
    assert (texts, second["next"]) == ([["2", "1"], ["0"]], None)


def test_nobody_has_no_conversation(web: Web) -> None:
    assert web.get(f"/v1/contacts/{CUSTOMER}/messages").status_code == 404
    web.webhook(delivery(value_of(messages=[text_message()])))
    assert web.get(f"/v1/contacts/{CUSTOMER}/messages?number=999").status_code == 404


def test_what_answers_a_message_is_told_wherever_its_page_ends(web: Web) -> None:
    talk(web)
    url, found = f"/v1/contacts/{CUSTOMER}/messages?limit=1", []
    page = web.get(url).json
    while page["next"]:
        found += page["items"]
        page = web.get(f"{url}&after={page['next']}").json
    (came,) = [item for item in [*found, *page["items"]] if item["direction"] == "in"]
    assert (came["intent"], came["answers"]) == ("greeting", ["answer"])


def test_a_page_after_nothing_of_the_conversation_is_refused(web: Web) -> None:
    talk(web)
    refused = web.get(f"/v1/contacts/{CUSTOMER}/messages?after=garbage")
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (400, "after")


@pytest.mark.parametrize("seconds", [0.5, True, "60"])
def test_a_pause_lasts_a_second_at_least(web: Web, seconds: Any) -> None:
    talk(web)
    assert web.put(f"/v1/contacts/{CUSTOMER}/pause", {"seconds": seconds}).status_code == 400


def test_in_another_application_s_thread_the_customer_wrote_and_the_application_answered(web: Web) -> None:
    asked, answered = text_message("wamid.SB", "Is it still free?"), text_message("wamid.SE", "It is.")
    nested = {"messages": [asked], "message_echoes": [answered | {"from": "15550001111", "to": CUSTOMER}]}
    web.webhook(delivery(value_of(standby=nested), field="standby"))

    items = web.get(f"/v1/contacts/{CUSTOMER}/messages").json["items"]

    found = [(item["id"], item["direction"], item["quiet"], item["answers"]) for item in items]
    assert found == [("wamid.SE", "echo", None, []), ("wamid.SB", "in", "other_application", [])]
