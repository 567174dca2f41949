"""Faults: which calls they affect, how often, and what the caller receives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.emulated import ANA, NUMBER, OTHER_NUMBER, Emulator, error

BEN = "15550102030"


def outcomes(meta: Emulator) -> list[str]:
    return [attempt["outcome"] for attempt in meta.control("GET", "seen").json["sends"]]


def statuses(meta: Emulator, count: int, **options: Any) -> list[int]:
    return [meta.text(**options).status_code for _ in range(count)]


def test_a_fault_hits_once_unless_told_otherwise(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error"})
    assert statuses(meta, 3) == [503, 200, 200]


@pytest.mark.parametrize(("code", "status"), [(131056, 400), (131031, 403), (132001, 404), (131016, 500)])
def test_an_error_has_the_status_of_its_code(meta: Emulator, code: int, status: int) -> None:
    meta.do("faults", {"kind": "error", "code": code})
    assert statuses(meta, 1) == [status]


def test_a_given_status_wins_over_that_of_the_code(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "code": 131056, "status": 429})
    assert statuses(meta, 1) == [429]


def test_a_page_without_a_status_is_a_503(meta: Emulator) -> None:
    meta.do("faults", {"kind": "html", "code": 131056})
    assert statuses(meta, 1) == [503]


def test_a_fault_hits_as_often_as_planned(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "count": 2})
    assert statuses(meta, 3) == [503, 503, 200]


def test_a_fault_lets_the_first_calls_pass(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "skip": 1})
    assert statuses(meta, 3) == [200, 503, 200]


def test_a_fault_without_count_hits_until_it_is_taken_back(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "count": None})
    before = statuses(meta, 3)
    meta.control("DELETE", "faults")
    assert (before, statuses(meta, 1)) == ([503] * 3, [200])


@pytest.mark.parametrize(
    ("phone", "to"),
    [
        ("+44 7700 900123", ANA),
        ("541122223333", "541122223333"),
        ("5491122223333", "541122223333"),
        ("5511988880000", "551188880000"),
    ],
)
def test_a_fault_s_customer_may_be_named_in_any_spelling(meta: Emulator, phone: str, to: str) -> None:
    meta.do("faults", {"kind": "error", "phone": phone})
    assert statuses(meta, 1, to=BEN) + statuses(meta, 1, to=to) == [200, 503]


def test_one_fault_is_taken_back_by_its_id(meta: Emulator) -> None:
    planned = meta.do("faults", {"faults": [{"kind": "error"}, {"kind": "html", "status": 502}]})["faults"]
    meta.control("DELETE", f"faults/{planned[0]['id']}")
    assert statuses(meta, 1) == [502]


def test_a_fault_hits_one_phone(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "phone": BEN})
    assert (statuses(meta, 1), statuses(meta, 1, to=f"+{BEN}")) == ([200], [503])


def test_a_fault_hits_one_number(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "number_id": OTHER_NUMBER})
    assert (statuses(meta, 1), statuses(meta, 1, number=OTHER_NUMBER)) == ([200], [503])


def test_a_fault_by_chance_repeats_itself_from_the_same_seed() -> None:
    runs = []
    for _ in range(2):
        meta = Emulator()
        meta.do("limits", {"all": False})
        meta.do("faults", {"kind": "error", "probability": 0.5, "count": None})
        runs.append(statuses(meta, 30))
    assert runs[0] == runs[1]
    assert 5 < runs[0].count(503) < 25


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "explosion"},
        {"kind": "error", "endpoint": "everything"},
        {"kind": "error", "count": "many"},
        {"kind": "error", "colour": "red"},
        {"kind": "error", "probability": 2},
        {"kind": "error", "retry_after": -1},
        {"kind": "error", "retry_after": "7\r\nSet-Cookie: a=b"},
        {"kind": "error", "status": 99},
        {"kind": "error", "faults": []},
        {},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(meta: Emulator, wanted: dict[str, Any]) -> None:
    answer = meta.control("POST", "faults", wanted)
    assert (answer.status_code, list(answer.json or ())) == (400, ["error"])


@pytest.mark.parametrize("retry_after", ["7", 7])
def test_a_pause_is_given_as_text_or_as_a_number(meta: Emulator, retry_after: str | int) -> None:
    meta.do("faults", {"kind": "error", "retry_after": retry_after})
    assert meta.text().headers["Retry-After"] == "7"


def test_an_error_is_metas_object_with_what_was_planned(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "status": 500, "code": 131016, "details": "x", "retry_after": "7"})
    answer = meta.text()
    assert (answer.status_code, answer.headers["Retry-After"]) == (500, "7")
    assert error(answer)["code"] == 131016
    assert error(answer)["error_data"]["details"] == "x"
    assert error(answer)["is_transient"] is True


def test_an_html_page_is_html(meta: Emulator) -> None:
    meta.do("faults", {"kind": "html", "status": 502})
    answer = meta.text()
    assert (answer.status_code, answer.mimetype) == (502, "text/html")


def test_an_empty_answer_is_empty(meta: Emulator) -> None:
    meta.do("faults", {"kind": "empty", "status": 500})
    assert (meta.text().data, outcomes(meta)) == (b"", ["fault"])


@pytest.mark.parametrize("kind", ["error", "html", "empty", "reset"])
def test_what_fails_before_it_is_taken_reaches_no_phone(meta: Emulator, kind: str) -> None:
    meta.do("faults", {"kind": kind})
    try:
        meta.text()
    except OSError:
        assert kind == "reset"
    assert (len(meta.shown()), outcomes(meta)) == (1, ["fault"])


def test_a_lost_answer_is_taken_all_the_same(meta: Emulator) -> None:
    meta.do("faults", {"kind": "answer_lost"})
    with pytest.raises(OSError, match="planned disconnect"):
        meta.text()
    assert meta.last()["status"] == "delivered"
    seen = meta.control("GET", "seen").json
    assert (outcomes(meta), seen["accepted"]) == (["answer_lost"], {ANA: 1})


def test_a_truncated_answer_is_half_of_the_json(meta: Emulator) -> None:
    meta.do("faults", {"kind": "truncated"})
    answer = meta.text()
    assert answer.text.startswith('{"messaging_product"')
    assert not answer.text.endswith("}")
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_a_cut_answer_promises_more_than_it_gives(meta: Emulator) -> None:
    meta.do("faults", {"kind": "cut"})
    answer = meta.text()
    assert int(answer.headers["Content-Length"]) > len(answer.data)
    assert outcomes(meta) == ["answer_lost"]


def test_a_message_can_be_failed_later_with_any_code(meta: Emulator) -> None:
    meta.do("faults", {"kind": "failed_status", "code": 131049})
    assert meta.text().status_code == 200
    assert meta.last()["errors"][0]["code"] == 131049


def test_other_endpoints_are_not_hit(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "endpoint": "messages"})
    assert meta.get(NUMBER).status_code == 200


@pytest.mark.parametrize("endpoint", ["nodes", "*"])
def test_a_node_can_be_hit(meta: Emulator, endpoint: str) -> None:
    meta.do("faults", {"kind": "error", "endpoint": endpoint})
    assert meta.get(NUMBER).status_code == 503


def test_marking_as_read_is_an_endpoint_of_its_own(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "endpoint": "read"})
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": meta.write()}
    assert (meta.text().status_code, meta.post(f"{NUMBER}/messages", body).status_code) == (200, 503)


def media(meta: Emulator) -> str:
    return str(meta.upload(b"\x89PNG", "image/png").json["id"])


def test_an_upload_can_fail(meta: Emulator) -> None:
    meta.do("faults", {"kind": "html", "endpoint": "media_upload"})
    assert meta.upload(b"\x89PNG", "image/png").status_code == 503


def test_a_media_can_resolve_with_a_wrong_digest(meta: Emulator) -> None:
    media_id = media(meta)
    good = meta.get(media_id).json["sha256"]
    meta.do("faults", {"kind": "wrong_sha256", "endpoint": "media_url"})
    assert meta.get(media_id).json["sha256"] != good


def test_a_media_can_resolve_to_an_expired_url(meta: Emulator) -> None:
    media_id = media(meta)
    meta.do("faults", {"kind": "expired_url", "endpoint": "media_url"})
    assert meta.get(meta.get(media_id).json["url"]).status_code == 404
    assert meta.get(meta.get(media_id).json["url"]).status_code == 200


def test_a_download_can_bring_other_bytes(meta: Emulator) -> None:
    url = meta.get(media(meta)).json["url"]
    meta.do("faults", {"kind": "corrupt", "endpoint": "media_download"})
    answer = meta.get(url)
    assert len(answer.data) == 4
    assert answer.data != b"\x89PNG"


def test_what_was_used_up_is_kept_with_its_hits(meta: Emulator) -> None:
    meta.do("faults", {"kind": "error", "count": 2})
    statuses(meta, 3)
    listed = meta.control("GET", "faults").json
    assert (listed["faults"], listed["spent"][0]["hits"]) == ([], 2)


def test_only_a_listening_emulator_refuses_connections(meta: Emulator) -> None:
    assert meta.control("POST", "refuse", {"seconds": 1}).status_code == 409
