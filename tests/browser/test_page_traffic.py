"""The traffic drawer: the raw calls of a message, live, and as curl."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stand_in import BEN, Business
from tests.browser.steps import act, bubble, write


@pytest.fixture
def drawer(phone: Page) -> Locator:
    return phone.get_by_role("complementary", name="Traffic")


def calls(drawer: Locator) -> Locator:
    return drawer.get_by_role("list", name="Calls").locator(".exchange")


def test_a_message_has_its_own_calls(phone: Page, business: Business, drawer: Locator) -> None:
    business.writes("hi")
    business.text("welcome")
    business.text("something else")
    act(phone, "welcome", "Traffic of this message")
    expect(drawer).to_contain_text("About “welcome”")
    # One send, and the statuses sent, delivered and read.
    expect(calls(drawer)).to_have_count(4)
    expect(calls(drawer).first).to_contain_text("POST /v24.0/")


def test_a_call_shows_request_and_answer(phone: Page, business: Business, drawer: Locator) -> None:
    business.writes("hi")
    business.text("welcome")
    act(phone, "welcome", "Traffic of this message")
    calls(drawer).first.locator("summary").first.click()
    expect(drawer.get_by_role("region", name="Request body")).to_contain_text('"body": "welcome"')
    expect(drawer.get_by_role("region", name="Response body")).to_contain_text('"messages"')


def test_a_call_is_copied_as_curl_without_the_token(phone: Page, business: Business, drawer: Locator) -> None:
    phone.context.grant_permissions(["clipboard-read", "clipboard-write"])
    business.writes("hi")
    business.text("welcome")
    act(phone, "welcome", "Traffic of this message")
    calls(drawer).first.locator("summary").first.click()
    drawer.get_by_role("button", name="Copy as curl").click()
    expect(phone.get_by_role("alert")).to_contain_text("Copied as curl.")
    copied = phone.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -X POST {business.graph}/v24.0/")
    assert ("$TOKEN" in copied, "EAAtest" in copied) == (True, False)


def test_a_webhook_in_the_drawer_is_the_one_that_was_sent(phone: Page, business: Business, drawer: Locator) -> None:
    write(phone, "good day")
    expect(bubble(phone, "good day")).to_be_visible()
    act(phone, "good day", "Traffic of this message")
    expect(calls(drawer)).to_have_count(1)
    calls(drawer).first.locator("summary").first.click()
    shown = json.loads(drawer.get_by_role("region", name="Request body").inner_text())
    assert shown["entry"][0]["changes"][0]["value"]["messages"] == business.heard


def test_the_open_drawer_follows_every_phone(phone: Page, business: Business, drawer: Locator) -> None:
    phone.get_by_role("button", name="Traffic", exact=True).click()
    expect(drawer).to_contain_text("No calls yet. Write a message")
    business.writes("hi", BEN)
    expect(calls(drawer)).to_have_count(1)


def test_a_refused_call_stands_out(phone: Page, business: Business, drawer: Locator) -> None:
    phone.get_by_role("button", name="Traffic", exact=True).click()
    assert business.post({"type": "text"}).status_code == 400
    expect(calls(drawer).locator(".status.bad")).to_have_text("400")


def test_escape_closes_the_drawer_and_goes_back_to_the_message(
    phone: Page, business: Business, drawer: Locator
) -> None:
    business.writes("hi")
    act(phone, "hi", "Traffic of this message")
    expect(drawer.get_by_role("heading", name="Traffic")).to_be_focused()
    phone.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(bubble(phone, "hi")).to_be_focused()
