"""How the page shows every kind of message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pictures import png
from tests.browser.stand_in import ANA, Business
from tests.browser.steps import bubble, carousel_template, link_message, log, order_template

VOICE = Path(__file__).parents[1] / "voice" / "hib_03.ogg"


@pytest.fixture
def phone(watching: Page) -> Page:
    return watching


@pytest.fixture(autouse=True)
def open_window(business: Business) -> None:
    business.writes("hi")


def test_formatting_becomes_elements(phone: Page, business: Business) -> None:
    business.text("*bold* _italic_ ~struck~ `code` ```mono *block*``` 2*3*4 snake_case_name")
    shown = bubble(phone, "bold").locator(".words")
    expect(shown).to_have_text("bold italic struck code mono *block* 2*3*4 snake_case_name")
    assert shown.evaluate("words => [...words.children].map(child => `${child.tagName} ${child.textContent}`)") == [
        "STRONG bold",
        "EM italic",
        "S struck",
        "CODE code",
        "CODE mono *block*",
    ]


def test_marks_nest_and_end_with_their_line(phone: Page, business: Business) -> None:
    business.text("*_both_* and *left open\nnext* line")
    assert bubble(phone, "both").locator(".words").inner_html() == (
        "<strong><em>both</em></strong> and *left open\nnext* line"
    )


def test_text_is_never_markup(phone: Page, business: Business) -> None:
    business.text("<img src=x onerror=alert(1)> *<b>bold</b>*")
    shown = bubble(phone, "<img src=x").locator(".words")
    expect(shown).to_have_text("<img src=x onerror=alert(1)> <b>bold</b>")
    expect(shown.locator("img, b")).to_have_count(0)


def test_a_link_leads_out_and_tells_nothing(phone: Page, business: Business) -> None:
    business.text("see https://example.org/a?b=1_2_3. Or www.example.com!")
    links = bubble(phone, "see").get_by_role("link")
    expect(links).to_have_count(2)
    first, second = links.all()
    assert (first.get_attribute("href"), first.get_attribute("rel")) == (
        "https://example.org/a?b=1_2_3",
        "noopener noreferrer nofollow",
    )
    assert second.get_attribute("href") == "https://www.example.com/"


def test_a_thousand_open_marks_do_not_stop_the_page(phone: Page, business: Business) -> None:
    business.text("*a _b ~c " * 450)
    business.text("still here")
    expect(bubble(phone, "still here")).to_be_visible()


def test_a_photo_opens_large_and_closes_by_escape(phone: Page, business: Business) -> None:
    photo = business.upload(png(32, 24), "image/png")
    business.send({"type": "image", "image": {"id": photo, "caption": "the view"}})
    small = bubble(phone, "the view").get_by_role("button", name="Open Photo: the view")
    small.click()
    expect(phone.get_by_role("dialog").get_by_role("img", name="Photo: the view")).to_be_visible()
    phone.keyboard.press("Escape")
    expect(small).to_be_focused()


def test_a_photo_that_is_none_says_so(phone: Page, business: Business) -> None:
    business.send({"type": "image", "image": {"id": business.upload(b"no picture", "image/png")}})
    expect(log(phone)).to_contain_text("Photo cannot be shown")


def test_a_file_by_link_is_not_fetched(phone: Page, business: Business) -> None:
    business.send({"type": "image", "image": {"link": "https://example.org/a.png"}})
    link = log(phone).get_by_role("link")
    expect(link).to_contain_text("Photo by link")
    expect(link).to_have_attribute("href", "https://example.org/a.png")


def test_a_document_is_downloaded_under_its_name(phone: Page, business: Business) -> None:
    bill = business.upload(b"%PDF-1.4 bill", "application/pdf")
    business.send({"type": "document", "document": {"id": bill, "filename": "bill.pdf", "caption": "your bill"}})
    with phone.expect_download() as download:
        bubble(phone, "your bill").get_by_role("link", name="Download bill.pdf").click()
    assert download.value.suggested_filename == "bill.pdf"


def test_a_voice_note_plays_and_the_business_is_told(phone: Page, business: Business) -> None:
    note = business.upload(VOICE.read_bytes(), "audio/ogg")
    business.send({"type": "audio", "audio": {"id": note, "voice": True}})
    player = log(phone).get_by_role("group", name="Voice note")
    player.get_by_role("button", name="Play voice note").click()
    expect(log(phone).get_by_role("img", name="Played")).to_be_visible()
    expect(player.get_by_role("slider", name="Position")).to_have_attribute("aria-valuetext", "0:03 of 0:03")


def test_a_voice_note_has_a_length_and_a_speed(phone: Page, business: Business) -> None:
    note = business.upload(VOICE.read_bytes(), "audio/ogg")
    business.send({"type": "audio", "audio": {"id": note, "voice": True}})
    player = log(phone).get_by_role("group", name="Voice note")
    player.get_by_role("button", name="Speed 1×").click()
    expect(player.get_by_role("button", name="Speed 1.5×")).to_be_visible()
    expect(player.locator(".length")).to_have_text("0:03")


def test_a_video_has_the_browsers_controls(phone: Page, business: Business) -> None:
    business.send(
        {"type": "video", "video": {"id": business.upload(b"\0\0\0\x18ftypmp42", "video/mp4"), "caption": "clip"}}
    )
    expect(bubble(phone, "clip").locator("video")).to_have_attribute("controls", "")


def test_a_sticker_stands_without_a_bubble(phone: Page, business: Business) -> None:
    business.send({"type": "sticker", "sticker": {"id": business.upload(b"RIFF\0\0\0\0WEBP", "image/webp")}})
    expect(log(phone).locator(".message.bare .sticker")).to_have_count(1)


def test_a_place_has_its_name_and_coordinates(phone: Page, business: Business) -> None:
    place = {"latitude": 38.7075, "longitude": -9.1364, "name": "Harbour Hotel", "address": "Rua do Cais 12"}
    business.send({"type": "location", "location": place})
    expect(log(phone).get_by_role("group", name="Location Harbour Hotel")).to_contain_text("38.70750° N, 9.13640° W")


def test_a_contact_has_name_and_number(phone: Page, business: Business) -> None:
    bea = {"name": {"formatted_name": "Bea Souza", "first_name": "Bea"}, "phones": [{"phone": "+44 7700 900456"}]}
    business.send({"type": "contacts", "contacts": [bea]})
    expect(log(phone).get_by_role("group", name="Contact Bea Souza")).to_contain_text("+44 7700 900456")


def test_a_template_is_shown_filled_in(phone: Page, business: Business) -> None:
    business.send(order_template())
    shown = bubble(phone, "your order ships today")
    expect(shown).to_contain_text("Order A-77")
    expect(shown).to_contain_text("Reply stop to end these notes")
    expect(shown.get_by_role("link", name="Track it")).to_have_attribute("href", "https://example.org/track/A-77")


def test_a_carousel_has_its_cards(phone: Page, business: Business) -> None:
    business.send(carousel_template(business.upload(png(32, 24), "image/png")))
    cards = log(phone).get_by_role("list", name="Cards").get_by_role("listitem")
    expect(cards).to_contain_text(["Meet Aloe", "Meet Fern"])


def test_a_link_button_leads_out(phone: Page, business: Business) -> None:
    business.send(link_message("https://shop.example.com/"))
    expect(log(phone).get_by_role("link", name="See the shop")).to_have_attribute("target", "_blank")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"type": "hologram", "hologram": {"depth": 3}}, '"depth": 3'),
        ({"type": "text", "text": None}, "text"),
        ({"type": "location", "location": {"latitude": "north"}}, '"latitude": "north"'),
        ({"type": "interactive", "interactive": {"type": "teleport"}}, '"teleport"'),
        ({"type": "contacts", "contacts": [None]}, "contacts"),
    ],
)
def test_an_unknown_shape_is_a_card_with_its_json(
    phone: Page, business: Business, message: dict[str, Any], told: str
) -> None:
    business.control(f"phones/{ANA}/messages", message)
    expect(log(phone).locator(".json-card")).to_contain_text(told)


def test_a_deleted_message_says_so(phone: Page, business: Business) -> None:
    wamid = business.writes("a secret")
    expect(bubble(phone, "a secret")).to_be_visible()
    business.control(f"phones/{ANA}/messages", {"type": "revoke", "revoke": {"original_message_id": wamid}})
    expect(bubble(phone, "This message was deleted.")).to_be_visible()
    expect(bubble(phone, "a secret")).to_have_count(0)


def test_an_edited_message_says_so(phone: Page, business: Business) -> None:
    wamid = business.writes("helo")
    changed = {"original_message_id": wamid, "message": {"type": "text", "text": {"body": "hello there"}}}
    business.control(f"phones/{ANA}/messages", {"type": "edit", "edit": changed})
    expect(bubble(phone, "hello there")).to_contain_text("edited")


def test_text_from_right_to_left_runs_from_right_to_left(phone: Page, business: Business) -> None:
    business.text("مرحبا *بكم* في الفندق")
    words = bubble(phone, "مرحبا").locator(".words")
    assert words.evaluate("words => getComputedStyle(words).direction") == "rtl"
