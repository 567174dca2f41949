"""`POST /v1/messages`: queue, wait briefly, respond with the result; safe to repeat."""

from __future__ import annotations

import io
import threading
from typing import Any

import orjson
import pytest
import redis
from werkzeug.test import TestResponse

from tests.keys import PREFIX
from tests.unit.web.conftest import IN_CHUNKS, KEYS, FullMemory, Start, Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, OTHER_NUMBER, delivery, text_message, value_of
from wa_service.store.outbox import SendOutcome
from wa_service.store.records import Record

HELLO = {"to": "+1 (555) 123-4567", "text": "hello"}
TEMPLATE = {"to": CUSTOMER, "template": {"name": "welcome", "language": "en_US"}}
WAITING = {"WA_SEND_WAIT": "10"}
REFUSED = {"reason": "recipient", "code": 131026, "title": "Message undeliverable", "details": "No such user"}


@pytest.fixture
def waiting_web(start_web: Start) -> Web:
    """Return a web process that waits for Meta's response."""
    return start_web(WAITING)


class Sending:
    """A request in its own thread."""

    def __init__(self, web: Web, body: Any, **headers: str) -> None:
        self.answer: TestResponse | None = None
        self._thread = threading.Thread(target=self._send, args=(web, body, headers))
        self._thread.start()

    def _send(self, web: Web, body: Any, headers: dict[str, str]) -> None:
        sent = KEYS["both"] | {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = web.app.test_client().post("/v1/messages", json=body, headers=sent)

    def result(self) -> TestResponse:
        """Return the response, which must come within 20 s."""
        self._thread.join(20)
        assert self.answer is not None
        return self.answer


def test_a_message_that_nobody_sends_in_time_is_queued_with_its_address(web: Web) -> None:
    answer = web.send(HELLO)

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/messages/{answer.json['id']}"
    assert answer.json["status"] == "queued"
    assert web.get(answer.headers["Location"]).json["id"] == answer.json["id"]


def test_a_message_that_meta_accepts_in_time_is_answered_with_its_record(waiting_web: Web) -> None:
    sending = Sending(waiting_web, HELLO)
    waiting_web.accept("wamid.HBgLACCEPTED")

    answer = sending.result()

    assert answer.status_code == 200
    assert answer.json["wamid"] == "wamid.HBgLACCEPTED"
    assert [change["status"] for change in answer.json["status_history"]] == ["queued", "sending", "accepted"]


def test_a_message_that_meta_refuses_is_answered_with_the_reason(waiting_web: Web) -> None:
    sending = Sending(waiting_web, HELLO)
    grant = waiting_web.grant()
    waiting_web.runtime.outbox.done(NUMBER, grant, SendOutcome("failed", error=REFUSED, code=131026))

    answer = sending.result()

    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert answer.json["type"] == "/docs#meta-recipient"
    assert (answer.json["code"], answer.json["details"], answer.json["retryable"]) == (131026, "No such user", False)
    assert answer.json["id"] == grant.id


def test_a_message_whose_fate_is_unknown_is_answered_with_its_address(waiting_web: Web) -> None:
    sending = Sending(waiting_web, HELLO)
    waiting_web.runtime.outbox.done(NUMBER, waiting_web.grant(), SendOutcome("unknown"))

    answer = sending.result()

    assert (answer.status_code, answer.json["status"]) == (202, "unknown")


def test_what_meta_gets_is_the_message_without_our_fields_and_the_caller_s_data(web: Web) -> None:
    ours = {"from": NUMBER, "ttl": 60, "biz_opaque_callback_data": "order 12"}

    web.send(HELLO | ours)

    assert orjson.loads(web.grant().body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": CUSTOMER,
        "type": "text",
        "text": {"body": "hello"},
    }


def test_the_caller_s_own_data_is_kept_and_given_back(web: Web) -> None:
    answer = web.send(HELLO | {"biz_opaque_callback_data": "order 12"})

    assert answer.json["biz_opaque_callback_data"] == "order 12"


def test_the_first_number_sends_where_none_is_named(web: Web) -> None:
    assert web.send(HELLO).json["from"] == NUMBER


def test_another_number_of_ours_sends_where_it_is_named(web: Web) -> None:
    assert web.send(HELLO | {"from": OTHER_NUMBER}).json["from"] == OTHER_NUMBER
    assert web.grant(OTHER_NUMBER)


def test_a_business_scoped_user_id_can_be_written_to(web: Web) -> None:
    answer = web.send({"recipient": "US.13491208655302741918", "text": "hello"})

    assert (answer.status_code, answer.json["to"]) == (202, "US.13491208655302741918")


def test_a_send_with_two_addresses_does_not_make_two_customers_one(web: Web) -> None:
    other = "US.13491208655302741918"
    for i, whom in enumerate(({"to": "15550002222"}, {"recipient": other})):
        web.send(whom | {"text": "hello"})
        web.accept(f"wamid.HBgL{i}")

    both = web.send({"to": "15550002222", "recipient": other, "text": "to wins"})

    assert both.json["to"] == "15550002222"
    assert web.send({"recipient": other, "text": "to another"}).json["to"] == other
    assert web.get(f"/v1/contacts/{other}").json["addresses"] == [other]


def test_a_type_that_we_do_not_know_passes_through(web: Web) -> None:
    web.send({"to": CUSTOMER, "type": "hologram", "hologram": {"id": "1"}})

    assert orjson.loads(web.grant().body)["hologram"] == {"id": "1"}


def test_a_message_waits_no_longer_than_its_ttl(web: Web, redis_client: redis.Redis) -> None:
    sent = web.send(HELLO | {"ttl": 60}).json["id"]

    queued, expires = redis_client.hmget(f"{PREFIX}record:{sent}", "s:queued", "expires")

    assert int(expires or 0) - int(queued or 0) == 60_000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "hello"}, "to"),
        ({"to": "12", "text": "hello"}, "to"),
        ({"to": CUSTOMER}, "type"),
        ({"to": CUSTOMER, "text": ""}, "text.body"),
        ({"to": CUSTOMER, "text": {"body": "x" * 4097}}, "text.body"),
        ({"to": CUSTOMER, "image": {"id": "1", "link": "https://example.com/a.png"}}, "image"),
        ({"to": CUSTOMER, "text": "hello", "from": "1"}, "from"),
        ({"to": CUSTOMER, "text": "hello", "from": 1}, "from"),
        ({"to": CUSTOMER, "text": "hello", "ttl": 0}, "ttl"),
        ({"to": CUSTOMER, "text": "hello", "ttl": 86_401}, "ttl"),
        ({"to": CUSTOMER, "text": "hello", "ttl": True}, "ttl"),
        ({"to": CUSTOMER, "text": "hello", "ttl": "60"}, "ttl"),
        ({"to": CUSTOMER, "text": "hello", "take": "true"}, "take"),
        ({"to": CUSTOMER, "text": "hello", "despite_stop": 1}, "despite_stop"),
        ({"to": CUSTOMER, "text": "hello", "fallback_template": "welcome"}, "fallback_template"),
        ({"to": CUSTOMER, "text": "hello", "fallback_template": {"name": "welcome"}}, "fallback_template.language"),
        (TEMPLATE | {"fallback_template": {"name": "welcome", "language": "en_US"}}, "fallback_template"),
        ({"to": "a b", "recipient_type": "group", "text": "hello"}, "to"),
        ({"to": CUSTOMER, "text": "hello", "biz_opaque_callback_data": "x" * 513}, "biz_opaque_callback_data"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(web: Web, body: Any, field: str) -> None:
    answer = web.send(body)

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert field in [problem["field"] for problem in answer.json["errors"]]
    assert all(problem["detail"] for problem in answer.json["errors"])


def test_an_invalid_message_is_not_repeated_in_its_problem(web: Web) -> None:
    answer = web.send({"to": "0999-secret-number", "text": "hello"})

    assert "0999" not in answer.text


def test_a_nested_monster_is_refused(web: Web) -> None:
    deep = b'{"to":"15551234567","type":"x","x":' + b"[" * 900 + b"]" * 900 + b"}"

    answer = web.client.post("/v1/messages", data=deep, headers=KEYS["both"] | {"Content-Type": "application/json"})

    assert answer.status_code == 400


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(web: Web, raw: bytes) -> None:
    headers = KEYS["both"] | {"Content-Type": "application/json"}

    assert web.client.post("/v1/messages", data=raw, headers=headers).status_code == 400


def test_a_body_of_another_type_is_refused(web: Web) -> None:
    answer = web.post("/v1/messages", data={"to": CUSTOMER})

    assert answer.status_code == 415


def test_a_body_of_more_than_1_mib_is_refused(web: Web) -> None:
    assert web.send(HELLO | {"more": "x" * 1024 * 1024}).status_code == 413


def test_chunks_of_more_than_128_kib_are_refused(web: Web) -> None:
    # Truncated to 128 KiB, it would be a valid message.
    raw = orjson.dumps(HELLO).ljust(128 * 1024 + 1)
    headers = KEYS["both"] | {"Content-Type": "application/json"}

    answers = [
        web.client.post("/v1/messages", input_stream=io.BytesIO(body), headers=headers, environ_overrides=IN_CHUNKS)
        for body in (raw, raw[:-1])
    ]

    assert [answer.status_code for answer in answers] == [413, 202]


def test_respond_async_is_answered_at_once(waiting_web: Web) -> None:
    answer = waiting_web.send(HELLO, Prefer="wait=5, respond-async")

    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")


@pytest.mark.parametrize(
    "ending", [SendOutcome("accepted", wamid="wamid.HBgLSOON"), SendOutcome("failed", error=REFUSED, code=131026)]
)
def test_respond_async_is_202_however_soon_a_worker_was(
    web: Web, monkeypatch: pytest.MonkeyPatch, ending: SendOutcome
) -> None:
    find = web.runtime.records.get

    def found(record_id: str) -> Record | None:
        monkeypatch.undo()
        web.runtime.outbox.done(NUMBER, web.grant(), ending)
        return find(record_id)

    monkeypatch.setattr(web.runtime.records, "get", found)
    answer = web.send(HELLO, Prefer="respond-async")

    assert (answer.status_code, answer.json["status"]) == (202, ending.kind)
    assert answer.headers["Location"] == f"/v1/messages/{answer.json['id']}"


def test_respond_async_is_sent_after_the_others(web: Web) -> None:
    web.send(HELLO, Prefer="respond-async")
    web.send({"to": "15557654321", "text": "urgent"})

    assert orjson.loads(web.grant().body)["text"]["body"] == "urgent"


def test_a_repeat_sends_nothing_and_is_answered_with_the_record_as_it_is_now(web: Web) -> None:
    first = web.send(HELLO, Idempotency_Key="order-12")
    web.accept("wamid.HBgLACCEPTED")

    repeat = web.send(HELLO, Idempotency_Key="order-12")

    assert (first.status_code, repeat.status_code) == (202, 200)
    assert repeat.json["id"] == first.json["id"]
    assert repeat.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers


def test_a_repeat_of_what_failed_is_its_problem(web: Web) -> None:
    web.send(HELLO, Idempotency_Key="order-12")
    web.runtime.outbox.done(NUMBER, web.grant(), SendOutcome("failed", error=REFUSED, code=131026))

    repeat = web.send(HELLO, Idempotency_Key="order-12")

    assert (repeat.status_code, repeat.json["code"]) == (422, 131026)
    assert repeat.headers["Idempotency-Replayed"] == "true"


def test_a_repeat_of_what_is_still_queued_is_its_address(web: Web) -> None:
    first = web.send(HELLO, Idempotency_Key="order-12")

    repeat = web.send(HELLO, Idempotency_Key="order-12")

    assert (repeat.status_code, repeat.headers["Location"]) == (202, first.headers["Location"])


def test_the_same_message_in_other_words_is_the_same_request(web: Web) -> None:
    first = web.send(HELLO, Idempotency_Key="order-12")

    repeat = web.send({"text": {"body": "hello"}, "type": "text", "to": CUSTOMER}, Idempotency_Key="order-12")

    assert repeat.json["id"] == first.json["id"]


@pytest.mark.parametrize(
    "other",
    [{"text": "bye"}, {"to": "15557654321"}, {"ttl": 60}, {"from": OTHER_NUMBER}, {"biz_opaque_callback_data": "x"}],
)
def test_another_body_under_the_same_key_is_refused(web: Web, other: dict[str, Any]) -> None:
    web.send(HELLO, Idempotency_Key="order-12")

    answer = web.send(HELLO | other, Idempotency_Key="order-12")

    assert (answer.status_code, answer.json["type"]) == (422, "/docs#idempotency-key-reused")


def test_two_callers_may_use_the_same_key(web: Web) -> None:
    first = web.send(HELLO, key="both", Idempotency_Key="order-12")

    other = web.send(HELLO | {"text": "bye"}, key="sender", Idempotency_Key="order-12")

    assert (first.status_code, other.status_code) == (202, 202)


def test_a_repeat_while_the_first_still_waits_is_told_so(waiting_web: Web) -> None:
    first = Sending(waiting_web, HELLO, Idempotency_Key="order-12")
    grant = waiting_web.grant()

    repeat = waiting_web.send(HELLO, Idempotency_Key="order-12")

    waiting_web.runtime.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.HBgLX"))
    assert (repeat.status_code, repeat.headers["Retry-After"]) == (409, "1")
    assert repeat.headers["Location"] == f"/v1/messages/{grant.id}"
    assert first.result().status_code == 200


def test_once_the_first_caller_has_its_202_a_repeat_is_not_told_to_wait(start_web: Start) -> None:
    web = start_web({"WA_SEND_WAIT": "0.05"})
    first = web.send(HELLO, Idempotency_Key="order-12")

    repeat = web.send(HELLO, Idempotency_Key="order-12")

    assert (first.status_code, repeat.status_code) == (202, 202)


def test_two_processes_at_the_same_moment_send_one_message(start_web: Start, redis_client: redis.Redis) -> None:
    processes = [start_web(WAITING) for _ in range(2)]
    sendings = [Sending(web, HELLO, Idempotency_Key="order-12") for web in processes for _ in range(4)]
    processes[0].accept("wamid.HBgLONCE")

    answers = [sending.result() for sending in sendings]

    assert redis_client.keys(f"{PREFIX}record:*") == [f"{PREFIX}record:{_the_id(answers)}".encode()]
    assert 200 in {answer.status_code for answer in answers} <= {200, 409}


def _the_id(answers: list[TestResponse]) -> str:
    [one] = {answer.json["id"] for answer in answers}
    return str(one)


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "with\ttab", "naïve"])
def test_a_key_of_another_form_is_refused(web: Web, key: str) -> None:
    answer = web.send(HELLO, Idempotency_Key=key)

    assert answer.status_code == 400
    assert [problem["field"] for problem in answer.json["errors"]] == ["Idempotency-Key"]


