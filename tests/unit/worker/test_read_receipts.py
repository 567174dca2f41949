"""A customer whose message is being handled sees it as read, with typing; a message put off at once is not marked."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from wa_service.whatsapp.errors import WhatsAppServerError
from wa_service.worker.read_receipts import MOST_ON_THEIR_WAY, ReadReceipts

EVENT: Any = SimpleNamespace(id="wamid.1", group_id="", phone_number_id="106540000000001")


@dataclass
class Meta:
    """A number's client; `free`: whether a fifth of its throughput is unused."""

    marks: list[tuple[str, bool]] = field(default_factory=list)
    free: bool = True
    unwell: bool = False

    def mark_as_read(self, message_id: str, *, typing: bool) -> None:
        if self.unwell:
            raise WhatsAppServerError("Meta is unwell.")
        self.marks.append((message_id, typing))

    def reserve_spare(self, _number: str) -> bool:
        return self.free


@pytest.fixture
def meta() -> Meta:
    return Meta()


def receipts(meta: Meta, *, enabled: bool = True) -> ReadReceipts:
    both: Any = meta
    return ReadReceipts({EVENT.phone_number_id: both}, both, enabled=enabled)


def test_while_a_message_is_handled_its_customer_sees_typing(meta: Meta) -> None:
    with receipts(meta).typing(EVENT):
        gevent.idle()
    assert meta.marks == [("wamid.1", True)]


def test_what_is_answered_at_once_is_read_without_typing(meta: Meta) -> None:
    with receipts(meta).typing(EVENT):
        pass
    gevent.idle()
    assert meta.marks == [("wamid.1", False)]


def test_what_is_put_off_at_once_is_not_marked_as_read(meta: Meta) -> None:
    with pytest.raises(TimeoutError), receipts(meta).typing(EVENT):
        raise TimeoutError
    gevent.idle()
    assert meta.marks == []


@pytest.mark.parametrize("event", [EVENT, SimpleNamespace(**{**vars(EVENT), "group_id": "G1"})], ids=["off", "group"])
def test_nothing_is_marked_where_it_is_off_or_in_a_group(meta: Meta, event: Any) -> None:
    with receipts(meta, enabled=event is not EVENT).typing(event):
        gevent.idle()
    assert meta.marks == []


def test_nothing_is_marked_while_the_throughput_is_needed_for_messages(meta: Meta) -> None:
    meta.free = False
    with receipts(meta).typing(EVENT):
        gevent.idle()
    assert meta.marks == []


def test_a_mark_that_meta_refuses_disturbs_nobody(meta: Meta) -> None:
    meta.unwell = True
    with receipts(meta).typing(EVENT):
        gevent.idle()
    assert meta.marks == []


def test_what_was_shown_while_a_burst_waited_is_not_shown_again(meta: Meta) -> None:
    shown = receipts(meta)
    shown.begin_typing(EVENT.phone_number_id, EVENT.id)
    gevent.idle()
    with shown.typing(EVENT):
        gevent.idle()
    gevent.idle()
    assert meta.marks == [("wamid.1", True)]


def test_what_could_not_be_shown_while_a_burst_waited_is_shown_when_it_is_handled(meta: Meta) -> None:
    shown = receipts(meta)
    meta.free = False
    shown.begin_typing(EVENT.phone_number_id, EVENT.id)
    gevent.idle()
    meta.free = True
    with shown.typing(EVENT):
        gevent.idle()
    assert meta.marks == [("wamid.1", True)]


def test_beyond_what_is_on_its_way_typing_is_left_out_and_what_is_can_be_stopped(meta: Meta) -> None:
    shown = receipts(meta)
    for n in range(MOST_ON_THEIR_WAY + 8):
        shown.begin_typing(EVENT.phone_number_id, f"wamid.{n}")
    gevent.idle()
    assert len(meta.marks) == MOST_ON_THEIR_WAY
    shown.begin_typing(EVENT.phone_number_id, "wamid.later")
    shown.kill()
    gevent.idle()
    assert len(meta.marks) == MOST_ON_THEIR_WAY


def test_where_messages_are_not_marked_no_typing_begins(meta: Meta) -> None:
    shown = receipts(meta, enabled=False)
    shown.begin_typing(EVENT.phone_number_id, EVENT.id)
    gevent.idle()
    assert meta.marks == []


def test_typing_that_was_shown_long_ago_is_shown_again(meta: Meta) -> None:
    both: Any = meta
    shown = ReadReceipts({EVENT.phone_number_id: both}, both, enabled=True, repeat=0.01)
    shown.begin_typing(EVENT.phone_number_id, EVENT.id)
    gevent.idle()
    with shown.typing(EVENT), gevent.Timeout(5):
        while len(meta.marks) < 2:
            gevent.sleep(0)
    assert meta.marks[:2] == [("wamid.1", True)] * 2
