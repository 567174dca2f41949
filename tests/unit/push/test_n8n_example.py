"""The n8n workflow in `examples/` fits the envelopes that are pushed, and their signature."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.integration.lanes import NUMBER, message
from wa_service.push.meta_form import SIGNATURE_HEADER, meta_envelope, sign
from wa_service.store.stored_event import write_event

WORKFLOW = orjson.loads(Path("examples/n8n/answer.json").read_bytes())
NODES: dict[str, dict[str, Any]] = {node["name"]: node["parameters"] for node in WORKFLOW["nodes"]}


def envelope() -> Any:
    event = write_event(message(), 0)
    body = meta_envelope("message", f"{NUMBER}:15551230001", event, {NUMBER: "15550783881"})
    assert body is not None
    return orjson.loads(body)


def test_the_signature_is_computed_as_we_sign() -> None:
    signing = NODES["Sign the received bytes"]
    assert [signing[name] for name in ("action", "type", "encoding", "binaryData")] == ["hmac", "SHA256", "hex", True]
    compared = NODES["Signature is valid"]["conditions"]["string"][0]
    prefix, _, _ = sign(b"", "secret").partition("=")
    assert f"'{prefix}='" in compared["value1"]
    assert f"'{SIGNATURE_HEADER.lower()}'" in compared["value2"]


@pytest.mark.parametrize("field", ["id", "from"])
def test_the_answer_takes_its_values_from_the_message(field: str) -> None:
    answer = NODES["Answer"]
    texts = [answer["jsonBody"], *(header["value"] for header in answer["headerParameters"]["parameters"])]
    paths = [path for text in texts for path in re.findall(r"item\.json\.body\.([\w.\[\]]+)", text)]
    (path,) = [path for path in paths if path.endswith(f".{field}")]
    found = delivery = envelope()
    for key in re.findall(r"\w+", path):
        found = found[int(key) if key.isdigit() else key]
    assert found == delivery["entry"][0]["changes"][0]["value"]["messages"][0][field]


def test_only_a_valid_signature_is_answered() -> None:
    assert [[each["node"] for each in branch] for branch in WORKFLOW["connections"]["Signature is valid"]["main"]] == [
        ["Answer"],
        [],
    ]
