"""Media, templates, events, contacts, dead letters."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
import redis
import requests_mock
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from tests.keys import PREFIX
from tests.unit.web.conftest import KEYS, SETTINGS, Start, Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, OTHER_NUMBER, WABA, delivery, status_of, text_message, value_of
from wa_service.config.web_options import WebOptions
from wa_service.delivery.verdict import judge
from wa_service.store.outbox import SendOutcome
from wa_service.web.app import create_app
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import classify
from wa_service.whatsapp.webhooks.events import Piece

GRAPH = "https://graph.example/v24.0"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
UNKNOWN = {"error": {"message": "Unsupported get request.", "code": 100, "error_subcode": 33, "fbtrace_id": "AbC"}}
WELCOME = {
    "name": "welcome",
    "language": "en_US",
    "status": "APPROVED",
    "components": [{"type": "BODY", "text": "Hello {{1}}"}],
}


class Seam(BaseAdapter):
    """An adapter that passes the clients' requests to the current test's fake of Meta."""

    def __init__(self) -> None:
        super().__init__()
        self.meta = requests_mock.Adapter()

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        return self.meta.send(request, *args, **options)

    def close(self) -> None:
        self.meta.close()


@pytest.fixture(scope="module")
def seam() -> Seam:
    return Seam()


@pytest.fixture(autouse=True)
def meta(seam: Seam) -> requests_mock.Adapter:
    """Return a fake of Meta, to which a test adds responses."""
    seam.meta = requests_mock.Adapter()
    return seam.meta


def clients_of(seam: Seam) -> dict[str, WhatsAppMetaClient]:
    return {
        number: WhatsAppMetaClient(
            SETTINGS["WHATSAPP_ACCESS_TOKEN"],
            number,
            api_version="v24.0",
            base_url="https://graph.example",
            business_account_id=WABA,
            adapter=seam,
        )
        for number in (NUMBER, OTHER_NUMBER)
    }


@pytest.fixture(scope="module")
def process_of_the_file(start_for_the_file: Start, seam: Seam) -> Web:
    return start_for_the_file(clients=clients_of(seam))


@pytest.fixture
def new_web(start_web: Start, seam: Seam) -> Web:
    """Return a web process with an empty template cache."""
    return start_web(clients=clients_of(seam))


def form(content: bytes = PNG, name: str = "a.png", mime_type: str = "image/png", **fields: str) -> dict[str, Any]:
    return {"data": {"file": (io.BytesIO(content), name, mime_type), **fields}}


def test_a_file_is_passed_on_to_meta(web: Web, meta: requests_mock.Adapter) -> None:
    meta.register_uri("POST", f"{GRAPH}/{NUMBER}/media", json={"id": "1234567890"})

    answer = web.post("/v1/media", **form())

    assert (answer.status_code, answer.json) == (200, {"id": "1234567890"})


def test_a_large_file_is_passed_on_in_pieces(web: Web, meta: requests_mock.Adapter) -> None:
    sizes: list[int] = []

    def count(request: Any, context: Any) -> dict[str, str]:
        sizes.extend(len(piece) for piece in request.body)
        return {"id": "1234567890"}

    meta.register_uri("POST", f"{GRAPH}/{NUMBER}/media", json=count)

    answer = web.post("/v1/media", **form(b"x" * 20_000_000, "a.pdf", "application/pdf"))

    assert answer.status_code == 200
    assert sum(sizes) > 20_000_000
    assert max(sizes) < 1_000_000


def test_an_upload_whose_outcome_is_unknown_may_be_repeated(web: Web, meta: requests_mock.Adapter) -> None:
    meta.register_uri("POST", f"{GRAPH}/{NUMBER}/media", status_code=502)

    answer = web.post("/v1/media", **form())

    assert (answer.status_code, answer.json["type"]) == (504, "/docs#outcome-unknown")
    assert answer.json["retryable"]
    assert "no message was sent" in answer.json["detail"]


def test_the_form_may_name_the_type_and_the_query_the_number(web: Web, meta: requests_mock.Adapter) -> None:
    meta.register_uri("POST", f"{GRAPH}/{OTHER_NUMBER}/media", json={"id": "1"})
    upload = form(name="file", mime_type="application/octet-stream", type="image/png")

    assert web.post(f"/v1/media?from={OTHER_NUMBER}", **upload).status_code == 200


@pytest.mark.parametrize(
    ("upload", "status", "advice"),
    [
        ({"json": {}}, 415, "Send a form, as multipart/form-data."),
        ({"data": {"other": (io.BytesIO(b"x"), "a.png")}}, 400, "The form is not valid."),
        (
            form(b"MZ\x90\0" + bytes(100), name="a.exe", mime_type="image/png"),
            415,
            "Convert the file to a type that WhatsApp supports.",
        ),
        (form(b"x" * (6 * 1024 * 1024)), 413, "Use a smaller file."),
        (form(b""), 415, "Send a file with content."),
    ],
)
def test_what_is_no_file_that_meta_takes_is_refused_before_it_is_asked(
    web: Web, upload: dict[str, Any], status: int, advice: str
) -> None:
    answer = web.post("/v1/media", **upload)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json["detail"] == advice


def test_a_body_larger_than_any_file_is_refused(web: Web) -> None:
    headers = {"CONTENT_LENGTH": str(101 * 1024 * 1024), "CONTENT_TYPE": "multipart/form-data; boundary=x"}

    answer = web.client.post("/v1/media", headers=KEYS["both"], environ_overrides=headers)

    assert answer.status_code == 413


def test_a_file_is_passed_on_as_a_download_that_no_browser_runs(web: Web, meta: requests_mock.Adapter) -> None:
    info = {"url": "https://lookaside.fbsbx.com/1", "mime_type": "image/png", "file_size": len(PNG), "id": "1"}
    meta.register_uri("GET", f"{GRAPH}/1", json=info)
    meta.register_uri("GET", "https://lookaside.fbsbx.com/1", content=PNG, headers={"Content-Type": "image/png"})

    answer = web.get("/v1/media/1")

    assert (answer.status_code, answer.data, answer.mimetype) == (200, PNG, "image/png")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="media.png"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == str(len(PNG))


def test_a_file_that_meta_does_not_have_is_not_found(web: Web, meta: requests_mock.Adapter) -> None:
    meta.register_uri("GET", f"{GRAPH}/1", status_code=400, json=UNKNOWN)

    answer = web.get("/v1/media/1")

    assert (answer.status_code, answer.json["type"], answer.json["fbtrace_id"]) == (404, "/docs#media-not-found", "AbC")


def test_a_file_is_deleted(web: Web, meta: requests_mock.Adapter) -> None:
    meta.register_uri("GET", f"{GRAPH}/1", json={"url": "https://x.fbsbx.com/1", "mime_type": "image/png"})
    meta.register_uri("DELETE", f"{GRAPH}/1", json={"success": True})

    assert web.delete("/v1/media/1").status_code == 204


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        ({"json": {"success": True}}, "whatsapp.media.deleted"),
        ({"status_code": 400, "json": UNKNOWN}, "whatsapp.media.delete_failed"),
    ],
)
def test_a_deletion_has_its_own_log_line(
    start_web: Start, lines: list[dict[str, Any]], answer: dict[str, Any], event: str
) -> None:
    web = start_web()
    with requests_mock.Mocker() as graph:
        graph.get(requests_mock.ANY, json={"url": "https://x.fbsbx.com/1", "mime_type": "image/png"})
        graph.delete(requests_mock.ANY, **answer)
        web.delete("/v1/media/1")

    logged = [line["event"] for line in lines if line["event"].startswith("whatsapp.media")]
    assert logged == ["whatsapp.media.resolved", event]


def test_a_number_that_is_not_ours_cannot_be_named(web: Web) -> None:
    answer = web.get("/v1/media/1?from=123")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "from")


def test_a_message_is_marked_as_read_with_a_typing_indicator(web: Web, meta: requests_mock.Adapter) -> None:
    marked = meta.register_uri("POST", f"{GRAPH}/{NUMBER}/messages", json={"success": True})

    answer = web.post("/v1/messages/wamid.HBgL%2BA%2FB=/read", json={"typing": True})

    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert marked.last_request.json() == {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": "wamid.HBgL+A/B=",
        "typing_indicator": {"type": "text"},
    }


def test_a_message_is_marked_as_read_without_a_body(web: Web, meta: requests_mock.Adapter) -> None:
    marked = meta.register_uri("POST", f"{GRAPH}/{NUMBER}/messages", json={"success": True})

    assert web.post("/v1/messages/wamid.HBgL/read").status_code == 200
    assert "typing_indicator" not in marked.last_request.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [("abc", {}), ("wamid.HBgL", {"typing": "yes"}), ("wamid.HBgL", {"more": 1}), ("wamid.HBgL", {"from": "1"})],
)
def test_a_mark_that_is_not_right_is_refused(web: Web, path: str, body: dict[str, Any]) -> None:
    assert web.post(f"/v1/messages/{path}/read", json=body).status_code == 400


def test_a_mark_waits_while_the_number_has_no_room(web: Web, redis_client: redis.Redis) -> None:
    on_their_way = (int(redis_client.time()[0]) + 30) * 1000
    redis_client.zadd(f"{PREFIX}rate:{NUMBER}", {f"send {i}": on_their_way for i in range(80)})

    answer = web.post("/v1/messages/wamid.HBgL/read")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")


def test_a_message_is_found_by_meta_s_id_too(web: Web) -> None:
    web.send({"to": CUSTOMER, "text": "hello"})
    web.accept("wamid.HBgL/A+B==")

    for path in ("wamid.HBgL/A+B==", "wamid.HBgL%2FA%2BB%3D%3D"):
        assert web.get(f"/v1/messages/{path}").json["wamid"] == "wamid.HBgL/A+B=="


@pytest.mark.parametrize("name", ["unknown", "wamid.HBgLUNKNOWN"])
def test_an_unknown_message_is_not_found(web: Web, name: str) -> None:
    assert web.get(f"/v1/messages/{name}").status_code == 404


def test_templates_are_asked_for_once_a_minute(new_web: Web, meta: requests_mock.Adapter) -> None:
    asked = meta.register_uri("GET", re.compile(f"{GRAPH}/{WABA}/message_templates"), json={"data": [WELCOME]})

    answers = [new_web.get("/v1/templates") for _ in range(3)]

    assert [answer.json for answer in answers] == [{"items": [WELCOME]}] * 3
    assert asked.call_count == 1


def test_without_an_account_there_are_no_templates(start_web: Start) -> None:
    web = start_web({"WHATSAPP_BUSINESS_ACCOUNT_ID": ""})

    answer = web.get("/v1/templates")

    assert (answer.status_code, answer.json["type"]) == (409, "/docs#not-configured")


def send_welcome(web: Web, body: list[str], **headers: str) -> Any:
    return web.send({"to": CUSTOMER, "template": {"name": "welcome", "language": "en_US", "body": body}}, **headers)


@pytest.fixture
def known_templates(new_web: Web, meta: requests_mock.Adapter) -> Callable[[dict[str, Any]], None]:
    """Fill the template cache, and return a function that changes the definitions at Meta."""

    def define(template: dict[str, Any]) -> None:
        meta.register_uri("GET", re.compile(f"{GRAPH}/{WABA}/message_templates"), json={"data": [template]})

    define(WELCOME)
    new_web.get("/v1/templates")
    return define


def test_a_template_that_does_not_fit_is_refused_before_it_is_sent(new_web: Web, known_templates: Any) -> None:
    answer = send_welcome(new_web, ["Ada", "too many"])

    assert (answer.status_code, answer.json["type"]) == (422, "/docs#template-misfit")
    assert answer.json["errors"][0]["field"] == "template"


def test_a_template_that_fits_is_sent(new_web: Web, known_templates: Any) -> None:
    assert send_welcome(new_web, ["Ada"]).status_code == 202


def test_a_template_to_fall_back_to_is_compared_too(new_web: Web, known_templates: Any) -> None:
    answer = new_web.send(
        {"to": CUSTOMER, "text": "hello", "fallback_template": {"name": "welcome", "language": "en_US"}}
    )

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "fallback_template")


def test_a_template_that_nobody_knows_is_left_to_meta(new_web: Web, known_templates: Any) -> None:
    answer = new_web.send({"to": CUSTOMER, "template": {"name": "unheard_of", "language": "en_US", "body": ["Ada"]}})

    assert answer.status_code == 202


def test_a_repeat_is_answered_whatever_became_of_the_template(new_web: Web, known_templates: Any) -> None:
    first = send_welcome(new_web, ["Ada"], Idempotency_Key="order-12")
    new_web.runtime.outbox.done(NUMBER, new_web.grant(), SendOutcome("accepted", wamid="wamid.HBgLX"))
    other = start_again(new_web, WELCOME | {"status": "REJECTED"})

    repeat = send_welcome(other, ["Ada"], Idempotency_Key="order-12")

    assert (repeat.status_code, repeat.json["id"]) == (200, first.json["id"])
    assert send_welcome(other, ["Ada"]).status_code == 422


def start_again(web: Web, template: dict[str, Any]) -> Web:
    """Return another web process with the same store, which knows the template's new definition."""
    adapter = requests_mock.Adapter()
    adapter.register_uri("GET", re.compile(f"{GRAPH}/{WABA}/message_templates"), json={"data": [template]})
    client = WhatsAppMetaClient(
        "t", NUMBER, api_version="v24.0", base_url="https://graph.example", business_account_id=WABA, adapter=adapter
    )
    runtime = replace(web.runtime, clients={NUMBER: client})
    app = create_app(runtime, WebOptions.of(runtime.settings))
    again = Web(app, runtime, app.test_client())
    again.get("/v1/templates")
    return again


