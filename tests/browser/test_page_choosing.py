"""Press buttons, pick list rows and react on the page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pictures import png
from tests.browser.stand_in import ANA, Business
from tests.browser.steps import (
    act,
    bubble,
    buttons_message,
    carousel_template,
    code_template,
    list_message,
    log,
    order_template,
)
from tests.eventually import eventually


@pytest.fixture
def phone(watching: Page) -> Page:
    return watching


@pytest.fixture(autouse=True)
def open_window(business: Business) -> None:
    business.writes("hi")


def last_heard(business: Business) -> dict[str, object]:
    eventually(lambda: len(business.heard) == 2)
    return business.heard[-1]


def test_a_pressed_button_is_an_answer(phone: Page, business: Business) -> None:
    wamid = business.send(buttons_message("Harbour view", "Garden view"))
    log(phone).get_by_role("button", name="Garden view").click()
    expect(bubble(phone, "Garden view").last).to_have_attribute("data-direction", "out")
    heard = last_heard(business)
    assert heard["interactive"] == {
        "type": "button_reply",
        "button_reply": {"id": "id-Garden view", "title": "Garden view"},
    }
    assert heard["context"] == {"from": "15550783881", "id": wamid}


def test_a_list_is_a_sheet_to_pick_from(phone: Page, business: Business) -> None:
    business.send(list_message())
    log(phone).get_by_role("button", name="Choose").click()
    sheet = phone.get_by_role("dialog", name="Choose")
    expect(sheet.get_by_role("heading", level=3)).to_have_text(["Your stay", "More"])
    sheet.get_by_role("button", name="Breakfast When and where").click()
    expect(sheet).to_have_count(0)
    assert last_heard(business)["interactive"] == {
        "type": "list_reply",
        "list_reply": {"id": "r1", "title": "Breakfast", "description": "When and where"},
    }


@pytest.mark.parametrize(
    ("interactive", "listed"),
    [
        ({"type": "product", "action": {"catalog_id": "1", "product_retailer_id": "fern-2"}}, ["fern-2"]),
        ({"type": "catalog_message", "action": {"name": "catalog_message"}}, []),
    ],
    ids=["product", "catalog"],
)
def test_a_product_is_shown_and_ordered(
    phone: Page, business: Business, interactive: dict[str, Any], listed: list[str]
) -> None:
    business.send({"type": "interactive", "interactive": interactive | {"body": {"text": "Our plants"}}})

    shown = bubble(phone, "Our plants")
    expect(shown.get_by_role("listitem")).to_have_text(listed)
    shown.get_by_role("button", name="Order").click()
    phone.get_by_role("dialog").get_by_role("button", name="Send").click()
    assert last_heard(business)["type"] == "order"


def test_a_quick_reply_of_a_template_is_pressed(phone: Page, business: Business) -> None:
    business.send(order_template())
    log(phone).get_by_role("button", name="Stop").click()
    assert last_heard(business)["button"] == {"payload": "Stop", "text": "Stop"}


def test_a_quick_reply_of_a_card_is_pressed(phone: Page, business: Business) -> None:
    business.send(carousel_template(business.upload(png(8, 8), "image/png")))
    log(phone).get_by_role("button", name="More").last.click()
    heard = last_heard(business)
    assert (heard["type"], heard["button"]) == ("button", {"payload": "More", "text": "More"})


def test_a_code_is_copied(phone: Page, business: Business) -> None:
    phone.context.grant_permissions(["clipboard-read", "clipboard-write"])
    business.send(code_template("442211"))
    log(phone).get_by_role("button", name="Copy code").click()
    expect(phone.get_by_role("alert")).to_contain_text("Copied 442211.")
    assert phone.evaluate("navigator.clipboard.readText()") == "442211"


def test_a_request_for_the_place_is_answered_after_a_look(phone: Page, business: Business) -> None:
    action = {"name": "send_location"}
    asked = {"type": "location_request_message", "body": {"text": "Where are you?"}, "action": action}
    business.send({"type": "interactive", "interactive": asked})
    log(phone).get_by_role("button", name="Send location").click()
    phone.get_by_role("dialog").get_by_role("button", name="Send").click()
    assert last_heard(business)["type"] == "location"


def test_a_reaction_is_given_and_taken_back(phone: Page, business: Business) -> None:
    wamid = business.text("we are open")
    act(phone, "we are open", "React")
    phone.get_by_role("dialog", name="React").get_by_role("button", name="heart", exact=True).click()
    chip = bubble(phone, "we are open").get_by_role("button", name="You reacted ❤️. Remove it")
    expect(chip).to_be_visible()
    assert last_heard(business)["reaction"] == {"message_id": wamid, "emoji": "❤️"}
    chip.click()
    expect(chip).to_have_count(0)


def test_a_reaction_of_the_business_sits_on_the_message(phone: Page, business: Business) -> None:
    wamid = business.writes("thank you")
    business.send({"type": "reaction", "reaction": {"message_id": wamid, "emoji": "🎉"}})
    expect(bubble(phone, "thank you").locator(".chip")).to_have_text("The business reacted 🎉")
    expect(log(phone).get_by_role("article")).to_have_count(2)


def test_a_quote_leads_to_its_message(phone: Page, business: Business) -> None:
    wamid = business.writes("what is new?")
    business.text("a lot", context={"message_id": wamid})
    phone.get_by_role("button", name="Go to the quoted message: what is new?").click()
    expect(bubble(phone, "what is new?").first).to_be_focused()


def test_offers_are_stopped_and_taken_again(phone: Page, business: Business) -> None:
    told: list[object] = []
    phone.on("request", lambda request: told.append(request.post_data_json) if "preferences" in request.url else None)
    phone.get_by_role("button", name="Stop offers").click()
    again = phone.get_by_role("button", name="Resume offers")
    expect(again).to_be_visible()
    assert business.control(f"phones/{ANA}", method="GET")["marketing"] is False
    again.click()
    expect(phone.get_by_role("button", name="Stop offers")).to_be_visible()
    assert [one["value"] for one in told if isinstance(one, dict)] == ["stop", "resume"]
