"""The focus: typed text is never lost, and keys work as in other messengers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stand_in import BEN, Business
from tests.browser.steps import act, box, bubble, buttons_message, list_message, log
from tests.browser.test_page_writing import PNG, attach
from tests.eventually import eventually


def test_what_is_typed_right_after_loading_goes_into_the_box(phone: Page, business: Business) -> None:
    expect(phone.locator("body")).to_be_focused()
    phone.keyboard.type("hello")
    phone.keyboard.press("Enter")
    eventually(lambda: business.heard)
    assert business.heard[0]["text"]["body"] == "hello"


def test_what_is_typed_with_the_focus_on_a_button_goes_into_the_box(phone: Page) -> None:
    phone.get_by_role("button", name="Traffic", exact=True).focus()
    phone.keyboard.type("hi")
    expect(box(phone)).to_have_value("hi")


@pytest.mark.parametrize(
    ("opener", "field"),
    [
        ("With a number…", "Number, with country code"),
        ("Send any message as JSON", "Message as JSON"),
        ("Settings of this phone", "Name"),
    ],
)
def test_a_dialog_opens_with_the_focus_in_its_first_field(phone: Page, opener: str, field: str) -> None:
    phone.get_by_role("button", name=opener).click()
    expect(phone.get_by_role("dialog").get_by_role("textbox", name=field)).to_be_focused()


def test_a_number_that_is_none_is_told_in_a_sentence(phone: Page) -> None:
    phone.get_by_role("button", name="With a number…").click()
    expect(phone.get_by_role("dialog").get_by_role("textbox", name="Number, with country code")).to_be_focused()
    phone.keyboard.type("abc")
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("dialog").get_by_role("alert")).to_have_text(
        "A number has 5 to 15 digits, such as +44 7700 900123."
    )


def test_the_rows_of_a_list_are_walked_by_arrows(phone: Page, business: Business) -> None:
    business.writes("hi")
    business.send(list_message())
    log(phone).get_by_role("button", name="Choose").click()
    rows = phone.get_by_role("dialog").get_by_role("button")
    expect(rows.filter(has_text="Breakfast")).to_be_focused()
    phone.keyboard.press("ArrowDown")
    expect(rows.filter(has_text="Parking")).to_be_focused()
    phone.keyboard.press("End")
    phone.keyboard.press("Enter")
    eventually(lambda: len(business.heard) == 2)
    assert business.heard[-1]["interactive"]["list_reply"]["id"] == "r3"
    expect(box(phone)).to_be_focused()


def test_phones_are_walked_by_arrows_and_one_is_in_the_order_of_tab(phone: Page) -> None:
    phones = phone.get_by_role("list", name="Phones")
    assert phones.locator(".entry[tabindex='0']").count() == 1
    phones.get_by_role("button", name="Ana").focus()
    phone.keyboard.press("Home")
    first = phone.evaluate("document.activeElement.dataset.waId")
    phone.keyboard.press("ArrowDown")
    assert phone.evaluate("document.activeElement.dataset.waId") not in (first, None)


def test_a_pressed_button_leaves_the_focus_in_the_box(phone: Page, business: Business) -> None:
    business.writes("hi")
    business.send(buttons_message("Garden view"))
    log(phone).get_by_role("button", name="Garden view").click()
    expect(box(phone)).to_be_focused()


def test_escape_throws_a_recording_away(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Record a voice note").click()
    expect(phone.get_by_role("button", name="Send the voice note")).to_be_focused()
    phone.keyboard.press("Escape")
    expect(box(phone)).to_be_focused()
    assert business.shown() == []


def test_escape_takes_a_picked_file_out(phone: Page) -> None:
    attach(phone, PNG)
    expect(phone.get_by_role("list", name="Files to send")).to_be_visible()
    box(phone).press("Escape")
    expect(phone.get_by_role("list", name="Files to send")).not_to_be_visible()


def test_escape_closes_the_drawer_wherever_the_focus_is(phone: Page) -> None:
    phone.get_by_role("button", name="Traffic", exact=True).click()
    drawer = phone.get_by_role("complementary", name="Traffic")
    expect(drawer).to_be_visible()
    phone.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()


def test_a_button_of_a_message_gives_the_focus_back_before_the_drawer_closes(phone: Page, business: Business) -> None:
    business.writes("hi")
    act(phone, "hi", "Traffic of this message")
    bubble(phone, "hi").focus()
    phone.keyboard.press("Tab")
    expect(bubble(phone, "hi").get_by_role("button", name="React")).to_be_focused()
    phone.keyboard.press("Escape")
    expect(bubble(phone, "hi")).to_be_focused()
    expect(phone.get_by_role("complementary", name="Traffic")).to_be_visible()


def test_a_phone_is_found_by_name_or_number(phone: Page) -> None:
    phone.get_by_role("searchbox", name="Search phones").fill("be")
    entries = phone.get_by_role("list", name="Phones").get_by_role("button")
    expect(entries).to_have_count(1)
    phone.get_by_role("searchbox", name="Search phones").fill(f"+{BEN[:4]}")
    expect(entries).to_have_count(1)
    phone.get_by_role("searchbox", name="Search phones").fill("nobody")
    expect(phone.get_by_text("No phone has this name or number.")).to_be_visible()
