"""No request blocks a process: whatever its shape, its time and its response are bounded."""

from __future__ import annotations

import base64
import gzip
import io
import re
import uuid
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import pytest
import requests_mock
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hostile_shapes import LARGEST_ANSWER, OFTEN, OFTEN_AT_LENGTH, hostile_values, measured, places, replaced
from tests.unit.web.conftest import IN_CHUNKS, KEYS, Start, Web
from tests.unit.web.console import SAME_ORIGIN, ConsoleUser
from tests.unit.web.deliveries import CUSTOMER, delivery, text_message, value_of
from tests.unit.web.test_console_conversations import TEMPLATE
from wa_service.conversation.reply_check import UnusableReplyError, checked_reply
from wa_service.web.batch_routes import LARGEST_BATCH
from wa_service.web.bodies import LARGEST_MESSAGE
from wa_service.web.stop_routes import LARGEST_IMPORT

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
@OFTEN_AT_LENGTH
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


JSON, LINES = "application/json", "application/x-ndjson"
TAKERS = [
    ("/v1/messages", JSON, LARGEST_MESSAGE),
    ("/v1/batches", JSON, LARGEST_BATCH),
    ("/v1/stops", LINES, LARGEST_IMPORT),
]


@pytest.mark.parametrize(("path", "content_type", "most"), TAKERS)
@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_body_above_the_limit_is_too_large(
    web: Web, path: str, content_type: str, most: int, in_chunks: bool
) -> None:
    body: dict[str, Any] = {"data": b" " * (most + 1)}
    if in_chunks:
        body = {"input_stream": io.BytesIO(body["data"]), "environ_overrides": IN_CHUNKS}

    answer = web.client.post(path, headers=KEYS["boss"] | {"Content-Type": content_type}, **body)

    assert (answer.status_code, answer.json["type"]) == (413, "/docs#too-large")
    assert answer.json["detail"] == f"The body may have at most {most // 1024} KiB."


@pytest.mark.parametrize(("path", "content_type", "most"), TAKERS)
def test_a_compressed_body_is_of_an_unsupported_type(web: Web, path: str, content_type: str, most: int) -> None:
    body = gzip.compress(b" " * (most - 1))

    headers = KEYS["boss"] | {"Content-Type": content_type, "Content-Encoding": "gzip"}
    answer = web.client.post(path, data=body, headers=headers)

    assert (answer.status_code, answer.json["detail"]) == (415, "Send the body uncompressed, without Content-Encoding.")


@pytest.mark.parametrize("coding", ["", "identity", "UTF-8", "utf-8, identity"])
def test_a_body_that_is_not_compressed_is_read_whatever_its_encoding_is_called(web: Web, coding: str) -> None:
    """.NET and Java programs name the character set in Content-Encoding."""
    headers = KEYS["boss"] | {"Content-Encoding": coding}
    answer = web.client.post("/v1/messages", json={"to": CUSTOMER, "text": "hello"}, headers=headers)
    assert answer.status_code in {200, 202}


CUSTOMERS_MESSAGES: list[dict[str, Any]] = [
    {"type": "text", "text": {"body": "hello"}, "context": {"from": CUSTOMER, "id": "wamid.X"}},
    {"type": "image", "image": {"id": "1", "mime_type": "image/jpeg", "sha256": "x", "caption": "hello"}},
    {"type": "audio", "audio": {"id": "1", "mime_type": "audio/ogg; codecs=opus", "voice": True}},
    {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "One"}}},
    {
        "type": "interactive",
        "interactive": {
            "type": "nfm_reply",
            "nfm_reply": {"name": "flow", "body": "Sent", "response_json": '{"flow_token":"t","a":1}'},
        },
    },
    {"type": "button", "button": {"payload": "STOP", "text": "Stop"}},
    {"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": "x"}},
    {"type": "location", "location": {"latitude": 1.5, "longitude": 2.5, "name": "here", "address": "there"}},
    {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ada"}, "phones": [{"phone": "1", "wa_id": "1"}]}]},
    {
        "type": "order",
        "order": {"catalog_id": "1", "text": "x", "product_items": [{"product_retailer_id": "1", "quantity": 1}]},
    },
    {"type": "unsupported", "errors": [{"code": 131051, "title": "Unsupported", "error_data": {"details": "x"}}]},
    {"type": "system", "system": {"type": "user_changed_number", "body": "x", "wa_id": CUSTOMER}},
]
LARGEST_PAGE = 2 * 1024 * 1024
"""The maximum size of a conversation's page, in bytes."""


@pytest.mark.chaos
@OFTEN
@given(st.sampled_from(CUSTOMERS_MESSAGES), HOSTILE, st.data())
def test_a_customer_s_message_of_any_shape_costs_a_bounded_time(
    web: Web, kind: dict[str, Any], hostile: Any, data: st.DataObject
) -> None:
    wamid = f"wamid.{uuid.uuid4().hex}"
    message = {key: value for key, value in text_message(wamid).items() if key != "text"} | kind
    place = data.draw(st.sampled_from(places(message)))
    signed = delivery(value_of(messages=[replaced(message, place, hostile)]))

    answer = measured(lambda: web.webhook(signed))

    assert answer.status_code == 200
    assert len(answer.data) <= LARGEST_ANSWER


