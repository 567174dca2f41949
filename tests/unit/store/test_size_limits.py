"""Large data from Meta is cut to the size that may be stored."""

from __future__ import annotations

from typing import Any

import orjson

from tests.integration.lanes import message
from wa_service.store.size_limits import bounded
from wa_service.store.stored_event import read_event, write_event


def nested(levels: int) -> Any:
    deep: Any = 0
    for _ in range(levels):
        deep = {"d": deep}
    return deep


def test_what_is_small_stays_as_it_is() -> None:
    raw = {"id": "1", "text": {"body": "x"}}
    assert bounded(raw, 1_000) is raw


def test_what_is_large_keeps_its_short_values() -> None:
    raw = {"id": "1", "text": {"body": "x" * 5_000}, "long": "y" * 5_000}
    assert bounded(raw, 1_000) == {"left_out": True, "id": "1"}


def test_what_is_nested_too_deeply_to_be_written_keeps_its_short_values() -> None:
    assert bounded({"id": "1", "deep": nested(300)}, 1_000_000) == {"left_out": True, "id": "1"}


def test_a_message_nested_too_deeply_is_stored_all_the_same() -> None:
    piece = message()
    piece.raw["deep"] = orjson.loads(b'{"a":' * 900 + b"1" + b"}" * 900)
    assert read_event(write_event(piece, 1)).piece.raw["id"] == piece.id
