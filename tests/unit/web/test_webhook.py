"""Deliveries are verified, parsed and stored before they are acknowledged."""

from __future__ import annotations

import hmac
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import Any

import orjson
import pytest
import redis

from tests.keys import PREFIX
from tests.unit.web.conftest import IN_CHUNKS, BrokenChunks, FullMemory, Start, Web
from tests.unit.web.deliveries import (
    CUSTOMER,
    FOREIGN_NUMBER,
    NUMBER,
    OTHER_NUMBER,
    SECRET,
    delivery,
    status_of,
    text_message,
    value_of,
)
from wa_service.web.problems import ProblemError
from wa_service.web.webhook import LARGEST_BODY, MOST_LARGE_BYTES, SMALL_BODY, LargeBodies

NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1/0"}
ONE = delivery(value_of(messages=[text_message()]))


def waiting(web: Web) -> list[tuple[str, str]]:
    """Return (conversation, wamid) of every waiting message, in the order in which a worker takes them."""
    _, works = web.runtime.inbox.take("a worker", 1, 2000)
    return [(work.conversation, work.stored.piece.id) for work in works]


def test_the_handshake_answers_the_challenge_as_plain_text(web: Web) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "a-verify-token", "hub.challenge": "1158201444"}

    answer = web.client.get("/webhooks/whatsapp", query_string=query)

    assert (answer.status_code, answer.text, answer.mimetype) == (200, "1158201444", "text/plain")


@pytest.mark.parametrize(
    "changed",
    [{"hub.verify_token": "a-verify-tokeN"}, {"hub.verify_token": ""}, {"hub.mode": "unsubscribe"}, {"hub.mode": ""}],
)
def test_the_handshake_refuses_another_token_or_mode(web: Web, changed: dict[str, str]) -> None:
    query = {"hub.mode": "subscribe", "hub.verify_token": "a-verify-token", "hub.challenge": "1"} | changed

    answer = web.client.get("/webhooks/whatsapp", query_string=query)

    assert answer.status_code == 403
    assert answer.text != "1"


def test_every_delivery_gets_the_same_empty_200_whatever_happened_to_the_one_before(web: Web) -> None:
    first = web.webhook(ONE)
    first.headers["X-Touched"] = "by its reader"
    second = web.webhook(ONE)

    assert (second.status_code, second.data, second.headers["Content-Length"]) == (200, b"", "0")
    assert "X-Touched" not in second.headers


def test_a_handshake_without_anything_is_refused(web: Web) -> None:
    assert web.client.get("/webhooks/whatsapp").status_code == 403


def test_a_signed_message_is_stored_and_acknowledged(web: Web) -> None:
    answer = web.webhook(ONE)

    assert answer.status_code == 200
    assert waiting(web) == [(f"{NUMBER}:{CUSTOMER}", "wamid.HBgLMESSAGE")]


def test_the_same_webhook_twice_is_one_message(web: Web, redis_client: redis.Redis) -> None:
    answers = [web.webhook(ONE).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert redis_client.zcard(f"{PREFIX}mailbox:{NUMBER}:{CUSTOMER}") == 1


def test_the_same_message_in_another_body_is_one_message(web: Web, redis_client: redis.Redis) -> None:
    web.webhook(ONE)

    web.webhook(delivery(value_of(messages=[text_message(), text_message("wamid.HBgLSECOND")])))

    assert redis_client.zcard(f"{PREFIX}mailbox:{NUMBER}:{CUSTOMER}") == 2


def test_a_secret_that_is_being_rotated_is_accepted(web: Web) -> None:
    assert web.webhook(ONE, secret="another-secret").status_code == 200


def test_a_wrong_signature_is_refused_and_nothing_is_stored(web: Web) -> None:
    answer = web.webhook(ONE, secret="not-our-secret")

    assert answer.status_code == 401
    assert waiting(web) == []


@pytest.mark.parametrize("header", ["", "sha256=", "sha1=abc", "sha256=" + "0" * 63, "sha256=" + "g" * 64])
def test_a_header_of_another_form_is_refused(web: Web, header: str) -> None:
    assert web.webhook(ONE, headers={"X-Hub-Signature-256": header}).status_code == 401


def test_a_missing_signature_is_refused(web: Web) -> None:
    assert web.client.post("/webhooks/whatsapp", json=ONE).status_code == 401


def test_any_changed_byte_of_the_body_is_refused(web: Web) -> None:
    raw = orjson.dumps(ONE)
    headers = {"X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), raw, sha256).hexdigest()}

    places = range(0, len(raw), 7)
    changed = [raw[:i] + bytes([raw[i] ^ 1]) + raw[i + 1 :] for i in places]
    answers = {web.client.post("/webhooks/whatsapp", data=body, headers=headers).status_code for body in changed}

    assert answers == {401}


def test_the_signature_is_of_the_bytes_as_received_not_of_what_they_mean(web: Web) -> None:
    escaped = orjson.dumps(ONE).replace(b"hello", b"h\\u00e9llo\\/")

    assert web.webhook(escaped).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"hello", b"[" * 2000 + b"]" * 2000])
