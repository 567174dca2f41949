"""Observing the world: recorded sends, raw exchanges, behaviour, settling."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.emulated import ANA, NUMBER, TOKEN, Emulator

TEXT = {"type": "text", "text": {"body": "hello"}}


def seen(meta: Emulator, query: str = "") -> dict[str, Any]:
    return meta.control("GET", f"seen{query}").json or {}


def test_every_send_is_seen_in_order_with_its_outcome(meta: Emulator) -> None:
    wamid = meta.sent({**TEXT, "biz_opaque_callback_data": "one"})
    meta.text("x" * 5000)
    first, second = seen(meta)["sends"]
    assert (first["outcome"], first["wamid"], first["opaque"]) == ("accepted", wamid, "one")
    assert (second["outcome"], second["code"], second["http_status"]) == ("refused", 100, 400)
    assert [first["n"], second["n"]] == [1, 2]


def test_what_was_sent_is_seen(meta: Emulator) -> None:
    meta.text("good morning")
    assert seen(meta)["sends"][0]["content"] == {"body": "good morning"}


def test_the_same_body_twice_has_the_same_digest(meta: Emulator) -> None:
    for body in ("a", "a", "b"):
        meta.text(body)
    digests = [attempt["digest"] for attempt in seen(meta)["sends"]]
    assert digests[0] == digests[1] != digests[2]


def test_accepted_messages_are_counted_for_each_customer(meta: Emulator) -> None:
    meta.text()
    meta.text()
    meta.text(to="+15550102030")
    assert seen(meta)["accepted"] == {ANA: 2, "15550102030": 1}


def test_the_busiest_second_is_told(meta: Emulator) -> None:
    for _ in range(3):
        meta.text()
    meta.do("clock", {"advance": 10})
    meta.text()
    assert seen(meta)["busiest_second"] == {NUMBER: 3}


@pytest.mark.parametrize(
    ("query", "count"),
    [(f"?wa_id={ANA}", 2), ("?outcome=refused", 1), ("?after=2", 1), ("?limit=1", 1), ("?wa_id=1", 0)],
)
def test_what_was_seen_is_filtered(meta: Emulator, query: str, count: int) -> None:
    meta.text()
    meta.text("x" * 5000)
    meta.text(to="+15550102030")
    assert (len(seen(meta, query)["sends"]), seen(meta, query)["total"]) == (count, 3)


def test_an_exchange_is_found_by_its_message(meta: Emulator) -> None:
    wamid = meta.sent(TEXT)
    meta.sent(TEXT)
    found = meta.control("GET", f"exchanges?message={wamid}").json["exchanges"]
    assert [(item["kind"], item["method"], item["status"]) for item in found] == [("graph", "POST", 200)]


def test_an_exchange_shows_both_bodies_and_a_curl(meta: Emulator) -> None:
    wamid = meta.sent(TEXT)
    found = meta.control("GET", f"exchanges?message={wamid}").json["exchanges"][0]
    whole = meta.control("GET", f"exchanges/{found['id']}").json
    assert "hello" in whole["request_body"]
    assert wamid in whole["response_body"]
    assert whole["curl"].startswith("curl -X POST http://localhost/v24.0/")
    assert '-H "Authorization: Bearer $TOKEN"' in whole["curl"]


def test_no_exchange_keeps_the_token(meta: Emulator) -> None:
    meta.sent(TEXT)
    meta.get(f"{NUMBER}?access_token={TOKEN}", token=None)
    assert TOKEN not in meta.control("GET", "exchanges?full=1").text


def test_an_exchange_that_is_forgotten_is_404(meta: Emulator) -> None:
    assert meta.control("GET", "exchanges/999").status_code == 404


def test_a_world_without_work_is_settled(meta: Emulator) -> None:
    assert meta.do("settle", {"timeout": 1})["settled"] is True


def test_a_running_timer_is_not_settled(meta: Emulator) -> None:
    meta.do("behaviour", {"status_delay": 60})
    meta.sent(TEXT)
    answer = meta.do("settle", {"timeout": 0.05})
    assert (answer["settled"], answer["timers"]) == (False, 2)


def test_moving_the_clock_lets_statuses_come(meta: Emulator) -> None:
    meta.do("behaviour", {"status_delay": 60})
    meta.sent(TEXT)
    before = meta.last()["status"]
    meta.do("clock", {"advance": 121})
    assert meta.do("settle", {"timeout": 5})["settled"] is True
    assert (before, meta.last()["status"]) == ("accepted", "delivered")


def test_settling_can_wait_for_quiet(meta: Emulator) -> None:
    meta.text()
    assert meta.do("settle", {"timeout": 5, "quiet": 0.1})["waited"] >= 0.05


def test_a_knob_is_turned_and_shown(meta: Emulator) -> None:
    assert meta.do("behaviour", {"duplicates": 2})["duplicates"] == 2
    assert meta.control("GET", "behaviour").json["duplicates"] == 2


@pytest.mark.parametrize(
    "wanted", [{"colour": "red"}, {"batch": "many"}, {"batch": 0}, {"order": "random"}, {"user_ids": 1}]
)
def test_a_knob_that_is_none_is_refused(meta: Emulator, wanted: dict[str, Any]) -> None:
    assert meta.control("POST", "behaviour", wanted).status_code == 400


def test_the_state_tells_everything_at_a_glance(meta: Emulator) -> None:
    state = meta.control("GET", "state").json
    assert {"numbers", "phones", "limits", "behaviour", "faults", "clock", "webhooks", "cursor"} <= set(state or ())


def test_a_reset_forgets_everything_that_happened(meta: Emulator) -> None:
    meta.sent(TEXT)
    meta.do("faults", {"kind": "error"})
    meta.do("behaviour", {"duplicates": 2})
    meta.do("token", {"state": "expired"})
    meta.do("reset")
    state = meta.control("GET", "state").json
    assert (meta.shown(), seen(meta)["total"], state["faults"]) == ([], 0, [])
    assert (state["behaviour"]["duplicates"], meta.get(NUMBER).status_code) == (0, 200)


def test_an_unknown_control_is_404_and_no_graph_call(meta: Emulator) -> None:
    answer = meta.control("GET", "nothing")
    assert (answer.status_code, list(answer.json or ())) == (404, ["error"])


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_control_wants_a_json_object(meta: Emulator, body: bytes) -> None:
    assert meta.control("POST", "clock", data=body).status_code == 400


def test_what_is_kept_is_bounded() -> None:
    emulator = Emulator(kept_messages=3, kept_sends=3, kept_exchanges=3, kept_events=3)
    emulator.do("limits", {"all": False})
    for _ in range(10):
        emulator.text()
    assert [len(emulator.shown()), len(seen(emulator)["sends"])] == [3, 3]
    assert seen(emulator)["total"] == 10


def test_the_page_brings_a_policy_that_lets_nothing_in_from_outside(meta: Emulator) -> None:
    answer = meta.client.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_page_gives_nothing_beyond_its_folder(meta: Emulator) -> None:
    assert meta.client.get("/_page/../world.py").status_code in (400, 404)


def test_a_send_that_a_fault_refused_is_seen_by_its_customer(meta: Emulator) -> None:
    stranger = "15551230000"
    meta.do("faults", {"kind": "error", "status": 503})
    meta.text(to=f"+{stranger}")
    sends = meta.control("GET", f"seen?wa_id=%2B{stranger}").json["sends"]
    assert [(send["outcome"], send["wa_id"]) for send in sends] == [("fault", stranger)]


@pytest.mark.parametrize("wanted", [{"app_secret": ""}, {"app_secret": 1}, {"other": "x"}])
def test_a_secret_that_is_none_is_refused(meta: Emulator, wanted: dict[str, Any]) -> None:
    assert meta.control("POST", "secret", wanted).status_code == 400


def test_another_method_is_refused_with_those_there_are(fresh: Emulator) -> None:
    answer = fresh.control("PUT", "faults")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, POST")
    answer = fresh.control("OPTIONS", "clock")
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, POST")
    for path in ("nothing/like/it", "exchanges/a%0Ab"):
        answer = fresh.control("GET", path)
        assert (answer.status_code, list(answer.json or ())) == (404, ["error"])


def test_a_body_of_another_form_is_refused_with_a_sentence(fresh: Emulator) -> None:
    answer = fresh.control("POST", f"phones/{ANA}/press", {"mesage_id": "x", "button": 0})
    assert answer.status_code == 400
    assert answer.json == {"error": "message_id is missing; unknown property: mesage_id"}


def test_a_history_needs_threads(fresh: Emulator) -> None:
    answer = fresh.control("POST", "business_app/history", {})
    assert (answer.status_code, answer.json) == (400, {"error": "threads is missing"})