PAUSED_WELCOME = WELCOME | {"status": "PAUSED"}


def test_a_send_of_a_template_that_meta_reported_as_paused_is_held(new_web: Web) -> None:
    value = {"event": "PAUSED", "message_template_name": "welcome", "message_template_language": "en_US"}
    change = {"field": "message_template_status_update", "value": value}
    entry = {"id": WABA, "time": int(time.time()), "changes": [change]}
    assert new_web.webhook({"object": "whatsapp_business_account", "entry": [entry]}).status_code == 200
    other = start_again(new_web, PAUSED_WELCOME)

    answer = send_welcome(other, ["Ada"])

    assert answer.status_code == 202, answer.text
    assert other.runtime.outbox.next(NUMBER, "worker", 1, 8).grants == []
    assert held_for(other, answer.json["id"]) == ("scheduled", "template_paused")


def test_a_send_of_a_template_that_only_the_list_calls_paused_is_held_by_metas_answer(new_web: Web) -> None:
    web = start_again(new_web, PAUSED_WELCOME)
    sent = send_welcome(web, ["Ada"]).json["id"]

    grant = web.grant()
    refusal = classify(400, {"error": {"code": 132015, "message": "(#132015) Template is paused"}})
    web.runtime.outbox.done(NUMBER, grant, judge(refusal, grant).outcome)

    assert held_for(web, sent) == ("scheduled", "template_paused")