def test_a_signed_body_that_is_not_json_is_refused(web: Web, body: bytes) -> None:
    assert web.webhook(body).status_code == 400


@pytest.mark.parametrize(
    "body", [[], "text", None, {}, {"object": "page", "entry": []}, {"object": "whatsapp_business_account"}]
)
def test_json_that_is_no_whatsapp_delivery_is_refused(web: Web, body: Any) -> None:
    assert web.webhook(body).status_code == 400


def test_a_body_of_4_mib_is_taken(web: Web) -> None:
    message = text_message(body="x" * (4 * 1024 * 1024 - 700))

    assert web.webhook(delivery(value_of(messages=[message]))).status_code == 200


def test_a_body_of_more_than_4_mib_is_refused(web: Web) -> None:
    assert web.webhook(b" " * (4 * 1024 * 1024 + 1)).status_code == 413


def test_a_body_in_chunks_is_taken(web: Web) -> None:
    raw = orjson.dumps(ONE)
    signature = "sha256=" + hmac.new(SECRET.encode(), raw, sha256).hexdigest()

    answer = web.client.post(
        "/webhooks/whatsapp",
        input_stream=io.BytesIO(raw),
        headers={"X-Hub-Signature-256": signature, "Transfer-Encoding": "chunked"},
        environ_overrides=IN_CHUNKS,
    )

    assert answer.status_code == 200


def test_chunks_of_more_than_4_mib_are_refused(web: Web) -> None:
    answer = web.client.post(
        "/webhooks/whatsapp",
        input_stream=io.BytesIO(b" " * (4 * 1024 * 1024 + 1)),
        environ_overrides=IN_CHUNKS,
    )

    assert answer.status_code == 413


def test_chunks_that_cannot_be_read_are_refused(web: Web) -> None:
    answer = web.client.post("/webhooks/whatsapp", input_stream=BrokenChunks(), environ_overrides=IN_CHUNKS)

    assert (answer.status_code, answer.json["type"]) == (400, "/docs#invalid-request")


def test_a_body_that_was_cut_off_is_refused(web: Web) -> None:
    answer = web.client.post("/webhooks/whatsapp", data=b"{}", environ_overrides={"CONTENT_LENGTH": "700"})

    assert answer.status_code == 400


def test_two_numbers_in_one_body_each_go_to_their_own(web: Web) -> None:
    first = value_of(NUMBER, messages=[text_message("wamid.HBgLONE")])
    second = value_of(OTHER_NUMBER, messages=[text_message("wamid.HBgLTWO")])

    web.webhook(delivery(first, second))

    assert sorted(waiting(web)) == [
        (f"{NUMBER}:{CUSTOMER}", "wamid.HBgLONE"),
        (f"{OTHER_NUMBER}:{CUSTOMER}", "wamid.HBgLTWO"),
    ]


