"""What all Graph API calls share: tokens, versions, headers, nodes, fields, paging."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from meta_emulator.callback_client import CallbackResponse
from tests.unit.emulator.emulated import ACCOUNT, ANA, APP, NUMBER, OTHER_NUMBER, SECRET, TOKEN, Emulator, error


@pytest.mark.parametrize("token", [None, "", "EAAother"])
def test_a_call_without_the_token_is_190(meta: Emulator, token: str | None) -> None:
    answer = meta.get(NUMBER, token=token)
    assert (answer.status_code, error(answer)["code"]) == (401, 190)
    assert answer.headers["WWW-Authenticate"].startswith('OAuth "Facebook Platform" "invalid_token"')


@pytest.mark.parametrize(("state", "subcode"), [("expired", 463), ("revoked", 460), ("uninstalled", 458)])
def test_a_token_that_died_says_how(meta: Emulator, state: str, subcode: int) -> None:
    meta.do("token", {"state": state})
    assert (error(meta.text())["code"], error(meta.text())["error_subcode"]) == (190, subcode)


def test_the_token_may_stand_in_the_query(meta: Emulator) -> None:
    assert meta.get(f"{NUMBER}?access_token={TOKEN}", token=None).status_code == 200


def test_a_token_in_the_query_goes_before_the_headers(meta: Emulator) -> None:
    assert meta.get(f"{NUMBER}?access_token=EAAother").status_code == 401


def proof(secret: str, message: str) -> str:
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 200), ("other", 400)])
def test_an_appsecret_proof_is_checked(meta: Emulator, secret: str, status: int) -> None:
    assert meta.get(f"{NUMBER}?appsecret_proof={proof(secret, TOKEN)}").status_code == status


def test_a_timed_proof_signs_its_time(meta: Emulator) -> None:
    signed = proof(SECRET, f"{TOKEN}|1790000000")
    assert meta.get(f"{NUMBER}?appsecret_proof={signed}&appsecret_time=1790000000").status_code == 200


@pytest.mark.parametrize("path", ["999", "999/messages", f"wamid.none/{NUMBER}"])
def test_an_unknown_object_is_an_unsupported_request(meta: Emulator, path: str) -> None:
    answer = meta.post(path)
    found = error(answer)
    assert (answer.status_code, found["code"], found["error_subcode"]) == (400, 100, 33)
    assert found["message"].startswith(f"Unsupported post request. Object with ID '{path.partition('/')[0]}'")
    assert found["type"] == "GraphMethodException"


def test_an_unknown_edge_is_2500(meta: Emulator) -> None:
    assert error(meta.get(f"{NUMBER}/nothing"))["code"] == 2500


def test_an_edge_without_that_method_is_an_unsupported_request(meta: Emulator) -> None:
    assert error(meta.get(f"{NUMBER}/messages"))["error_subcode"] == 33


@pytest.mark.parametrize("version", ["v24.0", "v26.0"])
def test_a_living_version_answers_itself(meta: Emulator, version: str) -> None:
    assert meta.get(f"/{version}/{NUMBER}").headers["facebook-api-version"] == version


def test_an_expired_version_is_served_by_the_oldest_living_one(meta: Emulator) -> None:
    meta.do("clock", {"advance": 20 * 365 * 86400})  # late enough for all but the newest version to expire
    answer = meta.get(f"/v18.0/{NUMBER}")
    assert (answer.status_code, answer.headers["facebook-api-version"]) == (200, "v26.0")


@pytest.mark.parametrize("version", ["v99.0", "v24.5"])
def test_a_version_that_never_was_is_2500(meta: Emulator, version: str) -> None:
    assert error(meta.get(f"/{version}/{NUMBER}"))["code"] == 2500


def test_a_call_without_version_is_served(meta: Emulator) -> None:
    assert meta.get(f"/{NUMBER}").status_code == 200


def test_every_answer_has_metas_headers(meta: Emulator) -> None:
    headers = meta.text().headers
    usage = json.loads(headers["x-business-use-case-usage"])
    assert usage[ACCOUNT][0]["type"] == "whatsapp"
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert headers["x-fb-trace-id"]
    assert headers["Cache-Control"] == "private, no-cache, no-store, must-revalidate"


def test_an_errors_trace_id_is_the_headers(meta: Emulator) -> None:
    answer = meta.get("999")
    assert error(answer)["fbtrace_id"] == answer.headers["x-fb-trace-id"]


def test_slashes_in_an_answer_are_escaped(meta: Emulator) -> None:
    assert r"https:\/\/developers.facebook.com" in meta.get("999").text


def test_a_number_shows_its_default_fields(meta: Emulator) -> None:
    node = meta.get(NUMBER).json
    assert node["display_phone_number"] == "+1 555-078-3881"
    assert set(node or ()) == {
        "verified_name",
        "code_verification_status",
        "display_phone_number",
        "quality_rating",
        "platform_type",
        "throughput",
        "webhook_configuration",
        "id",
    }


def test_fields_choose_what_a_node_shows_and_id_is_always_there(meta: Emulator) -> None:
    assert meta.get(f"{NUMBER}?fields=throughput,status").json == {
        "throughput": {"level": "STANDARD"},
        "status": "CONNECTED",
        "id": NUMBER,
    }


def test_an_unknown_field_is_named(meta: Emulator) -> None:
    assert error(meta.get(f"{NUMBER}?fields=nope"))["message"] == (
        "(#100) Tried accessing nonexistent field (nope) on node type (WhatsAppBusinessPhoneNumber)"
    )


def test_health_is_the_worst_of_its_entities(meta: Emulator) -> None:
    good = meta.get(f"{NUMBER}?fields=health_status").json["health_status"]
    meta.post(f"{NUMBER}/deregister")
    bad = meta.get(f"{NUMBER}?fields=health_status").json["health_status"]
    assert (good["can_send_message"], bad["can_send_message"]) == ("AVAILABLE", "BLOCKED")
    assert [item["entity_type"] for item in good["entities"]] == ["PHONE_NUMBER", "WABA", "BUSINESS", "APP"]


def test_the_accounts_numbers_are_listed(meta: Emulator) -> None:
    assert [item["id"] for item in meta.get(f"{ACCOUNT}/phone_numbers").json["data"]] == [NUMBER, OTHER_NUMBER]


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("account_mode", "SANDBOX", [OTHER_NUMBER]),
        ("account_mode", "LIVE", [NUMBER]),
        ("is_official_business_account", False, [NUMBER, OTHER_NUMBER]),
        ("is_official_business_account", "true", []),
    ],
)
def test_the_list_of_numbers_can_be_filtered(meta: Emulator, field: str, value: object, found: list[str]) -> None:
    meta.control("PATCH", f"numbers/{OTHER_NUMBER}", {"test_recipients": [ANA]})
    rules = json.dumps([{"field": field, "operator": "EQUAL", "value": value}])
    listed = meta.get(f"{ACCOUNT}/phone_numbers", query_string={"filtering": rules}).json["data"]
    assert [item["id"] for item in listed] == found


@pytest.mark.parametrize("rules", ["x", "[1]", '[{"field":"status","operator":"EQUAL","value":"X"}]'])
def test_an_unknown_filter_is_refused(meta: Emulator, rules: str) -> None:
    assert error(meta.get(f"{ACCOUNT}/phone_numbers", query_string={"filtering": rules}))["code"] == 100


def test_edges_of_a_node_are_expanded(meta: Emulator) -> None:
    meta.post(f"{ACCOUNT}/subscribed_apps")
    fields = "phone_numbers{display_phone_number},message_templates{status},subscribed_apps{whatsapp_business_api_data}"
    node = meta.get(f"{ACCOUNT}?fields={fields}").json
    assert [set(node[edge]["data"][0]) for edge in ("phone_numbers", "message_templates", "subscribed_apps")] == [
        {"display_phone_number", "id"},
        {"status", "id"},
        {"whatsapp_business_api_data"},
    ]
    assert "verified_name" in meta.get(f"{ACCOUNT}?fields=phone_numbers").json["phone_numbers"]["data"][0]


def test_a_list_goes_on_at_next_and_ends_without_one(meta: Emulator) -> None:
    first = meta.get(f"{ACCOUNT}/phone_numbers?limit=1").json
    second = meta.get(first["paging"]["next"]).json
    assert [item["id"] for item in first["data"] + second["data"]] == [NUMBER, OTHER_NUMBER]
    assert "next" not in second["paging"]


def test_a_list_goes_back_at_previous(meta: Emulator) -> None:
    first = meta.get(f"{ACCOUNT}/phone_numbers?limit=1").json
    second = meta.get(first["paging"]["next"]).json
    assert meta.get(second["paging"]["previous"]).json["data"] == first["data"]


@pytest.mark.parametrize(("version", "code"), [("v23.0", 100), ("v24.0", 131059)])
def test_a_bad_cursor_is_refused_by_version(meta: Emulator, version: str, code: int) -> None:
    assert error(meta.get(f"/{version}/{ACCOUNT}/phone_numbers?after=bad"))["code"] == code


def test_registering_needs_the_pin_that_was_set(meta: Emulator) -> None:
    meta.post(NUMBER, {"pin": "123456"})
    body = {"messaging_product": "whatsapp", "pin": "654321"}
    assert error(meta.post(f"{NUMBER}/register", body))["code"] == 133005
    assert meta.post(f"{NUMBER}/register", {**body, "pin": "123456"}).json == {"success": True}


def test_a_profile_shows_what_was_set_and_asked_for(meta: Emulator) -> None:
    body = {"messaging_product": "whatsapp", "about": "Open", "email": "a@example.org"}
    meta.post(f"{NUMBER}/whatsapp_business_profile", body)
    shown = meta.get(f"{NUMBER}/whatsapp_business_profile?fields=about,address").json
    assert shown == {"data": [{"about": "Open", "messaging_product": "whatsapp"}]}


def test_a_profile_has_its_limits(meta: Emulator) -> None:
    body = {"messaging_product": "whatsapp", "about": "x" * 140}
    assert error(meta.post(f"{NUMBER}/whatsapp_business_profile", body))["code"] == 100


def test_a_profile_shows_everything_if_no_field_is_asked_for(meta: Emulator) -> None:
    body = {"messaging_product": "whatsapp", "address": "1 Quay", "websites": ["https://example.org"]}
    meta.post(f"{NUMBER}/whatsapp_business_profile", body)
    (shown,) = meta.get(f"{NUMBER}/whatsapp_business_profile").json["data"]
    assert shown == {**body, "vertical": "OTHER"}


@pytest.mark.parametrize("wrong", [{"vertical": "FISHING"}, {"websites": ["https://example.org"] * 3}])
def test_a_profile_that_is_refused_changes_nothing(meta: Emulator, wrong: dict[str, Any]) -> None:
    before = meta.get(f"{NUMBER}/whatsapp_business_profile").json
    body = {"messaging_product": "whatsapp", "about": "Closed", **wrong}
    assert error(meta.post(f"{NUMBER}/whatsapp_business_profile", body))["code"] == 100
    assert meta.get(f"{NUMBER}/whatsapp_business_profile").json == before


def test_blocked_users_are_listed_until_they_are_unblocked(meta: Emulator) -> None:
    body = {"messaging_product": "whatsapp", "block_users": [{"user": f"+{ANA}"}]}
    added = meta.post(f"{NUMBER}/block_users", body).json
    listed = meta.get(f"{NUMBER}/block_users").json["data"]
    meta.graph("DELETE", f"{NUMBER}/block_users", json=body)
    assert added["block_users"] == {"added_users": [{"input": f"+{ANA}", "wa_id": ANA}]}
    assert listed == [{"messaging_product": "whatsapp", "input": ANA, "wa_id": ANA}]
    assert meta.get(f"{NUMBER}/block_users").json == {"data": []}


@pytest.mark.parametrize(("method", "outcome"), [("POST", "added_users"), ("DELETE", "removed_users")])
def test_a_user_is_named_by_the_id_that_was_blocked(meta: Emulator, method: str, outcome: str) -> None:
    user_id = meta.world.phones[ANA].user_id
    body = {"messaging_product": "whatsapp", "block_users": [{"user_id": user_id}]}
    answer = meta.graph(method, f"{NUMBER}/block_users", json=body).json
    assert answer["block_users"] == {outcome: [{"input": user_id, "user_id": user_id}]}


@pytest.mark.parametrize(("method", "outcome"), [("POST", "added_users"), ("DELETE", "removed_users")])
def test_a_user_that_cannot_be_blocked_fails_beside_the_others(meta: Emulator, method: str, outcome: str) -> None:
    users = [{"user": "no number"}, {"user": f"+{ANA}"}, {"user_id": "GB.1"}]
    body = {"messaging_product": "whatsapp", "block_users": users}
    answer = meta.graph(method, f"{NUMBER}/block_users", json=body)
    assert (answer.status_code, error(answer)["code"]) == (400, 139100)
    blocked = answer.json["block_users"]
    assert blocked[outcome] == [{"input": f"+{ANA}", "wa_id": ANA}]
    assert [user["input"] for user in blocked["failed_users"]] == ["no number", "GB.1"]
    assert [user["errors"][0]["code"] for user in blocked["failed_users"]] == [131009, 131009]


def test_the_account_shows_its_name(meta: Emulator) -> None:
    meta.post(ACCOUNT, {"name": "Acme"})
    assert meta.get(f"{ACCOUNT}?fields=name").json == {"name": "Acme", "id": ACCOUNT}


def test_debug_token_tells_what_the_token_may_do(meta: Emulator) -> None:
    data = meta.get(f"debug_token?input_token={TOKEN}").json["data"]
    assert (data["is_valid"], data["app_id"]) == (True, APP)
    assert "whatsapp_business_messaging" in data["scopes"]


def test_debug_token_knows_a_stranger(meta: Emulator) -> None:
    assert meta.get("debug_token?input_token=x").json["data"]["is_valid"] is False


def test_apps_are_subscribed_and_unsubscribed(meta: Emulator) -> None:
    before = meta.get(f"{ACCOUNT}/subscribed_apps").json
    meta.post(f"{ACCOUNT}/subscribed_apps")
    during = meta.get(f"{ACCOUNT}/subscribed_apps").json
    meta.graph("DELETE", f"{ACCOUNT}/subscribed_apps")
    assert before == meta.get(f"{ACCOUNT}/subscribed_apps").json == {"data": []}
    assert during["data"][0]["whatsapp_business_api_data"]["id"] == APP


def test_the_apps_callback_needs_the_app_token(meta: Emulator) -> None:
    body = {"object": "whatsapp_business_account", "callback_url": "http://127.0.0.1:9/", "verify_token": "v"}
    assert error(meta.post(f"{APP}/subscriptions", body))["code"] == 15


def test_a_callback_that_nobody_answers_is_2200(meta: Emulator) -> None:
    body = {"override_callback_uri": "http://127.0.0.1:9/", "verify_token": "v"}
    found = error(meta.post(f"{ACCOUNT}/subscribed_apps", body))
    assert found["code"] == 2200
    assert "Callback verification failed with the following errors: curl_errno = 7" in found["message"]


class Silence:
    """A client whose requests all time out."""

    def request(self, *_: object, **__: object) -> CallbackResponse:
        return CallbackResponse(0, b"", 6.0, "no answer within 6 s", timed_out=True)


def test_a_callback_that_keeps_silent_is_2200_after_six_seconds(
    fresh: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh.world.webhooks, "client", Silence())
    found = error(fresh.post(f"{ACCOUNT}/subscribed_apps", {"override_callback_uri": "http://a/", "verify_token": "v"}))
    assert found["message"].endswith(
        "curl_errno = 28; curl_error = Operation timed out after 6000 milliseconds with 0 bytes received; "
        "HTTP Status Code = 0"
    )


@pytest.mark.parametrize("url", ["", "ftp://a.example", "https://a.example/" + "x" * 200])
def test_a_callback_url_has_its_form(meta: Emulator, url: str) -> None:
    configuration = {"override_callback_uri": url or "nothing", "verify_token": "v"}
    assert error(meta.post(NUMBER, {"webhook_configuration": configuration}))["code"] == 100


def test_pricing_analytics_counts_what_was_delivered_by_day_and_kind(meta: Emulator) -> None:
    meta.write()
    meta.text()
    meta.text()
    now = int(meta.world.clock.now())
    wanted = (
        f"pricing_analytics.start({now - 3_600}).end({now + 3_600}).granularity(DAILY).dimensions([%22PRICING_TYPE%22])"
    )
    (part,) = meta.get(f"{ACCOUNT}?fields={wanted}").json["pricing_analytics"]["data"]
    (point,) = part["data_points"]
    assert (point["volume"], point["pricing_type"], point["cost"]) == (2, "FREE_CUSTOMER_SERVICE", 0)
    assert error(meta.get(f"{ACCOUNT}?fields=pricing_analytics"))["code"] == 100
