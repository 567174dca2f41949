"""Several accounts in one emulator, each with its own token, secret, numbers and webhook URL."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest

from meta_emulator.client import EmulatedMeta
from meta_emulator.config import EmulatorConfig
from meta_emulator.running import RunningEmulator
from tests.integration.emulated_callback import VERIFY_TOKEN, Callback, Delivery
from tests.integration.emulated_meta import NUMBER, SECRET, TOKEN

ANA = "447700900123"
SHOP, SHOP_NUMBER = "202020202020202", "212121212121212"
SEED = f"""
accounts:
  - id: "{SHOP}"
    phone_number_ids: ["{SHOP_NUMBER}"]
    access_token: shop-token
    app_secret: shop-secret
"""


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator(EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER,), port=0)) as running:
        yield running


@pytest.fixture
def first(emulator: RunningEmulator) -> EmulatedMeta:
    meta = EmulatedMeta(emulator.url, access_token=TOKEN, app_secret=SECRET, phone_number_ids=(NUMBER,))
    meta.reset(callback_url="")
    return meta


@pytest.fixture
def shop(first: EmulatedMeta) -> EmulatedMeta:
    return first.account(SHOP, (SHOP_NUMBER,), access_token="shop-token", app_secret="shop-secret")


def send(meta: EmulatedMeta, number: str, text: str) -> dict[str, Any]:
    body = {"messaging_product": "whatsapp", "to": ANA, "type": "text", "text": {"body": text}}
    return meta.graph("POST", f"{number}/messages", body)


def is_signed(delivery: Delivery, secret: str) -> bool:
    expected = "sha256=" + hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    return delivery.headers["X-Hub-Signature-256"] == expected


def test_each_account_has_its_own_webhook_url_signed_with_its_own_secret(
    first: EmulatedMeta, shop: EmulatedMeta
) -> None:
    with Callback() as ours, Callback() as theirs:
        first.webhooks(ours.url)
        shop.webhooks(theirs.url)
        for meta, text in ((first, "to the first"), (shop, "to the shop")):
            meta.phone(ANA).write(text)
            assert meta.settle()
        for callback, number, secret, text in (
            (ours, NUMBER, SECRET, "to the first"),
            (theirs, SHOP_NUMBER, "shop-secret", "to the shop"),
        ):
            assert [message["text"]["body"] for message in callback.parts("messages")] == [text]
            assert all(is_signed(delivery, secret) for delivery in callback.deliveries)
            value = callback.deliveries[0].payload["entry"][0]["changes"][0]["value"]
            assert value["metadata"]["phone_number_id"] == number
    assert theirs.deliveries[0].payload["entry"][0]["id"] == SHOP


def test_a_token_reaches_its_own_numbers_only(first: EmulatedMeta, shop: EmulatedMeta) -> None:
    for meta, mine, other in ((first, NUMBER, SHOP_NUMBER), (shop, SHOP_NUMBER, NUMBER)):
        meta.phone(ANA).write("hi")
        assert send(meta, mine, f"from {mine}")["messages"]
        assert send(meta, other, "not mine")["error"]["error_subcode"] == 33
        assert meta.phone(ANA).heard().text == f"from {mine}"
        assert [attempt["number_id"] for attempt in meta.sends()] == [mine]


def test_faults_templates_and_secrets_of_one_account_are_not_the_other_ones(
    first: EmulatedMeta, shop: EmulatedMeta
) -> None:
    shop.faults.add("error", status=503)
    shop.control("POST", "token", {"state": "expired"})
    assert first.graph("GET", NUMBER)["id"] == NUMBER
    assert first.faults.planned() == []
    assert shop.graph("GET", SHOP_NUMBER)["error"]["code"] == 190
    assert shop.faults.planned()


def test_an_account_is_gone_after_a_reset(first: EmulatedMeta, shop: EmulatedMeta) -> None:
    assert shop.graph("GET", SHOP)["id"] == SHOP
    first.reset()
    assert shop.graph("GET", SHOP)["error"]["code"] == 190
    assert len(first.control("GET", "accounts")["accounts"]) == 1


def test_a_seed_brings_accounts(first: EmulatedMeta) -> None:
    first.control("POST", "seed", data=SEED.encode())
    listed = first.control("GET", "accounts")["accounts"]
    assert [(each["id"], each["phone_number_ids"]) for each in listed][1:] == [(SHOP, [SHOP_NUMBER])]
    shop = EmulatedMeta(first.url, access_token="shop-token")
    assert shop.graph("GET", SHOP_NUMBER)["id"] == SHOP_NUMBER


def test_what_is_not_given_is_random_and_what_is_taken_is_refused(first: EmulatedMeta) -> None:
    one, two = first.account("11111"), first.account("22222")
    assert one.phone_number_id != two.phone_number_id
    assert one.access_token != two.access_token
    assert one.graph("GET", one.phone_number_id)["id"] == one.phone_number_id
    for wrong in (
        {"id": "11111"},
        {"id": "x"},
        {"id": "33333", "phone_number_ids": [NUMBER]},
        {"id": "33333", "access_token": TOKEN},
        {"id": "33333", "colour": "red"},
    ):
        with pytest.raises(AssertionError, match="POST accounts: "):
            first.control("POST", "accounts", wrong)