def test_a_paused_template_may_be_scheduled_and_sent_in_a_batch(new_web: Web) -> None:
    web = start_again(new_web, PAUSED_WELCOME)
    template = {"name": "welcome", "language": "en_US", "body": ["Ada"]}

    later = web.send({"to": CUSTOMER, "template": template, "send_at": time.time() + 3 * 86_400})
    batch = web.post("/v1/batches", json={"template": template, "items": [{"to": CUSTOMER}]})

    assert (later.status_code, later.json["status"]) == (202, "scheduled")
    assert (batch.json["taken"], batch.json["refused"]) == (1, [])


def held_for(web: Web, message_id: str) -> tuple[str, str]:
    """Return a message's status and why it is held."""
    shown = web.get(f"/v1/messages/{message_id}").json
    return shown["status"], (shown["held"] or {}).get("reason", "")


def test_events_tell_what_customers_wrote_and_what_became_of_sends(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))
    sent = web.send({"to": CUSTOMER, "text": "hello", "biz_opaque_callback_data": "order 12"}).json["id"]
    web.accept("wamid.HBgLOURS")
    web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLOURS", "delivered")])))

    page = web.get("/v1/events").json

    assert [event["kind"] for event in page["items"]] == ["message", "send", "status"]
    message, accepted, delivered = page["items"]
    assert (message["contact"], message["phone_number_id"]) == (CUSTOMER, NUMBER)
    assert message["data"]["message"] == text_message()
    assert (message["data"]["id"], message["data"]["name"]) == ("wamid.HBgLMESSAGE", "Ada")
    assert (accepted["data"]["id"], accepted["data"]["status"]) == (sent, "accepted")
    assert accepted["data"]["biz_opaque_callback_data"] == "order 12"
    assert (delivered["data"]["id"], delivered["data"]["status"]) == (sent, "delivered")
    assert page["next"] == delivered["cursor"]


