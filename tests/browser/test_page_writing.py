"""What a person sends from the page, and what the business hears."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.pictures import png
from tests.browser.stand_in import ANA, BEN, OTHER_NUMBER, Business, OpenPage
from tests.browser.steps import act, box, bubble, log, write
from tests.eventually import eventually

PNG: FilePayload = {"name": "view.png", "mimeType": "image/png", "buffer": png(24, 16)}
PDF: FilePayload = {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}


def attach(page: Page, *files: FilePayload) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files(list(files))


def test_a_person_writes_and_is_answered(phone: Page, business: Business) -> None:
    business.answers = lambda message: [{"type": "text", "text": {"body": f"You said: {message['text']['body']}"}}]
    write(phone, "good morning")
    expect(bubble(phone, "You said: good morning")).to_be_visible()


def test_enter_sends_and_empties_the_box(phone: Page) -> None:
    box(phone).fill("hello")
    box(phone).press("Enter")
    expect(bubble(phone, "hello")).to_be_visible()
    expect(box(phone)).to_have_value("")


def test_shift_and_enter_is_a_new_line(phone: Page, business: Business) -> None:
    box(phone).press_sequentially("one")
    box(phone).press("Shift+Enter")
    box(phone).press_sequentially("two")
    box(phone).press("Enter")
    eventually(lambda: business.heard)
    assert business.heard[0]["text"]["body"] == "one\ntwo"


def test_an_empty_conversation_says_what_to_do(phone: Page) -> None:
    expect(log(phone).get_by_role("heading", name="Write hello")).to_be_visible()


def test_hello_is_one_click_away(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Send “hello”").click()
    eventually(lambda: business.heard)
    assert business.heard[0]["text"]["body"] == "hello"


def test_a_reply_quotes_the_message(phone: Page, business: Business) -> None:
    business.writes("hi")
    wamid = business.text("until when?")
    act(phone, "until when?", "Reply")
    write(phone, "until Sunday")
    expect(
        bubble(phone, "until Sunday").get_by_role("button", name="Go to the quoted message: until when?")
    ).to_be_visible()
    eventually(lambda: len(business.heard) == 2)
    assert business.heard[-1]["context"]["id"] == wamid


def test_a_reply_can_be_taken_back_by_escape(phone: Page, business: Business) -> None:
    business.writes("first")
    act(phone, "first", "Reply")
    box(phone).press("Escape")
    write(phone, "second")
    eventually(lambda: len(business.heard) == 2)
    assert "context" not in business.heard[-1]


def test_a_photo_goes_out_with_its_caption(phone: Page, business: Business) -> None:
    attach(phone, PNG)
    box(phone).fill("the view")
    box(phone).press("Enter")
    expect(bubble(phone, "the view").get_by_role("button", name="Open Photo: the view")).to_be_visible()
    eventually(lambda: business.heard)
    assert (business.heard[0]["type"], business.heard[0]["image"]["caption"]) == ("image", "the view")


def test_any_file_goes_out_as_a_document_with_its_name(phone: Page, business: Business) -> None:
    attach(phone, PDF)
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(log(phone).get_by_role("link", name="Download bill.pdf")).to_be_visible()
    eventually(lambda: business.heard)
    assert business.heard[0]["document"]["filename"] == "bill.pdf"


def test_each_of_several_files_is_a_message(phone: Page, business: Business) -> None:
    attach(phone, PNG, PDF)
    phone.get_by_role("button", name="Send", exact=True).click()
    eventually(lambda: len(business.heard) == 2)
    assert [message["type"] for message in business.heard] == ["image", "document"]


def test_a_file_can_be_taken_out_again(phone: Page, business: Business) -> None:
    attach(phone, PNG, PDF)
    phone.get_by_role("button", name="Take view.png out").click()
    phone.get_by_role("button", name="Send", exact=True).click()
    expect(log(phone).get_by_role("article")).to_have_count(1)
    eventually(lambda: business.heard)
    assert business.heard[0]["type"] == "document"


def test_a_pasted_photo_waits_to_be_sent(phone: Page) -> None:
    box(phone).evaluate(
        """box => {
          const data = new DataTransfer();
          data.items.add(new File(["x"], "pasted.png", { type: "image/png" }));
          box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(phone.get_by_role("list", name="Files to send")).to_contain_text("pasted.png")


def test_a_recorded_voice_note_arrives_as_ogg_opus(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Record a voice note").click()
    expect(phone.get_by_role("timer")).to_have_text("0:01")
    phone.get_by_role("button", name="Send the voice note").click()
    expect(log(phone).get_by_role("group", name="Voice note")).to_be_visible()
    eventually(lambda: business.heard)
    audio = business.heard[0]["audio"]
    content = business.session.get(audio["url"], headers={"Authorization": "Bearer EAAtest"}, timeout=5).content
    assert (audio["mime_type"], audio["voice"], content[:4]) == ("audio/ogg; codecs=opus", True, b"OggS")


def test_a_recording_can_be_thrown_away(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Record a voice note").click()
    phone.get_by_role("button", name="Discard the recording").click()
    expect(box(phone)).to_be_focused()
    assert business.shown() == []


def test_any_message_can_be_sent_as_json(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Send any message as JSON").click()
    phone.get_by_role("textbox", name="Message as JSON").fill('{"type": "hologram", "hologram": {"size": 3}}')
    phone.get_by_role("dialog").get_by_role("button", name="Send").click()
    eventually(lambda: business.heard)
    assert business.heard[0]["hologram"] == {"size": 3}


@pytest.mark.parametrize(("text", "told"), [("{", "This is not JSON"), ("{}", "The message needs a type")])
def test_json_that_is_no_message_stays_in_the_dialog(phone: Page, text: str, told: str) -> None:
    phone.get_by_role("button", name="Send any message as JSON").click()
    phone.get_by_role("textbox", name="Message as JSON").fill(text)
    phone.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(phone.get_by_role("dialog").get_by_role("alert")).to_contain_text(told)


def test_what_the_emulator_refuses_stays_in_the_box(phone: Page) -> None:
    phone.route("**/phones/*/messages", lambda route: route.continue_(post_data='{"phone_number_id": "1"}'))
    write(phone, "important")
    expect(phone.get_by_role("alert")).to_contain_text("Not sent. there is no such business number")
    expect(box(phone)).to_have_value("important")


def test_a_phone_is_added_by_one_click(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Add phone").click()
    expect(phone.get_by_role("list", name="Phones").get_by_role("button", name="Chiara")).to_have_attribute(
        "aria-current", "true"
    )
    write(phone, "hello from a new phone")
    eventually(lambda: business.heard)
    assert business.heard[0]["from"] not in (ANA, BEN)


def test_a_phone_is_added_with_a_number_of_ones_own(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="With a number").click()
    phone.get_by_label("Number, with country code").fill("+55 11 91234-5678")
    phone.get_by_label("Name").fill("João")
    phone.get_by_role("button", name="Add", exact=True).click()
    expect(phone.get_by_role("main")).to_contain_text("you are João")
    assert "5511912345678" in [each["wa_id"] for each in business.control("phones", method="GET")["phones"]]


def test_each_phone_keeps_its_own_draft(phone: Page) -> None:
    box(phone).fill("half a sent")
    phone.get_by_role("button", name="Ben").click()
    expect(box(phone)).to_have_value("")
    phone.get_by_role("button", name="Ana").click()
    expect(box(phone)).to_have_value("half a sent")


def test_a_person_chooses_the_number_to_write_to(two_numbers: Business, open_page: OpenPage) -> None:
    page = open_page(two_numbers)
    page.get_by_label("Business number").select_option(OTHER_NUMBER)
    expect(page).to_have_url(f"{two_numbers.graph}/#{ANA}/{OTHER_NUMBER}")
    write(page, "to the other one")
    eventually(lambda: two_numbers.shown())
    assert two_numbers.shown()[0]["number_id"] == OTHER_NUMBER


def test_the_settings_of_a_phone_change_the_phone(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Settings of this phone").click()
    phone.get_by_role("switch", name="Has an account").click()
    eventually(lambda: not business.control(f"phones/{ANA}", method="GET")["on_whatsapp"])
    phone.get_by_label("Name").fill("Anabel")
    phone.get_by_role("button", name="Done").click()
    expect(phone.get_by_role("list", name="Phones")).to_contain_text("Anabel")


def test_a_note_from_disk_is_sent_as_audio(phone: Page, business: Business) -> None:
    note = Path(__file__).parents[1] / "voice" / "hib_03.ogg"
    attach(phone, {"name": "note.ogg", "mimeType": "audio/ogg", "buffer": note.read_bytes()})
    phone.get_by_role("button", name="Send", exact=True).click()
    eventually(lambda: business.heard)
    assert business.heard[0]["type"] == "audio"
