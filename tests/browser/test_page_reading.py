"""Reading on the page: the end of a conversation, long texts, lists, the title and the statuses."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser.pictures import png
from tests.browser.stand_in import BEN, Business, OpenPage
from tests.browser.steps import act, bubble, log, tick, write
from tests.eventually import eventually

_ABOVE_THE_END = """() => {
  const { scrollHeight, scrollTop, clientHeight } = document.querySelector(".scroller");
  return Math.round(scrollHeight - scrollTop - clientHeight);
}"""
_ALL_DRAWN = "[...document.images].every(image => image.complete && image.naturalHeight > 0)"


def test_a_reload_shows_the_end_also_where_pictures_stand_there(phone: Page, business: Business) -> None:
    business.writes("hi")
    for number in range(2):
        photo = business.upload(png(800, 600), "image/png")
        business.send({"type": "image", "image": {"id": photo, "caption": f"view {number}"}})
        business.text(f"answer {number}")
    expect(bubble(phone, "answer 1")).to_be_visible()
    for _ in range(3):
        phone.reload()
        expect(log(phone).get_by_role("article")).to_have_count(5)
        eventually(lambda: phone.evaluate(_ALL_DRAWN))
        eventually(lambda: phone.evaluate(_ABOVE_THE_END) == 0)


def test_who_has_scrolled_up_stays_there_and_finds_the_way_down(phone: Page, business: Business) -> None:
    with business.away():
        for number in range(40):
            business.writes(f"message {number}.")
    expect(bubble(phone, "message 39.")).to_be_visible()
    phone.locator(".scroller").evaluate("each => { each.scrollTop = 0; }")
    down = phone.get_by_role("button", name="To the newest message")
    expect(down).to_be_visible()
    business.text("late")
    expect(bubble(phone, "late")).to_have_count(1)
    assert phone.evaluate(_ABOVE_THE_END) > 100
    phone.get_by_role("button", name="1 new message").click()
    eventually(lambda: phone.evaluate(_ABOVE_THE_END) == 0)


def test_a_long_text_is_cut_until_it_is_asked_for(phone: Page, business: Business) -> None:
    business.writes("word " * 1_600)
    cut = bubble(phone, "word").bounding_box()
    phone.get_by_role("button", name="Read more").click()
    whole = bubble(phone, "word").bounding_box()
    assert cut is not None
    assert whole is not None
    assert whole["height"] > 2 * cut["height"]
    expect(phone.get_by_role("button", name="Read more")).to_have_count(0)


@pytest.mark.parametrize(("text", "tag"), [("- one\n- two", "ul"), ("* one\n* two", "ul"), ("1. one\n2. two", "ol")])
def test_a_list_is_drawn_as_one(phone: Page, business: Business, text: str, tag: str) -> None:
    business.writes(f"To do:\n{text}\nThat is all.")
    expect(bubble(phone, "To do:").locator(f"{tag} > li")).to_have_text(["one", "two"])


def test_a_quoted_line_is_drawn_as_a_quote(phone: Page, business: Business) -> None:
    business.writes("> you said so\nNo.")
    expect(bubble(phone, "No.").locator("blockquote")).to_have_text("you said so")


def test_read_ticks_do_not_look_like_a_failure(phone: Page, business: Business) -> None:
    business.read(business.writes("hi"))
    expect(tick(phone, "hi")).to_have_accessible_name("Read")
    colours = phone.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const probe = document.body.appendChild(document.createElement("i"));
          const colour = (name) => ((probe.style.color = `var(${name})`), getComputedStyle(probe).color);
          const ticks = document.querySelector(".ticks[data-status=read]");
          return [colour("--accent"), getComputedStyle(ticks).color];
        }"""
    )
    assert colours[0] == colours[1]


def test_ticks_of_the_business_say_who_is_told(phone: Page, business: Business) -> None:
    business.writes("hi")
    business.text("welcome")
    expect(tick(phone, "welcome")).to_have_attribute("title", re.compile("^Statuses sent to the business:"))


def test_the_title_counts_what_waits_on_other_phones(phone: Page, business: Business) -> None:
    business.writes("hi", BEN)
    business.text("one", BEN)
    expect(phone).to_have_title("(1) Ana · emulator")
    phone.get_by_role("button", name="Ben").click()
    expect(phone).to_have_title("Ben · emulator")


