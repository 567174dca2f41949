"""The emulator's control API matches its OpenAPI description: schemathesis with all checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from schemathesis.engine import from_schema

from meta_emulator import EmulatorConfig
from meta_emulator.running import RunningEmulator
from tests.integration.emulated_meta import NUMBER, OTHER_NUMBER, SECRET, TOKEN
from tests.schema_failures import failures_and_operations

# All checks, with their defaults. Cases are generated for each rule, at random, and in sequences, in one round: with
# a time limit, rounds of other cases would follow until it is over.
CONFIG = {
    "seed": 1,
    # A new phone has no messages, and "no such message" is a 404, too.
    "checks": {"ensure_resource_availability": {"enabled": False}},
    "generation": {"max-examples": 4, "deterministic": True, "database": "none", "no-shrink": True},
}
# What would interrupt the run, send something to a generated address, or wait.
LEFT_OUT_PATH = "/_emulator/refuse"
LEFT_OUT = {"url", "callback_url", "timeout", "quiet", "wait"}


@pytest.fixture
def described_controls() -> Iterator[Any]:
    """The controls of a running emulator, from its own description."""
    config = EmulatorConfig(
        access_token=TOKEN,
        app_secret=SECRET,
        verify_token="verify",
        phone_number_ids=(NUMBER, OTHER_NUMBER),
        port=0,
        random_seed=7,
    )
    with RunningEmulator(config) as emulator:
        document = requests.get(f"{emulator.url}/_emulator/openapi.json", timeout=10).json()
        leave_out(document)
        settings = schemathesis.Config.from_dict(CONFIG | {"base-url": emulator.url})
        yield schemathesis.openapi.from_dict(document, config=settings)


def leave_out(document: dict[str, Any]) -> None:
    """Remove the properties and parameters for which no values may be generated."""
    del document["paths"][LEFT_OUT_PATH]
    for schema in document["components"]["schemas"].values():
        for name in LEFT_OUT & set(schema.get("properties", ())):
            del schema["properties"][name]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [each for each in operation["parameters"] if each["name"] not in LEFT_OUT]


def test_the_control_api_is_what_its_description_says(described_controls: Any) -> None:
    failures, tested = failures_and_operations(from_schema(described_controls).execute())

    assert not failures, "\n\n".join(failures)
    assert {label for label in tested if "/_emulator" in label} == {
        f"{method.upper()} {path}"
        for path, operations in described_controls.raw_schema["paths"].items()
        for method in operations
    }
