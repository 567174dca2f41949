"""Steps that many tests take in the console."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.console_site import KEYS, ConsoleSite


def sign_in(page: Page, site: ConsoleSite, key: str = "boss") -> None:
    """Open the console, and sign in with the named key unless the context is signed in."""
    page.goto(f"{site.url}/console")
    if page.url.partition("?")[0].endswith("/sign-in"):
        page.get_by_label("API key").fill(KEYS[key])
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Now")).to_be_visible()


def find(page: Page, wanted: str) -> None:
    """Search for a conversation and open it, in two clicks."""
    page.get_by_role("link", name="Conversations").click()
    page.get_by_role("searchbox").fill(wanted)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("region", name="Messages")).to_be_visible()


def tab_to(page: Page, name: str, presses: int = 80) -> None:
    """Press Tab until the element with this name has the focus."""
    focused = "(e => e.ariaLabel || e.labels?.[0]?.innerText || e.innerText || '')(document.activeElement)"
    seen: list[str] = []
    for _ in range(presses):
        page.keyboard.press("Tab")
        seen.append(str(page.evaluate(focused)))
        if name in seen[-1]:
            return
    raise AssertionError(f"{name} cannot be reached, only {seen}")