def test_events_go_on_after_a_cursor(web: Web) -> None:
    for i in range(3):
        web.webhook(delivery(value_of(messages=[text_message(f"wamid.HBgL{i}")])))

    first = web.get("/v1/events?limit=2").json
    second = web.get(f"/v1/events?after={first['next']}").json
    third = web.get(f"/v1/events?after={second['next']}").json

    assert [event["data"]["id"] for event in second["items"]] == ["wamid.HBgL2"]
    assert third == {"items": [], "next": second["next"]}


def test_the_transcript_of_a_voice_note_is_an_event_once_it_is_heard(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))
    _, [work] = web.runtime.inbox.take("a worker", 1, 1)
    heard = {"message_id": "wamid.HBgLMESSAGE", "transcript": "good morning", "confidence": 0.9}

    web.runtime.inbox.finish(work, "a worker", [], transcript=orjson.dumps(heard).decode())

    event = web.get("/v1/events").json["items"][-1]
    assert (event["kind"], event["data"]) == ("transcript", heard)


@pytest.mark.parametrize("stored", ['{"v":3}', "{}", "[]", "not JSON"])
def test_an_event_in_a_form_we_do_not_know_leaves_its_siblings_readable(web: Web, stored: str) -> None:
    web.runtime.store.do("XADD", f"{PREFIX}events", "*", "k", "message", "c", f"{NUMBER}:{CUSTOMER}", "d", stored)
    web.webhook(delivery(value_of(messages=[text_message()])))

    unknown, known = web.get("/v1/events").json["items"]

    assert (unknown["kind"], unknown["contact"], unknown["data"]) == ("unreadable", CUSTOMER, {})
    assert known["data"]["message"] == text_message()


