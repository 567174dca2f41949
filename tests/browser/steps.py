"""Steps that many tests take on the page. Elements are found by their accessible names."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page

Json = dict[str, Any]


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


def write(page: Page, text: str) -> None:
    box(page).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()


def bubble(page: Page, text: str) -> Locator:
    """The message with this text."""
    return page.get_by_role("log").get_by_role("article").filter(has_text=text)


def log(page: Page) -> Locator:
    return page.get_by_role("log", name="Messages")


def tick(page: Page, text: str) -> Locator:
    """The status icon of the message with this text; its accessible name is the status."""
    return bubble(page, text).get_by_role("img")


def act(page: Page, text: str, name: str) -> None:
    """Use a button in a message's toolbar."""
    bubble(page, text).hover()
    bubble(page, text).get_by_role("button", name=name, exact=True).click()


def buttons_message(*titles: str) -> Json:
    replies = [{"type": "reply", "reply": {"id": f"id-{title}", "title": title}} for title in titles]
    return _interactive({"type": "button", "body": {"text": "Which room?"}, "action": {"buttons": replies}})


def list_message() -> Json:
    stay = [{"id": "r1", "title": "Breakfast", "description": "When and where"}, {"id": "r2", "title": "Parking"}]
    sections = [{"title": "Your stay", "rows": stay}, {"title": "More", "rows": [{"id": "r3", "title": "A person"}]}]
    action = {"button": "Choose", "sections": sections}
    return _interactive({"type": "list", "body": {"text": "What can I do?"}, "action": action})


def link_message(url: str) -> Json:
    action = {"name": "cta_url", "parameters": {"display_text": "See the shop", "url": url}}
    return _interactive({"type": "cta_url", "body": {"text": "Our shop"}, "action": action})


def _interactive(content: Json) -> Json:
    return {"type": "interactive", "interactive": content}


def order_template() -> Json:
    """The seeded template, filled in: header, body, footer, a link and a quick reply."""
    texts = [{"type": "text", "text": text} for text in ("Ana", "today")]
    number = [{"type": "text", "text": "A-77"}]
    components: list[Json] = [
        {"type": "header", "parameters": number},
        {"type": "body", "parameters": texts},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": number},
    ]
    return _template("order_update", components)


def carousel_template(image_id: str) -> Json:
    cards = [
        {
            "card_index": position,
            "components": [
                {"type": "header", "parameters": [{"type": "image", "image": {"id": image_id}}]},
                {"type": "body", "parameters": [{"type": "text", "text": plant}]},
            ],
        }
        for position, plant in enumerate(("Aloe", "Fern"))
    ]
    return _template("plant_carousel", [{"type": "carousel", "cards": cards}])


def code_template(code: str) -> Json:
    given = [{"type": "text", "text": code}]
    components: list[Json] = [
        {"type": "body", "parameters": given},
        {"type": "button", "sub_type": "url", "index": "0", "parameters": given},
    ]
    return _template("one_time_code", components)


def _template(name: str, components: list[Json]) -> Json:
    template = {"name": name, "language": {"code": "en_US"}, "components": components}
    return {"type": "template", "template": template}
