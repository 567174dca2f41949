"""The console's conversations: search, read, explain, write, pause, erase; all user input is escaped."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest
import requests_mock

from tests.integration.lanes import send
from tests.unit.web.conftest import KEYS, Start, Web
from tests.unit.web.console import ConsoleUser, text_of
from tests.unit.web.deliveries import CUSTOMER, NUMBER, WABA, delivery, status_of, text_message, value_of
from tests.unit.web.test_contact_messages import talk
from wa_service.conversation.pipeline import PipelineResult
from wa_service.service.message_story import failure_reason
from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.inbox import MAILBOX_CEILING, Finished, Inbox, ReplyLimit, Work
from wa_service.store.outbox import Outbox, SendOutcome
from wa_service.store.stored_event import reference
from wa_service.worker import thread_notes

MASKED = "155******67"


@pytest.fixture
def user(web: Web) -> ConsoleUser:
    return ConsoleUser(web)


def written(web: Web, wamid: str = "wamid.IN", body: str = "hello") -> None:
    assert web.webhook(delivery(value_of(messages=[text_message(wamid, body)]))).status_code == 200


def take(web: Web) -> Work:
    (work,) = web.runtime.inbox.take("worker", time.monotonic_ns(), 1)[1]
    return work


def answer(inbox: Inbox, work: Work) -> Finished:
    """Finish a message with one reply, as a worker does."""
    stored = work.stored
    note = thread_notes.handled([stored], PipelineResult(({"text": "hi"},)), time.monotonic())
    reply = send(CUSTOMER, number=NUMBER, origin=f"{stored.reference}@0")
    return inbox.finish(work, "worker", [reply], note=note)


@pytest.mark.parametrize("wanted", [CUSTOMER, f"+{CUSTOMER}", "+1 (555) 123-4567", "Ada", "ada", "wamid.IN", "answer"])
def test_a_conversation_is_found_by_what_somebody_has_at_hand(web: Web, user: ConsoleUser, wanted: str) -> None:
    talk(web)
    if wanted == "answer":  # the id of a record
        wanted = web.send({"to": CUSTOMER, "text": "more"}).json["id"]
    shown = text_of(user.page(user.find(wanted)))
    assert "Ada" in shown
    assert "Good morning, Ada." in shown
    assert "greeting 0.90" in shown


def test_a_tag_finds_its_sends(web: Web, user: ConsoleUser) -> None:
    web.send({"to": CUSTOMER, "text": "one", "tag": "autumn"})
    web.send({"to": CUSTOMER, "text": "two", "tag": "autumn"})
    shown = user.post("/search", wanted="autumn").text
    assert len(re.findall(r'href="/console/conversations/r[0-9a-f]{32}"', shown)) == 2


def test_nobody_is_found_by_what_fits_nothing(web: Web, user: ConsoleUser) -> None:
    assert "No results." in user.post("/search", wanted="%<script>").text


def test_the_conversations_of_late_stand_there_without_a_search(web: Web, user: ConsoleUser) -> None:
    written(web)
    assert "Ada" in user.page("/search")


def test_no_address_of_a_page_holds_a_number(web: Web, user: ConsoleUser) -> None:
    talk(web)
    pages = [user.page("/search"), user.page(user.find(CUSTOMER))]
    links = [link for page in pages for link in re.findall(r'(?:href|action|data-live)="([^"]*)"', page)]
    assert len(links) > 10
    assert not [link for link in links if CUSTOMER in link]


class Tags(HTMLParser):
    """The elements and attributes of a page, as an HTML parser finds them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]


HOSTILE = "<img src=x onerror=alert(1)>\"'{{ 111111 * 3 }}</textarea></script><script>alert(1)</script>"


