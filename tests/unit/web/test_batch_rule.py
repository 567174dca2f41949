"""Whatever stands in one piece of a delivery: it is stored or a dead letter, its siblings go on, the answer is 200."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.unit.web.conftest import Web
from tests.unit.web.deliveries import CUSTOMER, FOREIGN_NUMBER, delivery, status_of, text_message, value_of


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


@pytest.mark.parametrize("code", [True, False, None, "131026", 1.5, [131026], 2**64 - 1, -1])
def test_whatever_stands_as_a_code_the_status_is_applied(web: Web, code: Any) -> None:
    web.send({"to": CUSTOMER, "text": "hello"})
    web.accept("wamid.HBgLOURS")
    failed = status_of("wamid.HBgLOURS", "failed", errors=[{"code": code, "title": "Message undeliverable"}])

    assert web.webhook(delivery(value_of(statuses=[failed]))).status_code == 200
    told = web.get("/v1/messages/wamid.HBgLOURS").json["error"]
    assert told["code"] == (code if type(code) is int else None)
