"""The console's dead letters, batches, subscriptions, templates, script, STOP, and live updates."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import unescape
from typing import Any

import orjson
import pytest
import redis
import requests
import requests_mock

from tests.eventually import eventually
from tests.keys import NAMES
from tests.unit.web.conftest import KEYS, Start, Web
from tests.unit.web.console import SAME_ORIGIN, ConsoleUser, text_of
from tests.unit.web.deliveries import CUSTOMER, NUMBER, WABA, delivery, text_message, value_of
from tests.unit.web.test_console_conversations import TEMPLATE, written
from wa_service.service import live_feed
from wa_service.service.live_feed import LiveFeed
from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.outbox import Outbox, SendOutcome
from wa_service.web.console import batch_pages, live


@pytest.fixture
def user(web: Web) -> ConsoleUser:
    return ConsoleUser(web)


def dead_letter(web: Web, wamid: str = "wamid.IN", body: str = "hello") -> str:
    """Create a dead letter and return its id."""
    written(web, wamid, body)
    (work,) = web.runtime.inbox.take("worker", time.monotonic_ns(), 1)[1]
    web.runtime.inbox.dead_letter(work, "worker", "failed", "KeyError")
    return work.dead_letter_id


class TestDeadLetters:
    def test_one_is_shown_with_its_reason_and_leads_to_its_conversation(self, web: Web, user: ConsoleUser) -> None:
        dead_letter(web)
        page = user.page("/dead-letters")
        assert "KeyError" in page
        assert "hello" in page
        place = re.search(r'href="/console(/conversations/[^"]+)"', page)[1]
        assert "Ada" in user.page(place)

    @pytest.mark.parametrize("item", ["not a message", None, 7, ["hello"], {}, {"type": ["text"], "errors": 1}])
    def test_one_that_is_no_message_hides_no_others(self, web: Web, user: ConsoleUser, item: Any) -> None:
        assert web.webhook(delivery(value_of(messages=[item]))).status_code == 200
        dead_letter(web)
        page = user.page("/dead-letters")
        assert "malformed" in page
        assert "KeyError" in page

    def test_several_are_replayed_together(self, web: Web, user: ConsoleUser) -> None:
        letters = [dead_letter(web, f"wamid.{i}") for i in range(3)]
        assert user.post("/dead-letters", do="replay", letter=letters[:2]).status_code == 303
        assert web.get("/v1/dead-letters").json["items"][0]["id"] == letters[2]
        told = [item["data"] for item in web.get("/v1/events?kind=console").json["items"]]
        assert told == [{"key": "boss", "action": "dead-letters replay", "count": 2}]

    def test_one_is_dropped_by_an_admin_alone(self, web: Web, user: ConsoleUser) -> None:
        letter = dead_letter(web)
        assert ConsoleUser(web, "both").post("/dead-letters", do="drop", letter=letter).status_code == 403
        assert "Drop selected" not in ConsoleUser(web, "both").page("/dead-letters")
        assert user.post("/dead-letters", do="drop", letter=letter, quiet="1").status_code == 204
        assert user.post("/dead-letters", do="drop", letter=letter, quiet="1").status_code == 409
        assert "was replayed or dropped" in user.page(f"/dead-letters?letter={letter}")

    @pytest.mark.parametrize("after", ["x", "1-", "-", "1-é", "²-a", "%00", "1-a-b"])
    def test_a_cursor_that_is_none_is_the_beginning(self, web: Web, user: ConsoleUser, after: str) -> None:
        dead_letter(web)
        assert "KeyError" in user.page(f"/dead-letters?after={after}")


class TestStop:
    def test_marketing_is_stopped_by_who_may_send_and_started_by_who_may_manage(
        self, web: Web, user: ConsoleUser
    ) -> None:
        written(web)
        place = user.find(CUSTOMER)
        assert ConsoleUser(web, "both").post(f"{place}/stop").status_code == 303
        assert "by api" in user.page(place)
        assert ConsoleUser(web, "both").post(f"{place}/start").status_code == 403
        assert user.post(f"{place}/start").status_code == 303
        assert web.get(f"/v1/contacts/{CUSTOMER}").json["stopped"] is None


class TestBatches:
    def test_a_batch_is_shown_paused_resumed_and_canceled(self, web: Web, user: ConsoleUser) -> None:
        message = {"type": "text", "text": {"body": "hi"}}
        body = {"message": message, "items": [{"to": CUSTOMER}], "tag": "autumn"}
        batch = web.post("/v1/batches", json=body).json["id"]
        assert "autumn" in user.page("/batches")
        assert user.find(batch) == f"/batches/{batch}"
        assert user.get("/batches?after=soon").status_code == 200
        for action, state in (("pause", "paused"), ("resume", "running"), ("cancel", "canceled")):
            answer = user.post(f"/batches/{batch}/{action}")
            assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/batches/{batch}")
            assert f">{state}<" in user.page("/batches")
            assert f">{state}<" in user.page(f"/batches/{batch}")
        assert "Pause" not in user.page(f"/batches/{batch}")
        assert user.post("/batches/nobody/pause").status_code == 404
        assert user.post(f"/batches/{batch}/eat").status_code == 404
        told = [item["data"]["action"] for item in web.get("/v1/events?kind=console").json["items"]]
        assert told == ["batch pause", "batch resume", "batch cancel"]

    def test_a_batch_of_another_key_is_changed_with_manage_alone(self, web: Web, user: ConsoleUser) -> None:
        body = {"message": {"type": "text", "text": {"body": "hi"}}, "items": [{"to": CUSTOMER}]}
        batch = web.post("/v1/batches", json=body).json["id"]  # of the key `both`
        sender = ConsoleUser(web, "sender")
        assert sender.post(f"/batches/{batch}/cancel").status_code == 403
        assert web.runtime.batches.get(batch).state == "running"
        for path in ("/batches", f"/batches/{batch}"):
            assert "Cancel" not in ConsoleUser(web, "reader").page(path)
            assert "Cancel" in ConsoleUser(web, "both").page(path)
            assert "Cancel" in user.page(path)
        assert ConsoleUser(web, "both").post(f"/batches/{batch}/cancel").status_code == 303

    def test_one_tells_its_progress_by_status_and_reason_and_what_failed(self, web: Web, user: ConsoleUser) -> None:
        written(web)
        message = {"type": "text", "text": {"body": "hi"}}
        items = [{"to": CUSTOMER}, {"to": "15559999999"}, {"to": "15559999998"}]
        body = {"message": message, "items": items, "tag": "autumn"}
        batch = web.post("/v1/batches", json=body).json["id"]
        web.runtime.batches.feed(NUMBER, {})
        refusal = {"code": 131026, "title": "Message undeliverable", "reason": "recipient"}
        web.runtime.outbox.done(NUMBER, web.grant(), SendOutcome("accepted", wamid="wamid.B1"))
        web.runtime.outbox.done(NUMBER, web.grant(), SendOutcome("failed", code=131026, error=refusal))
        page = user.page(f"/batches/{batch}")
        shown = text_of(page)
        assert "3 of 3 have left the batch" in shown
        assert "queued 1 accepted 1 failed 1" in shown
        assert "131026 1" in shown
        assert "Meta refused it: Message undeliverable (code 131026)" in shown
        (story,) = re.findall(r'href="/console(/messages/r[^"]+)"', page)
        assert "Message undeliverable" in user.page(story)
        assert 'data-live="/console/live"' in page
        assert "Pause" not in ConsoleUser(web, "reader").page(f"/batches/{batch}")

    def test_failures_are_looked_for_part_by_part(
        self, web: Web, user: ConsoleUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batch_pages, "_LOOKED_AT", 2)
        message = {"type": "text", "text": {"body": "hi"}}
        body = {"message": message, "items": [{"to": f"1555999999{i}"} for i in range(3)]}
        batch = web.post("/v1/batches", json=body).json["id"]
        web.runtime.batches.feed(NUMBER, {})
        web.runtime.outbox.done(NUMBER, web.grant(), SendOutcome("failed", error={"reason": "account"}))
        page = user.page(f"/batches/{batch}")
        assert "None among the items searched so far." in page
        (further,) = re.findall(r'href="/console(/batches/[^"]+after=[^"]+)"', page)
        assert "Meta refused it: account" in user.page(further)

    @pytest.mark.parametrize("after", ["soon", "1-a", "1-x", "-", "9" * 30, "%00"])
    def test_a_place_that_is_none_is_the_beginning(self, web: Web, user: ConsoleUser, after: str) -> None:
        message = {"type": "text", "text": {"body": "hi"}}
        batch = web.post("/v1/batches", json={"message": message, "items": [{"to": CUSTOMER}]}).json["id"]
        assert batch in user.page(f"/batches/{batch}?after={after}")
        assert batch in user.page(f"/batches?after={after}")


class TestSubscriptions:
    @pytest.fixture
    def subscription(self, web: Web) -> str:
        web.runtime.subscriptions.create(
            "http://127.0.0.1:1/", form="event", secret="whsec_eA==", cursor="0-0", subscription_id="sub_x"
        )
        return "sub_x"

    def test_one_is_shown_and_changed(self, user: ConsoleUser, subscription: str) -> None:
        assert subscription in user.page("/subscriptions")
        for action, state in (("pause", "paused"), ("resume", "active")):
            assert user.post(f"/subscriptions/{subscription}/{action}").status_code == 303
            assert f">{state}<" in user.page("/subscriptions")
        assert "It did not answer" in user.post(f"/subscriptions/{subscription}/test").text
        assert user.post(f"/subscriptions/{subscription}/replay", after="0").status_code == 303
        assert user.post(f"/subscriptions/{subscription}/replay", after="soon").status_code == 400
        assert user.post("/subscriptions/nobody/pause").status_code == 404

    def test_a_paused_one_is_shown_with_its_reason_and_what_waits(
        self, web: Web, user: ConsoleUser, redis_client: redis.Redis, subscription: str
    ) -> None:
        assert "Lag 0 ms, 0 wait" in text_of(user.page("/subscriptions"))
        web.runtime.subscriptions.pause(subscription)
        page = text_of(user.page("/subscriptions"))
        assert re.search(r"Paused by hand 2\d{3}-\d\d-\d\d", page)
        assert "Oldest unsent event none" in page
        assert "Lag" not in page
        redis_client.xadd(NAMES.events, {"k": "send", "c": "", "d": "{}"}, id="1000-0")
        assert re.search(r"Oldest unsent event waiting for [0-9]+ d", text_of(user.page("/subscriptions")))

    def test_its_secret_is_on_no_page(self, user: ConsoleUser, subscription: str) -> None:
        assert "whsec_" not in user.page("/subscriptions")


class TestTemplates:
    @pytest.fixture
    def web(self, start_web: Start) -> Iterator[Web]:
        with requests_mock.Mocker() as meta:
            meta.get(requests_mock.ANY, json={"data": [TEMPLATE]})
            yield start_web()

    def test_each_is_shown_as_it_reads(self, web: Web) -> None:
        shown = text_of(ConsoleUser(web).page("/templates"))
        assert "order_update (en_US) approved" in shown
        assert "Hello {{1}}, it comes {{2}}." in shown

    @pytest.mark.parametrize(
        ("account", "status", "sentence"),
        [("", 409, "Templates need WHATSAPP_BUSINESS_ACCOUNT_ID."), (str(WABA), 503, "Meta cannot be reached.")],
    )
    def test_without_templates_each_page_says_why(
        self, start_web: Start, account: str, status: int, sentence: str
    ) -> None:
        web = start_web({"WHATSAPP_BUSINESS_ACCOUNT_ID": account})
        written(web)
        user = ConsoleUser(web)
        place = user.find(CUSTOMER)
        named = f"{place}/template?name=order_update&language=en_US"
        with requests_mock.Mocker() as meta:
            meta.get(requests_mock.ANY, exc=requests.ConnectTimeout)
            for path in (f"{place}/template", named, "/templates", "/templates/order_update/en_US"):
                answer = user.get(path)
                assert (answer.status_code, sentence in text_of(answer.text)) == (status, True), path

    def test_a_test_is_sent_to_the_number_that_was_typed(self, web: Web) -> None:
        user = ConsoleUser(web)
        values = {"header-0-1": "A", "body-0-1": "Ada", "body-0-2": "now", "button-0-1": "A"}
        form = {"to": "+1 555 123-4567", "nonce": "n", **values}
        assert "Hello Ada, it comes now." in user.post("/templates/order_update/en_US", do="preview", **form).text
        answer = user.post("/templates/order_update/en_US", do="send", **form)
        assert (answer.status_code, web.grant().conversation.partition(":")[2]) == (303, CUSTOMER)
        assert CUSTOMER not in answer.headers["Location"]


def template_of(category: str, *components: dict[str, Any]) -> dict[str, Any]:
    return TEMPLATE | {"category": category, "components": [{"type": "BODY", "text": "For you."}, *components]}


COUPON: Any = template_of("MARKETING", {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE", "text": "Copy"}]})
ONE_TIME_CODE: Any = TEMPLATE | {
    "category": "AUTHENTICATION",
    "components": [
        {"type": "BODY", "text": "*{{1}}* is your code."},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy"}]},
    ],
}
CARDS: Any = template_of("MARKETING", {"type": "CAROUSEL", "cards": [{"components": []}, {"components": []}]})
PLACE: Any = template_of("UTILITY", {"type": "HEADER", "format": "LOCATION"})


def template_forms(user: ConsoleUser) -> tuple[tuple[str, dict[str, str]], ...]:
    """The two forms that send a template, to try it and in a conversation: path, and their own fields."""
    named = {"name": "order_update", "language": "en_US"}
    return ("/templates/order_update/en_US", {"to": CUSTOMER}), (f"{user.find(CUSTOMER)}/template", named)


class TestTemplatesWithCodes:
    @pytest.mark.parametrize(
        ("definition", "field", "shown", "sent"),
        [
            (COUPON, "button-0-code", "For you. Copy S25", [{"type": "coupon_code", "coupon_code": "S25"}]),
            (ONE_TIME_CODE, "body-0-1", "*S25* is your code. Copy", [{"type": "text", "text": "S25"}] * 2),
        ],
        ids=["coupon", "one_time_code"],
    )
    def test_a_code_is_filled_in(
        self, start_web: Start, definition: Any, field: str, shown: str, sent: list[dict[str, str]]
    ) -> None:
        with requests_mock.Mocker() as meta:
            meta.get(requests_mock.ANY, json={"data": [definition]})
            web = start_web()
            user = ConsoleUser(web)
            page = user.page("/templates/order_update/en_US")
            form = {"to": CUSTOMER, "nonce": "n", field: "S25"}
            assert re.findall(r'<input id="([a-z]+-[^"]+)" name=', page) == [field]
            assert shown in text_of(user.post("/templates/order_update/en_US", do="preview", **form).text)
            assert user.post("/templates/order_update/en_US", do="send", **form).status_code == 303
            components = orjson.loads(web.grant().body)["template"]["components"]
            assert [parameter for component in components for parameter in component["parameters"]] == sent

    @pytest.mark.parametrize("definition", [CARDS, PLACE], ids=["carousel", "location"])
    def test_a_page_says_that_it_cannot_send_a_template(self, start_web: Start, definition: Any) -> None:
        with requests_mock.Mocker() as meta:
            meta.get(requests_mock.ANY, json={"data": [definition]})
            web = start_web()
            written(web)
            user = ConsoleUser(web)
            named = f"{user.find(CUSTOMER)}/template?name=order_update&language=en_US"
            for path in ("/templates/order_update/en_US", named):
                page = user.page(path)
                assert "This page cannot send this template" in text_of(page)
                assert 'name="do"' not in page

    def test_a_form_that_is_refused_keeps_its_values(self, start_web: Start) -> None:
        with requests_mock.Mocker() as meta:
            meta.get(requests_mock.ANY, json={"data": [TEMPLATE]})
            web = start_web()
            written(web)
            user = ConsoleUser(web)
            values = {"header-0-1": "A", "body-0-1": "Ada  Lovelace", "body-0-2": "a\tb", "button-0-1": "A"}
            for path, form in template_forms(user):
                answer = user.post(path, do="send", nonce="n", **form, **values)
                assert (answer.status_code, 'value="Ada  Lovelace"' in answer.text) == (400, True)
                assert 'role="alert"' in answer.text
                assert 'name="nonce" value="n"' not in answer.text

    @pytest.mark.parametrize(("part", "writes"), [(Outbox, "put"), (Events, "console")])
    def test_a_form_that_may_have_been_submitted_keeps_its_nonce(
        self, start_web: Start, monkeypatch: pytest.MonkeyPatch, part: type, writes: str
    ) -> None:
        def away(*_: Any, **__: Any) -> None:
            raise StoreUnavailableError("TimeoutError")

        with requests_mock.Mocker() as meta:
            meta.get(requests_mock.ANY, json={"data": [TEMPLATE]})
            web = start_web()
            written(web)
            user = ConsoleUser(web)
            values = {"header-0-1": "A", "body-0-1": "Ada", "body-0-2": "now", "button-0-1": "A"}
            forms = template_forms(user)
            monkeypatch.setattr(part, writes, away)
            for path, form in forms:
                answer = user.post(path, do="send", nonce="n", **form, **values)
                assert (answer.status_code, 'name="nonce" value="n"' in answer.text) == (503, True)


def test_a_sentence_is_tried_on_the_script(user: ConsoleUser) -> None:
    shown = text_of(user.post("/script", text="what time is breakfast").text)
    assert re.search(r"breakfast (0\.\d\d|1\.00)", shown)
    assert "7" in shown
    assert "intents" in user.page("/script")


class TestLive:
    @pytest.fixture(autouse=True)
    def _connections_end(self) -> Iterator[None]:
        # The process serves the whole file: an open connection would count in the next test.
        self.opened: list[Any] = []
        yield
        for answer in self.opened:
            answer.close()

    def read(self, path: str, user: ConsoleUser, **headers: str) -> Any:
        sent = {"Sec-Fetch-Mode": "cors"} | {name.replace("_", "-"): value for name, value in headers.items()}
        self.opened.append(user.client.get(f"/console{path}", headers=sent))
        return self.opened[-1]

    def test_a_page_hears_of_its_conversation_alone(
        self, web: Web, user: ConsoleUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live_feed, "POLL_SECONDS", 0.02)
        written(web)
        place = user.find(CUSTOMER)
        answer = self.read(f"/live?place={place.rpartition('/')[2]}", user)
        stream = iter(answer.response)
        assert re.fullmatch(rb"retry: 1000\nid: [0-9]+-[0-9]+\n\n", next(stream))
        other = text_message("wamid.OTHER") | {"from": "15559999999"}
        value = value_of(messages=[other])
        value["contacts"] = [{"profile": {"name": "Ben"}, "wa_id": "15559999999"}]
        web.webhook(delivery(value))
        written(web, "wamid.MORE")
        told = re.fullmatch(rb"event: changed\nid: ([0-9]+-[0-9]+)\ndata:\n\n", next(stream))
        assert told is not None
        assert told[1].decode() == web.runtime.events.last_cursor()
        answer.close()
        assert web.client.get("/healthz").status_code == 200

    def test_a_session_that_is_over_is_refused(self, web: Web, user: ConsoleUser) -> None:
        assert web.app.test_client().get("/console/live", headers={"Sec-Fetch-Mode": "cors"}).status_code == 401

    def test_no_more_than_twenty_of_a_session_and_fifty_of_a_process_are_told(self, web: Web) -> None:
        users = [ConsoleUser(web) for _ in range(3)]
        opened = [self.read("/live", user) for user in users[:2] for _ in range(20)]
        for user in users[:2]:
            refused = self.read("/live", user)
            assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
        opened += [self.read("/live", users[2]) for _ in range(10)]
        assert [answer.status_code for answer in opened] == [200] * 50
        assert self.read("/live", users[2]).status_code == 429
        # Long polls have a limit of their own.
        assert web.get("/v1/events?wait=0").status_code == 200
        with web.app.test_client() as client:
            assert client.get("/v1/events?wait=0.01", headers=KEYS["both"]).status_code == 200
        opened.pop().close()
        assert eventually(lambda: self.read("/live", users[2]).status_code == 200)

    def test_a_page_has_one_connection_and_the_one_before_ends(self, web: Web, user: ConsoleUser) -> None:
        other = ConsoleUser(web)
        first = self.read("/live?page=one", user)
        stream = iter(first.response)
        assert next(stream).startswith(b"retry: 1000\n")
        self.read("/live?page=two", user)
        self.read("/live?page=one", other)
        self.read("/live?page=one", user)
        assert [each[:4] for each in stream] == [b"id: "]

    @pytest.mark.parametrize("by", ["page", "header"])
    def test_what_happened_before_the_connection_is_told_at_once(self, web: Web, user: ConsoleUser, by: str) -> None:
        """A change between the page and its connection, or between two connections."""
        written(web)
        page = user.page(user.find(CUSTOMER))
        (address,) = re.findall(r'data-live="/console(/live[^"]+)"', page)
        address = unescape(address)
        written(web, "wamid.MEANWHILE")
        headers = {}
        if by == "header":
            address, _, headers["Last_Event_ID"] = address.rpartition("&since=")
        stream = iter(self.read(address, user, **headers).response)
        told: list[Any] = [next(stream), next(stream)]
        assert [told[0][:7], told[1][:14]] == [b"retry: ", b"event: changed"]

    def test_a_quiet_connection_is_written_to_so_that_its_end_is_noticed(
        self, web: Web, user: ConsoleUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "_ALIVE_EVERY_SECONDS", 0.05)
        written(web)
        answer = self.read(f"/live?place={user.find(CUSTOMER).rpartition('/')[2]}", user)
        stream = iter(answer.response)
        assert [next(stream)[:7], next(stream)[:4]] == [b"retry: ", b"id: "]

    def test_the_stream_is_read_once_for_all_and_not_at_all_where_nobody_looks(self) -> None:
        asked: list[str] = []

        class Stream:
            def last_cursor(self) -> str:
                return "1-0"

            def after(self, cursor: str, count: int) -> list[Any]:
                asked.append(cursor)
                return []

        now = [10.0]
        events: Any = Stream()
        feed = LiveFeed(events, clock=lambda: now[0])
        with feed.watch(None), feed.watch("c"):
            for _ in range(5):
                feed.poll()
            now[0] += 1
            feed.poll()
        assert asked == ["1-0", "1-0"]
        assert feed.watchers == 0

    def test_where_more_happens_than_is_looked_through_everybody_looks_again(self, web: Web) -> None:
        feed = LiveFeed(web.runtime.events)
        with feed.watch(None) as everybody, feed.watch("c") as one, web.runtime.store.client.pipeline() as many:
            for _ in range(501):
                many.xadd(NAMES.events, {"k": "send", "c": "another", "d": "{}"})
            last = many.execute()[-1].decode()
            feed.poll()
            assert (feed.cursor, everybody.changed, one.changed) == (last, True, True)


def test_what_a_script_sends_is_refused_from_elsewhere(web: Web, user: ConsoleUser) -> None:
    headers = SAME_ORIGIN | {"Sec-Fetch-Site": "cross-site"}
    assert user.post("/dead-letters", headers=headers, do="replay", letter="x", quiet="1").status_code == 403


def test_a_console_event_tells_no_text(web: Web, user: ConsoleUser) -> None:
    written(web)
    user.post(f"{user.find(CUSTOMER)}/write", text="our secret")
    told = web.client.get("/v1/events?kind=console", headers=KEYS["both"]).text
    assert "our secret" not in told
    assert isinstance(web.runtime.events, Events)
