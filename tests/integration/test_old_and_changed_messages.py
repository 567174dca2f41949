"""Messages that arrive too late, are edited or revoked while they wait, or come first without their content."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message
from tests.integration.personal import contents
from wa_service.push.event_form import event_item
from wa_service.store.client import Store
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import Events
from wa_service.store.inbox import Inbox
from wa_service.whatsapp.webhooks.events import Piece, walk

DAY = 86_400
CUSTOMER = "15551230001"


def piece(**raw: Any) -> Piece:
    """A customer's message, as web takes it from a webhook."""
    one = {"from": CUSTOMER, "timestamp": str(int(time.time())), **raw}
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [one]}
    changes = [{"field": "messages", "value": value}]
    (found,) = walk({"object": "whatsapp_business_account", "entry": [{"id": "w", "changes": changes}]})
    return found


def text(message_id: str, body: str) -> Piece:
    return piece(id=message_id, type="text", text={"body": body})


def edit(message_id: str, original: str, body: str) -> Piece:
    content = {"context": {"id": "M0"}, "type": "text", "text": {"body": body}}
    return piece(id=message_id, type="edit", edit={"original_message_id": original, "message": content})


def revoke(message_id: str, original: str) -> Piece:
    return piece(id=message_id, type="revoke", revoke={"original_message_id": original})


@pytest.fixture
def young(store: Store) -> Lanes:
    """Lanes that do not answer messages older than a day."""
    lanes = Lanes.over(store)
    lanes.inbox = Inbox(store, retention_seconds=KEEP, answer_max_age=DAY)
    return lanes


def heard(lanes: Lanes) -> list[str]:
    """Handle everything and return what was handled, in order: texts, and the types of other messages."""
    said = []
    counter = time.monotonic_ns()
    while works := lanes.inbox.take("p", counter, 10)[1]:
        for work in works:
            raw = work.stored.piece.raw
            said.append(raw["text"]["body"] if raw["type"] == "text" else raw["type"])
            lanes.inbox.finish(work, "p", [])
        counter += 1
    return said


def told(lanes: Lanes) -> list[dict[str, Any]]:
    return [event_item(entry)["data"] for entry in Events(lanes.store, retention_seconds=KEEP).after("", 1_000)]


def test_thirty_old_messages_and_a_new_one_come_to_one_answer(young: Lanes) -> None:
    now = int(time.time())
    young.admit(*(message(CUSTOMER, f"old {n}", timestamp=now - 3 * DAY - n) for n in range(30)))
    young.admit(message(CUSTOMER, "new", timestamp=now))
    assert heard(young) == ["new"]
    stale = [data.get("stale", False) for data in told(young)]
    assert stale == [True] * 30 + [False]


def test_an_old_message_is_handled_where_the_age_does_not_matter(lanes: Lanes) -> None:
    lanes.admit(message(CUSTOMER, "old", timestamp=int(time.time()) - 3 * DAY))
    assert heard(lanes) == ["old"]


def test_what_is_older_than_the_marks_live_is_never_handled(lanes: Lanes, redis_client: redis.Redis) -> None:
    nine_days_old = message(CUSTOMER, "old", timestamp=int(time.time()) - 9 * DAY)
    assert lanes.admit(nine_days_old) == [b"new"]
    assert heard(lanes) == []


def test_an_old_dead_letter_that_is_replayed_is_handled(young: Lanes) -> None:
    letters = DeadLetters(young.store, retention_seconds=KEEP)
    young.admit(message(CUSTOMER, "poison"))
    (work,) = young.inbox.take("p", 1, 1)[1]
    young.inbox.dead_letter(work, "p", "failed", "ValueError")
    letter = letters.ids()[0]
    assert letters.replay(letter, work.stored.piece) == "queued"
    (again,) = young.inbox.take("p", 2, 1)[1]
    assert again.stored.replayed


