"""One browser and one emulator for the session; each test starts the world over and has a browser context of its own.

Playwright keeps an event loop in the main thread as long as it lives, so browser tests run together, after all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.stand_in import ANA, NUMBER, OTHER_NUMBER, Business, OpenPage, emulator_for

_HERE = Path(__file__).parent
_MILLISECONDS = 5_000
_FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--mute-audio",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _HERE in item.path.parents)
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser(require_program: Callable[..., Path]) -> Iterator[Browser]:
    """Debian's Chromium without a window; its microphone hums."""
    chromium = require_program("chromium", "chromium-browser", "google-chrome")
    expect.set_options(timeout=_MILLISECONDS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def world() -> Iterator[Business]:
    """A business and the emulator it uses, for the session: tests take it through `business`, which starts it over."""
    with Business() as business, emulator_for(business) as emulator:
        business.graph = emulator.url
        yield business


@pytest.fixture
def business(world: Business) -> Business:
    """The other side; nobody has written yet, and Meta's pair limit is off."""
    world.start_over()
    return world


@pytest.fixture
def two_numbers() -> Iterator[Business]:
    """A business with two numbers."""
    with Business() as business, emulator_for(business, phone_number_ids=(NUMBER, OTHER_NUMBER)) as emulator:
        business.graph = emulator.url
        yield business


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open the page of a business's emulator; whatever the browser complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_one(
        business: Business, wa_id: str = ANA, context: BrowserContext | None = None, **options: object
    ) -> Page:
        if context is None:
            wide = {"width": 1100, "height": 760}
            context = browser.new_context(**{"viewport": wide, "reduced_motion": "reduce", **options})  # type: ignore[arg-type]  # Playwright's own keywords.
            context.set_default_timeout(_MILLISECONDS)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{business.graph}/#{wa_id}" if wa_id else business.graph)
        # The list of phones is drawn once the world is known; on a phone's width it is not in sight.
        page.locator(".entry").first.wait_for(state="attached")
        return page

    yield open_one
    for context in contexts:
        context.close()
    # A refused control call is the page's to tell; the browser notes it, too.
    assert [complaint for complaint in complaints if "Failed to load resource" not in complaint] == []


@pytest.fixture
def phone(business: Business, open_page: OpenPage) -> Page:
    """Ana's phone on a wide screen."""
    return open_page(business)
