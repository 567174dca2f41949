"""Statuses, failures, typing, two pages, reloads: the page follows the emulated world."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stand_in import ANA, BEN, Business, OpenPage
from tests.browser.steps import box, bubble, buttons_message, log, tick, write
from tests.eventually import eventually


@pytest.fixture
def phone(watching: Page) -> Page:
    return watching


def test_ticks_turn_from_sent_to_read(phone: Page, business: Business) -> None:
    business.control("webhooks/hold")
    write(phone, "are you there?")
    expect(tick(phone, "are you there?")).to_have_accessible_name("Sent")
    business.control("webhooks/release")
    expect(tick(phone, "are you there?")).to_have_accessible_name("Delivered")
    eventually(lambda: business.heard)
    business.read(business.heard[0]["id"])
    expect(tick(phone, "are you there?")).to_have_accessible_name("Read")


def test_what_the_page_shows_is_read(phone: Page, business: Business) -> None:
    business.writes("hi")
    wamid = business.text("welcome")
    expect(tick(phone, "welcome")).to_have_accessible_name("Read")
    eventually(lambda: [each for each in business.statuses if each["id"] == wamid and each["status"] == "read"])


def test_what_another_phone_got_is_unread_and_counted(phone: Page, business: Business) -> None:
    business.writes("hi", BEN)
    business.text("one", BEN)
    business.text("two", BEN)
    entry = phone.get_by_role("list", name="Phones").get_by_role("button", name="Ben")
    expect(entry.get_by_label("2 unread")).to_be_visible()
    entry.click()
    expect(entry.get_by_label("unread")).to_have_count(0)
    assert eventually(lambda: [each["status"] for each in business.shown(BEN)[1:]] == ["read", "read"])


def test_a_phone_that_is_off_gets_its_messages_when_it_is_on(phone: Page, business: Business) -> None:
    business.writes("hi")
    business.control(f"phones/{ANA}", {"auto_deliver": False}, "PATCH")
    business.text("patience")
    expect(tick(phone, "patience")).to_have_accessible_name("Sent")
    business.control(f"phones/{ANA}", {"auto_deliver": True}, "PATCH")
    expect(tick(phone, "patience")).to_have_accessible_name("Read")


def test_a_failed_message_shows_metas_reason(phone: Page, business: Business) -> None:
    business.text("too late")
    failed = bubble(phone, "too late")
    expect(failed.get_by_role("note", name="Why it failed")).to_contain_text("131047")
    expect(failed.get_by_role("note", name="Why it failed")).to_contain_text("more than 24 hours have passed")
    expect(tick(phone, "too late")).to_have_accessible_name("Not delivered")


def test_writing_opens_the_service_window(phone: Page) -> None:
    expect(phone.get_by_role("main")).to_contain_text("Window closed")
    write(phone, "hello")
    expect(phone.get_by_role("main")).to_contain_text("Window 24 h")


def test_the_service_window_closes_when_the_clock_is_advanced(phone: Page, business: Business) -> None:
    business.writes("hi")
    expect(phone.get_by_text("Window 24 h")).to_be_visible()
    business.control("clock", {"advance": 25 * 3600})
    expect(phone.get_by_text("Window closed")).to_be_visible()


def test_a_planned_fault_shows_on_its_message(phone: Page, business: Business) -> None:
    business.writes("hi")
    business.control("faults", {"kind": "failed_status", "code": 131026, "details": "Asked to fail.", "count": 1})
    business.text("doomed")
    expect(bubble(phone, "doomed").get_by_role("note")).to_contain_text("Asked to fail.")


def test_typing_shows_until_the_answer_is_there(phone: Page, business: Business) -> None:
    business.read(business.writes("hi"), typing=True)
    line = phone.get_by_role("main").get_by_text("typing…")
    expect(line).to_be_visible()
    business.text("here I am")
    expect(line).to_have_count(0)


def test_two_pages_show_the_same(phone: Page, business: Business, open_page: OpenPage) -> None:
    other = open_page(business, context=phone.context)
    write(phone, "from the first")
    expect(bubble(other, "from the first")).to_be_visible()
    write(other, "from the second")
    expect(bubble(phone, "from the second")).to_be_visible()
    phone.get_by_role("button", name="Add phone").click()
    expect(other.get_by_role("list", name="Phones").get_by_role("button")).to_have_count(3)


def test_a_reload_keeps_phone_conversation_draft_and_drawer(phone: Page, business: Business) -> None:
    business.writes("from Ben", BEN)
    phone.get_by_role("button", name="Ben").click()
    expect(bubble(phone, "from Ben")).to_be_visible()
    box(phone).fill("half a thought")
    phone.get_by_role("button", name="Traffic", exact=True).click()
    expect(phone.get_by_role("complementary", name="Traffic")).to_be_visible()
    phone.reload()
    expect(bubble(phone, "from Ben")).to_be_visible()
    expect(box(phone)).to_have_value("half a thought")
    expect(phone.get_by_role("complementary", name="Traffic")).to_be_visible()


def test_a_page_without_an_address_opens_the_phone_of_last_time(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Ben").click()
    expect(phone).to_have_title("Ben · emulator")
    phone.goto("about:blank")
    phone.goto(business.graph)
    expect(phone).to_have_title("Ben · emulator")


def test_a_phone_that_is_being_opened_does_not_take_the_place_of_one_asked_for_since(phone: Page) -> None:
    """The URL is Ana's again before the page handles the change to Ben."""
    asked = "([ben, ana]) => { location.hash = ben; history.replaceState(null, '', ana); }"
    phone.evaluate(asked, [f"#{BEN}", f"#{ANA}"])
    expect(phone).to_have_title("Ben · emulator")


