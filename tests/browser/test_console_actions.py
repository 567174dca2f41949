"""Every control of the console is used in a browser, by mouse, by keyboard alone, and in three roles."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import _context, _listen
from tests.browser.console_site import ANA, BEN, CLEO, DAN, KEYS, ConsoleSite
from tests.browser.console_steps import find, tab_to
from tests.browser.stand_in import NUMBER

Open = Callable[..., Page]


def lost(site: ConsoleSite, count: int) -> None:
    """Turn `count` messages of Ben into dead letters."""
    for i in range(count):
        site.writes(BEN, f"lost {i}", f"wamid.L{i}")
        site.handled(f"wamid.L{i}", letter="", kind="failed", reason="ValueError")


def actions(site: ConsoleSite) -> list[str]:
    """The actions of the console's events, in order."""
    headers = {"Authorization": f"Bearer {KEYS['boss']}"}
    items = site.client.get("/v1/events?kind=console", headers=headers).json["items"]
    return [item["data"]["action"] for item in items]


def closed(page: str) -> str:
    """The page as it is once the service window is closed: there is no box to write in."""
    return re.sub(r"<textarea.*?</textarea>", "", page, flags=re.DOTALL)


class TestConversation:
    def test_the_bot_is_paused_and_woken(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        find(page, ANA)
        page.get_by_role("button", name="Resume the bot").click()
        expect(page.get_by_text("answers", exact=True)).to_be_visible()
        page.get_by_label("Pause the bot for").select_option("4 hours")
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.get_by_text("paused", exact=True)).to_be_visible()
        assert actions(site) == ["wake", "pause"]

    def test_a_chosen_duration_stays_while_the_page_follows(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        find(page, BEN)
        page.get_by_label("Pause the bot for").select_option("4 hours")
        page.get_by_role("button", name="Pause", exact=True).focus()
        site.runtime.stops.apply(BEN, stop=True, by="words")
        site.writes(BEN, "One more question.", "wamid.B9")
        expect(page.get_by_text("STOP", exact=True)).to_be_visible()
        expect(page.get_by_label("Pause the bot for")).to_have_value("14400")
        expect(page.get_by_role("button", name="Pause", exact=True)).to_be_focused()

    def test_who_may_be_written_to_follows_the_service_window(self, open_console: Open, site: ConsoleSite) -> None:
        stranger = "447700900170"
        site.sends(stranger, "Hello!")
        page = open_console()
        find(page, stranger)
        expect(page.get_by_role("region", name="Write")).to_contain_text("The service window is closed")
        site.writes(stranger, "Who is this?", "wamid.S1")
        expect(page.get_by_label("Write to this customer")).to_be_visible()

    def test_a_draft_stays_where_the_window_closes_meanwhile(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        find(page, ANA)
        page.get_by_label("Write to this customer").fill("half a sen")
        page.get_by_role("link", name="Send a template").focus()
        address = f"{page.url.partition('#')[0]}*"
        page.route(address, lambda route: route.fulfill(body=closed(route.fetch().text()), content_type="text/html"))
        site.writes(ANA, "Are you there?", "wamid.A9")
        expect(page.get_by_role("region", name="Messages")).to_contain_text("Are you there?")
        expect(page.get_by_label("Write to this customer")).to_have_value("half a sen")

    def test_marketing_is_stopped_and_started(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        find(page, ANA)
        page.get_by_role("button", name="STOP: no marketing").click()
        expect(page.get_by_text("STOP", exact=True)).to_be_visible()
        page.get_by_role("button", name="START").click()
        expect(page.get_by_text("allowed", exact=True)).to_be_visible()
        assert actions(site) == ["stop", "start"]

    def test_a_text_is_written(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console("desk")
        find(page, ANA)
        page.get_by_label("Write to this customer").fill("Parking is free.")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("region", name="Messages")).to_contain_text("Parking is free.")
        expect(page.get_by_label("Write to this customer")).to_have_value("")

    def test_a_template_is_chosen_filled_in_seen_and_sent(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console("desk")
        find(page, BEN)
        page.get_by_role("link", name="send a template").click()
        page.get_by_role("link", name="order_update (en_US)").click()
        expect(page.get_by_role("button", name="Send", exact=True)).to_have_count(0)  # the preview must come first
        for box in page.get_by_role("main").get_by_role("textbox").all():
            box.fill("A-77")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("status", name="Preview")).to_contain_text("A-77")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("region", name="Messages")).to_contain_text("order_update (en_US)")

    def test_a_person_is_erased_once_the_word_is_typed(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        find(page, DAN)
        page.get_by_role("link", name="Erase this person").click()
        page.get_by_label("Type “forget”").fill("yes")
        page.get_by_role("button", name="Erase").click()
        expect(page.get_by_role("alert")).to_contain_text("Type the word “forget”")
        page.go_back()
        page.get_by_label("Type “forget”").fill("forget")
        page.get_by_role("button", name="Erase").click()
        expect(page.get_by_role("status")).to_contain_text("were erased")
        page.get_by_role("link", name="Back to conversations").click()
        expect(page.get_by_role("main")).not_to_contain_text("Dan Weiss")


class TestDeadLetters:
    def test_many_are_replayed_with_their_progress(self, open_console: Open, site: ConsoleSite) -> None:
        lost(site, 4)
        page = open_console("desk")
        page.get_by_role("link", name="Dead letters").click()
        page.wait_for_load_state("load")
        expect(page.get_by_role("button", name="Drop selected")).to_have_count(0)
        page.get_by_label("all", exact=True).check()
        page.get_by_role("button", name="Replay selected").click()
        expect(page.get_by_text("5 of 5 done.")).to_be_visible()
        expect(page.locator("tbody tr")).to_have_count(0)
        expect(page.get_by_role("progressbar")).to_have_js_property("value", 5)
        assert actions(site) == ["dead-letters replay"] * 5

    def test_some_are_dropped_and_the_others_stay(self, open_console: Open, site: ConsoleSite) -> None:
        lost(site, 2)
        page = open_console()
        page.get_by_role("link", name="Dead letters").click()
        page.wait_for_load_state("load")
        for box in page.get_by_role("checkbox", name="the letter of").all()[1:]:
            box.check()
        page.get_by_role("button", name="Drop selected").click()
        expect(page.get_by_text("2 of 2 done.")).to_be_visible()
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text("Is the pool open?")

    def test_one_that_is_gone_meanwhile_is_told_among_many(self, open_console: Open, site: ConsoleSite) -> None:
        lost(site, 1)
        page = open_console()
        page.get_by_role("link", name="Dead letters").click()
        page.wait_for_load_state("load")
        gone = page.get_by_role("checkbox", name="the letter of").last.get_attribute("value")
        site.runtime.dead_letters.drop(gone or "")
        page.get_by_label("all", exact=True).check()
        page.get_by_role("button", name="Replay selected").click()
        expect(page.get_by_text("2 of 2 done, 1 failed.")).to_be_visible()
        expect(page.locator("tbody tr")).to_contain_text(["It is no longer there."])

    def test_a_second_click_does_nothing_twice(self, open_console: Open, site: ConsoleSite) -> None:
        lost(site, 4)
        page = open_console("desk")
        page.get_by_role("link", name="Dead letters").click()
        page.wait_for_load_state("load")
        page.get_by_label("all", exact=True).check()
        page.get_by_role("button", name="Replay selected").dblclick()
        expect(page.get_by_text("5 of 5 done.", exact=True)).to_be_visible()
        expect(page.locator("tbody tr")).to_have_count(0)
        assert actions(site) == ["dead-letters replay"] * 5

    def test_a_second_click_before_the_answer_submits_nothing(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console("desk")
        page.get_by_role("link", name="Dead letters").click()
        page.wait_for_load_state("load")
        page.get_by_role("checkbox", name="the letter of").check()
        # Instead of submitting: a page that waits for an answer does not answer Playwright, either.
        page.evaluate(
            """() => document.addEventListener("submit", event => {
              (window.ignored ??= []).push(event.defaultPrevented);
              event.preventDefault();
            })"""
        )
        page.get_by_role("button", name="Replay selected").dblclick()
        assert page.evaluate("window.ignored") == [False, True]

    def test_where_the_service_is_away_for_one_of_many_the_others_go_on(
        self, open_console: Open, site: ConsoleSite
    ) -> None:
        lost(site, 2)
        page = open_console()
        page.get_by_role("link", name="Dead letters").click()
        page.wait_for_load_state("load")
        page.get_by_label("all", exact=True).check()
        page.route("**/console/dead-letters", lambda route: route.abort(), times=1)
        page.get_by_role("button", name="Replay selected").click()
        expect(page.get_by_text("3 of 3 done, 1 failed.")).to_be_visible()
        expect(page.locator("tbody tr")).to_contain_text(["It was not done. Try again."])

    def test_without_scripts_one_is_replayed_too(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console(java_script_enabled=False)
        page.get_by_role("link", name="Dead letters").click()
        page.get_by_role("checkbox", name="the letter of").check()
        page.get_by_role("button", name="Replay selected").click()
        expect(page.get_by_role("main")).to_contain_text("No dead letters.")


class TestBatches:
    def test_one_is_paused_resumed_and_canceled_and_shown_as_it_goes(
        self, open_console: Open, site: ConsoleSite
    ) -> None:
        page = open_console("boss")
        page.get_by_role("link", name="Batches").click()
        page.get_by_role("link", name=site.batch).click()
        expect(page.get_by_role("heading", name="Progress running")).to_be_visible()
        for action, state in (("Pause", "paused"), ("Resume", "running"), ("Cancel", "canceled")):
            page.get_by_role("button", name=f"{action} {site.batch}").click()
            expect(page.get_by_role("heading", name=f"Progress {state}")).to_be_visible()
        expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
        assert actions(site) == ["batch pause", "batch resume", "batch cancel"]

    def test_a_button_keeps_the_focus_while_the_page_follows(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        page.goto(f"{site.url}/console/batches")
        pause = page.get_by_role("button", name=f"Pause {site.batch}")
        pause.focus()
        other = site.asks_for_batch({"message": {"type": "text", "text": {"body": "hi"}}, "items": [{"to": ANA}]})
        expect(page.get_by_role("link", name=other)).to_be_visible(timeout=15_000)
        expect(pause).to_be_focused()

    def test_what_failed_stands_there_with_its_reason_and_story(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        page.goto(f"{site.url}/console/batches/{site.batch}")
        row = page.get_by_role("row").filter(has_text="The customer has said STOP")
        expect(row).to_contain_text(CLEO)
        row.get_by_role("link").click()
        expect(page.get_by_role("heading", name="Story of a message")).to_be_visible()

    def test_its_progress_comes_by_itself(self, open_console: Open, site: ConsoleSite) -> None:
        items = [{"to": f"44770090030{i}"} for i in range(3)]
        batch = site.asks_for_batch({"message": {"type": "text", "text": {"body": "hi"}}, "items": items})
        page = open_console()
        page.goto(f"{site.url}/console/batches/{batch}")
        expect(page.get_by_role("main")).to_contain_text("0 of 3 have left the batch")
        site.runtime.batches.feed(NUMBER, {})
        expect(page.get_by_role("main")).to_contain_text("3 of 3 have left the batch", timeout=15_000)


class TestSubscriptions:
    def test_one_is_paused_and_resumed(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        page.get_by_role("link", name="Subscriptions").click()
        card = page.get_by_role("region", name="sub_desk")
        card.get_by_role("button", name="Pause sub_desk").click()
        expect(card).to_contain_text("paused")
        card.get_by_role("button", name="Resume sub_desk").click()
        expect(card).to_contain_text("active")
        assert actions(site) == ["subscription pause", "subscription resume"]

    def test_one_is_tested(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        page.get_by_role("link", name="Subscriptions").click()
        page.get_by_role("button", name="Test sub_gone").click()
        expect(page.get_by_role("status")).to_contain_text("It did not answer")
        page.get_by_role("link", name="Back").click()
        expect(page.get_by_role("region", name="sub_gone")).to_be_visible()

    def test_one_is_replayed_from_a_cursor(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console()
        site.runtime.subscriptions.replay("sub_desk", "9999999999999-0")
        page.get_by_role("link", name="Subscriptions").click()
        card = page.get_by_role("region", name="sub_desk")
        card.get_by_label("Replay after").fill("0")
        card.get_by_role("button", name="Replay sub_desk").click()
        expect(page.get_by_role("heading", name="Subscriptions")).to_be_visible()
        assert site.runtime.subscriptions.get("sub_desk").cursor in {"0", "0-0"}
        assert actions(site) == ["subscription replay"]


class TestTemplatesAndScript:
    def test_a_test_is_sent(self, open_console: Open) -> None:
        page = open_console("desk")
        page.get_by_role("link", name="Templates").click()
        page.get_by_role("link", name="Send a test of hello_world (en_US)").click()
        page.get_by_label("Phone number").fill("+1 555 010 2030")
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("heading", name="Story of a message")).to_be_visible()

    def test_a_sentence_is_tried(self, open_console: Open) -> None:
        page = open_console("reader")
        page.get_by_role("link", name="Script", exact=True).click()
        page.get_by_label("Try a sentence").fill("what time is breakfast")
        page.get_by_role("button", name="Try").click()
        expect(page.get_by_role("status")).to_contain_text("breakfast")
        expect(page.get_by_role("table", name="Closest intents").get_by_role("row").nth(1)).to_contain_text("breakfast")


class TestRoles:
    def test_a_reader_looks_and_presses_nothing(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console("reader")
        find(page, "Ana")
        expect(page.get_by_role("main")).to_contain_text("447*******01")
        expect(page.get_by_role("main")).not_to_contain_text(ANA)
        expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
        expect(page.get_by_role("link", name="Subscriptions")).to_have_count(0)
        for path in ("/dead-letters", f"/batches/{site.batch}", "/templates"):
            page.goto(f"{site.url}/console{path}")
            expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
            expect(page.get_by_role("main").get_by_role("link", name="Send")).to_have_count(0)

    @pytest.mark.parametrize("path", ["/subscriptions", "/templates/hello_world/en_US"])
    def test_a_page_that_a_reader_must_not_see_says_so(self, open_console: Open, site: ConsoleSite, path: str) -> None:
        page = open_console("reader")
        page.goto(f"{site.url}/console{path}")
        expect(page.get_by_role("alert")).to_contain_text("This API key lacks the role")

    def test_the_desk_writes_and_neither_erases_nor_starts(self, open_console: Open, site: ConsoleSite) -> None:
        page = open_console("desk")
        find(page, CLEO)
        expect(page.get_by_role("main")).to_contain_text(CLEO)
        expect(page.get_by_role("region", name="Write")).to_be_visible()
        expect(page.get_by_role("button", name="START")).to_have_count(0)
        expect(page.get_by_role("link", name="Erase")).to_have_count(0)
        expect(page.get_by_role("link", name="Subscriptions")).to_have_count(0)


class TestKeyboardAlone:
    @pytest.fixture
    def page(self, browser: Browser, site: ConsoleSite, complaints: list[str]) -> Page:
        page = _context(browser).new_page()
        _listen(page, complaints)
        page.goto(f"{site.url}/console")
        expect(page.get_by_label("API key")).to_be_focused()  # gets the focus a moment after the page loads
        page.keyboard.type(KEYS["boss"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Now")).to_be_visible()
        return page

    def opens(self, page: Page, link: str, heading: str | re.Pattern[str]) -> None:
        tab_to(page, link)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        page.wait_for_load_state("load")

    def test_a_conversation_is_found_woken_and_written_to(self, page: Page) -> None:
        self.opens(page, "Conversations", "Conversations")
        tab_to(page, "Number, user id, name")
        page.keyboard.type("Ana")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Ana Lima")).to_be_visible()
        tab_to(page, "Resume the bot")
        page.keyboard.press("Enter")
        expect(page.get_by_text("answers", exact=True)).to_be_visible()
        page.wait_for_load_state("load")
        tab_to(page, "Write to this customer")
        page.keyboard.type("Parking is free.")
        tab_to(page, "Send")
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="Messages")).to_contain_text("Parking is free.")
        page.context.close()

    def test_the_content_is_one_key_away(self, page: Page) -> None:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_be_focused()
        page.context.close()

    def test_dead_letters_are_chosen_and_replayed(self, page: Page, site: ConsoleSite) -> None:
        lost(site, 1)
        self.opens(page, "Dead letters", "Dead letters")
        tab_to(page, "all")
        page.keyboard.press("Space")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text("2 of 2 done.")).to_be_visible()
        page.context.close()

    def test_a_batch_is_paused_and_a_person_erased(self, page: Page, site: ConsoleSite) -> None:
        self.opens(page, "Batches", "Batches")
        self.opens(page, site.batch, re.compile("^Batch "))
        tab_to(page, "Pause")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Progress paused")).to_be_visible()
        self.opens(page, "Conversations", "Conversations")
        self.opens(page, "Dan Weiss", "Dan Weiss")
        self.opens(page, "Erase this person", re.compile("^Erase"))
        tab_to(page, "Type “forget”")
        page.keyboard.type("forget")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("were erased")
        page.context.close()
