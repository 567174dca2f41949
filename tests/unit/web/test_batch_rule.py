"""Any event of a delivery is stored or becomes a dead letter, the others are handled, and the response is 200."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import redis

from tests.keys import PREFIX
from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import CUSTOMER, FOREIGN_NUMBER, NUMBER, delivery, status_of, text_message, value_of
from wa_service.store.flusher import Command
from wa_service.store.inbox import Inbox
from wa_service.whatsapp.webhooks.events import Piece, walk


class Choosy(Inbox):
    """An inbox with a defect: it cannot write one message."""

    def admit(self, piece: Piece, received_ms: int) -> Command:
        if piece.id == "wamid.HBgLBAD":
            raise OverflowError(CUSTOMER)
        return super().admit(piece, received_ms)


@pytest.fixture
def choosy(start_web: Start) -> Web:
    store = start_web().runtime.store
    return start_web(inbox=Choosy(store, retention_seconds=60))


def test_a_message_that_cannot_be_written_is_a_dead_letter_and_its_siblings_go_on(
    choosy: Web, lines: list[dict[str, Any]]
) -> None:
    messages = [text_message(f"wamid.HBgL{name}") for name in ("ONE", "BAD", "TWO")]

    answers = [choosy.webhook(delivery(value_of(messages=messages))).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert choosy.runtime.store.do("ZCARD", f"{PREFIX}mailbox:{NUMBER}:{CUSTOMER}") == 2
    [letter] = choosy.get("/v1/dead-letters").json["items"]
    assert (letter["kind"], letter["reason"]) == ("malformed", "it cannot be stored: OverflowError")
    assert CUSTOMER not in str(lines)


def test_a_letter_that_can_still_not_be_written_stays(choosy: Web) -> None:
    choosy.webhook(delivery(value_of(messages=[text_message("wamid.HBgLBAD")])))
    [letter] = choosy.get("/v1/dead-letters").json["items"]

    assert choosy.post(f"/v1/dead-letters/{letter['id']}/replay").status_code == 409
    assert choosy.get("/v1/dead-letters").json["items"] == [letter]


def test_a_broken_piece_without_an_id_that_is_delivered_again_is_one_dead_letter(web: Web) -> None:
    [broken] = walk(delivery(value_of(messages=["no object"])))
    letters = web.runtime.dead_letters

    answers = web.runtime.store.run([letters.add(broken, received_ms) for received_ms in (1_000, 61_000)])

    assert answers == [b"dead", b"duplicate"]


def test_one_message_that_the_store_refused_makes_the_delivery_a_503(web: Web, redis_client: redis.Redis) -> None:
    redis_client.lpush(f"{PREFIX}alias:{NUMBER}:15550000002", "no string")
    messages = [text_message(f"wamid.HBgL{i}") | {"from": f"1555000000{i}"} for i in range(5)]

    answer = web.webhook(delivery(value_of(messages=messages) | {"contacts": []}))

    assert answer.status_code == 503


@pytest.mark.parametrize("levels", [*range(238, 258), 900])
def test_however_deep_something_is_nested_it_is_stored_and_can_be_read(web: Web, levels: int) -> None:
    web.send({"to": CUSTOMER, "text": "hello"})
    web.accept("wamid.HBgLOURS")
    deep: dict[str, Any] = {"id": "wamid.HBgLDEEP", "deep": "DEEP"}
    failed = status_of("wamid.HBgLOURS", "failed", pricing=deep, errors=[{"code": 1, "error_data": deep}])
    ours = value_of(messages=[text_message() | deep, deep], statuses=[failed, status_of("wamid.X", "read", x=deep)])
    body = delivery(ours, value_of(messages=[text_message()]), value_of(FOREIGN_NUMBER, messages=[deep]))
    body["entry"] += delivery(deep, field="account_update")["entry"]
    raw = orjson.dumps(body).replace(b'"DEEP"', b'{"d":' * levels + b"1" + b"}" * levels)

    assert web.webhook(raw).status_code == 200
    assert web.get("/v1/events").status_code == 200
    assert web.get("/v1/dead-letters").status_code == 200
    assert web.get("/v1/messages/wamid.HBgLOURS").json["status"] == "failed"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"a\ud800b"', "a\ufffdb"),
        (rb'"\udc00\ud800"', "\ufffd\ufffd"),
        (rb'{"\udfff": 1}', {"\ufffd": 1}),
        (rb'"\\ud800 \ud83d\udc4d \ud83d"', "\\ud800 👍 \ufffd"),
        (b"1e999", None),
        (b"-1e999", None),
        (b"9" * 5_000, None),
        (b'["\\ud800", 99999999999999999999, 1.5, -7, "\\u0000"]', ["\ufffd", 1e20, 1.5, -7, "\0"]),
    ],
)
def test_legal_json_that_the_quick_reader_refuses_is_stored_with_its_siblings(
    web: Web, written: bytes, read: Any
) -> None:
    odd = text_message("wamid.HBgLODD") | {"odd": "ODD"}
    raw = orjson.dumps(delivery(value_of(messages=[odd, text_message("wamid.HBgLSIBLING")])))

    assert web.webhook(raw.replace(b'"ODD"', written)).status_code == 200
    first, second = web.get("/v1/events").json["items"]
    assert first["data"]["message"]["odd"] == read
    assert second["data"]["id"] == "wamid.HBgLSIBLING"


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"[Infinity]",
        b'"\xed\xa0\x80"',
        b'["\\ud800",]',
        b'"\\ud800"' + b"]" * 9,
        b'["\\ud800", ' + b"[" * 5_000,
    ],
)
def test_what_is_no_json_for_the_patient_reader_either_is_refused(web: Web, body: bytes) -> None:
    assert web.webhook(body).status_code == 400


@pytest.mark.parametrize("code", [True, False, None, "131026", 1.5, [131026], 2**64 - 1, -1])
def test_whatever_stands_as_a_code_the_status_is_applied(web: Web, code: Any) -> None:
    web.send({"to": CUSTOMER, "text": "hello"})
    web.accept("wamid.HBgLOURS")
    failed = status_of("wamid.HBgLOURS", "failed", errors=[{"code": code, "title": "Message undeliverable"}])

    assert web.webhook(delivery(value_of(statuses=[failed]))).status_code == 200
    told = web.get("/v1/messages/wamid.HBgLOURS").json["error"]
    assert told["code"] == (131026 if code == "131026" else code if type(code) is int else None)