@pytest.mark.parametrize("kinds", ["messages", "message,sent", "Message"])
def test_a_kind_that_does_not_exist_is_refused_with_those_that_do(web: Web, kinds: str) -> None:
    (problem,) = web.get(f"/v1/events?kind={kinds}").json["errors"]
    assert problem["field"] == "kind"
    assert "message, transcript, send" in problem["detail"]


def test_kinds_may_have_spaces_between_them(web: Web) -> None:
    assert web.get("/v1/events?kind=message, unreadable,").status_code == 200


def test_a_poll_waits_for_an_event_and_no_longer(web: Web) -> None:
    started = time.monotonic()

    page = web.get("/v1/events?wait=0.3").json

    assert page == {"items": [], "next": "0"}
    assert time.monotonic() - started >= 0.3


def test_latest_leaves_out_what_was_before(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message("wamid.HBgLBEFORE")])))
    page = web.get("/v1/events?after=latest").json
    web.webhook(delivery(value_of(messages=[text_message("wamid.HBgLAFTER")])))

    following = web.get(f"/v1/events?after={page['next']}").json

    assert page["items"] == []
    assert [event["data"]["id"] for event in following["items"]] == ["wamid.HBgLAFTER"]


def test_a_contact_tells_its_window_and_addresses(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message(at=int(time.time()))])))

    contact = web.get(f"/v1/contacts/+{CUSTOMER}").json

    assert (contact["id"], contact["name"], contact["addresses"]) == (CUSTOMER, "Ada", [CUSTOMER])
    assert contact["window_open"] is True
    assert [window["phone_number_id"] for window in contact["windows"]] == [NUMBER]