def test_what_users_write_is_text_and_nothing_else(web: Web, user: ConsoleUser) -> None:
    value = value_of(messages=[text_message("wamid.IN", HOSTILE)])
    value["contacts"][0]["profile"]["name"] = HOSTILE
    web.webhook(delivery(value))
    web.send({"to": CUSTOMER, "text": HOSTILE, "tag": HOSTILE[:64]})
    place = user.find(CUSTOMER)
    (story,) = set(re.findall(r'href="/console(/messages/r[^"]+)"', user.page(place)))
    pages = [user.page("/search"), user.page(place), user.page(story), user.post("/search", wanted=HOSTILE + "x").text]
    for page in pages:
        seen = Tags(page)
        assert seen.names.count("script") == 1  # the console's own script
        assert "img" not in seen.names
        assert [name for name in seen.attributes if name.startswith("on") or name == "style"] == []
        assert HOSTILE not in page
        assert "333333" not in text_of(page)
    assert "&lt;img src=x" in pages[1]


@pytest.mark.parametrize(
    ("key", "role", "seen"), [("reader", "send", False), ("reader", "read", True), ("boss", "none", False)]
)
def test_numbers_are_masked_unless_the_role_may_see_them(start_web: Start, key: str, role: str, seen: bool) -> None:
    web = start_web({"WA_CONSOLE_NUMBERS": role})
    spaced = "+1 555 123 4567"
    text = text_message("wamid.IN", f"call me: +{CUSTOMER}", at=int(time.time()))
    web.webhook(delivery(value_of(messages=[text]) | {"contacts": [{"wa_id": CUSTOMER, "profile": {"name": spaced}}]}))
    record = web.send({"to": CUSTOMER, "text": "hi", "tag": CUSTOMER}, Prefer="respond-async").json["id"]
    user = ConsoleUser(web, key)
    pages = user.page("/search") + user.page(user.find(CUSTOMER)) + user.page(f"/messages/r{record}")
    assert (CUSTOMER in pages) is seen
    assert (spaced in pages) is seen
    assert (MASKED in pages) is not seen


def test_names_and_tags_with_a_number_are_masked_on_every_page(start_web: Start) -> None:
    with requests_mock.Mocker() as meta:
        meta.get(requests_mock.ANY, json={"data": []})
        web = start_web({"WA_CONSOLE_NUMBERS": "none"})
        spaced = "+1 555 123 4567"
        contact = {"wa_id": CUSTOMER, "profile": {"name": spaced}}
        web.webhook(delivery(value_of(messages=[text_message("wamid.IN", "hello")]) | {"contacts": [contact]}))
        items = {"message": {"text": "hi"}, "items": [{"to": CUSTOMER}], "tag": f"lead {CUSTOMER}"}
        batch = web.post("/v1/batches", json=items).json["id"]
        user = ConsoleUser(web)
        place = user.find(CUSTOMER)
        for path in (f"{place}/template", f"{place}/forget", "/batches", f"/batches/{batch}"):
            page = user.page(path)
            assert spaced not in page, path
            assert CUSTOMER not in page, path