def test_a_number_that_is_not_ours_is_kept_aside_and_acknowledged(web: Web, redis_client: redis.Redis) -> None:
    foreign = value_of(FOREIGN_NUMBER, messages=[text_message()], statuses=[status_of("wamid.HBgLX", "read")])

    answer = web.webhook(delivery(foreign))

    assert answer.status_code == 200
    assert waiting(web) == []
    assert redis_client.llen(f"{PREFIX}stray") == 2


def test_1000_updates_two_of_them_broken_are_998_messages_and_2_dead_letters(web: Web) -> None:
    messages: list[Any] = [
        text_message(f"wamid.HBgL{i:04}", body="x" * 2500) | {"from": str(15550000000 + i)} for i in range(1000)
    ]
    messages[17], messages[500] = "no object", {"type": "text"}
    body = orjson.dumps(delivery(value_of(messages=messages) | {"contacts": []}))

    answer = web.webhook(body)

    letters, _ = web.runtime.dead_letters.page()
    assert len(body) > 2_500_000
    assert answer.status_code == 200
    assert len(waiting(web)) == 998
    assert [letter.kind for letter in letters] == ["malformed", "malformed"]


def test_a_status_is_applied_in_the_same_breath(web: Web) -> None:
    web.send({"to": CUSTOMER, "text": "hello"})
    web.accept("wamid.HBgLOURS")

    answer = web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLOURS", "delivered")])))

    assert answer.status_code == 200
    assert web.get("/v1/messages/wamid.HBgLOURS").json["status"] == "delivered"


def test_a_status_of_a_message_that_another_system_sent_is_an_event_and_kept_aside_without_the_customer(
    web: Web, redis_client: redis.Redis
) -> None:
    errors = [{"code": 131026, "title": "Message undeliverable"}]
    status = status_of("wamid.HBgLTHEIRS", "failed", errors=errors)

    answer = web.webhook(delivery(value_of(statuses=[status]), value_of(FOREIGN_NUMBER, statuses=[status])))

    assert answer.status_code == 200
    for kept in (redis_client.lindex(f"{PREFIX}foreign", 0), redis_client.lindex(f"{PREFIX}stray", 0)):
        assert isinstance(kept, bytes)
        told = orjson.loads(kept)["m"]
        assert (told["status"], told["time"], told["code"]) == ("failed", 1_700_000_100_000, 131026)
        assert CUSTOMER.encode() not in kept
        assert b"wamid" not in kept
    (event,) = web.get("/v1/events").json["items"]
    assert (event["kind"], event["contact"], event["phone_number_id"]) == ("foreign_status", CUSTOMER, NUMBER)


def test_a_failed_status_is_logged_with_its_code_and_without_the_customer(
    web: Web, lines: list[dict[str, Any]]
) -> None:
    sent = web.send({"to": CUSTOMER, "text": "hello"}).json["id"]
    web.accept("wamid.HBgLOURS")
    failed = status_of("wamid.HBgLOURS", "failed", errors=[{"code": 131026, "title": "Message undeliverable"}])

    web.webhook(delivery(value_of(statuses=[failed])))

    line = next(line for line in lines if line["event"] == "whatsapp.status")
    assert (line["id"], line["code"], line["status"]) == (sent, 131026, "failed")
    assert CUSTOMER not in str(line)


