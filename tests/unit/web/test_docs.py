"""The OpenAPI document, and the page that shows it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER
from wa_service.store.flusher import StoreUnavailableError
from wa_service.web.problems import all_kinds
from wa_service.whatsapp.outbound.messages import LocationContent


@pytest.fixture
def document(web: Web) -> dict[str, Any]:
    described: dict[str, Any] = web.get("/openapi.json").json or {}
    return described


def test_every_route_of_the_api_is_described_with_the_role_it_needs(web: Web, document: dict[str, Any]) -> None:
    described = {
        (path, method.upper()): operation["x-role"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in web.app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert described.keys() == routes
    assert set(described.values()) == {"send", "read", "manage", "admin"}
    assert document["openapi"].startswith("3.1")


def test_only_callers_with_a_key_are_told_our_numbers(web: Web) -> None:
    nobody, caller = web.client.get("/openapi.json").text, web.get("/openapi.json").text

    assert (NUMBER in nobody, NUMBER in caller) == (False, True)


def test_a_location_is_described_where_something_is_queued(document: dict[str, Any]) -> None:
    described = {
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        if "Location" in response.get("headers", {})
    }
    assert described == {"send_message", "send_batch"}


def test_the_headers_of_a_call_are_those_that_it_reads(document: dict[str, Any]) -> None:
    described = {
        operation["operationId"]: {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        for operations in document["paths"].values()
        for operation in operations.values()
        if any(each["in"] == "header" for each in operation.get("parameters", ()))
    }
    assert described == {"send_message": {"Idempotency-Key", "Prefer"}, "send_batch": {"Idempotency-Key"}}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in set(re.findall(r"'\$ref': '([^']+)'", str(document))):
        found: Any = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_no_field_has_null_as_its_default(document: dict[str, Any]) -> None:
    """openapi-typescript takes a field with a default as required: `{"id": "1"}` was no image without a caption."""
    assert "'default': None" not in str(document)


def test_every_schema_is_an_object(document: dict[str, Any]) -> None:
    """OpenAPI 3.1 allows `true` and `false`, too, but generators of clients refuse the whole document."""

    def properties(part: Any) -> Iterator[tuple[str, Any]]:
        for name, value in (
            part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        ):
            if name == "properties" and isinstance(value, dict):
                yield from value.items()
            yield from properties(value)

    assert [name for name, schema in properties(document) if not isinstance(schema, dict)] == []


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        ({"to": "+1 (555) 123-4567", "text": "hello"}, True),
        ({"to": CUSTOMER, "type": "text", "text": {"body": "hello", "preview_url": True}}, True),
        ({"recipient": "US.123", "image": {"id": "1"}, "from": None, "ttl": 60}, True),
        ({"to": "a-group", "recipient_type": "group", "text": "hello"}, True),
        ({"to": CUSTOMER, "template": {"name": "welcome", "language": "en_US", "body": ["Ada"]}}, True),
        ({"to": CUSTOMER, "type": "hologram"}, True),
        ({"to": "12", "text": "hello"}, False),
        ({"text": "hello"}, False),
        ({"to": CUSTOMER, "image": {"id": "1", "link": "https://example.com"}}, False),
        ({"to": CUSTOMER, "text": "hello", "ttl": 0}, False),
        ({"to": CUSTOMER, "text": "hello", "from": "1"}, False),
        ({"to": CUSTOMER, "text": "hello", "take": True, "despite_stop": None}, True),
        ({"to": CUSTOMER, "text": "hello", "take": "true"}, False),
        ({"to": CUSTOMER}, False),
    ],
)
def test_the_schema_of_a_message_says_what_the_service_takes(
    web: Web, document: dict[str, Any], message: dict[str, Any], fits: bool
) -> None:
    schema = {"$ref": "#/components/schemas/SendMessage", "components": document["components"]}

    said = jsonschema.Draft202012Validator(schema).is_valid(message)

    assert said is fits
    assert (web.send(message).status_code == 202) is fits


class RecordsAway:
    """A store that is unavailable once a message is queued."""

    def get(self, record_id: str) -> None:
        raise StoreUnavailableError


@pytest.mark.parametrize("parts", [{}, {"records": RecordsAway()}], ids=["as_ever", "the_store_went_away"])
def test_what_is_queued_is_answered_as_described(
    start_web: Start, document: dict[str, Any], parts: dict[str, Any]
) -> None:
    answer = start_web(**parts).send({"to": CUSTOMER, "text": "hello"})

    described = document["paths"]["/v1/messages"]["post"]["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"] | {"components": document["components"]}
    assert answer.status_code == 202
    jsonschema.Draft202012Validator(schema).validate(answer.json)


def test_every_problem_has_an_entry_on_the_page(web: Web) -> None:
    page = web.client.get("/docs/problems").text

    assert set(re.findall(r'<tr id="([a-z-]+)">', page)) == {kind.name for kind in all_kinds()}
    assert "<script" not in page


def test_the_page_loads_nothing_from_elsewhere(web: Web) -> None:
    page = web.client.get("/docs")
    paths = re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text)
    parts = [web.client.get(path) for path in paths]

    assert page.status_code == 200
    assert [part.status_code for part in parts] == [200] * 4
    assert not re.search(r"https?://", page.text)
    # The browser blocks any request of the script to another origin.
    assert page.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self'; connect-src 'self'"
    )


def test_the_script_of_the_page_goes_packed(web: Web) -> None:
    packed = web.client.get("/docs/scalar.js", headers={"Accept-Encoding": "gzip"})

    assert gzip.decompress(packed.data) == web.client.get("/docs/scalar.js").data
    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")


def test_the_page_has_no_other_files(web: Web) -> None:
    assert web.client.get("/docs/docs.html").status_code == 404


DEGREES = (
    "0",
    "-0.5",
    "89.999",
    "90",
    "90.0",
    "90.5",
    "95.821",
    "120.5",
    "-180",
    "180.5",
    "007",
    "05.25",
    "090",
    "091",
    "0090",
    "-.1277",
    ".",
    "+",
    "1e1",
    "nan",
    " 1",
    "",
)


@pytest.mark.parametrize("text", DEGREES)
def test_the_description_takes_the_same_texts_for_degrees_as_the_check(document: dict[str, Any], text: str) -> None:
    place = {**document["components"]["schemas"]["LocationContent"], "components": document["components"]}
    for axis in ("latitude", "longitude"):
        location = {"latitude": 0, "longitude": 0, axis: text}
        described = jsonschema.Draft202012Validator(place).is_valid(location)
        try:
            LocationContent.model_validate(location)
            taken = True
        except ValidationError:
            taken = False
        assert described == taken, axis
