"""The control API's OpenAPI document and the fidelity table are complete."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from meta_emulator import fidelity
from meta_emulator.control import control_routes
from tests.unit.emulator.emulated import Emulator


@pytest.fixture(scope="module")
def document(one_emulator: Emulator) -> dict[str, Any]:
    """Return the OpenAPI document, which does not depend on the emulator's state."""
    found = one_emulator.control("GET", "openapi.json").json
    assert isinstance(found, dict)
    return found


def test_every_control_is_described(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, each in document["paths"].items() for method in each}
    served = {
        (each.method, "/_emulator" + re.sub(r"<(?:int:)?(\w+)>", r"{\1}", each.path)) for each in control_routes()
    }
    assert described == served


def test_operations_have_a_unique_id_a_summary_and_their_path_parameters(document: dict[str, Any]) -> None:
    operations = [(path, each) for path, item in document["paths"].items() for each in item.values()]
    ids = [each["operationId"] for _, each in operations]
    assert len(set(ids)) == len(ids)
    for path, each in operations:
        assert each["summary"]
        named = {item["name"] for item in each["parameters"] if item["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


@pytest.mark.parametrize(
    ("path", "properties", "required"),
    [
        ("phones/{wa_id}/press", {"message_id", "button"}, ["message_id", "button"]),
        ("phones/{wa_id}/owner", {"owner", "previous_role", "new_role", "phone_number_id"}, ["owner"]),
        ("clock", {"advance"}, []),
    ],
)
def test_a_request_body_names_its_properties(
    document: dict[str, Any], path: str, properties: set[str], required: list[str]
) -> None:
    body = document["paths"][f"/_emulator/{path}"]["post"]["requestBody"]
    schema = _referred(document, body["content"]["application/json"]["schema"])
    assert set(schema["properties"]) == properties
    assert schema.get("required", []) == required
    assert body["required"] is bool(required)


@pytest.mark.parametrize("name", ["name", "user_id", "auto_deliver", "wa_id"])
def test_a_named_body_says_what_its_properties_are(document: dict[str, Any], name: str) -> None:
    assert _described(document["components"]["schemas"]["NewPhone"]["properties"][name])


def test_the_long_poll_has_its_query(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/_emulator/phones/{wa_id}/messages"]["get"]["parameters"]
    assert {item["name"] for item in parameters if item["in"] == "query"} == {"after", "wait"}


def test_every_graph_route_has_a_row_of_fidelity_and_none_is_left_over() -> None:
    assert all(row.source for row in fidelity.endpoints())
    assert fidelity.unknown_endpoints() == set()


def test_what_is_simplified_says_how() -> None:
    rows = [*fidelity.endpoints(), *fidelity.BEHAVIOURS]
    assert [row.what for row in rows if row.level == "simplified" and not row.note] == []


def test_every_property_of_bodies_and_answers_has_a_type(document: dict[str, Any]) -> None:
    untyped = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            contents = [operation["responses"]["200"], operation.get("requestBody", {"content": {}})]
            for media in (media for each in contents for media in each["content"].values()):
                for schema in media["schema"].get("anyOf", [media["schema"]]):
                    properties = _referred(document, schema).get("properties", {})
                    untyped += [(method, path, name) for name, of in properties.items() if not _described(of)]
    assert untyped == []


def _referred(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema
    for part in schema["$ref"].split("/")[1:] if "$ref" in schema else ():
        found = (document if found is schema else found)[part]
    return found


def _described(schema: dict[str, Any]) -> bool:
    return bool({"type", "anyOf", "enum", "const", "$ref"} & set(schema))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "behaviour", None),
        ("GET", "clock", None),
        ("GET", "limits", None),
        ("GET", "numbers", None),
        ("GET", "phones", None),
        ("GET", "conversations", None),
        ("GET", "faults", None),
        ("GET", "exchanges", None),
        ("GET", "seen", None),
        ("GET", "settle", None),
        ("GET", "templates", None),
        ("GET", "groups", None),
        ("GET", "recording", None),
        ("POST", "phones", {"wa_id": "447700900123", "name": "Ana"}),
        ("POST", "numbers", {"id": "106540352242929"}),
        ("POST", "clock", {"advance": 1}),
        ("POST", "limits", {"pair": False}),
        ("POST", "behaviour", {"batch": 2}),
        ("POST", "faults", {"kind": "empty"}),
        ("POST", "seed", {"phones": [{"wa_id": "447700900125"}]}),
        ("POST", "reset", {}),
        ("POST", "groups", {"subject": "Tour", "participants": ["447700900123"]}),
        ("POST", "webhooks/hold", {}),
        ("POST", "business_app/contacts", {}),
        ("POST", "business_app/history", {"threads": {"447700900123": 2}}),
    ],
)
def test_an_answer_is_as_it_is_described(
    fresh: Emulator, document: dict[str, Any], method: str, path: str, body: Any
) -> None:
    operation = document["paths"][f"/_emulator/{path}"][method.lower()]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    answer = fresh.control(method, path, json=body)
    assert answer.status_code == 200, answer.text
    jsonschema.validate(answer.json, schema)
    assert set(schema["properties"]) <= set(answer.json or ())