@pytest.mark.parametrize("timestamp", ["{}000", "{}", "-5", "", "abc"])
def test_a_time_in_milliseconds_is_read_and_nonsense_is_none(timestamp: str) -> None:
    found = piece(id="wamid.1", type="text", text={"body": "x"}, timestamp=timestamp.format(1_750_000_000))
    assert found.timestamp == (1_750_000_000 if "{}" in timestamp else 0)


def test_a_waiting_message_that_was_edited_is_handled_as_edited_in_its_place(lanes: Lanes) -> None:
    lanes.admit(text("wamid.T1", "table for 2 tonight"), text("wamid.T2", "thanks"))
    lanes.admit(edit("wamid.E", "wamid.T1", "table for 4 tomorrow"))
    assert heard(lanes) == ["table for 4 tomorrow", "thanks"]
    assert [data["type"] for data in told(lanes)] == ["text", "text", "edit"]


def test_a_message_that_is_being_handled_while_it_is_edited_is_handled_anew(lanes: Lanes) -> None:
    lanes.admit(text("wamid.T1", "table for 2 tonight"))
    (work,) = lanes.inbox.take("p", 1, 1)[1]
    lanes.admit(edit("wamid.E", "wamid.T1", "table for 4 tomorrow"))
    assert not lanes.inbox.finish(work, "p", [])
    assert heard(lanes) == ["table for 4 tomorrow"]


def test_an_edit_of_what_was_handled_is_handled_itself(lanes: Lanes) -> None:
    lanes.admit(text("wamid.T1", "table for 2 tonight"))
    assert heard(lanes) == ["table for 2 tonight"]
    lanes.admit(edit("wamid.E", "wamid.T1", "table for 4 tomorrow"))
    assert heard(lanes) == ["edit"]


def test_an_edit_that_comes_first_is_the_message(lanes: Lanes) -> None:
    lanes.admit(edit("wamid.E", "wamid.T1", "table for 4 tomorrow"))
    assert lanes.admit(text("wamid.T1", "table for 2 tonight")) == [b"duplicate"]
    assert heard(lanes) == ["table for 4 tomorrow"]


@pytest.mark.parametrize("together", [True, False])
def test_a_waiting_message_that_was_revoked_is_not_handled_and_not_kept(
    lanes: Lanes, redis_client: redis.Redis, together: bool
) -> None:
    if together:
        lanes.admit(text("wamid.T2", "4111 1111"), revoke("wamid.R", "wamid.T2"))
    else:
        lanes.admit(text("wamid.T1", "first"), text("wamid.T2", "4111 1111"))
        lanes.admit(revoke("wamid.R", "wamid.T2"))
    assert heard(lanes) == ([] if together else ["first"])
    assert not any(b"4111 1111" in content for content in contents(redis_client).values())
    assert told(lanes)[-1]["type"] == "revoke"


@pytest.mark.parametrize("edits", [1, 2])
@pytest.mark.parametrize("comes_first", [True, False])
def test_an_edited_message_that_was_revoked_is_not_kept_with_its_edits(
    lanes: Lanes, redis_client: redis.Redis, edits: int, *, comes_first: bool
) -> None:
    if not comes_first:
        lanes.admit(text("wamid.T1", "4111 1111"))
    lanes.admit(*(edit(f"wamid.E{n}", "wamid.T1", f"4222 222{n}") for n in range(edits)))
    assert lanes.admit(revoke("wamid.R", "wamid.T1"), text("wamid.T2", "thanks")) == [b"new", b"new"]
    assert lanes.admit(text("wamid.T1", "4111 1111")) == [b"duplicate"]
    assert heard(lanes) == ["thanks"]
    assert not any(b"4111 1111" in content or b"4222 222" in content for content in contents(redis_client).values())
    assert [data["type"] for data in told(lanes)] == ["revoke", "text"]


def test_a_message_that_is_being_handled_while_it_is_revoked_is_not_answered(lanes: Lanes) -> None:
    lanes.admit(text("wamid.T2", "4111 1111"))
    (work,) = lanes.inbox.take("p", 1, 1)[1]
    lanes.admit(revoke("wamid.R", "wamid.T2"))
    assert not lanes.inbox.finish(work, "p", [])
    assert heard(lanes) == []


