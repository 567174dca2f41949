"""Requesting the WhatsApp Business app's contacts and history from Meta."""

from __future__ import annotations

from typing import Any

import pytest
import requests_mock

from tests.unit.web.conftest import KEYS, Start, Web
from tests.unit.web.deliveries import NUMBER
from wa_service.whatsapp.client import WhatsAppMetaClient

PATH = f"/v1/numbers/{NUMBER}/sync"


@pytest.fixture
def meta() -> requests_mock.Adapter:
    """Return a fake of Meta, to which a test adds responses."""
    return requests_mock.Adapter()


@pytest.fixture
def web(start_web: Start, meta: requests_mock.Adapter) -> Web:
    """Return a web process whose requests to Meta go to `meta`."""
    client = WhatsAppMetaClient("token", NUMBER, base_url="https://graph.example", adapter=meta)
    return start_web(clients={NUMBER: client})


@pytest.mark.parametrize(
    ("body", "asked"),
    [(None, "smb_app_state_sync"), ({}, "smb_app_state_sync"), ({"sync_type": "history"}, "history")],
)
def test_meta_is_asked_for_what_the_app_knows(web: Web, meta: requests_mock.Adapter, body: Any, asked: str) -> None:
    meta.register_uri("POST", requests_mock.ANY, json={"messaging_product": "whatsapp", "request_id": "r1"})
    given = {} if body is None else {"json": body}
    answer = web.client.post(PATH, headers=KEYS["boss"], **given)
    assert (answer.status_code, answer.json) == (202, {"request_id": "r1"})
    (request,) = meta.request_history
    assert request.path == f"/v18.0/{NUMBER}/smb_app_data"
    assert request.json() == {"messaging_product": "whatsapp", "sync_type": asked}


def test_what_meta_says_no_to_says_why(web: Web, meta: requests_mock.Adapter) -> None:
    error = {"error": {"code": 2593107, "message": "Sync request limit exceeded"}}
    meta.register_uri("POST", requests_mock.ANY, status_code=400, json=error)
    answer = web.client.post(PATH, headers=KEYS["boss"])
    assert (answer.status_code, answer.json["code"]) == (400, 2593107)
    assert "only once" in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [(PATH, {"sync_type": "all"}, 400), (PATH, {"what": "history"}, 400), ("/v1/numbers/7/sync", {}, 404)],
)
def test_what_cannot_be_asked_for_is_refused(web: Web, path: str, body: Any, status: int) -> None:
    assert web.client.post(path, json=body, headers=KEYS["boss"]).status_code == status