def test_a_window_closes_a_day_after_the_last_message(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message(at=1_700_000_000)])))

    contact = web.get(f"/v1/contacts/{CUSTOMER}").json

    assert contact["window_open"] is False
    assert contact["windows"][0]["ends"] == "2023-11-15T22:13:20.000Z"


def test_a_customer_whom_nobody_knows_is_not_found(web: Web) -> None:
    assert web.get("/v1/contacts/15550000000").status_code == 404


def test_a_forgotten_person_is_nowhere(web: Web, redis_client: redis.Redis) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))
    sent = web.send({"to": CUSTOMER, "text": "hello"}).json["id"]

    answer = web.delete(f"/v1/contacts/+{CUSTOMER}")

    assert answer.status_code == 200
    assert answer.json["erased"] > 0
    assert web.get(f"/v1/contacts/{CUSTOMER}").status_code == 404
    assert web.get(f"/v1/messages/{sent}").status_code == 404
    assert [item["kind"] for item in web.get("/v1/events").json["items"]] == ["erased"]


@pytest.mark.parametrize("address", ["1", "+", "15", "%20", "a-group-that-nobody-knows"])
def test_nobody_s_address_is_a_problem_and_erases_nobody(web: Web, address: str) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))

    answer = web.delete(f"/v1/contacts/{address}")

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "id")
    assert len(web.get("/v1/events").json["items"]) == 1


@pytest.fixture
def failed_letter(web: Web) -> str:
    """Return the id of the dead letter of a message that could not be handled."""
    web.webhook(delivery(value_of(messages=[text_message()])))
    _, [work] = web.runtime.inbox.take("a worker", 1, 1)
    web.runtime.inbox.dead_letter(work, "a worker", "failed", "RuntimeError")
    [letter] = web.get("/v1/dead-letters").json["items"]
    return str(letter["id"])


def test_a_dead_letter_tells_what_and_why(web: Web, failed_letter: str) -> None:
    [letter] = web.get("/v1/dead-letters").json["items"]

    assert (letter["kind"], letter["reason"], letter["tries"]) == ("failed", "RuntimeError", 1)
    assert (letter["contact"], letter["phone_number_id"]) == (CUSTOMER, NUMBER)
    assert letter["event"] == text_message()


def test_a_letter_in_a_form_we_do_not_know_is_shown_and_stays(web: Web, failed_letter: str) -> None:
    web.runtime.store.do("HSET", f"{PREFIX}dead_letter:{failed_letter}", "event", '{"v":3}')

    [letter] = web.get("/v1/dead-letters").json["items"]
    answer = web.post(f"/v1/dead-letters/{failed_letter}/replay")

    assert letter["event"] == '{"v":3}'
    assert answer.status_code == 409
    assert "later version" in answer.json["detail"]