def test_a_message_that_was_revoked_before_it_came_is_neither_handled_nor_kept(
    lanes: Lanes, redis_client: redis.Redis
) -> None:
    lanes.admit(revoke("wamid.R", "wamid.T2"))
    assert lanes.admit(text("wamid.T2", "4111 1111")) == [b"duplicate"]
    assert heard(lanes) == []
    assert not any(b"4111 1111" in content for content in contents(redis_client).values())


def test_a_revocation_of_what_was_handled_is_handled_itself(lanes: Lanes) -> None:
    lanes.admit(text("wamid.T1", "hello"))
    heard(lanes)
    lanes.admit(revoke("wamid.R", "wamid.T1"))
    assert heard(lanes) == ["revoke"]


def test_changes_open_no_window(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(edit("wamid.E", "wamid.T1", "x"), revoke("wamid.R", "wamid.T2"))
    assert not redis_client.hexists(lanes.store.keys.contact(f"{NUMBER}:{CUSTOMER}"), "window_end")


UNAVAILABLE = {"code": 131060, "title": "This message is currently unavailable."}


def unavailable(message_id: str, errors: Any = (UNAVAILABLE,)) -> Piece:
    found = list(errors) if isinstance(errors, tuple) else errors
    return piece(id=message_id, type="unsupported", errors=found, unsupported={"type": "media_placeholder"})


@pytest.mark.parametrize("errors", [(UNAVAILABLE,), (UNAVAILABLE | {"code": "131060"},), UNAVAILABLE])
def test_the_content_of_what_was_unavailable_is_handled_when_it_comes_under_the_same_id(
    lanes: Lanes, errors: Any
) -> None:
    assert lanes.admit(unavailable("wamid.U1", errors), unavailable("wamid.U1", errors)) == [b"new", b"duplicate"]
    assert lanes.admit(text("wamid.U1", "Hi, I saw your ad")) == [b"new"]
    assert lanes.admit(text("wamid.U1", "Hi, I saw your ad")) == [b"duplicate"]
    assert lanes.admit(unavailable("wamid.U1", errors)) == [b"duplicate"]
    assert heard(lanes) == ["unsupported", "Hi, I saw your ad"]


@pytest.mark.parametrize("handled", [True, False])
def test_what_was_revoked_while_it_was_unavailable_is_not_handled_when_its_content_comes(
    lanes: Lanes, *, handled: bool
) -> None:
    lanes.admit(unavailable("wamid.U1"))
    if handled:
        heard(lanes)
    assert lanes.admit(revoke("wamid.R", "wamid.U1"), text("wamid.T2", "thanks")) == [b"new", b"new"]
    assert lanes.admit(text("wamid.U1", "4111 1111")) == [b"duplicate"]
    assert heard(lanes) == ["thanks"]


def test_the_edit_of_what_was_unavailable_is_its_content(lanes: Lanes) -> None:
    lanes.admit(unavailable("wamid.U1"), edit("wamid.E", "wamid.U1", "table for 4"))
    assert lanes.admit(text("wamid.U1", "table for 2")) == [b"duplicate"]
    assert heard(lanes) == ["table for 4"]


def test_a_revocation_takes_back_the_content_that_came_after_its_message(lanes: Lanes) -> None:
    lanes.admit(unavailable("wamid.U1"), text("wamid.U1", "4111 1111"), revoke("wamid.R", "wamid.U1"))
    assert heard(lanes) == []


def test_another_unsupported_message_under_the_same_id_is_a_duplicate(lanes: Lanes) -> None:
    other = piece(id="wamid.U1", type="unsupported", errors=[{"code": 131051}])
    assert lanes.admit(other) == [b"new"]
    assert lanes.admit(text("wamid.U1", "Hi")) == [b"duplicate"]
