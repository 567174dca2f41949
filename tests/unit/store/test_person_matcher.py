"""A person's address is found in stored JSON in any form, and never as a part of another value."""

from __future__ import annotations

import base64

import orjson
import pytest

from wa_service.store.person_matcher import PersonMatcher

NUMBER, USER_ID, GROUP = "15551230001", "US.13491208655302741918", "Y2FwaV9ncm91cDox"


def wamid(holds: str, *, url_safe: bool = False) -> str:
    raw = b"\x1c\x18" + bytes([len(holds)]) + holds.encode() + b"\x15\x02\x00\x12\x18\x14\xfb\xef\xbe\xff"
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    return "wamid." + encode(raw).decode()


def stands_in(address: str, value: object) -> bool:
    return PersonMatcher([address]).mentioned_in(orjson.dumps(value))


@pytest.mark.parametrize(
    "value",
    [
        {"from": NUMBER},
        {"input": f"+{NUMBER}"},
        {"a": ["x", NUMBER]},
        {"c": f"106540352242922:{NUMBER}"},
        {"body": f"call {NUMBER}, please"},
        {"body": f"my number:\n{NUMBER}"},
        {"i": wamid(NUMBER)},
        {"i": wamid(NUMBER, url_safe=True)},
        {"context": {"id": wamid(NUMBER)}},
        {"id": wamid(NUMBER).replace("wamid.", "wacid.")},
    ],
)
def test_a_number_is_found_in_every_form(value: object) -> None:
    assert stands_in(NUMBER, value)


@pytest.mark.parametrize(
    "value",
    [
        {"from": f"49{NUMBER}"},
        {"from": f"{NUMBER}7"},
        {"id": f"a{NUMBER}"},
        {"i": wamid(f"49{NUMBER}")},
        {"i": wamid(f"{NUMBER}7")},
        {"n": NUMBER, "w": NUMBER, "metadata": {"phone_number_id": NUMBER, "display_phone_number": NUMBER}},
        {"timestamp": NUMBER, "waba_id": NUMBER},
        {"t": int(NUMBER), "e": int(NUMBER), "r": int(NUMBER), "time": int(NUMBER), "timestamp": int(NUMBER)},
    ],
)
def test_a_number_is_not_found_in_a_longer_one_or_in_what_is_ours(value: object) -> None:
    assert not stands_in(NUMBER, value)


def test_a_user_id_is_found_as_a_whole() -> None:
    assert stands_in(USER_ID, {"user_id": USER_ID})
    assert stands_in(USER_ID, {"i": wamid(USER_ID)})
    assert not stands_in(USER_ID[:-1], {"user_id": USER_ID, "i": wamid(USER_ID)})


def test_a_group_s_id_is_found_as_a_whole_value() -> None:
    assert stands_in(GROUP, {"group_id": GROUP})
    assert not stands_in(GROUP, {"group_id": GROUP + "2", "body": f"in {GROUP}"})


@pytest.mark.parametrize("short", ["", "1", "+", "STOP"])
def test_what_is_too_short_is_found_nowhere(short: str) -> None:
    assert not stands_in(short, {"v": 1, "n": "1", "payload": short, "text": {"body": "1 + 1"}})


def test_a_message_is_theirs_by_who_sent_it_not_by_whom_it_names() -> None:
    theirs = {"v": 2, "m": {"from": NUMBER}, "p": None}
    by_contact = {"v": 1, "raw": {"from_user_id": "US.2"}, "contact": {"wa_id": NUMBER}}
    names_them = {"v": 2, "m": {"from": "15559870002", "context": {"from": NUMBER}}, "p": {"wa_id": "15559870002"}}
    assert [
        PersonMatcher([NUMBER]).is_sender_of(orjson.dumps(event)) for event in (theirs, by_contact, names_them)
    ] == [
        True,
        True,
        False,
    ]
