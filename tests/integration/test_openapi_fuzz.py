"""The API matches its OpenAPI description: schemathesis with all checks, on a real store."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
import requests_mock
import schemathesis
import structlog
from schemathesis.engine import from_schema
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.keys import PREFIX
from tests.schema_failures import failures_and_operations
from wa_service import runtime as wiring
from wa_service.config import settings
from wa_service.config.web_options import WebOptions
from wa_service.web.app import create_app
from wa_service.whatsapp.client import WhatsAppMetaClient

KEY = "key-of-a-test-of-web"
SETTINGS = {
    "WHATSAPP_ACCESS_TOKEN": "token-of-a-test",
    "WHATSAPP_PHONE_NUMBER_ID": "106540352242922,106540352242923",
    "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
    "WHATSAPP_APP_SECRET": "an-app-secret",
    "WHATSAPP_BUSINESS_ACCOUNT_ID": "102290129340398",
    "WHATSAPP_API_VERSION": "v24.0",
    "WHATSAPP_DAILY_LIMIT": "0",
    "WA_API_KEYS": f"tester:{KEY}:admin",
    "WA_API_RATE": "1000000/minute",
    "WA_SEND_WAIT": "0",
}
# Rules beyond JSON Schema (such as ids that must differ) are unknown to the generator, so it chooses from whole
# objects. The models' tests cover these rules.
INTERACTIVE = [
    {
        "type": "button",
        "body": {"text": "Coffee or tea?"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "coffee", "title": "Coffee"}}]},
    },
    {"type": "location_request_message", "body": {"text": "Where are you?"}, "action": {"name": "send_location"}},
]
TEMPLATES = [
    {"name": "welcome", "language": {"code": "en_US"}},
    {"name": "order", "language": "de", "body": ["Ada", "12"], "buttons": [None, "suffix"]},
]
# Any other address must be a known one, and the generator does not know which are known.
PERSON = r"^([1-9][0-9]{6,14}|[A-Z]{2}\.[A-Za-z0-9]{1,128})$"
# All checks, with their defaults. Cases are generated for each rule, at random, and in sequences, in one round: with
# a time limit, rounds of other cases would follow until it is over.
CONFIG = {
    "seed": 1,
    "headers": {"Authorization": f"Bearer {KEY}"},
    # A canceled send can still be read: DELETE ends the sending, not the record.
    "checks": {"use_after_free": {"enabled": False}},
}
GENERATION = {"deterministic": True, "database": "none", "no-shrink": True}
FEW, MANY = 4, 10
"""Cases that are generated for each operation, in the suite and in the long form."""
OPERATIONS = 13
UNKNOWN = {"error": {"message": "Unsupported get request.", "code": 100, "error_subcode": 33}}


class _Quiet(WSGIRequestHandler):
    """Logs no requests, and keeps the connection open."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *args: Any) -> None:
        return


def _meta(number: str) -> WhatsAppMetaClient:
    """A Meta that has no files, accepts uploads, and has one template."""
    template = {"name": "welcome", "language": "en_US", "status": "APPROVED", "components": []}
    adapter = requests_mock.Adapter()
    adapter.register_uri("GET", requests_mock.ANY, status_code=400, json=UNKNOWN)
    adapter.register_uri("DELETE", requests_mock.ANY, status_code=400, json=UNKNOWN)
    adapter.register_uri("POST", re.compile("/messages$"), json={"success": True})
    adapter.register_uri("POST", re.compile("/media$"), json={"id": "1234567890"})
    adapter.register_uri("POST", re.compile("/smb_app_data$"), json={"request_id": "r1"})
    adapter.register_uri("GET", re.compile("/message_templates"), json={"data": [template]})
    return WhatsAppMetaClient(
        "token-of-a-test",
        number,
        base_url="https://graph.example",
        business_account_id=SETTINGS["WHATSAPP_BUSINESS_ACCOUNT_ID"],
        adapter=adapter,
    )


