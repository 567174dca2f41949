"""The console in a browser: live updates, the end of a session, no execution of customers' content, looks and axe."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.console_site import ANA, ConsoleSite
from tests.browser.console_steps import find
from tests.browser.pictures import png
from tests.browser.stand_in import NUMBER, Business

ROOT = Path(__file__).parents[2]
Open = Callable[..., Page]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES: tuple[str, ...] = (
    "",
    "/search",
    "/dead-letters",
    "/batches",
    "/subscriptions",
    "/templates",
    "/script",
    "/runbooks/queue-old",
)


def test_an_open_page_shows_what_comes_without_being_loaded(open_console: Open, site: ConsoleSite) -> None:
    page = open_console()
    find(page, ANA)
    page.get_by_label("Write to this customer").fill("half a sen")
    site.writes(ANA, "Are you there?", "wamid.A9")
    expect(page.get_by_role("region", name="Messages")).to_contain_text("Are you there?")
    expect(page.get_by_label("Write to this customer")).to_have_value("half a sen")


def test_the_way_back_from_a_result_leads_to_the_results(open_console: Open, site: ConsoleSite) -> None:
    page = open_console()
    page.goto(f"{site.url}/console/search")
    page.get_by_role("searchbox").fill("an")
    page.get_by_role("button", name="Search").click()
    results = page.get_by_role("region", name="2 found").get_by_role("link")
    expect(results).to_contain_text(["Ana Lima", "Dan Weiss"])
    expect(page.get_by_role("heading", name="2 found")).to_be_focused()
    results.first.click()
    expect(page.get_by_role("region", name="Messages")).to_be_visible()
    page.go_back()
    expect(results).to_have_count(2)
    expect(page.get_by_role("searchbox")).to_have_value("an")
    site.writes(ANA, "Are you there?", "wamid.A9")
    results.filter(has_text="Ana Lima").click()
    expect(page.get_by_role("region", name="Messages")).to_contain_text("Are you there?")


def test_the_late_answer_to_an_earlier_search_is_not_shown(open_console: Open, site: ConsoleSite) -> None:
    """The first search is answered only once the second one is shown."""
    held: list[Route] = []
    page = open_console()
    page.goto(f"{site.url}/console/search")
    page.route("**/console/search", lambda route: held.append(route), times=1)
    page.get_by_role("searchbox").fill("an")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("searchbox").fill("Ben Okafor, or nobody")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="0 found")).to_be_focused()
    with page.expect_response("**/console/search"):
        held[0].continue_()
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(page.get_by_role("heading", name="0 found")).to_be_visible()


def test_a_search_without_an_answer_leads_to_the_reason(open_console: Open, site: ConsoleSite) -> None:
    page = open_console()
    page.goto(f"{site.url}/console/search")
    other = page.context.new_page()
    other.goto(f"{site.url}/console/script")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_label("API key")).to_be_visible()
    page.get_by_role("searchbox").fill("an")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")


def test_days_and_times_are_the_reader_s(open_console: Open, site: ConsoleSite) -> None:
    now = datetime.now(UTC)
    zone, hours = ("Pacific/Kiritimati", 14) if now.hour >= 10 else ("Pacific/Niue", -11)
    local = now + timedelta(hours=hours)
    page = open_console(timezone_id=zone, locale="en-US")
    find(page, ANA)
    assert local.date() != now.date()
    expect(page.locator(".day")).to_have_text([f"{local:%b} {local.day}, {local.year}"])
    site.writes(ANA, "Are you there?", "wamid.A9")
    message = page.get_by_role("article").filter(has_text="Are you there?")
    shown = message.get_by_role("time").first.inner_text()
    expect(message).to_have_accessible_name(f"Customer {shown}")
    expect(page.locator(".day")).to_have_count(1)


def test_a_session_that_ends_leads_to_the_sign_in_and_changes_nothing(open_console: Open, site: ConsoleSite) -> None:
    page = open_console()
    find(page, ANA)
    other = page.context.new_page()
    other.goto(f"{site.url}/console/script")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    other.get_by_label("Try a sentence").fill("hello")
    other.get_by_role("button", name="Try").click()
    expect(other.get_by_role("alert")).to_contain_text("Your session has ended")


def test_a_page_that_follows_leads_to_the_sign_in_once_the_session_is_over(
    open_console: Open, site: ConsoleSite
) -> None:
    page = open_console()
    find(page, ANA)
    other = page.context.new_page()
    other.goto(f"{site.url}/console/script")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_label("API key")).to_be_visible()
    site.writes(ANA, "Is anybody there?", "wamid.LATE")
    expect(page.get_by_label("API key")).to_be_visible()
    expect(page.get_by_role("main")).not_to_contain_text("Is anybody there?")


def test_a_picture_is_shown_and_what_is_gone_says_so(open_console: Open, site: ConsoleSite, business: Business) -> None:
    picture, paper = business.upload(png(), "image/png"), business.upload(b"%PDF-1.4", "application/pdf", "bill.pdf")
    site.writes(ANA, "", "wamid.P1", type="image", image={"id": picture, "mime_type": "image/png"})
    site.writes(ANA, "", "wamid.P2", type="document", document={"id": paper, "filename": "bill.pdf"})
    site.writes(ANA, "", "wamid.P3", type="image", image={"id": "404", "mime_type": "image/png"})
    page = open_console()
    find(page, ANA)
    shown = page.locator("[data-file] img")
    expect(shown).to_have_count(1)  # the missing one was replaced by a sentence
    shown.evaluate("image => image.decode()")
    assert shown.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [480, 320]
    expect(page.get_by_role("main")).to_contain_text("It cannot be shown: Meta no longer has it")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Open the file").click()
    assert saved.value.path().read_bytes() == b"%PDF-1.4"
    shown.evaluate("image => { image.dataset.same = 'yes'; }")
    site.writes(ANA, "Did you get them?", "wamid.P4")
    expect(page.get_by_role("region", name="Messages")).to_contain_text("Did you get them?")
    expect(shown).to_have_attribute("data-same", "yes")  # it is fetched once, even when the page around it is updated


def test_a_picture_that_was_refused_before_the_script_ran_says_so(open_console: Open, site: ConsoleSite) -> None:
    site.writes(ANA, "", "wamid.P5", type="image", image={"id": "404", "mime_type": "image/png"})
    page = open_console()
    find(page, ANA)
    held: list[Route] = []
    page.route("**/console/static/files.js", lambda route: held.append(route))
    with page.expect_response(lambda response: response.url.endswith("/file") and response.status == 404):
        page.reload(wait_until="commit")
    page.wait_for_function("() => document.querySelector('[data-file] img').complete")

    held.pop().continue_()

    expect(page.get_by_role("main")).to_contain_text("It cannot be shown: Meta no longer has it")


def test_what_a_customer_writes_runs_nothing(open_console: Open, site: ConsoleSite) -> None:
    site.writes(ANA, "<img src=x onerror='document.title=1'><script>document.title=2</script>", "wamid.X")
    page = open_console()
    find(page, ANA)
    expect(page.get_by_role("region", name="Messages")).to_contain_text("<img src=x")
    site.writes(ANA, "<svg onload='document.title=3'>", "wamid.Y")
    expect(page.get_by_role("region", name="Messages")).to_contain_text("<svg onload")
    expect(page).to_have_title("Ana Lima · wa_service")


def every_page(page: Page, site: ConsoleSite) -> Iterator[str]:
    for path in PAGES:
        page.goto(f"{site.url}/console{path}")
        yield path or "/"
    find(page, ANA)
    yield "conversation"
    address = page.url.partition("#")[0]
    page.goto(f"{address}/template?name=order_update&language=en_US")
    yield "template"
    page.goto(f"{address}/forget")
    yield "forget"
    page.goto(address)
    page.get_by_role("link", name=re.compile("^Story")).first.click()
    expect(page.get_by_role("heading", name="Story of a message")).to_be_visible()
    yield "story"
    page.goto(f"{site.url}/console/batches/{site.batch}")
    yield "batch"
    page.goto(f"{site.url}/console/templates/order_update/en_US")
    yield "test of a template"
    page.goto(f"{site.url}/console/script")
    page.get_by_label("Try a sentence").fill("what time is breakfast")
    with site.trials_answered():
        page.get_by_role("button", name="Try").click()
        expect(page.get_by_role("status")).to_contain_text("breakfast")
    yield "trial of a sentence"


def test_nothing_is_wider_than_a_phone(open_console: Open, site: ConsoleSite) -> None:
    page = open_console(viewport={"width": 390, "height": 844})
    wide = [
        name
        for name in every_page(page, site)
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ]
    assert wide == []


def test_a_long_tag_is_not_wider_than_a_phone(open_console: Open, site: ConsoleSite) -> None:
    tag = "spring" * 10
    items = [{"to": ANA}]
    batch = site.asks_for_batch({"message": {"type": "text", "text": {"body": "hi"}}, "items": items, "tag": tag})
    page = open_console(viewport={"width": 360, "height": 740})
    for path in ("/batches", f"/batches/{batch}"):
        page.goto(f"{site.url}/console{path}")
        expect(page.get_by_role("main")).to_contain_text(tag)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_long_name_is_not_wider_than_a_phone(open_console: Open, site: ConsoleSite) -> None:
    """As long as WhatsApp lets a name be, without a space."""
    message = {"from": ANA, "id": "wamid.LONG", "timestamp": "1795858200", "type": "text", "text": {"body": "hi"}}
    contact = {"profile": {"name": "W" * 25}, "wa_id": ANA}
    metadata = {"display_phone_number": "15550001111", "phone_number_id": NUMBER}
    site.deliver("messages", {"metadata": metadata, "contacts": [contact], "messages": [message]})
    page = open_console(viewport={"width": 320, "height": 740})
    page.goto(f"{site.url}/console/search")
    for link in (None, page.get_by_role("link", name="W" * 25)):
        if link:
            link.click()
        expect(page.get_by_role("main")).to_contain_text("W" * 25)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


def axe_source() -> str:
    """The source of axe-core from a local or global npm install. Without it the test skips, or fails with CI=true."""
    places = [ROOT / "node_modules"]
    if npm := shutil.which("npm"):
        found = subprocess.run([npm, "root", "--global"], capture_output=True, text=True, check=False, timeout=30)
        places.append(Path(found.stdout.strip()))
    for place in places:
        if (script := place / "axe-core" / "axe.min.js").is_file():
            return script.read_text("utf-8")
    if os.environ.get("CI") == "true":
        pytest.fail("axe-core is not installed here, and CI must not skip what needs it")
    pytest.skip("axe-core is not installed here: npm install --no-save axe-core@4")


def test_axe_finds_nothing_serious(open_console: Open, site: ConsoleSite) -> None:
    source = axe_source()
    page = open_console(bypass_csp=True)
    found: list[str] = []
    for name in every_page(page, site):
        page.evaluate(source)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found += [
                f"{name}, {scheme}: {each['id']} {each['nodes'][0]['target']} {each['nodes'][0]['failureSummary']}"
                for each in result["violations"]
                if each["impact"] in {"serious", "critical"}
            ]
    assert found == []
