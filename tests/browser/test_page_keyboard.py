"""The page without a mouse, and with a screen reader."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.stand_in import Business
from tests.browser.steps import box, bubble, list_message, log, write
from tests.eventually import eventually


def test_a_conversation_is_held_by_keys_alone(phone: Page, business: Business) -> None:
    business.answers = lambda message: [list_message()] if message["type"] == "text" else []
    phone.keyboard.press("Tab")
    expect(phone.get_by_role("link", name="Skip to the message box")).to_be_focused()
    phone.keyboard.press("Enter")
    expect(box(phone)).to_be_focused()
    phone.keyboard.type("hello")
    phone.keyboard.press("Enter")
    expect(log(phone).get_by_role("button", name="Choose")).to_be_visible()
    until_focused(phone, bubble(phone, "What can I do?"), "Shift+Tab")
    phone.keyboard.press("Tab")
    expect(log(phone).get_by_role("button", name="Choose")).to_be_focused()
    phone.keyboard.press("Enter")
    until_focused(phone, phone.get_by_role("dialog").get_by_role("button", name="Parking"), "Tab")
    phone.keyboard.press("Enter")
    eventually(lambda: len(business.heard) == 2)
    assert business.heard[-1]["interactive"]["list_reply"]["id"] == "r2"


def test_arrows_move_between_messages_and_only_one_is_in_the_order_of_tab(phone: Page, business: Business) -> None:
    for text in ("one", "two", "three"):
        business.writes(text)
    expect(bubble(phone, "three")).to_be_visible()
    assert log(phone).locator(".message[tabindex='0']").count() == 1
    bubble(phone, "three").focus()
    phone.keyboard.press("ArrowUp")
    expect(bubble(phone, "two")).to_be_focused()
    phone.keyboard.press("Home")
    expect(bubble(phone, "one")).to_be_focused()
    phone.keyboard.press("End")
    expect(bubble(phone, "three")).to_be_focused()


def test_a_reaction_is_given_by_keys(phone: Page, business: Business) -> None:
    business.writes("great news")
    bubble(phone, "great news").focus()
    until_focused(phone, bubble(phone, "great news").get_by_role("button", name="React"), "Tab")
    phone.keyboard.press("Enter")
    picker = phone.get_by_role("dialog", name="React")
    expect(picker.get_by_role("button", name="thumbs up")).to_be_focused()
    phone.keyboard.press("ArrowRight")
    phone.keyboard.press("Enter")
    expect(bubble(phone, "great news").get_by_role("button", name="You reacted ❤️")).to_be_visible()
    expect(picker).to_have_count(0)


def test_escape_leaves_the_emoji_and_gives_the_focus_back(phone: Page, business: Business) -> None:
    business.writes("great news")
    react = bubble(phone, "great news").get_by_role("button", name="React")
    bubble(phone, "great news").focus()
    until_focused(phone, react, "Tab")
    phone.keyboard.press("Enter")
    expect(phone.get_by_role("dialog", name="React")).to_be_visible()
    phone.keyboard.press("Escape")
    expect(react).to_be_focused()


def test_escape_leaves_a_dialog_and_gives_the_focus_back(phone: Page) -> None:
    settings = phone.get_by_role("button", name="Settings of this phone")
    settings.press("Enter")
    expect(phone.get_by_role("dialog", name="Phone of Ana")).to_be_visible()
    phone.keyboard.press("Escape")
    expect(settings).to_be_focused()


def test_the_focus_is_seen(phone: Page) -> None:
    phone.keyboard.press("Tab")
    phone.keyboard.press("Tab")
    outline = phone.evaluate(
        "(({ outlineStyle, outlineWidth }) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
    )
    assert outline[0] == "solid"
    assert float(outline[1].removesuffix("px")) >= 2


def test_every_control_has_a_name(phone: Page, business: Business) -> None:
    business.writes("hi")
    business.send(list_message())
    expect(bubble(phone, "What can I do?")).to_be_visible()
    controls = "button, input, select, textarea, a[href], [role=log], [role=group], [role=img], [role=list]"
    nameless = """all => all
      .filter(each => each.checkVisibility() && !each.ariaLabel && !each.labels?.length && !each.textContent.trim())
      .map(each => each.outerHTML)"""
    assert phone.locator(controls).evaluate_all(nameless) == []


def test_new_messages_are_read_out_and_the_history_is_not(phone: Page, business: Business) -> None:
    # A screen reader announces what is added while the log is live; a new status only changes the name of an element.
    expect(log(phone)).to_have_attribute("aria-live", "polite")
    log(phone).evaluate(
        """log => {
          window.live = [];
          new MutationObserver(() => window.live.push(log.getAttribute("aria-live")))
            .observe(log, { attributeFilter: ["aria-live"], attributeOldValue: true });
        }"""
    )
    phone.get_by_role("button", name="Ben").click()
    eventually(lambda: phone.evaluate("window.live.at(-1)") == "polite")
    assert phone.evaluate("window.live[0]") == "off"


def test_a_message_is_named_by_who_when_and_what(phone: Page) -> None:
    write(phone, "*good* morning")
    name = bubble(phone, "good morning").get_attribute("aria-label") or ""
    assert name.startswith("You, ")
    assert name.endswith(": good morning")


def until_focused(page: Page, wanted: Locator, key: str) -> None:
    """Press a key until the element has the focus, at most thirty times."""
    for _ in range(30):
        if wanted.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {wanted}")


def test_a_place_is_sent_by_keys_alone_and_the_focus_comes_back(phone: Page, business: Business) -> None:
    clip = phone.get_by_role("button", name="Attach")
    clip.focus()
    phone.keyboard.press("Enter")
    choices = phone.get_by_role("dialog", name="Attach")
    expect(choices.get_by_role("button", name="Files")).to_be_focused()
    phone.keyboard.press("ArrowDown")
    expect(choices.get_by_role("button", name="Location")).to_be_focused()
    phone.keyboard.press("Enter")
    form = phone.get_by_role("dialog", name="Send a location")
    expect(form.get_by_label("Latitude")).to_be_focused()
    phone.keyboard.press("Enter")
    expect(form).to_have_count(0)
    expect(clip).to_be_focused()
    eventually(lambda: business.heard)
    assert business.heard[0]["type"] == "location"


def test_escape_leaves_the_choice_of_what_to_attach(phone: Page) -> None:
    clip = phone.get_by_role("button", name="Attach")
    clip.focus()
    phone.keyboard.press("Enter")
    phone.keyboard.press("Escape")
    expect(phone.get_by_role("dialog")).to_have_count(0)
    expect(clip).to_be_focused()