def describe_values(document: Any) -> None:
    """Restrict what a pattern cannot: valid times, public URLs, existing kinds, and the formats of bodies."""
    paths = document["paths"]
    for operation, left_out in (
        (paths["/v1/subscriptions"]["post"], []),
        (paths["/v1/subscriptions/{id}"]["patch"], [None]),
    ):
        given = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
        given["url"] = {"enum": ["https://93.184.216.34/hook", *left_out]}
        given["kinds"] = {"enum": [[], ["message", "status"], *left_out]}
        given["numbers"] = {"enum": [[], ["106540352242922"], *left_out]}
        given.pop("verify_token", None)
        given.pop("secret", None)
    sent = paths["/v1/batches"]["post"]  # a key identifies its batch: another body with it is rejected
    sent["parameters"] = [given for given in sent["parameters"] if given["name"] != "Idempotency-Key"]
    batch = sent["requestBody"]["content"]["application/json"]["schema"]
    items = [{"to": "447700900123", "name": "Ana"}, {"name": "nobody"}]
    settings = [{}, {"tag": "spring"}, {"quiet": "21:00-08:00 Europe/Berlin"}, {"send_at": 1790000000}]
    batch.clear()
    batch["enum"] = [{"message": {"text": "Hello {{ name }}"}, "items": items} | each for each in settings]
    costs = paths["/v1/costs"]["get"]
    costs["parameters"] = [given for given in costs["parameters"] if given["name"] not in {"from", "to"}]
    listed = document["paths"]["/v1/messages"]["get"]
    listed["parameters"] = [given for given in listed["parameters"] if given["name"] != "since"]
    del document["paths"]["/v1/media"]["post"]
    del document["paths"]["/v1/stops"]  # NDJSON, which the generator does not support


@pytest.fixture
def described_api(valkey_url: str, redis_client: redis.Redis, long_form: bool) -> Iterator[Any]:
    """The application with its own description."""
    runtime = wiring.build(settings.load(SETTINGS | {"REDIS_URL": valkey_url}))
    app = create_app(
        replace(runtime, clients={number: _meta(number) for number in runtime.numbers}),
        WebOptions.of(runtime.settings),
    )
    document = app.test_client().get("/openapi.json", headers={"Authorization": f"Bearer {KEY}"}).json
    assert document is not None
    messages = document["components"]["schemas"]
    messages["InteractiveMessage"]["properties"]["interactive"] = {"enum": INTERACTIVE}
    messages["TemplateMessage"]["properties"]["template"] = {"enum": TEMPLATES}
    messages["Envelope"]["properties"]["fallback_template"] = {"enum": [*TEMPLATES, None]}
    messages["Envelope"]["properties"]["send_at"] = {"enum": [1790000000, "2026-11-01T10:00:00+01:00", None]}
    messages["Envelope"]["properties"]["category"] = {"enum": [None]}  # no schema says which types may have one
    messages["Envelope"]["properties"]["tag"] = {"enum": ["spring", None]}
    describe_values(document)
    # A group's id is any text. Once it was sent to it is a known address, which the next operation may get.
    for kind in messages["Recipient"]["anyOf"]:
        if kind["properties"]["recipient_type"]["const"] == "group":
            kind["properties"]["to"] = {"const": "group-of-a-test"}
    stop = document["paths"]["/v1/contacts/{id}/stop"]
    for operation in (document["paths"]["/v1/contacts/{id}"]["delete"], stop["put"], stop["delete"]):
        (person,) = operation["parameters"]
        person["schema"]["pattern"] = PERSON
    # A cursor after the newest event is refused.
    replay = document["paths"]["/v1/subscriptions/{id}/replay"]["post"]
    next(given for given in replay["parameters"] if given["name"] == "after")["schema"] = {"const": "0"}
    answer = app.wsgi_app

    def forgetful(environ: Any, start_response: Any) -> Any:
        # The same key is generated with several bodies, and the calls without a key exceed the rate limit.
        for family in ("idempotency:*", "calls*"):
            redis_client.delete("-", *redis_client.keys(PREFIX + family))
        return answer(environ, start_response)

    app.wsgi_app = forgetful  # type: ignore[method-assign]  # Flask's own way to wrap an application
    # Do not wait for events that do not come; the long poll has its own tests.
    events_feed = document["paths"]["/v1/events"]["get"]
    events_feed["parameters"] = [given for given in events_feed["parameters"] if given["name"] != "wait"]
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    generation = GENERATION | {"max-examples": MANY if long_form else FEW}
    given = CONFIG | {"base-url": f"http://127.0.0.1:{server.port}", "generation": generation}
    config = schemathesis.Config.from_dict(given)
    with structlog.testing.capture_logs():
        yield schemathesis.openapi.from_dict(document, config=config)
    server.shutdown()
    serving.join(5)
    server.server_close()
    runtime.close()


@pytest.mark.chaos
def test_the_api_is_what_its_description_says(described_api: Any) -> None:
    failures, tested = failures_and_operations(from_schema(described_api).execute())

    assert not failures, "\n\n".join(failures)
    assert len(tested) >= OPERATIONS, f"only {sorted(tested)} were tested"
