"""`/v1/subscriptions`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from tests.unit.web.conftest import KEYS, Start, Web
from tests.unit.web.deliveries import NUMBER, delivery, text_message, value_of
from wa_service.push.event_form import event_body
from wa_service.push.pusher import Pusher
from wa_service.resilience.destinations import DestinationPolicy
from wa_service.resilience.http import HttpAnswer, HttpCallError
from wa_service.service.subscriptions import sync_event_urls

PUBLIC = {"tool.example": ["93.184.216.34"], "inside.example": ["10.0.0.7"]}
URL = "https://tool.example/hook"


class Tool:
    """A subscriber that records the POSTs and responds with `answer`."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, str], bytes]] = []
        self.answer: HttpAnswer | HttpCallError = HttpAnswer(200, b"")

    def post(self, url: str, *, seconds: float, headers: Any, data: bytes) -> HttpAnswer:
        self.sent.append((dict(headers), data))
        if isinstance(self.answer, HttpCallError):
            raise self.answer
        return self.answer


@pytest.fixture(scope="module")
def tool_of_the_file() -> Tool:
    return Tool()


@pytest.fixture(autouse=True)
def tool(tool_of_the_file: Tool) -> Tool:
    """Return the subscriber, without requests and responding 200."""
    tool_of_the_file.sent.clear()
    tool_of_the_file.answer = HttpAnswer(200, b"")
    return tool_of_the_file


@pytest.fixture(scope="module")
def process_of_the_file(start_for_the_file: Start, tool_of_the_file: Tool) -> Web:
    policy = DestinationPolicy(look_up=lambda host, _port: PUBLIC.get(host, []))
    return start_for_the_file(push_policy=policy, pusher=Pusher(tool_of_the_file.post))


def create(web: Web, **body: Any) -> Any:
    answer = web.client.post("/v1/subscriptions", json={"url": URL, **body}, headers=KEYS["boss"])
    assert answer.status_code == 201, answer.text
    return answer.json


def test_the_secret_is_shown_once(web: Web) -> None:
    made = create(web, kinds=["message"], numbers=[NUMBER])
    assert Webhook(made["secret"])
    assert made["secret"].startswith("whsec_")
    shown = web.get(f"/v1/subscriptions/{made['id']}", key="boss").json
    assert shown == made | {"secret": None}
    assert (shown["kinds"], shown["numbers"], shown["state"], shown["lag_seconds"]) == (
        ["message"],
        [NUMBER],
        "active",
        0,
    )
    assert web.get("/v1/subscriptions", key="boss").json == {"items": [shown]}


def test_a_paused_one_says_since_when_and_why(web: Web) -> None:
    made = create(web)
    assert (made["paused_at"], made["paused_reason"]) == (None, None)
    paused = web.post(f"/v1/subscriptions/{made['id']}/pause", key="boss").json
    assert paused["paused_reason"] == "by_hand"
    assert paused["paused_at"] >= made["created"]
    resumed = web.post(f"/v1/subscriptions/{made['id']}/resume", key="boss").json
    assert (resumed["paused_at"], resumed["paused_reason"]) == (None, None)


def test_a_tool_that_sends_through_meta_itself_may_ask_for_its_statuses(web: Web) -> None:
    made = create(web, form="meta", kinds=["message", "status", "foreign_status"])
    assert made["kinds"] == ["message", "status", "foreign_status"]


def test_in_meta_s_form_a_tool_s_own_secret_signs(web: Web) -> None:
    made = create(web, form="meta", secret="0123456789abcdef")
    assert web.runtime.subscriptions.get(made["id"]).secrets == ("0123456789abcdef",)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://inside.example/"}, "url"),
        ({"url": "https://nobody.example/"}, "url"),
        ({"url": "ftp://tool.example/"}, "url"),
        ({"url": URL, "kinds": ["mesage"]}, "kinds"),
        ({"url": URL, "form": "meta", "kinds": ["transcript"]}, "kinds"),
        ({"url": URL, "numbers": ["1"]}, "numbers"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "http://[::ffff:127.0.0.1]/"}, "url"),
        ({"url": URL, "secret": "0123456789abcdef"}, "secret"),
        ({"url": URL, "form": "meta", "secret": "short"}, "secret"),
        ({"url": URL, "form": "xml"}, "form"),
        ({"url": URL, "kind": ["message"]}, "kind"),
        ({}, "url"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(web: Web, body: dict[str, Any], field: str) -> None:
    answer = web.client.post("/v1/subscriptions", json=body, headers=KEYS["boss"])
    assert answer.status_code == 400
    assert [problem["field"] for problem in answer.json["errors"]] == [field]


def test_it_begins_with_what_is_to_come_and_tells_how_far_behind_it_is(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))
    made = create(web)
    assert made["oldest_unsent"] is None
    web.webhook(delivery(value_of(messages=[text_message("wamid.HBgLMORE")])))
    behind = web.get(f"/v1/subscriptions/{made['id']}", key="boss").json
    assert behind["oldest_unsent"] is not None
    replayed = web.post(f"/v1/subscriptions/{made['id']}/replay?after=0", key="boss").json
    assert replayed["oldest_unsent"] < behind["oldest_unsent"]