def test_a_key_in_quotes_is_the_key(web: Web) -> None:
    first = web.send(HELLO, Idempotency_Key='"order-12"')

    assert web.send(HELLO, Idempotency_Key="order-12").json["id"] == first.json["id"]


def test_a_refused_message_does_not_use_its_key_up(web: Web) -> None:
    web.send({"to": "12", "text": "hello"}, Idempotency_Key="order-12")

    assert web.send(HELLO, Idempotency_Key="order-12").status_code == 202


def test_the_customer_beyond_the_daily_limit_is_told_when(start_web: Start) -> None:
    web = start_web({"WHATSAPP_DAILY_LIMIT": "1"})
    web.send(TEMPLATE)

    answer = web.send(TEMPLATE | {"to": "15557654321"})

    assert (answer.status_code, answer.json["type"]) == (429, "/docs#daily-limit")
    assert 86_000 < int(answer.headers["Retry-After"]) <= 86_401
    assert answer.json["retryable"] is True


def test_beyond_the_daily_limit_respond_async_waits(start_web: Start) -> None:
    web = start_web({"WHATSAPP_DAILY_LIMIT": "1"})
    web.send(TEMPLATE)

    assert web.send(TEMPLATE | {"to": "15557654321"}, Prefer="respond-async").status_code == 202


