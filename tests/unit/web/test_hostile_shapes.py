"""No request holds a process: whatever its shape, it costs a bounded time and gets a bounded answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hostile_shapes import LARGEST_ANSWER, OFTEN, hostile_values, measured, places, replaced
from tests.unit.web.conftest import KEYS, Web
from tests.unit.web.deliveries import CUSTOMER, delivery, text_message, value_of
from wa_service.conversation.reply_check import UnusableReplyError, checked_reply
from wa_service.web.bodies import LARGEST_MESSAGE

pytestmark = pytest.mark.usefixtures("frozen_heap")

PRODUCT = {"product_retailer_id": "1"}
ROW = {"id": "1", "title": "One"}
MESSAGES: list[dict[str, Any]] = [
    {"text": "hello"},
    {"type": "text", "text": {"body": "hello"}},
    {"image": {"link": "https://example.com/a.png", "caption": "x"}},
    {"location": {"latitude": 1.5, "longitude": "2.5"}},
    {"contacts": [{"name": {"formatted_name": "Ada", "first_name": "Ada"}, "phones": [{"phone": "1"}]}]},
    {"reaction": {"message_id": "wamid.X", "emoji": "x"}},
    {
        "interactive": {
            "type": "button",
            "body": {"text": "x"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "One"}}]},
        }
    },
    {
        "interactive": {
            "type": "list",
            "body": {"text": "x"},
            "action": {"button": "b", "sections": [{"title": "s", "rows": [ROW]}]},
        }
    },
    {
        "interactive": {
            "type": "product_list",
            "header": {"type": "text", "text": "h"},
            "body": {"text": "x"},
            "action": {
                "catalog_id": "1",
                "sections": [{"title": "s", "product_items": [{"product_retailer_id": "1"}]}],
            },
        }
    },
    {"interactive": {"type": "address_message", "body": {"text": "x"}, "action": {"parameters": {"country": "IN"}}}},
    {"template": {"name": "welcome", "language": "en_US", "header": "h", "body": ["Ada"], "buttons": ["x"]}},
    {"template": {"name": "welcome", "language": {"code": "en"}, "components": [{"type": "body", "parameters": []}]}},
    {"template": {"name": "welcome", "language": "en", "carousel": [{"body": ["x"]}]}},
    {"text": "hello", "fallback_template": {"name": "welcome", "language": "en_US", "body": ["Ada"]}},
    {"type": "newtype", "newtype": {"a": 1}},
    {"text": "hello", "recipient": "US.13491208655302741918", "ttl": 60, "context": {"message_id": "wamid.X"}},
]


HOSTILE = hostile_values(LARGEST_MESSAGE - 2_048)
SHAPES = st.sampled_from(MESSAGES).flatmap(
    lambda message: st.tuples(st.sampled_from(places({"to": CUSTOMER} | message)), HOSTILE).map(
        lambda chosen: replaced({"to": CUSTOMER} | message, *chosen)
    )
)
ROUTES_EACH = 8
ROWS = {"to": CUSTOMER, **replaced(MESSAGES[7], ("interactive", "action", "sections"), [{"rows": []}] * 9_000)}


@pytest.mark.chaos
@OFTEN
@given(SHAPES)
@example(ROWS)
@example({"to": CUSTOMER, **replaced(MESSAGES[10], ("template", "body"), [1] * 60_000)})
@example({"to": CUSTOMER, "contacts": [1] * 60_000})
def test_a_message_of_any_shape_costs_a_bounded_time(web: Web, message: Any) -> None:
    answer = measured(lambda: web.send(message))

    assert answer.status_code < 500
    assert len(answer.data) <= LARGEST_ANSWER
    assert len(answer.json.get("errors", ())) <= 21


@pytest.mark.chaos
@OFTEN
@given(SHAPES)
@example({"text": "x", "to": None, **{f"k{i}": 1 for i in range(9_000)}})
def test_a_responder_s_reply_of_any_shape_costs_a_bounded_time(message: Any) -> None:
    reply = {key: value for key, value in message.items() if key != "to"} if isinstance(message, dict) else {}
    reply.pop("recipient", None)

    def check() -> str:
        try:
            checked_reply(reply)
        except UnusableReplyError as error:
            return str(error)
        return ""

    assert len(measured(check)) <= 2_048


@pytest.mark.chaos
@OFTEN
@given(HOSTILE, st.sampled_from(["path", "query", "body", "header"]), st.data())
def test_whatever_any_route_is_given_costs_a_bounded_time(
    web: Web, hostile: Any, where: str, data: st.DataObject
) -> None:
    rules = st.lists(st.sampled_from(list(web.app.url_map.iter_rules())), min_size=ROUTES_EACH, max_size=ROUTES_EACH)
    text = (hostile if isinstance(hostile, str) else orjson.dumps(hostile).decode())[:4_000]
    for rule in data.draw(rules):
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<{name}>", text if where == "path" else "wamid.X")
        path = path.replace("<message_id:id>", "wamid.X").replace("<wamid:wamid>", "wamid.X")
        query = dict.fromkeys(("after", "wait", "limit", "from", "hub.challenge", text[:64]), text)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            key = text[:2_000].encode("ascii", "ignore").decode().replace("\n", "")
            parts: dict[str, Any] = {
                "query_string": query if where == "query" else None,
                "data": orjson.dumps(hostile) if where == "body" else None,
                "content_type": "application/json" if where == "body" else None,
                "headers": KEYS["boss"] | ({"Idempotency-Key": key} if where == "header" else {}),
            }
            answer = measured(partial(web.client.open, path, method=method, **parts))
            if rule.rule not in {"/openapi.json", "/metrics"} and not rule.rule.startswith("/docs"):
                assert len(answer.data) <= LARGEST_ANSWER


@pytest.mark.parametrize("size", [LARGEST_MESSAGE + 1, 1024 * 1024])
def test_a_message_above_the_limit_is_too_large(web: Web, size: int) -> None:
    body = orjson.dumps({"to": CUSTOMER, "text": "x" * size})

    answer = web.client.post("/v1/messages", data=body, headers=KEYS["both"] | {"Content-Type": "application/json"})

    assert answer.status_code == 413


@pytest.mark.chaos
@OFTEN
@given(HOSTILE, st.data())
def test_a_customer_s_message_of_any_shape_costs_a_bounded_time(web: Web, hostile: Any, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(places(text_message())))
    signed = delivery(value_of(messages=[replaced(text_message(), place, hostile)]))

    answer = measured(lambda: web.webhook(signed))

    assert answer.status_code == 200
    assert len(answer.data) <= LARGEST_ANSWER


HUGE = 16_000_000
BATCHES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "ones": ("application/json", lambda: b'{"message":{"text":"x"},"items":[' + b"1," * (HUGE // 2 - 50) + b"1]}"),
    "objects": ("application/json", lambda: b'{"message":{"text":"x"},"items":[' + b"{}," * (HUGE // 3 - 50) + b"1]}"),
    "brackets": ("application/json", lambda: (b"[" * 1_000 + b"]" * 1_000 + b",") * (HUGE // 2_001)),
    "empty lines": ("application/x-ndjson", lambda: b"\n" * HUGE),
    "returns": ("application/x-ndjson", lambda: b"\r" * HUGE),
    "small lines": ("application/x-ndjson", lambda: b"{}\n" * (HUGE // 3)),
    "one number": ("application/x-ndjson", lambda: b'{"text":"x","to":"' + b"1-" * (HUGE // 2 - 20) + b'"}'),
    "one item": ("application/json", lambda: b'{"message":{"text":"x"},"items":[{"to":"' + b"1-" * 7_000_000 + b'"}]}'),
    "many large": (
        "application/json",
        lambda: orjson.dumps(
            {"message": {"interactive": {"a": [{"rows": []}] * 9_000}}, "items": [{"to": CUSTOMER}] * 10_000}
        ),
    ),
    "values in values": (
        "application/json",
        lambda: orjson.dumps({"message": {"text": "{{a}}" * 20_000}, "items": [{"to": CUSTOMER, "a": "x" * 100_000}]}),
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_of_any_shape_costs_a_bounded_time(web: Web, name: str) -> None:
    form, make = BATCHES[name]
    headers = KEYS["boss"] | {"Content-Type": form}
    body = make()

    answer = measured(lambda: web.client.post("/v1/batches", data=body, headers=headers))

    assert answer.status_code in {202, 400}
    assert len(answer.data) <= LARGEST_ANSWER
    assert answer.json.get("taken", 0) == 0