@pytest.mark.timeout(600)
@pytest.mark.chaos
@OFTEN_AT_LENGTH
@given(st.lists(st.tuples(st.sampled_from(CUSTOMERS_MESSAGES), HOSTILE, st.integers(0, 100)), min_size=1, max_size=5))
def test_a_console_s_page_of_messages_of_any_shape_costs_a_bounded_time(
    web: Web, drawn: list[tuple[dict[str, Any], Any, int]]
) -> None:
    web.runtime.store.client.flushdb()
    web.webhook(delivery(value_of(messages=[text_message()])))
    user = ConsoleUser(web)
    conversation = user.find(CUSTOMER)
    for kind, hostile, where in drawn:
        message = text_message(f"wamid.{uuid.uuid4().hex}") | kind
        inside = [path for path in places(message) if path]
        web.webhook(delivery(value_of(messages=[replaced(message, inside[where % len(inside)], hostile)])))
    stories = re.findall(r'/console(/messages/[^"/]+)"', user.get(conversation).text)
    for path in (conversation, "/search", "/dead-letters", *dict.fromkeys(stories)):
        answer = measured(partial(user.get, path))
        assert answer.status_code == 200
        assert len(answer.data) <= LARGEST_PAGE


@pytest.fixture
def with_templates(start_web: Start) -> Iterator[Web]:
    with requests_mock.Mocker() as meta:
        meta.register_uri(requests_mock.ANY, requests_mock.ANY, json={"data": [TEMPLATE]})
        yield start_web()


FORM_FIELDS = (
    "after",
    "confirm",
    "do",
    "key",
    "language",
    "letter",
    "name",
    "nonce",
    "quiet",
    "seconds",
    "text",
    "wanted",
)
QUERY_FIELDS = ("after", "before", "language", "letter", "name", "page", "place", "since")
DOINGS = ("replay", "drop", "send", "preview", "pause", "resume", "cancel", "test", "forget")
COOKIE_BOMBS = [
    f".{base64.urlsafe_b64encode(zlib.compress(inside, 9)).decode().rstrip('=')}.aaaaaa.{'b' * 43}"
    for inside in (b'{"k":"' + b"a" * 500_000, b"[" * 500_000, b"[" + b"1," * 250_000 + b"1]")
]


@pytest.mark.timeout(600)
@pytest.mark.chaos
@OFTEN_AT_LENGTH
@given(HOSTILE, st.sampled_from(["path", "query", "form", "field", "cookie", "header"]), st.data())
def test_whatever_somebody_who_is_signed_in_sends_costs_a_bounded_time(
    with_templates: Web, hostile: Any, where: str, data: st.DataObject
) -> None:
    web = with_templates
    web.webhook(delivery(value_of(messages=[text_message()])))
    user = ConsoleUser(web)
    conversation = user.find(CUSTOMER).removeprefix("/conversations/")
    token = user.token
    rules = [rule for rule in web.app.url_map.iter_rules() if rule.rule.startswith("/console")]
    text = hostile if isinstance(hostile, str) else orjson.dumps(hostile).decode()
    short = text[:2_000].encode("ascii", "ignore").decode().replace("\n", "")
    for rule in data.draw(st.lists(st.sampled_from(rules), min_size=ROUTES_EACH, max_size=ROUTES_EACH)):
        path = rule.rule.replace("<place>", conversation).replace("<name>/<language>", "order_update/en_US")
        for name in rule.arguments:
            given_name = text[:1_000] if where == "path" else data.draw(st.sampled_from(DOINGS))
            path = path.replace(f"<{name}>", given_name)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            form = dict.fromkeys(FORM_FIELDS, "1") | {"csrf": token, "do": data.draw(st.sampled_from(DOINGS))}
            if where == "form":
                form |= dict.fromkeys(FORM_FIELDS, text[:500]) | {data.draw(st.sampled_from(FORM_FIELDS)): text[:9_000]}
            if where == "field":
                form |= {f"body-{i}-{short[:3]}": "" for i in range(4_000)}
            if where == "cookie":
                user.client.set_cookie("wa_console", data.draw(st.sampled_from([short[:900], *COOKIE_BOMBS])))
            parts: dict[str, Any] = {
                "query_string": dict.fromkeys(QUERY_FIELDS, text[:400]) if where == "query" else None,
                "data": form if method == "POST" else None,
                "headers": SAME_ORIGIN | ({"Last-Event-ID": short, "Origin": short} if where == "header" else {}),
            }
            answer = measured(partial(user.client.open, path, method=method, **parts))
            assert answer.status_code < 500, path
            if rule.endpoint.endswith((".live", ".static")):
                answer.close()  # an endless stream, or a static file
            else:
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