def test_a_replayed_letter_waits_again(web: Web, failed_letter: str) -> None:
    answer = web.post(f"/v1/dead-letters/{failed_letter}/replay")

    _, works = web.runtime.inbox.take("a worker", 2, 10)
    assert answer.status_code == 200
    assert [work.stored.piece.id for work in works] == ["wamid.HBgLMESSAGE"]
    assert web.get("/v1/dead-letters").json == {"items": [], "next": None}


def test_a_letter_for_a_full_mailbox_may_be_replayed_later(
    web: Web, failed_letter: str, redis_client: redis.Redis
) -> None:
    waiting = {f'{{"v":2,"i":"{i}"}}': i for i in range(500)}
    redis_client.zadd(f"{PREFIX}mailbox:{NUMBER}:{CUSTOMER}", waiting)

    answer = web.post(f"/v1/dead-letters/{failed_letter}/replay")

    assert (answer.status_code, answer.json["type"]) == (429, "/docs#mailbox-full")
    assert answer.json["retryable"] is True
    assert answer.headers["Retry-After"]
    assert [letter["id"] for letter in web.get("/v1/dead-letters").json["items"]] == [failed_letter]


def test_a_letter_from_before_a_join_is_handled_with_what_its_customer_wrote_since(web: Web) -> None:
    inbox, user_id = web.runtime.inbox, "US.13491208655302741918"
    web.webhook(delivery(value_of(messages=[text_message("wamid.HBgL1")])))
    inbox.finish(inbox.take("a worker", 1, 1)[1][0], "a worker", [])
    by_user_id = {name: part for name, part in text_message("wamid.HBgL2").items() if name != "from"}
    contacts = [{"profile": {"name": "Ada"}, "user_id": user_id}]
    web.webhook(delivery(value_of(messages=[by_user_id | {"from_user_id": user_id}]) | {"contacts": contacts}))
    inbox.dead_letter(inbox.take("a worker", 2, 1)[1][0], "a worker", "failed", "RuntimeError")
    web.webhook(delivery(value_of(messages=[text_message("wamid.HBgL3") | {"from_user_id": user_id}])))
    [letter] = web.get("/v1/dead-letters").json["items"]

    web.post(f"/v1/dead-letters/{letter['id']}/replay")

    conversations = [work.conversation for work in inbox.take("a worker", 3, 10)[1]]
    assert conversations == [f"{NUMBER}:{CUSTOMER}"]


def test_a_dropped_letter_is_gone(web: Web, failed_letter: str) -> None:
    assert web.delete(f"/v1/dead-letters/{failed_letter}").status_code == 204
    assert web.delete(f"/v1/dead-letters/{failed_letter}").status_code == 404
    assert web.get("/v1/dead-letters").json["items"] == []


def test_an_unknown_letter_cannot_be_replayed(web: Web) -> None:
    assert web.post("/v1/dead-letters/unknown/replay").status_code == 404


def test_dead_letters_come_in_pages(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[f"broken {i}" for i in range(5)])))

    first = web.get("/v1/dead-letters?limit=3").json
    second = web.get(f"/v1/dead-letters?limit=3&after={first['next']}").json

    assert [len(first["items"]), len(second["items"])] == [3, 2]
    assert second["next"] is None
    assert len({letter["id"] for letter in first["items"] + second["items"]}) == 5


@pytest.mark.parametrize("act", ["drop", "keep"])
def test_no_letter_is_skipped_while_those_of_the_page_before_are_dropped(web: Web, act: str) -> None:
    for part in (range(4), range(4, 7)):
        web.webhook(delivery(value_of(messages=[f"broken {i}" for i in part])))

    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = web.get(f"/v1/dead-letters?limit=2&after={cursor}").json
        cursor = page["next"]
        seen += [letter["event"] for letter in page["items"]]
        for letter in page["items"] if act == "drop" else []:
            web.delete(f"/v1/dead-letters/{letter['id']}")

    assert sorted(seen) == [f"broken {i}" for i in range(7)]


