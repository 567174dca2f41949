"""What a user sends from the page, and what the business receives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser.pictures import png
from tests.browser.stand_in import ANA, BEN, OTHER_NUMBER, Business, OpenPage
from tests.browser.steps import act, box, bubble, log, write
from tests.eventually import eventually

PNG: FilePayload = {"name": "view.png", "mimeType": "image/png", "buffer": png(24, 16)}
PDF: FilePayload = {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}


REFUSAL = {"error": "The phone is busy."}


def is_post(route: Route) -> bool:
    return route.request.method == "POST"


@contextmanager
def refused(page: Page, address: str, nth: int = 1) -> Iterator[None]:
    """Inside the block the n-th POST to the address is refused."""
    posts = count(1)

    def judge(route: Route) -> None:
        if is_post(route) and next(posts) == nth:
            route.fulfill(status=409, json=REFUSAL)
        else:
            route.continue_()

    page.route(address, judge)
    yield
    page.unroute(address, judge)


def attach(page: Page, *files: FilePayload) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach").click()
        page.get_by_role("dialog", name="Attach").get_by_role("button", name="Files").click()
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


def test_of_several_files_only_those_that_were_not_sent_stay(phone: Page, business: Business) -> None:
    attach(phone, PNG, PDF)
    box(phone).fill("the view")
    with refused(phone, "**/phones/*/files", nth=2):
        phone.get_by_role("button", name="Send", exact=True).click()
        expect(phone.get_by_role("alert")).to_contain_text("Not sent. The phone is busy.")
    expect(phone.get_by_role("list", name="Files to send").get_by_role("listitem")).to_have_text(["bill.pdf"])
    expect(box(phone)).to_have_value("")

    phone.get_by_role("button", name="Send", exact=True).click()

    eventually(lambda: len(business.heard) == 2)
    assert [message["type"] for message in business.heard] == ["image", "document"]


def test_a_file_can_be_taken_out_again(phone: Page, business: Business) -> None:
    attach(phone, PNG, PDF)
    phone.get_by_role("button", name="Remove view.png").click()
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


def test_a_second_click_takes_the_microphone_once(phone: Page) -> None:
    phone.evaluate(
        """() => {
          const devices = navigator.mediaDevices;
          const ask = devices.getUserMedia.bind(devices);
          window.streams = [];
          devices.getUserMedia = (wanted) => ask(wanted).then((stream) => (window.streams.push(stream), stream));
        }"""
    )
    phone.get_by_role("button", name="Record a voice note").dblclick()
    phone.get_by_role("button", name="Discard the recording").click()
    expect(phone.get_by_role("button", name="Record a voice note")).to_be_visible()
    assert phone.evaluate("streams.map(stream => stream.getTracks()[0].readyState)") == ["ended"]


def test_a_recording_can_be_thrown_away(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Record a voice note").click()
    phone.get_by_role("button", name="Discard the recording").click()
    expect(box(phone)).to_be_focused()
    assert business.shown() == []


def choose_to_attach(page: Page, what: str) -> Locator:
    """The form for a location or a contact."""
    page.get_by_role("button", name="Attach").click()
    page.get_by_role("dialog", name="Attach").get_by_role("button", name=what).click()
    return page.get_by_role("dialog", name=f"Send a {what.lower()}")


def test_a_place_is_sent_as_meta_passes_it_on(phone: Page, business: Business) -> None:
    form = choose_to_attach(phone, "Location")
    form.get_by_label("Latitude").fill("-23,5614")
    form.get_by_label("Longitude").fill("-46.6559")
    form.get_by_label("Name of the place").fill("Museum")
    form.get_by_label("Address").fill("Avenida 1578")
    form.get_by_role("button", name="Send").click()
    expect(log(phone).get_by_role("group", name="Location Museum")).to_contain_text("23.56140° S, 46.65590° W")
    eventually(lambda: business.heard)
    place = {"latitude": -23.5614, "longitude": -46.6559, "name": "Museum", "address": "Avenida 1578"}
    assert (business.heard[0]["type"], business.heard[0]["location"]) == ("location", place)


def test_a_second_click_sends_no_second_place(phone: Page, business: Business) -> None:
    choose_to_attach(phone, "Location").get_by_role("button", name="Send").dblclick()
    expect(phone.get_by_role("dialog")).to_have_count(0)
    write(phone, "that was it")
    eventually(lambda: [message["type"] for message in business.heard][-1:] == ["text"])
    assert [message["type"] for message in business.heard] == ["location", "text"]


def test_a_place_without_a_name_is_coordinates_alone(phone: Page, business: Business) -> None:
    choose_to_attach(phone, "Location").get_by_role("button", name="Send").click()
    eventually(lambda: business.heard)
    assert set(business.heard[0]["location"]) == {"latitude", "longitude"}


@pytest.mark.parametrize(("latitude", "longitude"), [("91", "0"), ("north", "0"), ("0", "180.1"), (" ", "0")])
def test_a_place_that_is_nowhere_stays_in_the_form(
    phone: Page, business: Business, latitude: str, longitude: str
) -> None:
    form = choose_to_attach(phone, "Location")
    form.get_by_label("Latitude").fill(latitude)
    form.get_by_label("Longitude").fill(longitude)
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_contain_text("must be a number from")
    assert business.shown() == []


@pytest.mark.parametrize("on_whatsapp", [True, False])
def test_a_card_is_sent_as_meta_passes_it_on(phone: Page, business: Business, on_whatsapp: bool) -> None:
    form = choose_to_attach(phone, "Contact")
    form.get_by_label("Name").fill("Bea de Souza")
    form.get_by_label("Number, with country code").fill("+44 7700 900456")
    form.get_by_label("Company").fill("Harbour Hotel")
    form.get_by_role("switch", name="Has WhatsApp").set_checked(on_whatsapp)
    form.get_by_role("button", name="Send").click()
    expect(log(phone).get_by_role("group", name="Contact Bea de Souza")).to_contain_text("+44 7700 900456")
    eventually(lambda: business.heard)
    number = {"phone": "+44 7700 900456", "type": "CELL"} | ({"wa_id": "447700900456"} if on_whatsapp else {})
    name = {"formatted_name": "Bea de Souza", "first_name": "Bea", "last_name": "de Souza"}
    card = {"name": name, "phones": [number], "org": {"company": "Harbour Hotel"}}
    assert (business.heard[0]["type"], business.heard[0]["contacts"]) == ("contacts", [card])


def test_a_card_without_a_number_stays_in_the_form(phone: Page, business: Business) -> None:
    form = choose_to_attach(phone, "Contact")
    form.get_by_label("Name").fill("Bea")
    form.get_by_label("Number, with country code").fill("later")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_contain_text("5 to 15 digits")
    assert business.shown() == []


def test_a_place_answers_the_message_that_is_replied_to(phone: Page, business: Business) -> None:
    business.writes("hi")
    wamid = business.text("where are you?")
    act(phone, "where are you?", "Reply")
    choose_to_attach(phone, "Location").get_by_role("button", name="Send").click()
    eventually(lambda: len(business.heard) == 2)
    assert business.heard[-1]["context"]["id"] == wamid
    expect(phone.get_by_role("button", name="Cancel the reply")).to_have_count(0)


def test_a_request_for_the_place_is_answered_by_the_same_form(phone: Page, business: Business) -> None:
    business.writes("hi")
    asked = {"type": "location_request_message", "body": {"text": "Where?"}, "action": {"name": "send_location"}}
    wamid = business.send({"type": "interactive", "interactive": asked})
    log(phone).get_by_role("button", name="Send location").click()
    phone.get_by_role("dialog", name="Send a location").get_by_role("button", name="Send").click()
    eventually(lambda: len(business.heard) == 2)
    assert (business.heard[-1]["type"], business.heard[-1]["context"]["id"]) == ("location", wamid)


def test_any_message_can_be_sent_as_json(phone: Page, business: Business) -> None:
    phone.get_by_role("button", name="Send any message as JSON").click()
    phone.get_by_role("textbox", name="Message as JSON").fill('{"type": "hologram", "hologram": {"size": 3}}')
    phone.get_by_role("dialog").get_by_role("button", name="Send").click()
    eventually(lambda: business.heard)
    assert business.heard[0]["hologram"] == {"size": 3}


def test_a_selection_that_ends_beside_the_dialog_does_not_close_it(phone: Page) -> None:
    phone.get_by_role("button", name="Send any message as JSON").click()
    text = phone.get_by_role("textbox", name="Message as JSON")
    text.fill('{"type": "hologram"}')
    text.hover()
    phone.mouse.down()
    phone.mouse.move(5, 5)
    phone.mouse.up()
    expect(text).to_have_value('{"type": "hologram"}')
    phone.mouse.click(5, 5)
    expect(phone.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize(("text", "told"), [("{", "Invalid JSON"), ("{}", "The message needs a type")])
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


def test_a_reply_that_was_not_sent_keeps_its_quote(phone: Page, business: Business) -> None:
    business.writes("hi")
    wamid = business.text("until when?")
    act(phone, "until when?", "Reply")
    with refused(phone, "**/phones/*/messages"):
        write(phone, "until Sunday")
        expect(phone.get_by_role("alert")).to_contain_text("Not sent. The phone is busy.")

    phone.get_by_role("button", name="Send", exact=True).click()

    eventually(lambda: len(business.heard) == 2)
    assert business.heard[-1]["context"]["id"] == wamid


def test_what_was_not_sent_stays_on_its_phone(phone: Page, business: Business) -> None:
    held: list[Route] = []
    phone.route("**/phones/*/messages", lambda route: held.append(route) if is_post(route) else route.continue_())
    write(phone, "from Ana")
    phone.get_by_role("button", name="Ben").click()
    expect(phone.get_by_role("main")).to_contain_text("you are Ben")
    held[0].fulfill(status=409, json=REFUSAL)
    expect(phone.get_by_role("alert")).to_contain_text("Not sent. The phone is busy.")
    expect(box(phone)).to_have_value("")
    phone.get_by_role("button", name="Ana").click()
    expect(box(phone)).to_have_value("from Ana")


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


def test_a_reply_stays_with_its_number(two_numbers: Business, open_page: OpenPage) -> None:
    page = open_page(two_numbers)
    write(page, "to the first")
    act(page, "to the first", "Reply")
    page.get_by_label("Business number").select_option(OTHER_NUMBER)
    expect(page).to_have_url(f"{two_numbers.graph}/#{ANA}/{OTHER_NUMBER}")
    expect(page.get_by_role("button", name="Cancel the reply")).to_have_count(0)
    write(page, "to the other one")
    eventually(lambda: len(two_numbers.heard) == 2)
    assert "context" not in two_numbers.heard[-1]


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