def test_a_reset_empties_the_page(phone: Page, business: Business) -> None:
    business.writes("soon gone")
    expect(bubble(phone, "soon gone")).to_be_visible()
    business.control("reset")
    expect(log(phone).get_by_role("heading", name="Write hello")).to_be_visible()


def test_the_page_comes_back_with_the_emulator(phone: Page, business: Business) -> None:
    business.control("refuse", {"seconds": 0.3})
    expect(phone.get_by_text("The emulator is unavailable.")).to_be_visible()
    expect(phone.get_by_text("The emulator is unavailable.")).to_have_count(0)
    business.writes("back again")
    expect(bubble(phone, "back again")).to_be_visible()


def test_who_reads_above_keeps_the_place_when_the_page_connects_again(phone: Page, business: Business) -> None:
    """A page that was hidden for ten seconds connects again, too."""
    with business.away():
        for number in range(160):
            business.writes(f"message {number}.")
    expect(bubble(phone, "message 159.")).to_be_visible()
    phone.reload()
    phone.get_by_role("button", name="Show earlier messages").click()
    bubble(phone, "message 1.").scroll_into_view_if_needed()
    business.control("refuse", {"seconds": 0.3})
    expect(phone.get_by_text("The emulator is unavailable.")).to_be_visible()
    expect(phone.get_by_text("The emulator is unavailable.")).to_have_count(0)
    business.text("back again")
    expect(bubble(phone, "back again")).to_have_count(1)
    expect(bubble(phone, "message 1.")).to_be_in_viewport()


def test_a_missing_business_is_told_with_what_to_do(phone: Page, business: Business) -> None:
    with business.away():
        phone.reload()
        expect(phone.get_by_text(f"WHATSAPP_API_BASE_URL={business.graph}")).to_be_visible()


def test_a_long_history_comes_in_parts(phone: Page, business: Business) -> None:
    with business.away():
        for number in range(160):
            business.writes(f"message {number}.")
            if number % 40 == 39:  # the page follows at its pace
                expect(bubble(phone, f"message {number}.")).to_be_visible()
    phone.reload()
    expect(log(phone).get_by_role("article")).to_have_count(150)
    phone.get_by_role("button", name="Show earlier messages").click()
    expect(log(phone).get_by_role("article")).to_have_count(160)


def test_ticks_that_turn_do_not_draw_a_message_anew(phone: Page, business: Business) -> None:
    business.control("webhooks/hold")
    business.writes("hi")
    business.send(buttons_message("Yes"))
    button = log(phone).get_by_role("button", name="Yes")
    button.evaluate("button => { button.dataset.seen = 'yes'; }")
    business.control("webhooks/release")
    expect(tick(phone, "Which room?")).to_have_accessible_name("Read")
    expect(button).to_have_attribute("data-seen", "yes")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_chosen_colours_are_kept(business: Business, open_page: OpenPage, scheme: str) -> None:
    page = open_page(business, color_scheme="dark" if scheme == "light" else "light")
    page.get_by_role("button", name="Colours: system").click()
    if scheme == "dark":
        page.get_by_role("button", name="Colours: light").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == scheme
