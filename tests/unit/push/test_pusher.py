"""What a subscriber receives, and what its response means."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, get_args

import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from wa_service.push.pusher import LONGEST_RETRY_AFTER, Pusher
from wa_service.resilience.http import HttpAnswer, HttpCallError
from wa_service.store.events import Kind
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.stored_event import write_event
from wa_service.store.subscriptions import META_KINDS, RETRY_SECONDS, Delivery, Subscription
from wa_service.whatsapp.webhooks.envelope import Piece, walk

NEW, OLD = "whsec_" + "bmV3" * 8, "whsec_" + "b2xk" * 8
NUMBER, ANA = "106540352242922", "447700900123"
RAW = {"from": ANA, "id": "wamid.A", "timestamp": "1760000000", "type": "text", "text": {"body": "hi"}}
CONTACT = {"profile": {"name": "Ana"}, "wa_id": ANA}
NOW = 1_760_000_000.0


class Receiver:
    """A subscriber that records requests and responds with `answer`."""

    def __init__(self, answer: HttpAnswer | Exception) -> None:
        self.answer = answer
        self.sent: list[tuple[str, Mapping[str, str], bytes]] = []

    def __call__(self, url: str, *, seconds: float, headers: Mapping[str, str], data: bytes) -> HttpAnswer:
        self.sent.append((url, headers, data))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def subscription(**changes: Any) -> Subscription:
    plain = Subscription(
        id="sub_1", url="https://tool.example/", form="event", kinds=(), numbers=(), secrets=(NEW,), source="api",
        state="active", paused_reason="", paused_at=0, created=0, cursor="0-0", waiting=0, taken=0, dropped=0,
        failures=0, failing_since=0, retry_at=0, last_answer="", last_answer_at=0,
    )  # fmt: skip
    return replace(plain, **changes)


def delivery(kind: str = "message", data: bytes | None = None, tries: int = 0) -> Delivery:
    piece = Piece("message", "messages", "waba", NUMBER, "wamid.A", 1_760_000_000, (ANA,), CONTACT, RAW, "", 0)
    return Delivery("sub_1", "1760000000000-0", f"{NUMBER}:{ANA}", 1, tries, kind, data or write_event(piece, 1))


def pusher(receiver: Receiver) -> Pusher:
    return Pusher(receiver, display_numbers=lambda: {NUMBER: "15550783881"}, clock=lambda: NOW, jitter=lambda: 1.0)


def test_an_event_is_the_item_of_the_stream_signed_by_standard_webhooks() -> None:
    receiver = Receiver(HttpAnswer(204, b""))
    pushed = Pusher(receiver).push(subscription(), delivery())
    assert (pushed.outcome, pushed.answer) == ("taken", "204")
    [(url, headers, body)] = receiver.sent
    assert url == "https://tool.example/"
    assert Webhook(NEW).verify(body, dict(headers)) == orjson.loads(body)
    assert headers["webhook-id"] == "1760000000000-0"
    item = orjson.loads(body)
    assert (item["kind"], item["contact"], item["data"]["message"]) == ("message", ANA, RAW)


def test_an_event_that_cannot_be_written_counts_as_failed_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    receiver = Receiver(HttpAnswer(200, b""))

    pushed = pusher(receiver).push(subscription(), delivery(data=b'{"broken": ', tries=1))

    assert (pushed.outcome, pushed.answer, pushed.delay) == ("failed", "unwritable", RETRY_SECONDS[1])
    assert receiver.sent == []
    assert "whatsapp.push.unwritable" in "".join(capsys.readouterr())


@pytest.mark.parametrize("secrets", [("whsec_x",), ("",), (NEW, "whsec_x"), ()])
def test_a_secret_that_cannot_sign_counts_as_failed_and_is_told(
    secrets: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    receiver = Receiver(HttpAnswer(200, b""))
    form = "event" if secrets else "meta"

    pushed = pusher(receiver).push(subscription(form=form, secrets=secrets), delivery())

    assert (pushed.outcome, pushed.answer, pushed.delay) == ("failed", "unwritable", RETRY_SECONDS[0])
    assert receiver.sent == []
    assert "whatsapp.push.unwritable" in "".join(capsys.readouterr())


def test_an_unexpected_error_of_a_library_counts_as_failed_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    receiver = Receiver(RuntimeError("a defect of a library"))

    pushed = pusher(receiver).push(subscription(), delivery(tries=1))

    assert (pushed.outcome, pushed.answer, pushed.delay) == ("failed", "unwritable", RETRY_SECONDS[1])
    assert "whatsapp.push.unwritable" in "".join(capsys.readouterr())


def test_where_the_store_is_away_it_is_said_and_nothing_failed() -> None:
    def away() -> Mapping[str, str]:
        raise StoreUnavailableError("away")

    pushing = Pusher(Receiver(HttpAnswer(200, b"")), display_numbers=away)
    with pytest.raises(StoreUnavailableError):
        pushing.push(subscription(form="meta"), delivery())


def test_while_a_secret_is_rotated_both_verify() -> None:
    receiver = Receiver(HttpAnswer(200, b""))
    Pusher(receiver).push(subscription(secrets=(NEW, OLD)), delivery())
    [(_, headers, body)] = receiver.sent
    for secret in (NEW, OLD):
        Webhook(secret).verify(body, dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "b3Ro" * 8).verify(body, dict(headers))


def test_in_meta_s_form_it_is_an_envelope_that_holds_what_meta_sent_signed_like_meta_s() -> None:
    receiver = Receiver(HttpAnswer(200, b""))
    pusher(receiver).push(subscription(form="meta", secrets=("an-app-secret",)), delivery())
    [(_, headers, body)] = receiver.sent
    signature = hmac.new(b"an-app-secret", body, sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={signature}"
    [change] = orjson.loads(body)["entry"][0]["changes"]
    assert change == {
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER},
            "contacts": [CONTACT],
            "messages": [RAW],
        },
    }
    [piece] = walk(orjson.loads(body))
    assert (piece.kind, piece.raw, piece.waba_id) == ("message", RAW, "waba")


def test_the_numbers_that_customers_see_are_asked_for_once_a_minute() -> None:
    now, asked = [NOW], iter(["1", "2"])
    receiver = Receiver(HttpAnswer(200, b""))
    numbers = Pusher(receiver, display_numbers=lambda: {NUMBER: next(asked)}, clock=lambda: now[0])
    for later in (0, 59, 2):
        now[0] += later
        numbers.push(subscription(form="meta"), delivery())
    values = [orjson.loads(body)["entry"][0]["changes"][0]["value"] for _, _, body in receiver.sent]
    assert [value["metadata"]["display_phone_number"] for value in values] == ["1", "1", "2"]


def test_a_display_number_that_is_not_known_yet_is_asked_for_again() -> None:
    receiver, known = Receiver(HttpAnswer(200, b"")), dict[str, str]()
    numbers = Pusher(receiver, display_numbers=lambda: dict(known), clock=lambda: NOW)
    numbers.push(subscription(form="meta"), delivery())
    known[NUMBER] = "15550783881"
    numbers.push(subscription(form="meta"), delivery())
    values = [orjson.loads(body)["entry"][0]["changes"][0]["value"] for _, _, body in receiver.sent]
    assert [value["metadata"]["display_phone_number"] for value in values] == ["", "15550783881"]


@pytest.mark.parametrize("kind", ["status", "foreign_status"])
def test_a_status_in_meta_s_form_is_meta_s_own(kind: str) -> None:
    receiver = Receiver(HttpAnswer(200, b""))
    raw = {"id": "wamid.B", "status": "read", "timestamp": "1760000001", "recipient_id": ANA, "pricing": {"x": 1}}
    data = orjson.dumps({"id": "r1", "raw": raw, "status": "read", "beside": CONTACT})
    pusher(receiver).push(subscription(form="meta", secrets=("s",)), delivery(kind, data))
    [piece] = walk(orjson.loads(receiver.sent[0][2]))
    assert (piece.kind, piece.raw, piece.contact, piece.phone_number_id) == ("status", raw, CONTACT, NUMBER)


def test_a_management_event_in_meta_s_form_has_its_field_and_value() -> None:
    receiver = Receiver(HttpAnswer(200, b""))
    value = {"event": "APPROVED", "message_template_id": 1}
    data = orjson.dumps({"field": "message_template_status_update", "waba_id": "waba", "value": value})
    pusher(receiver).push(subscription(form="meta", secrets=("s",)), delivery("management", data))
    [piece] = walk(orjson.loads(receiver.sent[0][2]))
    assert (piece.kind, piece.field, piece.raw) == ("management", "message_template_status_update", value)


METADATA = {"display_phone_number": "15550783881", "phone_number_id": NUMBER}
OF_OURS: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": METADATA}
ECHO = {
    "from": "15550783881",
    "to": ANA,
    "id": "wamid.E",
    "timestamp": "1760000002",
    "type": "text",
    "text": {"body": "x"},
}
HANDOVER = {
    "messaging_product": "whatsapp", "timestamp": "1760000003", "sender": {"phone_number": ANA},
    "recipient": {"phone_number_id": NUMBER, "display_phone_number": "15550783881"},
    "type": "control_taken", "control_taken": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("message", "messages", OF_OURS | {"contacts": [CONTACT], "messages": [RAW]}),
        ("echo", "smb_message_echoes", OF_OURS | {"message_echoes": [ECHO]}),
        ("standby", "standby", OF_OURS | {"standby": {"contacts": [CONTACT], "messages": [RAW]}}),
        ("standby", "standby", OF_OURS | {"standby": {"message_echoes": [ECHO]}}),
        ("handover", "messaging_handovers", HANDOVER),
    ],
)
def test_what_meta_sent_of_a_conversation_goes_out_as_it_came(kind: str, field: str, value: dict[str, Any]) -> None:
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "waba", "changes": [{"value": value, "field": field}]}],
    }
    [piece] = walk(envelope)
    receiver = Receiver(HttpAnswer(200, b""))
    pusher(receiver).push(subscription(form="meta", secrets=("s",)), delivery(kind, write_event(piece, 1)))
    assert orjson.loads(receiver.sent[0][2]) == envelope


@pytest.mark.parametrize("metadata", [{"phase": 1, "chunk_order": 1, "progress": 55}, None])
def test_what_was_written_before_goes_out_as_history(metadata: dict[str, int] | None) -> None:
    receiver = Receiver(HttpAnswer(200, b""))
    data = orjson.dumps({"phone_number_id": NUMBER, "thread": ANA, "metadata": metadata, "messages": [RAW]})
    pusher(receiver).push(subscription(form="meta", secrets=("s",)), delivery("history", data))
    [piece] = walk(orjson.loads(receiver.sent[0][2]))
    assert (piece.kind, piece.raw) == ("history", {"thread": ANA, "metadata": metadata, "messages": [RAW]})


@pytest.mark.parametrize("kind", sorted(set(get_args(Kind)) - META_KINDS))
def test_what_meta_knows_nothing_of_is_not_sent_in_its_form(kind: str) -> None:
    receiver = Receiver(HttpAnswer(200, b""))
    pushed = pusher(receiver).push(subscription(form="meta"), delivery(kind, b"{}"))
    assert (pushed.outcome, pushed.answer) == ("taken", "")
    assert receiver.sent == []


@pytest.mark.parametrize(("tries", "delay"), list(enumerate((*RETRY_SECONDS, RETRY_SECONDS[-1]))))
def test_a_failure_is_tried_again_ever_later(tries: int, delay: int) -> None:
    pushed = pusher(Receiver(HttpAnswer(500, b""))).push(subscription(), delivery(tries=tries))
    assert (pushed.outcome, pushed.answer, pushed.delay) == ("failed", "500", delay)


def test_a_tenth_of_jitter_spreads_the_tries() -> None:
    delays = {Pusher(Receiver(HttpAnswer(500, b""))).push(subscription(), delivery(tries=1)).delay for _ in range(200)}
    assert len(delays) > 100
    assert 0.9 * RETRY_SECONDS[1] <= min(delays) < max(delays) <= 1.1 * RETRY_SECONDS[1]


def test_the_schedule_is_what_the_guide_says() -> None:
    assert RETRY_SECONDS == (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600)


def test_an_unreachable_subscriber_is_a_failure_named_by_its_kind() -> None:
    pushed = pusher(Receiver(HttpCallError("no answer in time"))).push(subscription(), delivery())
    assert (pushed.outcome, pushed.answer) == ("failed", "no answer in time")


def test_a_redirect_is_a_failure() -> None:
    assert pusher(Receiver(HttpAnswer(302, b""))).push(subscription(), delivery()).outcome == "failed"


def test_410_wants_no_more() -> None:
    assert pusher(Receiver(HttpAnswer(410, b""))).push(subscription(), delivery()).outcome == "gone"


@pytest.mark.parametrize(
    ("header", "delay"),
    [("120", 120.0), ("1", 5.0), ("Thu, 09 Oct 2025 08:55:00 GMT", 100.0), ("soon", 5.0), ("-3", 5.0),
     ("500000", LONGEST_RETRY_AFTER), ("999999999999", 5.0)],
)  # fmt: skip
def test_retry_after_is_honoured_within_reason(header: str, delay: float) -> None:
    pushed = pusher(Receiver(HttpAnswer(503, b"", {"Retry-After": header}))).push(subscription(), delivery())
    assert pushed.delay == delay
