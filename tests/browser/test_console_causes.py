"""From "a customer with this number got no answer" to the reason in three clicks, for each cause."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console_site import ANA, BEN, CLEO, DAN, EVE, ConsoleSite
from tests.browser.console_steps import find

Open = Callable[..., Page]
# Not in the capturing phase: Playwright stops a click that missed because the page moved, and clicks again.
_COUNT = """addEventListener("click", (event) => event.isTrusted &&
  sessionStorage.setItem("clicks", Number(sessionStorage.getItem("clicks") ?? 0) + 1))"""

CAUSES = {
    "the window was closed": (BEN, "More than 24 hours have passed. (code 131047)"),
    "STOP": (CLEO, "The customer has said STOP, and this template is marketing."),
    "a dead letter": (DAN, "It could not be handled and is a dead letter."),
    "an unknown send": (EVE, "It was sent, and Meta did not respond."),
    "paused by an echo": (ANA, "A person of the business has taken over"),
}


def clicks(page: Page) -> int:
    return int(page.evaluate('sessionStorage.getItem("clicks") ?? 0'))


@pytest.fixture
def page(open_console: Open) -> Page:
    page = open_console()
    page.add_init_script(_COUNT)
    page.reload()
    assert clicks(page) == 0
    return page


@pytest.mark.parametrize("cause", CAUSES)
def test_three_clicks_lead_to_the_reason(page: Page, cause: str) -> None:
    """With the number at hand: Conversations, Search, and the story of the message with its steps."""
    customer, reason = CAUSES[cause]
    find(page, customer)
    note = page.get_by_role("note").filter(has_text=reason).first
    expect(note).to_be_visible()
    assert clicks(page) == 2
    page.get_by_role("article").filter(has_text=reason).first.get_by_role("link", name="Story").click()
    expect(page.get_by_role("heading", name="Story of a message")).to_be_visible()
    expect(page.get_by_role("note")).to_contain_text(reason)
    assert clicks(page) == 3


def test_the_echo_that_paused_the_bot_stands_above(page: Page) -> None:
    find(page, ANA)
    texts = page.get_by_role("article").all_inner_texts()
    echo = next(i for i, text in enumerate(texts) if "Staff, in the app" in text)
    assert "And is there parking?" in texts[echo + 1]
    expect(page.get_by_role("note").filter(has_text="the echo is above")).to_be_visible()


def test_the_third_click_may_lead_to_the_letter_itself(page: Page, site: ConsoleSite) -> None:
    find(page, DAN)
    page.get_by_role("link", name="Its dead letter").click()
    expect(page.get_by_role("row").filter(has_text="Is the pool open?")).to_contain_text("KeyError")
    assert clicks(page) == 3