@pytest.mark.parametrize("cursor", ["5", "-", "5-", "-ab", "5-xyz", "1e5-ab"])
def test_a_cursor_of_another_form_is_refused(web: Web, cursor: str) -> None:
    assert web.get(f"/v1/dead-letters?after={cursor}").status_code == 400


def test_a_letter_that_can_still_not_be_read_says_why(web: Web) -> None:
    web.webhook(delivery(value_of(messages=["no object"])))
    [letter] = web.get("/v1/dead-letters").json["items"]

    answer = web.post(f"/v1/dead-letters/{letter['id']}/replay")

    assert (answer.status_code, answer.json["type"]) == (409, "/docs#still-unreadable")
    assert answer.json["detail"]
    assert len(web.get("/v1/dead-letters").json["items"]) == 1


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (text_message(), "messages"),
        (value_of(messages=[text_message()]), "messages"),
        ({"field": "messages", "value": value_of(messages=[text_message()])}, ""),
        (delivery(value_of(messages=[text_message()]))["entry"][0], ""),
    ],
    ids=["message", "value", "change", "entry"],
)
def test_a_letter_that_can_be_read_today_is_handled(web: Web, raw: Any, field: str) -> None:
    piece = Piece("malformed", field, WABA, NUMBER, "", 0, (), None, raw, "an older version could not read it", 0)
    web.runtime.store.run([web.runtime.dead_letters.add(piece, 1)])
    [letter] = web.get("/v1/dead-letters").json["items"]

    answer = web.post(f"/v1/dead-letters/{letter['id']}/replay")

    _, works = web.runtime.inbox.take("a worker", 1, 10)
    assert answer.status_code == 200
    assert [work.stored.piece.id for work in works] == ["wamid.HBgLMESSAGE"]
    assert web.get("/v1/dead-letters").json["items"] == []


def test_a_message_whose_content_is_broken_is_not_put_back(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message() | {"text": "no object"}])))
    _, [work] = web.runtime.inbox.take("a worker", 1, 1)
    web.runtime.inbox.dead_letter(work, "a worker", "malformed", "text is not an object")
    [letter] = web.get("/v1/dead-letters").json["items"]

    assert web.post(f"/v1/dead-letters/{letter['id']}/replay").status_code == 409


def test_a_person_takes_over_and_gives_back(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))
    url = f"/v1/contacts/{CUSTOMER}"
    paused = web.put(f"{url}/pause", {"seconds": 60})
    assert paused.status_code == 200
    (window,) = web.get(url).json["windows"]
    assert window["paused_until"] == paused.json["paused_until"] is not None
    assert web.delete(f"{url}/pause").json == {"paused_until": None}
    assert web.get(url).json["windows"][0]["paused_until"] is None


@pytest.mark.parametrize("body", [{}, {"seconds": 0}, {"seconds": "x"}, {"seconds": 10**9}])
def test_a_pause_needs_a_time(web: Web, body: dict[str, Any]) -> None:
    assert web.put(f"/v1/contacts/{CUSTOMER}/pause", body).status_code == 400


def test_nobody_known_cannot_be_paused(web: Web) -> None:
    assert web.put("/v1/contacts/15559990000/pause", {"seconds": 60}).status_code == 404


def test_a_large_event_is_listed_by_its_short_values_and_read_whole(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message(body="x" * 20_000)])))

    (item,) = web.get("/v1/events").json["items"]
    whole = web.get(f"/v1/events/{item['cursor']}")

    assert (item["data"]["message"]["left_out"], item["data"]["type"]) == (True, "text")
    assert whole.json["data"]["message"]["text"]["body"] == "x" * 20_000
    assert [web.get(f"/v1/events/{cursor}").status_code for cursor in ("1-1", "latest", "0", "x")] == [404] * 4
