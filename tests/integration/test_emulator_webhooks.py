"""Webhooks over real sockets: signed, ordered, retried, batched, redelivered, held."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from meta_emulator import EmulatorConfig, RunningEmulator
from tests.eventually import eventually
from tests.integration.emulated_callback import VERIFY_TOKEN, Callback
from tests.integration.emulated_meta import ACCOUNT, ANA, APP, NUMBER, OTHER_NUMBER, SECRET, TOKEN, Meta


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as running:
        yield running


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    config = EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER, OTHER_NUMBER), port=0, time_factor=100)
    with RunningEmulator(config) as running:
        yield running


@pytest.fixture
def meta(emulator: RunningEmulator, callback: Callback) -> Meta:
    """The module's emulator after a reset, with the test's callback and without limits."""
    running = Meta(emulator.url)
    running.do("reset")
    running.do("webhooks/callback", {"url": callback.url})
    running.do("limits", {"all": False})
    return running


def test_the_handshake_is_made_at_the_start(callback: Callback) -> None:
    config = EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER,), callback_url=callback.url, port=0)
    with RunningEmulator(config):
        handshake = eventually(lambda: next(iter(callback.handshakes), None))
    assert handshake["hub.mode"] == ["subscribe"]
    assert handshake["hub.challenge"][0].isdigit()


def test_the_handshake_is_repeated_until_the_service_agrees() -> None:
    with Callback(handshake_status=403) as callback:
        config = EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER,), callback_url=callback.url, port=0)
        with RunningEmulator(config):
            eventually(lambda: callback.handshakes)
            callback.handshake_status = 200
            eventually(lambda: len(callback.handshakes) >= 2, within=10)


def test_a_webhook_is_signed_over_its_bytes(meta: Meta, callback: Callback) -> None:
    meta.write("olá / 😮")
    meta.settle()
    delivery = callback.deliveries[0]
    wanted = hmac.new(SECRET.encode(), delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["X-Hub-Signature-256"] == f"sha256={wanted}"
    assert rb"ol\u00e1 \/ \ud83d\ude2e" in delivery.body
    assert delivery.headers["User-Agent"] == "facebookexternalua"


def test_a_change_of_any_shape_is_delivered(meta: Meta, callback: Callback) -> None:
    for value in ({"messages": 5}, {"messages": None}, {"statuses": {"a": 1}}, {"messages": [5]}):
        meta.do("webhooks/change", {"field": "messages", "value": value})
        meta.settle()
        assert callback.deliveries[-1].payload["entry"][0]["changes"][0]["value"] == value


def test_a_signature_can_be_wrong(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"wrong_signature": True})
    meta.write()
    meta.settle()
    delivery = callback.deliveries[0]
    wanted = hmac.new(SECRET.encode(), delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["X-Hub-Signature-256"] != f"sha256={wanted}"


def test_a_customers_message_comes_with_contact_and_number(meta: Meta, callback: Callback) -> None:
    wamid = meta.write("good morning")
    meta.settle()
    value = callback.deliveries[0].payload["entry"][0]["changes"][0]["value"]
    assert value["metadata"] == {"display_phone_number": "15550783881", "phone_number_id": NUMBER}
    assert (value["contacts"][0]["profile"], value["contacts"][0]["wa_id"]) == ({"name": "Ana"}, ANA)
    assert value["messages"][0]["id"] == wamid
    assert value["messages"][0]["text"] == {"body": "good morning"}


def test_the_phone_sees_when_the_service_took_its_message(meta: Meta) -> None:
    meta.write()
    meta.settle()
    assert meta.do(f"phones/{ANA}/messages", method="GET")["messages"][0]["status"] == "delivered"


def test_a_sent_message_climbs_its_ladder(meta: Meta, callback: Callback) -> None:
    wamid = meta.send()
    meta.do(f"phones/{ANA}/read")
    meta.settle()
    assert callback.statuses(wamid) == ["sent", "delivered", "read"]


def test_one_customers_updates_come_in_order(meta: Meta, callback: Callback) -> None:
    wamids = [meta.write(str(number)) for number in range(30)]
    meta.settle()
    assert [item["id"] for item in callback.parts("messages")] == wamids


@pytest.mark.parametrize("status", [500, 503, 401, 201, 204])
def test_anything_but_200_is_tried_again(meta: Meta, callback: Callback, status: int) -> None:
    callback.answer = lambda number: status if number < 2 else 200
    wamid = meta.write()
    meta.settle()
    assert [item["id"] for item in callback.parts("messages")] == [wamid] * 3


def test_a_retry_may_come_in_other_bytes(meta: Meta, callback: Callback) -> None:
    callback.answer = lambda number: 500 if number == 0 else 200
    meta.write()
    meta.settle()
    first, second = callback.deliveries
    assert first.body != second.body
    assert first.payload == second.payload


def test_a_retry_does_not_hold_the_customers_next_update(meta: Meta, callback: Callback) -> None:
    callback.answer = lambda number: 500 if number == 0 else 200
    first, second = meta.write("first"), meta.write("second")
    meta.settle()
    assert [item["id"] for item in callback.parts("messages")] == [first, second, first]


def test_in_strict_order_a_retry_holds_the_next_update(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"order": "strict"})
    callback.answer = lambda number: 500 if number < 2 else 200
    first, second = meta.write("first"), meta.write("second")
    meta.settle()
    assert [item["id"] for item in callback.parts("messages")] == [first, first, first, second]


def test_moving_the_clock_skips_the_backoff(meta: Meta, callback: Callback) -> None:
    callback.answer = lambda number: 500 if number < 6 else 200
    meta.write()

    def skipped_to_the_end() -> bool:
        meta.do("clock", {"advance": 4 * 3600})
        return len(callback.deliveries) == 7

    eventually(skipped_to_the_end, every=0.05)
    meta.settle()


def test_a_service_that_is_away_gets_its_webhooks_when_it_is_back(meta: Meta) -> None:
    meta.do("webhooks/callback", {"url": "http://127.0.0.1:9/gone"})
    wamid = meta.write()
    eventually(lambda: meta.do("state", method="GET")["webhooks"].get("retries"))
    with Callback() as other:
        meta.do("webhooks/callback", {"url": other.url})
        second = meta.write()
        eventually(lambda: other.parts("messages"))
        assert [item["id"] for item in other.parts("messages")] == [second]
    assert wamid != second


def test_a_service_that_does_not_answer_in_time_is_asked_again(meta: Meta, callback: Callback) -> None:
    gate = threading.Event()

    def slowly(number: int) -> int:
        if number == 0:
            gate.wait(10)
        return 200

    callback.answer = slowly
    meta.do("behaviour", {"webhook_timeout": 0.2})
    meta.write()
    meta.settle()
    gate.set()
    assert len(callback.deliveries) == 2


def test_every_webhook_can_come_twice(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"duplicates": 1})
    wamid = meta.write()
    meta.settle()
    assert [item["id"] for item in callback.parts("messages")] == [wamid, wamid]


def test_held_webhooks_come_as_one_batch(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"batch": 1000})
    meta.do("webhooks/hold")
    wamids = {meta.write(str(number), wa_id=f"44770090{number:04d}") for number in range(50)}
    meta.do("webhooks/release")
    meta.settle()
    assert len(callback.deliveries) == 1
    assert {item["id"] for item in callback.parts("messages")} == wamids


def test_a_batch_can_hold_two_numbers(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"batch": 10, "batch_across_numbers": True})
    meta.do("webhooks/hold")
    meta.write()
    meta.write(phone_number_id=OTHER_NUMBER)
    meta.do("webhooks/release")
    meta.settle()
    changes = callback.deliveries[0].payload["entry"][0]["changes"]
    assert [change["value"]["metadata"]["phone_number_id"] for change in changes] == [NUMBER, OTHER_NUMBER]


def test_statuses_can_come_in_any_order(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"shuffle_statuses": True})
    meta.do("phones", {"wa_id": ANA, "auto_read": True})
    wamids = [meta.send() for _ in range(12)]
    meta.settle()
    orders = {tuple(callback.statuses(wamid)) for wamid in wamids}
    assert len(orders) > 1
    assert {tuple(sorted(order)) for order in orders} == {("delivered", "read", "sent")}


def test_delivered_can_be_skipped(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"skip_delivered": True})
    meta.do("phones", {"wa_id": ANA, "auto_read": True})
    wamid = meta.send()
    meta.settle()
    assert callback.statuses(wamid) == ["sent", "read"]


def test_statuses_can_come_before_the_answer(meta: Meta, callback: Callback) -> None:
    meta.do("behaviour", {"statuses_before_answer": True})
    wamid = meta.send()
    assert callback.statuses(wamid) == ["sent", "delivered"]


def test_a_lost_answer_still_brings_its_statuses(meta: Meta, callback: Callback) -> None:
    meta.do("faults", {"kind": "answer_lost"})
    with pytest.raises(requests.ConnectionError):
        meta.send(biz_opaque_callback_data="attempt-1")
    meta.settle()
    statuses = callback.parts("statuses")
    assert [item["status"] for item in statuses] == ["sent", "delivered"]
    assert {item["biz_opaque_callback_data"] for item in statuses} == {"attempt-1"}


def test_a_blocked_customer_is_not_heard(meta: Meta, callback: Callback) -> None:
    body = {"messaging_product": "whatsapp", "block_users": [{"user": ANA}]}
    meta.graph("POST", f"{NUMBER}/block_users", json=body)
    meta.write()
    meta.settle()
    assert callback.deliveries == []


def test_any_field_can_be_sent(meta: Meta, callback: Callback) -> None:
    meta.do("webhooks/change", {"field": "brand_new", "value": {"x": 1}})
    meta.settle()
    entry = callback.deliveries[0].payload["entry"][0]
    assert entry["changes"] == [{"field": "brand_new", "value": {"x": 1}}]
    assert isinstance(entry["time"], int)


@pytest.mark.parametrize(("signature", "there"), [("good", True), ("none", False)])
def test_any_bytes_can_be_sent(meta: Meta, callback: Callback, signature: str, there: bool) -> None:
    answer = meta.do("webhooks/post", {"raw": "{not json", "signature": signature})
    assert answer["status"] == 200
    assert callback.deliveries[0].body == b"{not json"
    assert ("X-Hub-Signature-256" in callback.deliveries[0].headers) is there


def test_the_dashboards_test_button_sends_unreal_ids(meta: Meta, callback: Callback) -> None:
    assert meta.do("webhooks/test")["status"] == 200
    assert callback.deliveries[0].payload["entry"][0]["id"] == "0"
    assert callback.parts("messages")[0]["id"] == "ABGGFlA5Fpa"


def test_a_reviewed_template_is_told(meta: Meta, callback: Callback) -> None:
    template = meta.do("templates", method="GET")["templates"][0]
    meta.do(f"templates/{template['id']}", {"status": "PAUSED"})
    meta.settle()
    change = callback.deliveries[0].payload["entry"][0]["changes"][0]
    assert change["field"] == "message_template_status_update"
    assert (change["value"]["event"], change["value"]["other_info"]["title"]) == ("PAUSED", "FIRST_PAUSE")
    assert change["value"]["message_template_id"] == int(template["id"])


def test_nobody_is_told_after_unsubscribing(meta: Meta, callback: Callback) -> None:
    meta.graph("DELETE", f"{ACCOUNT}/subscribed_apps")
    meta.write()
    meta.settle()
    assert callback.deliveries == []


def test_a_number_can_have_a_callback_of_its_own(meta: Meta, callback: Callback) -> None:
    with Callback() as other:
        configuration = {"override_callback_uri": other.url, "verify_token": VERIFY_TOKEN}
        saved = meta.graph("POST", OTHER_NUMBER, json={"webhook_configuration": configuration})
        meta.write("to the second", phone_number_id=OTHER_NUMBER)
        meta.write("to the first")
        meta.settle()
        assert saved.json() == {"success": True}
        assert len(other.handshakes) == 1
        assert [item["text"]["body"] for item in other.parts("messages")] == ["to the second"]
    assert [item["text"]["body"] for item in callback.parts("messages")] == ["to the first"]


def test_a_callback_that_refuses_the_handshake_is_not_saved(meta: Meta) -> None:
    with Callback(handshake_status=403) as other:
        body = {"override_callback_uri": other.url, "verify_token": VERIFY_TOKEN}
        answer = meta.graph("POST", f"{ACCOUNT}/subscribed_apps", json=body)
    message = answer.json()["error"]["message"]
    assert message == (
        "(#2200) Callback verification failed with the following errors: "
        "HTTP Status Code = 403; HTTP Message = Forbidden"
    )


def test_the_app_saves_a_callback_with_its_own_token(meta: Meta) -> None:
    with Callback() as other:
        body = {"object": "whatsapp_business_account", "callback_url": other.url, "verify_token": VERIFY_TOKEN}
        saved = meta.graph("POST", f"{APP}/subscriptions", token=f"{APP}|{SECRET}", data=body)
        wamid = meta.write()
        meta.settle()
        assert saved.json() == {"success": True}
        assert [item["id"] for item in other.parts("messages")] == [wamid]


def test_a_reset_drops_what_waits(meta: Meta, callback: Callback) -> None:
    meta.do("webhooks/hold")
    meta.write()
    meta.do("reset")
    meta.settle()
    assert callback.deliveries == []


def test_an_exchange_shows_the_raw_webhook_of_a_message(meta: Meta, callback: Callback) -> None:
    wamid = meta.write("olá")
    meta.settle()
    listed = meta.do(f"exchanges?message={wamid}&full=1", method="GET")["exchanges"]
    assert listed[0]["request_body"].encode() == callback.deliveries[0].body
    assert json.loads(listed[0]["request_body"]) == callback.deliveries[0].payload


def test_quiet_counts_from_the_last_webhook(meta: Meta, callback: Callback) -> None:
    meta.write()
    answer = meta.do("settle", {"timeout": 10, "quiet": 0.3})
    assert len(callback.deliveries) == 1
    assert answer["settled"] is True
    assert answer["waited"] >= 0.25


def test_a_new_secret_signs_the_next_webhook(meta: Meta, callback: Callback) -> None:
    assert meta.do("secret", {"app_secret": "new-secret"}) == {"changed": ["app_secret"]}
    meta.write()
    meta.settle()
    body, headers = callback.deliveries[0].body, callback.deliveries[0].headers
    wanted = hmac.new(b"new-secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={wanted}"
    meta.do("reset")
    meta.write()
    meta.settle()
    body, headers = callback.deliveries[1].body, callback.deliveries[1].headers
    assert headers["X-Hub-Signature-256"] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_a_new_access_token_replaces_the_old_one(meta: Meta) -> None:
    meta.do("secret", {"access_token": "EAAnew"})
    statuses = [meta.graph("GET", NUMBER, token=token).status_code for token in (TOKEN, "EAAnew")]
    meta.do("reset")
    assert statuses == [401, 200]


def received(meta: Meta, after: int, wait: float = 0) -> tuple[list[str], int]:
    """Return the wamids of the messages that Ana received after a cursor, and the next cursor."""
    path = f"{meta.url}/_emulator/phones/{ANA}/messages?after={after}&wait={wait}"
    answer = requests.get(path, timeout=30).json()
    return [message["id"] for message in answer["messages"]], answer["cursor"]


def test_a_long_poll_ends_with_the_next_message(meta: Meta) -> None:
    first = meta.send()
    wamids, cursor = received(meta, 0)
    assert wamids == [first]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(received, meta, cursor, 20)
        second = meta.send()
        assert waiting.result(10)[0] == [second]


def test_a_long_poll_without_a_message_ends_empty(meta: Meta) -> None:
    assert received(meta, 0, wait=0.05)[0] == []


def test_what_a_phone_wrote_or_could_not_receive_is_not_polled(meta: Meta) -> None:
    meta.write()
    meta.do(f"phones/{ANA}", {"auto_deliver": False}, method="PATCH")
    wamid = meta.send()
    assert received(meta, 0)[0] == []
    meta.do(f"phones/{ANA}", {"auto_deliver": True}, method="PATCH")
    assert received(meta, 0)[0] == [wamid]
