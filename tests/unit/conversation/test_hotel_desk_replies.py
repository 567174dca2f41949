"""The packaged hotel desk script: every reply to a real message can be sent as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.unit.conversation.customer_messages import handled, text_message
from wa_service.conversation.assembly import ConversationOptions, make_pipeline
from wa_service.conversation.pipeline import examples_of
from wa_service.conversation.script import HOTEL_DESK, load_script

SCRIPT = load_script(HOTEL_DESK)


def media(kind: str, mime_type: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, kind: {"id": "1", "mime_type": mime_type, **more}}


def interactive(kind: str, **reply: Any) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": kind, kind: reply}}


ORDER = {
    "type": "order",
    "order": {
        "catalog_id": "194836987003835",
        "product_items": [
            {"product_retailer_id": "scarf-red", "quantity": 2, "item_price": 30.5, "currency": "EUR"},
            {"product_retailer_id": "jacket-blue", "quantity": 1, "item_price": 89, "currency": "EUR"},
        ],
    },
}
CARD = {"type": "contacts", "contacts": [{"name": {"formatted_name": "Bea Souza", "first_name": "Bea"}}]}

MESSAGES = {
    "picture": media("image", "image/jpeg"),
    "paper": media("document", "application/pdf", filename="passport.pdf"),
    "sticker": media("sticker", "image/webp"),
    "where_are_you": {"type": "location", "location": {"latitude": 38.7, "longitude": -9.1}},
    "card": CARD,
    "cart": ORDER,
    "form": interactive("nfm_reply", name="flow", body="Sent", response_json='{"nights": 2}'),
    "unsupported": {"type": "unsupported", "errors": [{"code": 131051, "title": "Message type unknown"}]},
    "hello": {"type": "request_welcome"},
    "room_chosen": interactive("button_reply", id="room-harbour", title="Harbour view"),
    "checkout": interactive("list_reply", id="late-checkout", title="Late check-out"),
}


Ask = Callable[..., tuple[Any, list[str]]]


@pytest.fixture(scope="module")
def ask() -> Ask:
    """Return a function that sends the hotel desk a message and returns its result and the logged events."""
    pipeline = make_pipeline(ConversationOptions())

    def ask(message: dict[str, Any], name: str = "Ana Lima") -> tuple[Any, list[str]]:
        with capture_logs() as lines:
            result = handled(pipeline, message, name=name)
        return result, [line["event"] for line in lines]

    return ask


@pytest.mark.parametrize(("intent", "message"), MESSAGES.items())
def test_every_kind_of_message_gets_its_reply(ask: Ask, intent: str, message: dict[str, Any]) -> None:
    answer, lines = ask(message)

    assert (answer.intent, lines) == (intent, [])
    assert answer.replies


@pytest.mark.parametrize("name", ["Ana Lima", "", "   ", "{{ name }}", "x" * 200])
@pytest.mark.parametrize("example", examples_of(SCRIPT), ids=lambda example: example.text)
def test_every_example_gets_the_reply_of_its_intent_whoever_asks(ask: Ask, example: Any, name: str) -> None:
    answer, lines = ask(text_message(example.text), name)

    assert (answer.intent, lines) == (example.intent, [])
    assert answer.replies


def test_an_order_is_read_back_line_by_line(ask: Ask) -> None:
    answer, _ = ask(ORDER)

    assert answer.replies[0]["text"]["body"].splitlines() == [
        "Your order has arrived at our shop:",
        "2 × scarf-red",
        "1 × jacket-blue",
        "We tell you here when it is ready.",
    ]


def test_every_button_and_row_leads_to_an_intent() -> None:
    known = {choice for intent in SCRIPT.intents for choice in intent.ids}
    offered = set()
    for intent in SCRIPT.intents:
        for reply in intent.reply:
            action = reply.body.get("interactive", {}).get("action", {})
            offered |= {str(button["reply"]["id"].source) for button in action.get("buttons", ())}
            rows = [row for section in action.get("sections", ()) for row in section["rows"]]
            offered |= {str(row["id"].source) for row in rows}

    assert offered <= known


def test_what_customers_write_is_never_a_template(ask: Ask) -> None:
    answer, _ = ask(text_message("{{ 7 * 7 }} zzz"))

    assert answer.replies[0]["text"]["body"] == "You said: {{ 7 * 7 }} zzz"