def test_a_bad_cursor_is_told(web: Web) -> None:
    made = create(web)
    answer = web.post(f"/v1/subscriptions/{made['id']}/replay?after=yesterday", key="boss")
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "after")


def test_a_cursor_after_the_newest_event_is_refused(web: Web) -> None:
    made = create(web)
    web.webhook(delivery(value_of(messages=[text_message()])))
    newest = web.runtime.events.last_cursor()
    milliseconds, _, number = newest.partition("-")
    path = f"/v1/subscriptions/{made['id']}/replay?after="
    for future in (f"{milliseconds}-{int(number) + 1}", f"{milliseconds}000-0"):
        answer = web.post(path + future, key="boss")
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "after")
        assert f"the newest event, {newest}." in answer.text
    assert web.get(f"/v1/subscriptions/{made['id']}", key="boss").json["cursor"] == made["cursor"]
    assert web.post(path + newest, key="boss").json["cursor"] == newest


def test_pause_resume_change_and_rotate(web: Web) -> None:
    made = create(web)
    path = f"/v1/subscriptions/{made['id']}"
    assert web.post(f"{path}/pause", key="boss").json["state"] == "paused"
    assert web.post(f"{path}/resume", key="boss").json["state"] == "active"
    changed = web.client.patch(path, json={"kinds": ["status"], "secret": "rotate"}, headers=KEYS["boss"]).json
    assert changed["kinds"] == ["status"]
    assert changed["secret"] not in {None, made["secret"]}
    assert web.runtime.subscriptions.get(made["id"]).secrets == (changed["secret"], made["secret"])
    assert web.client.patch(path, json={"kinds": []}, headers=KEYS["boss"]).json["kinds"] == []
    assert web.delete(path).status_code == 204
    assert web.delete(path).status_code == 404


def test_a_test_says_what_came_back(web: Web, tool: Tool) -> None:
    made = create(web)
    path = f"/v1/subscriptions/{made['id']}/test"
    assert web.post(path, key="boss").json == {"status": 200, "failure": None}
    [(headers, body)] = tool.sent
    assert Webhook(made["secret"]).verify(body, headers)["kind"] == "test"
    tool.answer = HttpCallError("no answer in time")
    assert web.post(path, key="boss").json == {"status": None, "failure": "no answer in time"}


@pytest.mark.parametrize("action", ["pause", "resume", "test", "replay?after=0"])
def test_an_unknown_one_is_404(web: Web, action: str) -> None:
    assert web.post(f"/v1/subscriptions/sub_none/{action}", key="boss").status_code == 404


def test_only_those_who_manage_may(web: Web) -> None:
    answer = web.client.post("/v1/subscriptions", json={"url": URL}, headers=KEYS["both"])
    assert (answer.status_code, answer.json["detail"]) == (403, "This API key lacks the role `manage`.")


def test_the_environment_s_urls_are_subscribed_once_and_end_with_it(web: Web) -> None:
    subscriptions, events = web.runtime.subscriptions, web.runtime.events
    made = create(web)
    for urls in (["https://a.example/", "https://b.example/"], ["https://b.example/", "https://c.example/"]):
        for _ in range(2):
            sync_event_urls(subscriptions, events, urls, "whsec_eA==")
        assert sorted(each.url for each in subscriptions.all() if each.id != made["id"]) == urls
    sync_event_urls(subscriptions, events, ["https://b.example/"], "whsec_eQ==")
    [kept] = [each for each in subscriptions.all() if each.id != made["id"]]
    assert kept.secrets == ("whsec_eQ==", "whsec_eA==")


def test_what_is_pushed_is_the_item_that_is_polled(web: Web) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))
    [entry] = web.runtime.events.after("", 10)
    assert orjson.loads(event_body(entry)) == web.get("/v1/events").json["items"][0]