def test_a_reply_inside_an_open_window_does_not_count(start_web: Start) -> None:
    web = start_web({"WHATSAPP_DAILY_LIMIT": "1"})
    web.send(TEMPLATE | {"to": "15557654321"})
    web.webhook(delivery(value_of(messages=[text_message(at=4_000_000_000)])))

    assert web.send(TEMPLATE).status_code == 202


def test_a_lane_that_is_full_is_told_so(web: Web, redis_client: redis.Redis) -> None:
    redis_client.rpush(f"{PREFIX}lane:{NUMBER}:{CUSTOMER}", *range(1000))

    answer = web.send(HELLO)

    assert (answer.status_code, answer.json["type"]) == (429, "/docs#lane-full")
    assert "Retry-After" in answer.headers


def test_with_the_store_away_it_is_said_whether_a_repeat_is_safe(start_web: Start) -> None:
    web = start_web({"REDIS_URL": "redis://127.0.0.1:1/0"})

    answer = web.send(HELLO)

    assert (answer.status_code, answer.json["type"]) == (503, "/docs#store-away")


def test_with_the_store_nearly_full_a_message_is_refused(start_web: Start, redis_client: redis.Redis) -> None:
    web = start_web(memory=FullMemory())

    answer = web.send(HELLO, Idempotency_Key="order-12")

    assert (answer.status_code, answer.json["type"], answer.headers["Retry-After"]) == (503, "/docs#store-away", "1")
    assert redis_client.keys(f"{PREFIX}record:*") == []


