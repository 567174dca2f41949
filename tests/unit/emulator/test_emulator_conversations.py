"""The page's first call: all phones with their newest message, in one response."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.emulator.emulated import ANA, NUMBER, OTHER_NUMBER, Emulator

BEN = "15550102030"
TEXT = {"type": "text", "text": {"body": "hello"}}


def conversations(emulator: Emulator, **query: Any) -> Any:
    return emulator.control("GET", "conversations", query_string=query).json


def test_every_phone_is_there_without_a_message(fresh: Emulator) -> None:
    told = conversations(fresh)
    assert [(each["phone"]["name"], each["last"], each["unread"]) for each in told["conversations"]] == [
        ("Ana", None, 0),
        ("Ben", None, 0),
    ]


def test_the_phone_with_the_newest_message_comes_first(fresh: Emulator) -> None:
    wamid = fresh.write("hi", BEN)
    first = conversations(fresh)["conversations"][0]
    assert (first["phone"]["wa_id"], first["last"]["id"]) == (BEN, wamid)


def test_what_the_phone_has_not_read_is_counted(meta: Emulator) -> None:
    meta.sent(TEXT)
    read = meta.sent(TEXT)
    meta.do(f"phones/{ANA}/read", {"message_ids": [read]})
    assert conversations(meta)["conversations"][0]["unread"] == 1


@pytest.mark.parametrize("body", [TEXT, {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "👍"}}])
def test_neither_failures_nor_reactions_are_unread(fresh: Emulator, body: dict[str, Any]) -> None:
    # No service window is open, so the text fails.
    fresh.sent(body)
    assert conversations(fresh)["conversations"][0]["unread"] == 0


def test_so_many_phones_at_most(fresh: Emulator) -> None:
    told = conversations(fresh, limit=1)
    assert (len(told["conversations"]), told["total"]) == (1, 2)


def test_the_numbers_and_the_cursor_come_along(fresh: Emulator) -> None:
    told = conversations(fresh)
    assert [number["id"] for number in told["numbers"]] == [NUMBER, OTHER_NUMBER]
    assert told["cursor"] == fresh.control("GET", "state").json["cursor"]


def test_where_webhooks_go_is_told_only_while_somebody_listens(fresh: Emulator) -> None:
    before = conversations(fresh)["callback_url"]
    fresh.do("webhooks/callback", {"url": "http://127.0.0.1:9/hook"})
    assert (before, conversations(fresh)["callback_url"]) == ("", "http://127.0.0.1:9/hook")