def test_the_window_is_told_on_a_phones_width(business: Business, open_page: OpenPage) -> None:
    page = open_page(business, viewport={"width": 390, "height": 800})
    expect(page.get_by_text("Window closed")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_everything_fits_its_column_beside_the_drawer(business: Business, open_page: OpenPage) -> None:
    page = open_page(business, viewport={"width": 1280, "height": 800})
    page.get_by_role("button", name="Traffic", exact=True).click()
    button, column = (
        page.get_by_role("button", name="With a number…").bounding_box(),
        page.get_by_role("navigation", name="Phones").bounding_box(),
    )
    assert button is not None
    assert column is not None
    assert button["x"] + button["width"] <= column["x"] + column["width"]


def test_a_note_covers_no_message(phone: Page) -> None:
    phone.route("**/phones/*/messages", lambda route: route.continue_(post_data='{"phone_number_id": "1"}'))
    write(phone, "important")
    note, composer = phone.locator(".toast").bounding_box(), phone.locator(".composer").bounding_box()
    assert note is not None
    assert composer is not None
    assert note["y"] + note["height"] < composer["y"] / 2


def test_the_drawer_says_which_message_or_status_a_call_is_about(phone: Page, business: Business) -> None:
    business.writes("hi")
    business.text("welcome")
    expect(tick(phone, "welcome")).to_have_accessible_name("Read")
    phone.get_by_role("button", name="Traffic", exact=True).click()
    calls = phone.get_by_role("list", name="Calls")
    for subject in ("message text · Ana", "send text · Ana", "status read · Ana"):
        expect(calls.get_by_text(subject).first).to_be_visible()


def test_a_call_that_is_under_way_is_shown(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Traffic", exact=True).click()
    calls = phone.get_by_role("list", name="Calls")
    with business.slow() as answer:
        business.writes("hi")
        expect(calls.get_by_text("in progress")).to_be_visible()
        answer.set()
    expect(calls.get_by_text("in progress")).to_have_count(0)
    expect(calls.locator(".status.good")).to_have_text("200")


def test_the_last_call_opens_into_sight(phone: Page, business: Business) -> None:
    for number in range(8):
        business.writes(f"hi {number}")
    phone.get_by_role("button", name="Traffic", exact=True).click()
    calls = phone.get_by_role("list", name="Calls").locator(".exchange")
    expect(calls.locator(".status.good")).to_have_count(8)
    last = calls.last
    last.locator("summary").first.click()
    expect(last.get_by_role("button", name="Copy as curl")).to_be_in_viewport()


def test_a_call_that_ends_while_the_list_of_calls_is_on_its_way_is_shown(phone: Page, business: Business) -> None:
    held: list[tuple[Route, APIResponse]] = []
    phone.route("**/_emulator/exchanges", lambda route: held.append((route, route.fetch())))
    with phone.expect_request("**/_emulator/exchanges"):
        phone.get_by_role("button", name="Traffic", exact=True).click()
    calls = phone.get_by_role("list", name="Calls").locator(".exchange")
    eventually(lambda: phone.evaluate("() => true") and held)
    business.writes("late")
    ended = calls.locator(".status.good")
    expect(ended).not_to_have_count(0)

    for route, response in held:
        route.fulfill(response=response)
    phone.unroute("**/_emulator/exchanges")

    expect(ended).to_have_count(len(business.control("exchanges", method="GET")["exchanges"]))


def test_json_without_content_is_refused_with_what_is_missing(phone: Page) -> None:
    phone.get_by_role("button", name="Send any message as JSON").click()
    phone.get_by_role("textbox", name="Message as JSON").fill('{"type": "button_reply"}')
    phone.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(phone.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "needs its content under the name button_reply. A button_reply belongs inside a message of type interactive."
    )


def test_each_reaction_is_seen_as_a_glyph_or_as_its_name(phone: Page, business: Business) -> None:
    business.writes("hi")
    act(phone, "hi", "React")
    words = (
        phone.get_by_role("dialog", name="React")
        .get_by_role("button")
        .evaluate_all("all => all.map(each => each.textContent || each.querySelector('small').textContent)")
    )
    assert len(words) == 18
    assert all(words)
