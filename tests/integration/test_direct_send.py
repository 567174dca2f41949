"""Direct Send: a message with a `category` counts like a template outside the service window (reference 2)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.integration.lanes import NUMBER, Lanes, send
from tests.keys import PREFIX
from wa_service.service.refusals import InvalidRequestError
from wa_service.service.send_request import read_send
from wa_service.store.client import Store
from wa_service.store.outbox import Limits, Priority, SendOutcome

TO = "447700900123"


def read(**given: Any) -> Any:
    body = {"to": TO, "text": "Your table is ready."} | given
    body = {name: value for name, value in body.items() if value is not None}
    return read_send(body, (NUMBER,), 3_600, priority=Priority.SINGLE, notify=None)


def test_the_category_is_metas_and_opens_a_customer() -> None:
    request = read(category="utility")
    assert request.opens
    assert request.send.category == "utility"
    assert orjson.loads(request.send.body)["category"] == "utility"
    assert not read().opens


@pytest.mark.parametrize(
    "given",
    [
        {"category": "marketing"},
        {"category": 1},
        {"category": "utility", "text": None, "template": {"name": "x", "language": "en_US"}},
        {"category": "utility", "text": None, "reaction": {"message_id": "wamid.x", "emoji": "x"}},
        {"category": "authentication", "to": None, "recipient": "US.13491208655302741918"},
    ],
)
def test_what_direct_send_does_not_take_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(**given)
    assert [field for field, _ in refused.value.fields] == ["category"]


def interactive(**parts: str) -> dict[str, Any]:
    texts = {"body": "Ready."} | parts
    content: dict[str, Any] = {name: {"text": text} for name, text in texts.items()}
    if "header" in content:
        content["header"]["type"] = "text"
    button = {"type": "reply", "reply": {"id": "yes", "title": "Yes"}}
    return {
        "text": None,
        "type": "interactive",
        "interactive": {"type": "button", "action": {"buttons": [button]}, **content},
    }


@pytest.mark.parametrize(
    ("given", "too_long", "field"),
    [
        ({"text": "x" * 1_024}, {"text": "x" * 1_025}, "text.body"),
        (interactive(body="x" * 1_024), None, ""),
        (interactive(footer="x" * 60), None, ""),
        (interactive(header="x" * 60), None, ""),
    ],
)
def test_what_is_longer_than_a_template_s_part_is_refused(
    given: dict[str, Any], too_long: dict[str, Any] | None, field: str
) -> None:
    assert read(category="utility", **given).opens
    if too_long is not None:
        assert not read(**too_long).opens
        with pytest.raises(InvalidRequestError) as refused:
            read(category="utility", **too_long)
        assert [name for name, _ in refused.value.fields] == [field]


def test_the_template_quota_counts_it(store: Store) -> None:
    lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "waba")})
    assert lanes.outbox.put(send("15551230001", category="utility"), opens=True).outcome == "queued"
    assert lanes.outbox.put(send("15551230002", category="utility"), opens=True).outcome == "quota"
    bulk = send("15551230003", category="utility", priority=Priority.BULK)
    assert lanes.outbox.put(bulk, opens=True).outcome == "queued"
    assert [grant.conversation for grant in lanes.grant(count=5)] == [f"{NUMBER}:15551230001"]


@pytest.mark.parametrize(("code", "follows"), [(100, True), (139200, True), (131026, False)])
def test_what_meta_takes_not_by_direct_send_may_go_as_a_template(lanes: Lanes, code: int, follows: bool) -> None:
    body = orjson.dumps({"to": TO, "type": "template", "template": {"name": "ready", "language": {"code": "en_US"}}})
    lanes.outbox.put(send(TO, id="a", category="utility", fallback=body), opens=True)
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("failed", code=code, error={"code": code}))
    assert [(each.id, each.type) for each in lanes.grant()] == ([("af", "template")] if follows else [])


def test_it_is_never_sent_once_more_on_silence(store: Store) -> None:
    lanes = Lanes.over(store, resend_unknown=True, settle_seconds=0)
    lanes.outbox.put(send(id="a", category="utility"), opens=True)
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("unknown"))
    store.do("LPUSH", f"{PREFIX}confirmed:{NUMBER}", *[1 << 50] * 3)
    assert lanes.outbox.settle() == [("a", "failed")]
