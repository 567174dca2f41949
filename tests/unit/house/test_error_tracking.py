from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from wa_service.observability import sentry as error_tracking
from wa_service.observability.sentry import scrub

NUMBER = "15551234567"
WRITTEN = "the blue room"
TOKEN = "EAA" + "x1Y2" * 12
WAMID = f"wamid.{base64.b64encode(b'abcd' + NUMBER.encode() + b'efgh').decode()}"
SECRETS = (NUMBER, TOKEN, WAMID, WRITTEN)


def test_an_event_tells_where_but_not_whom() -> None:
    frame = {"function": "send", "lineno": 7, "vars": {"text": WRITTEN}}
    event = {
        "exception": {
            "values": [
                {
                    "type": "ValueError",
                    "value": f"{NUMBER} {TOKEN} {WAMID} {WRITTEN}",
                    "stacktrace": {"frames": [frame]},
                },
            ]
        },
        "request": {"data": WRITTEN, "headers": {"Authorization": f"Bearer {TOKEN}"}},
        "breadcrumbs": {"values": [{"message": NUMBER}]},
        "user": {"ip_address": "203.0.113.7"},
        "extra": {"payload": WRITTEN},
        "message": f"to {NUMBER}",
    }
    told = json.dumps(scrub(event))
    assert "ValueError" in told
    assert '"lineno": 7' in told
    for secret in (*SECRETS, "203.0.113.7"):
        assert secret not in told


def test_our_own_errors_keep_their_words() -> None:
    told = scrub({"exception": {"values": [{"module": "wa_service.store", "value": "it is away", "stacktrace": {}}]}})
    assert told["exception"]["values"][0]["value"] == "it is away"


def test_nothing_is_reported_without_a_dsn() -> None:
    assert error_tracking.configure(None) is False


def test_the_sdk_sends_no_body_number_or_token() -> None:
    sdk = pytest.importorskip("sentry_sdk", reason="the extra `sentry` is not installed")
    sent: list[Any] = []

    class Transport(sdk.transport.Transport):  # type: ignore[misc, name-defined]  # the module may be missing
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.serialize())

    client = sdk.Client(**error_tracking.options("https://key@example.invalid/1"), transport=Transport)
    with sdk.isolation_scope() as scope:
        scope.set_client(client)
        try:
            int(f"{WRITTEN} for {NUMBER}")
        except ValueError as error:
            error.add_note(TOKEN)
            sdk.capture_exception(error)
        client.flush()
    told = b"".join(sent)
    assert b"ValueError" in told
    for secret in (NUMBER, TOKEN, WRITTEN):
        assert secret.encode() not in told