def test_with_the_store_nearly_full_a_repeat_still_has_its_answer(start_web: Start) -> None:
    memory = FullMemory()
    memory.is_full = False
    web = start_web(memory=memory)
    first = web.send(HELLO, Idempotency_Key="order-12")
    memory.is_full = True

    repeat = web.send(HELLO, Idempotency_Key="order-12")

    assert (repeat.status_code, repeat.json["id"]) == (202, first.json["id"])


@pytest.fixture
def fallen_back(web: Web) -> tuple[Web, str]:
    """Send a message that Meta refuses outside the service window; return the process and the idempotency key."""
    fallback = {"name": "welcome", "language": "en_US", "body": ["Ada"]}
    web.send(HELLO | {"fallback_template": fallback}, Idempotency_Key="order-12")
    closed = {"reason": "recipient", "code": 131047, "title": "Re-engagement message"}
    web.runtime.outbox.done(NUMBER, web.grant(), SendOutcome("failed", error=closed, code=131047))
    return web, "order-12"


def test_a_message_that_fell_back_is_answered_with_its_template_s_address(fallen_back: tuple[Web, str]) -> None:
    web, key = fallen_back
    fallback = {"name": "welcome", "language": "en_US", "body": ["Ada"]}

    answer = web.send(HELLO | {"fallback_template": fallback}, Idempotency_Key=key)

    assert answer.status_code == 202
    assert (answer.json["type"], answer.json["status"]) == ("template", "queued")
    assert answer.headers["Location"] == f"/v1/messages/{answer.json['id']}"
    assert web.get(f"/v1/messages/{answer.json['instead_of']}").json["replaced_by"] == answer.json["id"]


def test_the_template_that_goes_out_is_meta_s_form_of_what_was_given(fallen_back: tuple[Web, str]) -> None:
    web, _ = fallen_back

    assert orjson.loads(web.grant().body) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": CUSTOMER,
        "type": "template",
        "template": {
            "name": "welcome",
            "language": {"code": "en_US"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ada"}]}],
        },
    }


def test_a_key_whose_messages_fill_the_store_is_told_to_wait(web: Web, redis_client: redis.Redis) -> None:
    redis_client.hset(f"{PREFIX}unsent_bytes", "both", 64 << 20)

    refused = web.send({"to": CUSTOMER, "text": "hello"})

    assert (refused.status_code, refused.json["type"]) == (429, "/docs#unsent-bytes")
    assert "Retry-After" in refused.headers
    assert web.send({"to": CUSTOMER, "text": "hello"}, key="sender").status_code == 202


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["to", "type"]),
        ({"type": "image", "image": {}}, ["to", "image"]),
        ({"text": "hello"}, ["to"]),
        ({"to": CUSTOMER}, ["type"]),
    ],
)
def test_all_that_is_missing_is_told_in_one_round(web: Web, body: dict[str, Any], fields: list[str]) -> None:
    answer = web.send(body)

    assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (400, fields)
