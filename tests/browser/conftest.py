"""One browser and one emulator for the session; each test resets the emulated world.

Most tests share a tab and reload it. Those that only watch the conversation do not even reload it.

Playwright keeps an event loop in the main thread while it runs, so browser tests run together, after all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.browser.console_site import ConsoleSite, console_site, play
from tests.browser.console_steps import sign_in
from tests.browser.stand_in import ANA, NUMBER, OTHER_NUMBER, Business, OpenPage, emulator_for
from tests.eventually import eventually

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
    """Debian's Chromium, headless, with a fake microphone."""
    chromium = require_program("chromium", "chromium-browser", "google-chrome")
    expect.set_options(timeout=_MILLISECONDS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def world() -> Iterator[Business]:
    """A business and its emulator for the session. Tests use it through `business`, which resets it."""
    with Business() as business, emulator_for(business) as emulator:
        business.graph = emulator.url
        yield business


@pytest.fixture
def business(world: Business) -> Business:
    """The business after a reset: nobody has written yet, and Meta's pair limit is off."""
    world.start_over()
    return world


@pytest.fixture
def two_numbers() -> Iterator[Business]:
    """A business with two numbers."""
    with Business() as business, emulator_for(business, phone_number_ids=(NUMBER, OTHER_NUMBER)) as emulator:
        business.graph = emulator.url
        yield business


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Errors in the browser's console; any of them fails the test."""
    found: list[str] = []
    yield found
    # The page reports a rejected control call itself; the browser logs it as well.
    assert [complaint for complaint in found if "Failed to load resource" not in complaint] == []


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[OpenPage]:
    """Open the page of a business's emulator, in a new browser context or in a given one."""
    opened: list[BrowserContext | Page] = []

    def open_one(
        business: Business, wa_id: str = ANA, context: BrowserContext | None = None, **options: object
    ) -> Page:
        if context is None:
            context = _context(browser, **options)
            opened.append(context)
        page = context.new_page()
        opened.append(page)
        _listen(page, complaints)
        _load(page, business, wa_id)
        return page

    yield open_one
    for each in reversed(opened):
        each.close()


@pytest.fixture(scope="session")
def desk(browser: Browser) -> Iterator[Page]:
    """A wide tab for the session; a new tab for each test would double the duration of the suite."""
    context = _context(browser)
    yield context.new_page()
    context.close()


@pytest.fixture
def phone(desk: Page, business: Business, complaints: list[str]) -> Iterator[Page]:
    """Ana's phone, newly loaded, with empty browser storage."""
    with _heard(desk, complaints):
        _load_anew(desk, business)
        yield desk


@pytest.fixture
def watching(desk: Page, business: Business, complaints: list[str]) -> Iterator[Page]:
    """Ana's phone as the last test left it, without its messages; reloaded only where more was left."""
    with _heard(desk, complaints):
        if not desk.url.startswith(business.graph) or desk.evaluate(_LEFT_BEHIND):
            _load_anew(desk, business)
        desk.evaluate("hash => { location.hash = hash; }", f"#{ANA}")
        expect(desk).to_have_title("Ana · emulator")
        eventually(lambda: desk.evaluate(_SHOWN) == [message["id"] for message in business.shown()])
        yield desk


@pytest.fixture(scope="session")
def console(valkey_url: str, world: Business) -> Iterator[ConsoleSite]:
    """A service with its console for the session. Tests use it through `site`, which resets it."""
    with console_site(valkey_url, world.graph) as site:
        yield site


@pytest.fixture
def site(console: ConsoleSite, redis_client: redis.Redis, business: Business) -> ConsoleSite:
    """Five customers without an answer, each for a different reason, and nothing from other tests."""
    play(console)
    return console


@pytest.fixture(scope="session")
def signed_in(browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    """Browser contexts by the name of the key that is signed in; they keep their session and cache."""
    contexts: dict[str, BrowserContext] = {}
    yield contexts
    for context in contexts.values():
        context.close()


@pytest.fixture
def open_console(
    browser: Browser, site: ConsoleSite, complaints: list[str], signed_in: dict[str, BrowserContext]
) -> Iterator[Callable[..., Page]]:
    """Open the console in a tab, signed in with the named key; with options, in a separate context."""
    opened: list[BrowserContext] = []

    def open_one(key: str = "boss", **options: object) -> Page:
        if options:
            context = _context(browser, **options)
            opened.append(context)
        else:
            context = signed_in.get(key) or _context(browser)
            signed_in[key] = context
        page = context.new_page()
        _listen(page, complaints)
        sign_in(page, site, key)
        return page

    yield open_one
    for each in opened:
        each.close()
    for context in signed_in.values():
        for tab in context.pages:
            tab.close()


_LEFT_BEHIND = """() => document.querySelector("dialog, [popover], #traffic:not([hidden]), .toast") !== null
  || document.querySelector("#message-box")?.value !== "" """
_SHOWN = "() => [...document.querySelectorAll('.message')].map(each => each.dataset.id)"


def _context(browser: Browser, **options: object) -> BrowserContext:
    wanted: dict[str, Any] = {"viewport": {"width": 1100, "height": 760}, "reduced_motion": "reduce", **options}
    context = browser.new_context(**wanted)
    context.set_default_timeout(_MILLISECONDS)
    return context


def _load(page: Page, business: Business, wa_id: str = ANA) -> None:
    page.goto(f"{business.graph}/#{wa_id}")
    # The list of phones is drawn once the page has the state; on a narrow screen it is hidden.
    page.locator(".entry").first.wait_for(state="attached")


def _load_anew(page: Page, business: Business) -> None:
    if page.url.startswith("http"):
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
    # The browser does not reload a page for a URL that differs only in its hash.
    page.goto("about:blank")
    _load(page, business)


def _listen(page: Page, complaints: list[str]) -> Callable[[], None]:
    def failed(error: Error) -> None:
        complaints.append(str(error))

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("pageerror", failed)
    page.on("console", said)

    def stop() -> None:
        page.remove_listener("pageerror", failed)
        page.remove_listener("console", said)

    return stop


@contextmanager
def _heard(page: Page, complaints: list[str]) -> Iterator[None]:
    stop = _listen(page, complaints)
    yield
    stop()
    page.unroute_all()
    page.context.clear_permissions()
