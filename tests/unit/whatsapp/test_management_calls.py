"""Calls about a number, its account and its templates: their paths, and reading all pages."""

from __future__ import annotations

from typing import Any

import pytest
from requests_mock import Mocker

from wa_service.whatsapp import WhatsAppAuthError, WhatsAppMetaClient, WhatsAppRequestError

META = "https://graph.facebook.com/v23.0"
OK = {"success": True}


@pytest.fixture
def client() -> Any:
    return WhatsAppMetaClient("EAAtoken0123456789", "106", api_version="v23.0", business_account_id="102")


CALLS: dict[str, Any] = {
    "get_template": (lambda c: c.get_template("55", fields="status"), "GET", "/55", {"fields": ["status"]}, None),
    "create_template": (
        lambda c: c.create_template("sale", "en_GB", "MARKETING", [{"type": "BODY"}], parameter_format="NAMED"),
        "POST",
        "/102/message_templates",
        {},
        {
            "name": "sale",
            "language": "en_GB",
            "category": "MARKETING",
            "components": [{"type": "BODY"}],
            "parameter_format": "NAMED",
        },
    ),
    "edit_template": (lambda c: c.edit_template("55", category="UTILITY"), "POST", "/55", {}, {"category": "UTILITY"}),
    "delete_template": (
        lambda c: c.delete_template("sale"),
        "DELETE",
        "/102/message_templates",
        {"name": ["sale"]},
        None,
    ),
    "delete_template_language": (
        lambda c: c.delete_template("sale", template_id="55"),
        "DELETE",
        "/102/message_templates",
        {"name": ["sale"], "hsm_id": ["55"]},
        None,
    ),
    "update_business_profile": (
        lambda c: c.update_business_profile(about="Sea"),
        "POST",
        "/106/whatsapp_business_profile",
        {},
        {"messaging_product": "whatsapp", "about": "Sea"},
    ),
    "get_phone_number": (
        lambda c: c.get_phone_number(fields="throughput"),
        "GET",
        "/106",
        {"fields": ["throughput"]},
        None,
    ),
    "get_other_phone_number": (lambda c: c.get_phone_number("107"), "GET", "/107", {}, None),
    "get_business_account": (lambda c: c.get_business_account(), "GET", "/102", {}, None),
    "subscribe_app": (lambda c: c.subscribe_app(), "POST", "/102/subscribed_apps", {}, None),
    "subscribe_app_elsewhere": (
        lambda c: c.subscribe_app(override_callback_uri="https://a.example/hook", verify_token="v"),
        "POST",
        "/102/subscribed_apps",
        {},
        {"override_callback_uri": "https://a.example/hook", "verify_token": "v"},
    ),
    "unsubscribe_app": (lambda c: c.unsubscribe_app(), "DELETE", "/102/subscribed_apps", {}, None),
    "override_number_webhook": (
        lambda c: c.override_number_webhook("https://a.example/hook", "v"),
        "POST",
        "/106",
        {},
        {"webhook_configuration": {"override_callback_uri": "https://a.example/hook", "verify_token": "v"}},
    ),
    "graph": (
        lambda c: c.graph("POST", "/102/flows", params={"a": [1]}, json={"name": "f"}),
        "POST",
        "/102/flows",
        {"a": ["[1]"]},
        {"name": "f"},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_goes_where_the_reference_says(client: WhatsAppMetaClient, requests_mock: Mocker, name: str) -> None:
    call, method, path, query, body = CALLS[name]
    asked = requests_mock.register_uri(method, META + path, json=OK)
    assert call(client) == OK
    assert asked.last_request.qs == query
    assert (asked.last_request.json() if asked.last_request.body else None) == body


def test_templates_come_page_by_page(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    first = {
        "data": [{"name": "a"}, {"name": "b"}],
        "paging": {"cursors": {"after": "C1"}, "next": "https://evil.example/next?access_token=x"},
    }
    last = {"data": [{"name": "c"}], "paging": {"cursors": {"after": "C2"}}}
    pages = requests_mock.get(f"{META}/102/message_templates", [{"json": first}, {"json": last}])
    assert [item["name"] for item in client.list_templates(status="APPROVED")] == ["a", "b", "c"]
    assert [request.qs.get("after") for request in pages.request_history] == [None, ["c1"]]
    assert {request.hostname for request in requests_mock.request_history} == {"graph.facebook.com"}


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": [7]}, {"data": [], "paging": {"next": "x"}}])
def test_a_list_may_be_empty_in_any_way(client: WhatsAppMetaClient, requests_mock: Mocker, answer: Any) -> None:
    requests_mock.get(f"{META}/102/message_templates", json=answer)
    assert list(client.list_templates()) == []


def test_a_cursor_that_stands_still_ends_the_list(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    page = {"data": [{"name": "a"}], "paging": {"cursors": {"after": "C1"}, "next": "x"}}
    requests_mock.get(f"{META}/102/message_templates", json=page)
    assert len(list(client.list_templates())) == 2


def test_the_numbers_of_the_account(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/102/phone_numbers", json={"data": [{"id": "106"}]})
    assert [number["id"] for number in client.list_phone_numbers()] == ["106"]


def test_the_subscribed_apps(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/102/subscribed_apps", json={"data": [{"override_callback_uri": "https://a.example"}]})
    assert client.get_subscribed_apps() == [{"override_callback_uri": "https://a.example"}]


@pytest.mark.parametrize(
    "answer", [{"data": [{"about": "Sea"}]}, {"data": [{"business_profile": {"about": "Sea"}}]}, {"about": "Sea"}]
)
def test_the_profile_in_each_of_metas_shapes(client: WhatsAppMetaClient, requests_mock: Mocker, answer: Any) -> None:
    requests_mock.get(f"{META}/106/whatsapp_business_profile", json=answer)
    assert client.get_business_profile() == {"about": "Sea"}


def test_the_health_of_a_node(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    asked = requests_mock.get(f"{META}/106", json={"health_status": {"can_send_message": "BLOCKED"}, "id": "106"})
    assert client.get_health() == {"can_send_message": "BLOCKED"}
    assert asked.last_request.qs == {"fields": ["health_status"]}


def test_the_facts_about_a_token(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/debug_token", json={"data": {"is_valid": True}})
    assert client.debug_token("EAAother0123456789") == {"is_valid": True}


def test_an_override_s_address_has_a_limit(client: WhatsAppMetaClient) -> None:
    with pytest.raises(ValueError, match="200 characters"):
        client.subscribe_app(override_callback_uri="https://a.example/" + "x" * 200)


def test_without_an_account_id_the_account_cannot_be_asked(requests_mock: Mocker) -> None:
    with pytest.raises(ValueError, match="business account id"):
        list(WhatsAppMetaClient("t", "106").list_templates())


def test_an_error_is_metas(client: WhatsAppMetaClient, requests_mock: Mocker) -> None:
    requests_mock.get(f"{META}/102", json={"error": {"code": 10, "message": "x"}}, status_code=403)
    with pytest.raises(WhatsAppAuthError):
        client.get_business_account()


FILE = b"0123456789" * 10


@pytest.fixture
def session(requests_mock: Mocker) -> Any:
    """Register an upload session at Meta and return its URL."""
    requests_mock.post(f"{META}/900/uploads", json={"id": "upload:MTphdHRh==?sig=ARx"})
    return f"{META}/upload:MTphdHRh==?sig=ARx"


def test_a_resumable_upload_gives_a_handle(client: WhatsAppMetaClient, requests_mock: Mocker, session: Any) -> None:
    sent = requests_mock.post(session, json={"h": "4::aW1h"})
    assert client.upload_resumable("900", FILE, mime_type="image/png", filename="a.png") == "4::aW1h"
    assert requests_mock.request_history[0].qs == {
        "file_name": ["a.png"],
        "file_length": ["100"],
        "file_type": ["image/png"],
    }
    assert (sent.last_request.headers["file_offset"], sent.last_request.body) == ("0", FILE)


def test_an_upload_that_broke_off_goes_on_where_it_stopped(
    client: WhatsAppMetaClient, requests_mock: Mocker, session: Any
) -> None:
    sent = requests_mock.post(session, [{"status_code": 502, "text": ""}, {"json": {"h": "4::aW1h"}}])
    requests_mock.get(session, json={"id": "upload:MTphdHRh", "file_offset": 40})
    assert client.upload_resumable("900", FILE, mime_type="image/png") == "4::aW1h"
    assert (sent.last_request.headers["file_offset"], sent.last_request.body) == ("40", FILE[40:])


def test_an_upload_is_not_resumed_for_ever(client: WhatsAppMetaClient, requests_mock: Mocker, session: Any) -> None:
    sent = requests_mock.post(session, status_code=502, text="")
    requests_mock.get(session, json={"file_offset": 0})
    with pytest.raises(Exception, match="without an error object"):
        client.upload_resumable("900", FILE, mime_type="image/png", resumes=1)
    assert sent.call_count == 2


def test_a_refused_upload_is_not_repeated(client: WhatsAppMetaClient, requests_mock: Mocker, session: Any) -> None:
    sent = requests_mock.post(session, json={"error": {"code": 100, "message": "x"}}, status_code=400)
    with pytest.raises(WhatsAppRequestError):
        client.upload_resumable("900", FILE, mime_type="image/png")
    assert sent.call_count == 1
