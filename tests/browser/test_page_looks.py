"""The looks of the page: widths, colours, names, and nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pictures import png
from tests.browser.stand_in import ANA, Business, OpenPage
from tests.browser.steps import act, box, buttons_message, log, order_template

NARROW = {"width": 360, "height": 740}


def talk(business: Business) -> None:
    """One of each element that has its own colour."""
    first = business.writes("Hello, see https://example.org and `code`")
    business.read(first)
    business.text("*Welcome* https://example.org", context={"message_id": first})
    business.send(buttons_message("Harbour view"))
    business.send(order_template())
    business.send(
        {"type": "document", "document": {"id": business.upload(b"%PDF", "application/pdf"), "filename": "bill.pdf"}}
    )
    business.control(f"phones/{ANA}/messages", {"type": "hologram", "hologram": {"depth": 3, "name": "x"}})
    business.control("faults", {"kind": "failed_status", "code": 131026, "details": "Asked to fail.", "count": 1})
    business.text("doomed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(business: Business, open_page: OpenPage, scheme: str) -> None:
    talk(business)
    page = open_page(business, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    expect(log(page).get_by_role("article")).to_have_count(7)
    act(page, "Welcome", "Traffic of this message")
    page.locator(".exchange summary").first.click()
    expect(page.get_by_role("region", name="Request body")).to_be_visible()
    found = page.evaluate((Path(__file__).parent / "contrast.js").read_text(encoding="utf-8"))
    assert found["poor"] == []
    assert found["seen"] > 50


def test_light_and_dark_are_two_looks(business: Business, open_page: OpenPage) -> None:
    backgrounds = {
        scheme: open_page(business, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert backgrounds["light"] != backgrounds["dark"]


def test_a_phones_width_shows_one_thing_at_a_time(business: Business, open_page: OpenPage) -> None:
    page = open_page_narrow(business, open_page)
    expect(box(page)).to_be_visible()
    expect(page.get_by_role("navigation", name="Phones")).not_to_be_visible()
    page.get_by_role("button", name="All phones").click()
    expect(box(page)).not_to_be_visible()
    page.get_by_role("button", name="Ben").click()
    expect(page.get_by_role("heading", name="Emulated business")).to_be_focused()
    expect(page.get_by_role("main")).to_contain_text("you are Ben")


def test_nothing_is_wider_than_a_phone(business: Business, open_page: OpenPage) -> None:
    talk(business)
    business.send({"type": "image", "image": {"id": business.upload(png(64, 48), "image/png"), "caption": "x" * 300}})
    page = open_page_narrow(business, open_page)
    expect(log(page).get_by_role("article")).to_have_count(8)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wide = "[...document.querySelectorAll('.bubble')].filter(each => each.getBoundingClientRect().right > innerWidth)"
    assert page.evaluate(f"{wide}.length") == 0


def test_the_drawer_covers_a_phones_width(business: Business, open_page: OpenPage) -> None:
    page = open_page_narrow(business, open_page)
    page.get_by_role("button", name="Traffic", exact=True).click()
    drawer = page.get_by_role("complementary", name="Traffic")
    size = drawer.bounding_box()
    assert size is not None
    assert (size["width"], size["height"]) == (NARROW["width"], NARROW["height"])
    drawer.get_by_role("button", name="Close the drawer").click()
    expect(box(page)).to_be_visible()


def test_the_page_says_whose_it_is_not(phone: Page) -> None:
    expect(phone.get_by_text("Not affiliated with Meta.")).to_be_visible()


def test_the_page_carries_nobodys_brand(phone: Page) -> None:
    assert "whatsapp" not in f"{phone.title()} {phone.locator('body').inner_text()}".lower()


def test_the_page_loads_nothing_from_elsewhere(business: Business, open_page: OpenPage) -> None:
    talk(business)
    page = open_page(business)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(log(page).get_by_role("article")).to_have_count(7)
    assert len(asked) > 20
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(business.graph).netloc}


def open_page_narrow(business: Business, open_page: OpenPage) -> Page:
    return open_page(business, viewport=NARROW)


@pytest.mark.parametrize("what", ["Location", "Contact"])
def test_the_forms_of_the_paper_clip_fit_a_phone_in_both_directions(
    business: Business, open_page: OpenPage, what: str
) -> None:
    page = open_page(business, viewport={"width": 390, "height": 740})
    page.evaluate("document.documentElement.dir = 'rtl'")
    page.get_by_role("button", name="Attach").click()
    choices = page.get_by_role("dialog", name="Attach")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    first, title = (
        choices.get_by_role("button", name="Files").locator("svg").bounding_box(),
        choices.get_by_role("button", name="Files").locator("strong").bounding_box(),
    )
    assert first is not None
    assert title is not None
    assert first["x"] > title["x"]
    choices.get_by_role("button", name=what).click()
    form = page.get_by_role("dialog", name=f"Send a {what.lower()}")
    form.get_by_label("Name").fill("ليلى")
    size = form.bounding_box()
    assert size is not None
    assert size["x"] >= 0
    assert size["x"] + size["width"] <= 390
    inside = "dialog => [...dialog.querySelectorAll('input, button')].every(each => each.offsetLeft >= 0)"
    assert form.evaluate(inside)
    assert form.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