def test_an_accepted_webhook_writes_no_line(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    web.webhook(ONE)

    assert lines == []


def test_at_level_debug_an_accepted_webhook_and_each_status_write_a_line(
    start_web: Start, lines: list[dict[str, Any]]
) -> None:
    web = start_web({"WA_LOG_LEVEL": "debug"})
    sent = web.send({"to": CUSTOMER, "text": "hello"}).json["id"]
    web.accept("wamid.HBgLOURS")
    lines.clear()

    web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLOURS", "delivered")])))

    told = [(line["event"], line.get("id")) for line in lines]
    assert told == [("whatsapp.status", sent), ("whatsapp.webhook.accepted", None)]
    assert CUSTOMER not in str(lines)


def test_a_refused_webhook_is_logged_with_its_reason_alone(start_web: Start, lines: list[dict[str, Any]]) -> None:
    web = start_web()
    lines.clear()

    web.webhook(ONE, secret="not-our-secret")

    assert [(line["event"], line["reason"]) for line in lines] == [("whatsapp.webhook.refused", "mismatch")]
    assert CUSTOMER not in str(lines)


def test_management_events_are_kept_and_told_to_the_stream(web: Web) -> None:
    value = {"event": "APPROVED", "message_template_name": "welcome", "message_template_language": "en_US"}

    web.webhook(delivery(value, field="message_template_status_update"))

    events = web.get("/v1/events").json["items"]
    assert [(event["kind"], event["data"]["field"]) for event in events] == [
        ("management", "message_template_status_update")
    ]
    assert events[0]["data"]["value"] == value


def test_a_management_event_however_large_is_told_whole(web: Web, redis_client: redis.Redis) -> None:
    value = {"state_sync": [{"type": "contact", "contact": {"full_name": "x" * 100_000}, "action": "remove"}]}

    web.webhook(delivery(value, field="smb_app_state_sync"))

    [event] = web.get("/v1/events").json["items"]
    assert event["data"]["value"] == value
    [listed] = redis_client.lrange(f"{PREFIX}management", 0, -1)
    assert orjson.loads(listed)["value"] == {"left_out": True}  # the list has up to a thousand events


def test_an_error_notice_is_kept(web: Web) -> None:
    web.webhook(delivery(value_of(errors=[{"code": 130429, "title": "Rate limit hit"}])))

    [event] = web.get("/v1/events").json["items"]
    assert (event["kind"], event["data"]["field"]) == ("management", "error")


def test_a_new_capability_sets_the_daily_limit(web: Web) -> None:
    value = {"max_daily_conversation_per_phone": 10_000, "max_phone_numbers_per_business": 20}

    web.webhook(delivery(value, field="business_capability_update"))

    assert web.runtime.observer.overview().daily_limit == 10_000


def test_another_account_s_capability_changes_nothing(web: Web) -> None:
    value = {"max_daily_conversation_per_phone": 10_000}

    web.webhook(delivery(value, field="business_capability_update", waba="999"))

    assert web.runtime.observer.overview().daily_limit == 1_000


def test_with_the_store_away_nothing_is_acknowledged(start_web: Start) -> None:
    web = start_web(NOWHERE)

    answer = web.webhook(ONE)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"


def test_with_the_store_away_a_wrong_signature_is_still_a_401(start_web: Start) -> None:
    assert start_web(NOWHERE).webhook(ONE, secret="not-our-secret").status_code == 401


def test_with_the_store_nearly_full_nothing_is_acknowledged(start_web: Start, redis_client: redis.Redis) -> None:
    web = start_web(memory=FullMemory())

    assert web.webhook(ONE).status_code == 503
    assert redis_client.exists(f"{PREFIX}mailbox:{NUMBER}:{CUSTOMER}") == 0


def test_a_web_process_says_that_it_started(start_web: Start, redis_client: redis.Redis) -> None:
    start_web()

    assert redis_client.exists(f"{PREFIX}webhook_rejected_at") == 1


def test_after_a_refused_webhook_the_next_one_says_so(start_web: Start, redis_client: redis.Redis) -> None:
    memory = FullMemory()
    web = start_web(memory=memory)
    web.webhook(ONE)
    redis_client.delete(f"{PREFIX}webhook_rejected_at")
    memory.is_full = False

    web.webhook(ONE)

    assert redis_client.exists(f"{PREFIX}webhook_rejected_at") == 1


class Defect:
    """A memory check that raises `error` once, like a defect of ours."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def full(self) -> bool:
        if error := self.error:
            self.error = None
            raise error
        return False


@pytest.mark.parametrize("error", [RuntimeError("a defect"), SystemExit(1)], ids=["500", "no answer"])
def test_after_a_webhook_that_met_a_defect_the_next_one_says_so(
    start_web: Start, redis_client: redis.Redis, error: BaseException
) -> None:
    memory = Defect()
    web = start_web(memory=memory)
    memory.error = error
    redis_client.delete(f"{PREFIX}webhook_rejected_at")
    with suppress(SystemExit):
        assert web.webhook(ONE).status_code == 500
    assert redis_client.exists(f"{PREFIX}webhook_rejected_at") == 0

    web.webhook(ONE)

    assert redis_client.exists(f"{PREFIX}webhook_rejected_at") == 1


def test_after_webhooks_that_were_stored_nothing_is_said(web: Web, redis_client: redis.Redis) -> None:
    redis_client.delete(f"{PREFIX}webhook_rejected_at")

    web.webhook(ONE)

    assert redis_client.exists(f"{PREFIX}webhook_rejected_at") == 0


def test_refused_signatures_are_limited_by_address_and_a_signed_call_never_is(web: Web) -> None:
    refused = [web.webhook(ONE, secret="not-our-secret").status_code for _ in range(605)]

    assert refused[:600] == [401] * 600
    assert set(refused[600:]) == {429}
    assert web.webhook(ONE).status_code == 200


@pytest.fixture
def counted(web: Web) -> Callable[[str], float]:
    """Return a function that says how much a metric grew since the test began."""

    def series() -> dict[str, float]:
        lines = web.client.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    before = series()
    return lambda name: series().get(name, 0.0) - before.get(name, 0.0)


@pytest.mark.parametrize(
    ("body", "secret", "outcome"),
    [(ONE, SECRET, "stored"), (ONE, "wrong", "unsigned"), (b"{", SECRET, "invalid-request")],
)
def test_webhooks_are_counted_by_outcome(web: Web, counted: Any, body: Any, secret: str, outcome: str) -> None:
    web.webhook(body, secret=secret)

    assert counted(f'whatsapp_webhooks_total{{outcome="{outcome}"}}') == 1
    assert counted("whatsapp_webhook_seconds_count") == 1


def test_a_message_is_counted_with_its_lag_and_its_repeat(web: Web, counted: Any) -> None:
    message = delivery(value_of(messages=[text_message("wamid.HBgLLAG", at=int(time.time()) - 3)]))

    web.webhook(message)
    web.webhook(message)

    assert counted('whatsapp_events_total{kind="text"}') == 2
    assert counted("whatsapp_duplicates_total") == 1
    assert counted("whatsapp_webhook_lag_seconds_count") == 1
    assert 3 <= counted("whatsapp_webhook_lag_seconds_sum") < 10


def test_a_status_is_counted_once_with_the_time_it_took(web: Web, counted: Any) -> None:
    web.send({"to": CUSTOMER, "text": "hello"})
    web.accept("wamid.HBgLOURS")
    body = delivery(value_of(statuses=[status_of("wamid.HBgLOURS", "delivered")]))

    web.webhook(body)
    web.webhook(body)

    assert counted('whatsapp_message_status_total{status="delivered"}') == 1
    assert counted('whatsapp_delivery_seconds_count{status="delivered"}') == 1
    assert counted("whatsapp_duplicates_total") == 1


def test_a_webhook_pays_for_no_hooks(web: Web) -> None:
    for hooks in (web.app.before_request_funcs, web.app.after_request_funcs, web.app.teardown_request_funcs):
        assert not set(hooks) & {None, "webhook"}


def test_the_account_of_a_number_that_is_ours_does_not_matter_for_its_messages(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message()]), waba="0"))

    assert len(waiting(web)) == 1


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"object": "page", "entry": []}, "other_object", 400),
        ({"object": "whatsapp_business_account", "entry": []}, "empty", 200),
        (delivery(value_of(FOREIGN_NUMBER, messages=[text_message()])), "foreign_number", 200),
        (
            delivery(
                value_of("123456123", messages=[text_message()])
                | {"metadata": {"display_phone_number": "16505551111", "phone_number_id": "123456123"}}
            ),
            "test_button",
            200,
        ),
    ],
)
def test_a_signed_webhook_that_is_for_nobody_is_counted_and_told_once_a_minute(
    start_web: Start, lines: list[dict[str, Any]], body: Any, kind: str, status: int
) -> None:
    web = start_web()
    series = f'whatsapp_odd_webhooks_total{{kind="{kind}"}} '
    before = number_in(web, series)
    lines.clear()

    answers = [web.webhook(body).status_code for _ in range(3)]

    told = [line for line in lines if line["event"] == "whatsapp.webhook.odd"]
    assert (answers, number_in(web, series) - before) == ([status] * 3, 3)
    assert [(line["kind"], line["count"]) for line in told] == [(kind, 1)]


def number_in(web: Web, series: str) -> float:
    page = web.client.get("/metrics").text
    return next(float(line.removeprefix(series)) for line in page.splitlines() if line.startswith(series))


def test_while_the_store_is_away_one_line_a_second_tells_of_it(start_web: Start, lines: list[dict[str, Any]]) -> None:
    web = start_web(NOWHERE)
    lines.clear()

    answers = {web.webhook(ONE).status_code for _ in range(20)}

    refused = [line for line in lines if line["event"] == "whatsapp.webhook.refused"]
    assert answers == {503}
    assert len(refused) <= 3


def test_large_bodies_that_are_being_read_have_bounded_room() -> None:
    bodies = LargeBodies(most=10_000_000)

    with bodies.room_for(4_194_304), bodies.room_for(4_194_304):
        third = bodies.room_for(LARGEST_BODY)
        with pytest.raises(ProblemError) as refused:
            third.__enter__()

    with bodies.room_for(4_194_304), bodies.room_for(4_194_304), bodies.room_for(SMALL_BODY):
        pass
    assert (refused.value.kind.name, refused.value.kind.status) == ("busy", 503)


class SlowBody:
    """A body that does not come until `go` is set; `came` counts those that are waited for."""

    def __init__(self, came: threading.Semaphore, go: threading.Event) -> None:
        self.came, self.go = came, go

    def read(self, _: int) -> bytes:
        self.came.release()
        assert self.go.wait(10)
        return b""


def test_a_delivery_for_which_there_is_no_room_is_logged(web: Web, lines: list[dict[str, Any]]) -> None:
    room = MOST_LARGE_BYTES // LARGEST_BODY
    came, go = threading.Semaphore(0), threading.Event()
    lines.clear()

    def post() -> int:
        slow = {"wsgi.input": SlowBody(came, go), "CONTENT_LENGTH": str(LARGEST_BODY)}
        return web.app.test_client().post("/webhooks/whatsapp", environ_overrides=slow).status_code

    with ThreadPoolExecutor(room) as pool:
        reading = [pool.submit(post) for _ in range(room)]
        assert all(came.acquire(timeout=10) for _ in range(room))
        answer = post()
        go.set()

    (line,) = [line for line in lines if line.get("reason") == "busy"]
    assert (answer, line["event"], line["peer"]) == (503, "whatsapp.webhook.refused", "127.0.0.1")
    assert {each.result() for each in reading} == {400}


def test_a_file_that_meta_could_not_fetch_is_told_with_what_to_do(web: Web, lines: list[dict[str, Any]]) -> None:
    sent = web.send({"to": CUSTOMER, "image": {"link": "https://example.com/a.png"}}).json["id"]
    web.accept("wamid.HBgLOURS")
    lines.clear()

    failed = [{"code": 131053, "title": "Media upload error"}]
    web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLOURS", "failed", errors=failed)])))

    (line,) = [line for line in lines if line["event"] == "whatsapp.status"]
    told = [item["data"]["error"] for item in web.get("/v1/events").json["items"] if item["kind"] == "status"]
    advices = {line["advice"], told[0]["advice"], web.get(f"/v1/messages/{sent}").json["error"]["advice"]}
    assert len(advices) == 1
    assert "fix the link" in advices.pop()
