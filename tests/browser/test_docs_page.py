"""The page at `/docs`: it shows calls with curl and examples, fits a phone screen, and loads nothing from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from playwright.sync_api import Browser, expect

from wa_service import runtime
from wa_service.config import settings
from wa_service.config.web_options import WebOptions
from wa_service.web.app import create_app

ENVIRONMENT = {
    "WHATSAPP_ACCESS_TOKEN": "token",
    "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
    "WHATSAPP_VERIFY_TOKEN": "verify",
    "WHATSAPP_APP_SECRET": "secret",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


class Silent(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Do not log requests."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    built = runtime.build(settings.load(ENVIRONMENT))
    app = create_app(built, WebOptions.of(built.settings))
    with make_server("127.0.0.1", 0, app, handler_class=Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
    built.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_reference_fits_and_asks_nobody_else(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    elsewhere: list[str] = []
    page.on("request", lambda call: elsewhere.append(call.url) if not call.url.startswith((address, "data:")) else None)

    page.goto(f"{address}/docs")

    expect(page.get_by_role("heading", name="wa_service", exact=True)).to_be_visible(timeout=30_000)
    expect(page.get_by_text("curl", exact=False).first).to_be_attached(timeout=30_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert elsewhere == []
    page.close()


def test_a_problem_s_type_leads_to_its_entry(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})

    page.goto(f"{address}/docs#unsent-bytes")

    expect(page.locator("tr:target code")).to_have_text("unsent-bytes")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