class TestReasons:
    """The conversation shows the reason why a customer got no reply."""

    def shown(self, user: ConsoleUser) -> str:
        return text_of(user.page(user.find(CUSTOMER)))

    def test_the_window_was_closed(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        web.send({"to": CUSTOMER, "text": "late"})
        web.accept("wamid.LATE")
        closed = [{"code": 131047, "title": "Re-engagement message", "error_data": {"details": "Too late."}}]
        web.webhook(delivery(value_of(statuses=[status_of("wamid.LATE", "failed", errors=closed)])))
        assert "Re-engagement message. Too late. (code 131047)" in self.shown(user)

    def test_it_is_a_dead_letter(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        work = take(web)
        note = {
            "m": reference(NUMBER, "wamid.IN"),
            "letter": work.dead_letter_id,
            "kind": "failed",
            "reason": "KeyError",
        }
        web.runtime.inbox.dead_letter(work, "worker", "failed", "KeyError", note=orjson.dumps(note).decode())
        shown = user.page(user.find(CUSTOMER))
        assert "is a dead letter" in shown
        assert f'href="/console/dead-letters?letter={work.dead_letter_id}"' in shown

    def test_whether_meta_has_it_is_unknown(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        web.send({"to": CUSTOMER, "text": "perhaps"})
        web.runtime.outbox.done(NUMBER, web.grant(), SendOutcome("unknown"))
        assert "Meta did not respond. A status settles it; without one it fails" in self.shown(user)

    def test_staff_had_written_in_the_app(self, web: Web, user: ConsoleUser) -> None:
        echo = {
            "from": "15550001111",
            "to": CUSTOMER,
            "id": "wamid.ECHO",
            "type": "text",
            "text": {"body": "I am here"},
        }
        echoed = value_of(message_echoes=[echo | {"timestamp": str(int(time.time()))}])
        web.webhook(delivery(echoed, field="smb_message_echoes"))
        written(web)
        note = orjson.dumps({"m": reference(NUMBER, "wamid.IN"), "quiet": "paused"}).decode()
        web.runtime.inbox.finish(take(web), "worker", [], note=note)
        shown = self.shown(user)
        assert "A person of the business has taken over" in shown
        assert "They wrote in the WhatsApp Business app" in shown
        assert "I am here" in shown

    def test_staff_took_over_while_the_answer_was_made(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        work = take(web)
        web.put(f"/v1/contacts/{CUSTOMER}/pause", {"seconds": 600})
        assert answer(web.runtime.inbox, work) == Finished.PAUSED
        shown = self.shown(user)
        assert "A person of the business has taken over" in shown
        assert "needed no reply" not in shown

    def test_the_conversation_reached_its_limit_of_replies(self, web: Web, user: ConsoleUser) -> None:
        inbox = Inbox(web.runtime.store, retention_seconds=600, reply_limit=ReplyLimit(1, 600))
        for expected in (Finished.DONE, Finished.OVER_REPLY_LIMIT):
            written(web, f"wamid.{expected.name}")
            assert answer(inbox, take(web)) == expected
        written(web, "wamid.LATER")
        quiet = orjson.dumps({"m": reference(NUMBER, "wamid.LATER"), "quiet": "paused"}).decode()
        inbox.finish(take(web), "worker", [], note=quiet)
        shown = self.shown(user)
        assert shown.count("reached WA_REPLY_LIMIT") == 2
        assert "A person of the business" not in shown
        assert "needed no reply" not in shown
        messages = web.get(f"/v1/contacts/{CUSTOMER}/messages").json["items"]
        assert [each["quiet"] for each in messages if each["direction"] == "in"] == ["paused", "reply_limit", None]

    @pytest.mark.parametrize(
        "reason",
        ["expired", "withdrawn", "no_word_from_meta", "not_owner", "customer_stopped", "marketing_limit"],
    )
    def test_what_we_did_not_send_was_not_refused_by_meta(self, reason: str) -> None:
        assert not failure_reason({"reason": reason, "title": "Why."}).text.startswith("Meta refused")

    def test_another_application_had_the_thread(self, web: Web, user: ConsoleUser) -> None:
        asked, answered = text_message("wamid.SB", "Is it still free?"), text_message("wamid.SE", "It is.")
        nested = {"messages": [asked], "message_echoes": [answered | {"from": "15550001111", "to": CUSTOMER}]}
        web.webhook(delivery(value_of(standby=nested), field="standby"))
        shown = self.shown(user)
        assert "The thread belonged to another application" in shown
        assert re.search("Customer +Is it still free", shown)
        assert re.search("Another application +It is", shown)

    def test_it_arrived_too_late_to_be_answered(self, web: Web, user: ConsoleUser) -> None:
        late = text_message("wamid.IN", at=int(time.time()) - 2 * 86_400)
        web.webhook(delivery(value_of(messages=[late])))
        shown = self.shown(user)
        assert "It was too old to be answered" in shown
        assert "Nobody has handled it" not in shown

    def test_too_many_of_the_customer_wait(self, web: Web, user: ConsoleUser) -> None:
        messages = [text_message(f"wamid.M{n}") for n in range(MAILBOX_CEILING + 51)]
        web.webhook(delivery(value_of(messages=messages)))
        shown = self.shown(user)
        assert "is a dead letter" in shown
        assert "more than can be kept" in shown
        story = re.findall(r'href="/console(/messages/e[^"]+)"', user.page(user.find(CUSTOMER)))[-1]
        assert "Not handled" in text_of(user.page(story))

    def test_a_dead_letter_was_replayed_and_answered(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        work = take(web)
        note = thread_notes.dead_lettered(work.stored, work.dead_letter_id, "failed", "KeyError")
        web.runtime.inbox.dead_letter(work, "worker", "failed", "KeyError", note=note)
        assert web.post(f"/v1/dead-letters/{work.dead_letter_id}/replay").status_code == 200
        assert "Nobody has handled it yet." in self.shown(user)
        assert answer(web.runtime.inbox, take(web)) == Finished.DONE
        shown = self.shown(user)
        assert "is a dead letter" not in shown
        (story,) = set(re.findall(r'href="/console(/messages/e[^"]+)"', user.page(user.find(CUSTOMER))))
        steps = text_of(user.page(story))
        assert steps.index("Became a dead letter") < steps.index("Replayed") < steps.index("Taken by a worker")

    def test_it_was_revoked_while_it_waited(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        gone = {"type": "revoke", "revoke": {"original_message_id": "wamid.IN"}}
        revoked = text_message("wamid.GONE") | gone
        del revoked["text"]
        web.webhook(delivery(value_of(messages=[revoked])))
        shown = self.shown(user)
        assert "It changes an earlier message" in shown
        assert "Check that workers run" not in shown

    def test_nobody_works(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        assert "Nobody has handled it yet." in self.shown(user)


def test_a_message_s_story_has_each_step_with_the_seconds_between(web: Web, user: ConsoleUser) -> None:
    talk(web)
    web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLACCEPTED", "delivered", at=int(time.time()) + 3)])))
    place = user.find(CUSTOMER)
    (story,) = set(re.findall(r'href="/console(/messages/e[^"]+)"', user.page(place)))
    shown = text_of(user.page(story))
    steps = ["Written", "Received and stored", "Taken by a worker", "Handled", "Answer: Queued", "Answer: Granted"]
    steps += ["Answer: Accepted by Meta", "Answer: Delivered"]
    assert [step for step in steps if step not in shown] == []
    assert re.search(r"Answer: Delivered \+ [0-9.]+ m?s", shown)
    assert reference(NUMBER, "wamid.IN") in shown


def test_a_text_is_sent_once_however_often_the_button_is_pressed(web: Web, user: ConsoleUser, lines: Any) -> None:
    written(web)
    place = user.find(CUSTOMER)
    nonce = re.search(r'name="nonce" value="([^"]+)"', user.page(place))[1]
    for _ in range(2):
        assert user.post(f"{place}/write", text="At your service.", nonce=nonce).status_code == 303
    sent = web.get("/v1/messages").json["items"]
    assert len(sent) == 1
    told = [item for item in web.get("/v1/events?kind=console").json["items"] if item["data"]["action"] == "write"]
    assert (told[0]["data"]["key"], told[0]["contact"]) == ("boss", CUSTOMER)
    line = next(line for line in lines if line["event"] == "whatsapp.console.changed")
    assert (line["key"], line["action"]) == ("boss", "write")


def test_what_cannot_be_sent_is_told_on_a_page(web: Web, user: ConsoleUser) -> None:
    written(web)
    answer = user.post(f"{user.find(CUSTOMER)}/write", text="x" * 5_000)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "text.body" in answer.text


def test_a_text_that_is_refused_stays_in_its_field(web: Web, user: ConsoleUser) -> None:
    written(web)
    answer = user.post(f"{user.find(CUSTOMER)}/write", text="<b>" + "x" * 5_000, nonce="n")
    assert "&lt;b&gt;xx" in re.search("<textarea[^>]*>(.*?)</textarea>", answer.text)[1]
    assert 'name="nonce" value="n"' not in answer.text


@pytest.mark.parametrize(("part", "writes"), [(Outbox, "put"), (Events, "console")])
def test_a_text_that_may_have_been_queued_is_sent_once_by_its_form(
    web: Web, user: ConsoleUser, monkeypatch: pytest.MonkeyPatch, part: type, writes: str
) -> None:
    def stored_without_an_answer(*given: Any, **more: Any) -> None:
        write(*given, **more)
        raise StoreUnavailableError("TimeoutError")

    written(web)
    place, write = user.find(CUSTOMER), getattr(part, writes)
    with monkeypatch.context() as patched:
        patched.setattr(part, writes, stored_without_an_answer)
        answer = user.post(f"{place}/write", text="At your service.", nonce="n")
    assert answer.status_code == 503
    form = dict(re.findall(r'name="(nonce)" value="([^"]+)"', answer.text))
    assert user.post(f"{place}/write", text="At your service.", **form).status_code == 303
    assert len(web.get("/v1/messages").json["items"]) == 1


def test_the_bot_is_paused_and_woken(web: Web, user: ConsoleUser) -> None:
    written(web)
    place = user.find(CUSTOMER)
    assert user.post(f"{place}/pause", seconds="1800").status_code == 303
    assert "Resume the bot" in user.page(place)
    assert user.post(f"{place}/pause", seconds="1e9").status_code == 400
    assert user.post(f"{place}/wake").status_code == 303
    assert "Resume the bot" not in user.page(place)
    assert "boss: pause" in user.page(place)


def test_a_person_is_erased_only_when_the_word_is_typed(web: Web, user: ConsoleUser) -> None:
    talk(web)
    place = user.find(CUSTOMER)
    assert "Type “forget”" in user.page(f"{place}/forget")
    assert user.post(f"{place}/forget", confirm="yes").status_code == 400
    assert "keys and entries were erased" in user.post(f"{place}/forget", confirm=" Forget ").text
    assert user.get(place).status_code == 404
    assert web.get(f"/v1/contacts/{CUSTOMER}").status_code == 404
    assert not [item for item in web.get("/v1/events").json["items"] if item["contact"]]


TEMPLATE = {
    "name": "order_update",
    "language": "en_US",
    "status": "APPROVED",
    "category": "UTILITY",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
        {"type": "BODY", "text": "Hello {{1}}, it comes {{2}}."},
        {"type": "FOOTER", "text": "The shop"},
        {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Track", "url": "https://example.org/{{1}}"}]},
    ],
}


def test_a_template_is_filled_in_shown_and_sent(start_web: Start) -> None:
    with requests_mock.Mocker(real_http=False) as meta:
        meta.get(requests_mock.ANY, json={"data": [TEMPLATE]})
        web = start_web()
        written(web)
        user = ConsoleUser(web)
        place = user.find(CUSTOMER)
        form = user.page(f"{place}/template?name=order_update&language=en_US")
        fields = re.findall(r'<input id="([^"]+)" name=', form)
        assert fields == ["header-0-1", "body-0-1", "body-0-2", "button-0-1"]
        values = dict(zip(fields, ["A-77", "Ada", "today", "A-77"], strict=True))
        named = {"name": "order_update", "language": "en_US", **values}
        shown = text_of(user.post(f"{place}/template", do="preview", **named).text)
        assert "Order A-77 Hello Ada, it comes today. The shop Track https://example.org/A-77" in shown
        assert user.post(f"{place}/template", do="send", nonce="n", **named).status_code == 303
        sent = orjson.loads(web.grant().body)
        assert [part["type"] for part in sent["template"]["components"]] == ["header", "body", "button"]
        assert sent["template"]["components"][1]["parameters"][1] == {"type": "text", "text": "today"}
        assert str(WABA) in meta.last_request.url


def test_a_group_has_no_stop(web: Web, user: ConsoleUser) -> None:
    """A participant who wants no marketing is a customer of their own; the group's STOP would stop nothing."""
    group = "Y2FwaV9ncm91cDox"
    web.webhook(delivery(value_of(messages=[text_message() | {"group_id": group}])))
    (place,) = set(re.findall(r'href="/console(/conversations/[^"#]+)"', user.page("/search")))
    shown = text_of(user.page(place))
    assert (f"Group {group}" in shown, "STOP" in shown) == (True, False)
    assert f"Customer {CUSTOMER}" in shown
    assert CUSTOMER not in ConsoleUser(web, "reader").page(place)
    assert user.post(f"{place}/stop").status_code == 400
    assert web.runtime.stops.find(group) is None


def test_a_participant_of_a_group_without_a_number_is_named_by_their_user_id(web: Web, user: ConsoleUser) -> None:
    group, user_id = "Y2FwaV9ncm91cDox", "US.13491208655302741918"
    message = {name: value for name, value in text_message().items() if name != "from"}
    people = [{"profile": {"name": "Ada"}, "user_id": user_id}]
    message |= {"group_id": group, "from_user_id": user_id}
    web.webhook(delivery(value_of(messages=[message], contacts=people)))
    (place,) = set(re.findall(r'href="/console(/conversations/[^"#]+)"', user.page("/search")))
    assert f"Customer {user_id}" in text_of(user.page(place))


def test_two_roles_see_two_pages(web: Web) -> None:
    written(web)
    reader, boss = ConsoleUser(web, "reader"), ConsoleUser(web, "boss")
    shown = {user.key: user.page(user.find(CUSTOMER)) for user in (reader, boss)}
    for part in ("Write to this customer", "Pause the bot", "Erase this person", "/console/subscriptions"):
        assert (part in shown["reader"], part in shown["boss"]) == (False, True), part


def test_the_event_of_a_change_is_pushed_and_filtered_like_any(web: Web, user: ConsoleUser) -> None:
    written(web)
    user.post(f"{user.find(CUSTOMER)}/wake")
    items = web.client.get("/v1/events?kind=console", headers=KEYS["both"]).json["items"]
    assert [item["data"] for item in items] == [{"key": "boss", "action": "wake"}]


def test_what_an_interactive_reply_says_is_shown_whatever_its_type(web: Web, user: ConsoleUser) -> None:
    replies: list[dict[str, Any]] = [
        {"type": "call_permission_reply", "call_permission_reply": {"response": "reject"}},
        {"type": "mood_reply", "mood_reply": {"mood": "cheerful"}},
    ]
    for number, reply in enumerate(replies):
        message = text_message(f"wamid.R{number}", "") | {"type": "interactive", "interactive": reply}
        web.webhook(delivery(value_of(messages=[message])))
    shown = text_of(user.page(user.find(CUSTOMER)))
    assert "reject" in shown
    assert "cheerful" in shown


def test_a_question_about_a_product_names_it(web: Web, user: ConsoleUser) -> None:
    context = {"referred_product": {"catalog_id": "1940", "product_retailer_id": "SKU-BLUE"}}
    web.webhook(delivery(value_of(messages=[text_message("wamid.P", "Still there?") | {"context": context}])))
    shown = text_of(user.page(user.find(CUSTOMER)))
    assert "Still there?" in shown
    assert "About the product SKU-BLUE" in shown


def test_a_question_about_a_product_without_an_id_names_none(web: Web, user: ConsoleUser) -> None:
    context = {"referred_product": {"catalog_id": "1940"}}
    web.webhook(delivery(value_of(messages=[text_message("wamid.P", "Still there?") | {"context": context}])))
    assert "About the product" not in text_of(user.page(user.find(CUSTOMER)))


def test_a_contact_card_shows_whose_it_is(web: Web, user: ConsoleUser) -> None:
    cards = [
        {"name": {"formatted_name": "Bea Souza"}, "phones": [{"phone": "+44 7700 900888"}, {"wa_id": "447700900999"}]},
        {"name": None, "phones": 7},
        "none",
    ]
    web.webhook(delivery(value_of(messages=[text_message("wamid.C", "") | {"type": "contacts", "contacts": cards}])))
    shown = text_of(user.page(user.find(CUSTOMER)))
    for part in ("Bea Souza", "+44 7700 900888", "447700900999"):
        assert part in shown
