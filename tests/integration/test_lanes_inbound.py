"""Mailboxes on a real server: admit, take, renew, finish, retry, dead-letter."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import NUMBER, Lanes, message, send
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.inbox import MAILBOX_CEILING, Inbox
from wa_service.store.stored_event import read_event, write_event


def take(inbox: Inbox, consumer: str = "p", counter: int = 0, count: int = 1) -> list[Any]:
    return inbox.take(consumer, counter, count)[1]


def body(work: Any) -> str:
    return work.stored.piece.raw["text"]["body"]


def test_an_admitted_message_is_handed_out_once(lanes: Lanes) -> None:
    assert lanes.admit(message(text="hello")) == [b"new"]
    (work,) = take(lanes.inbox)
    assert body(work) == "hello"
    assert take(lanes.inbox, counter=1) == []


def test_the_same_message_in_other_bytes_is_one_message(lanes: Lanes) -> None:
    first = message(id="wamid.SAME", text="hello")
    again = message(id="wamid.SAME", text="hello ")
    assert lanes.admit(first, again) == [b"new", b"duplicate"]


def test_the_same_id_on_two_numbers_is_two_messages(lanes: Lanes) -> None:
    assert lanes.admit(message(id="wamid.X"), message(id="wamid.X", number="999")) == [b"new", b"new"]


def test_a_customers_messages_come_in_metas_order_then_in_ours(lanes: Lanes) -> None:
    now = int(time.time())
    lanes.admit(
        message(text="second", timestamp=now - 5),
        message(text="third", timestamp=now - 5),
        message(text="first", timestamp=now - 9),
    )
    seen = []
    for counter in range(3):
        (work,) = take(lanes.inbox, counter=counter)
        seen.append(body(work))
        assert lanes.inbox.finish(work, "p", [])
    assert seen == ["first", "second", "third"]


def test_a_timestamp_from_the_future_counts_as_now(lanes: Lanes) -> None:
    # The second is from the future too: one of the present would come first if the store's second was a later one.
    now = int(time.time())
    lanes.admit(message(text="a", timestamp=now + 9_999), message(text="b", timestamp=now + 30))
    (work,) = take(lanes.inbox)
    assert body(work) == "a"


def test_one_conversation_is_handed_to_one_worker_at_a_time(lanes: Lanes) -> None:
    lanes.admit(message(text="a"), message(text="b"))
    assert len(take(lanes.inbox, "one", 0, 5)) == 1
    assert take(lanes.inbox, "two", 0, 5) == []


def test_many_conversations_are_taken_in_one_call(lanes: Lanes) -> None:
    lanes.admit(*(message(f"1555000{i:04}") for i in range(20)))
    assert len(take(lanes.inbox, count=16)) == 16


def test_a_repeated_take_gives_the_same_answer(lanes: Lanes) -> None:
    lanes.admit(message("15550000001"), message("15550000002"))
    first = take(lanes.inbox, counter=7, count=2)
    again = take(lanes.inbox, counter=7, count=2)
    assert [(w.conversation, w.token, w.deliveries) for w in sorted(first, key=lambda w: w.conversation)] == [
        (w.conversation, w.token, w.deliveries) for w in sorted(again, key=lambda w: w.conversation)
    ]


def test_a_repeated_take_gives_a_whole_lease(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    nearly_over = time.time() * 1000 + 300
    redis_client.zadd(NAMES.due, {work.conversation: nearly_over})
    take(lanes.inbox)
    assert redis_client.zscore(NAMES.due, work.conversation) > nearly_over + 10_000


def test_a_lease_that_ran_out_is_anybodys(store: Store) -> None:
    lanes = Lanes.over(store, lease=0.05)
    lanes.admit(message())
    (old,) = take(lanes.inbox, "dead")
    (new,) = eventually(lambda: take(lanes.inbox, "alive"))
    assert new.deliveries == 2
    assert not lanes.inbox.finish(old, "dead", [send()])
    assert lanes.inbox.finish(new, "alive", [send()])


def test_a_renewed_lease_outlives_its_first_end(store: Store) -> None:
    short, long = Lanes.over(store, lease=0.05), Lanes.over(store, lease=60)
    short.admit(message())
    (work,) = take(short.inbox)
    taken = time.monotonic()
    # A lease that ran out can be renewed until another worker takes it, so a slow machine changes nothing here.
    assert long.inbox.renew_leases([work]) == [True]
    eventually(lambda: time.monotonic() > taken + 0.1)
    assert take(long.inbox, "other") == []


def test_a_lost_lease_is_not_kept(lanes: Lanes) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    lanes.inbox.release_consumer("p", died=True)
    assert lanes.inbox.renew_leases([work]) == [False]


def test_finishing_twice_replies_once(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    assert lanes.inbox.finish(work, "p", [send(id="r1")])
    assert not lanes.inbox.finish(work, "p", [send(id="r2")])
    assert redis_client.exists(f"{PREFIX}record:r1", f"{PREFIX}record:r2") == 1


def test_replies_keep_their_order(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    lanes.inbox.finish(work, "p", [send(id="r1"), send(id="r2"), send(id="r3")])
    assert redis_client.lrange(NAMES.lane(work.conversation), 0, -1) == [b"r1", b"r2", b"r3"]


def test_a_failure_is_counted_and_comes_again_later(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    assert lanes.inbox.retry_later(work, "p", 60, is_failure=True) == 1
    assert take(lanes.inbox, counter=1) == []
    redis_client.zadd(NAMES.due, {work.conversation: 0})
    (second,) = take(lanes.inbox, counter=2)
    assert (second.failures, second.deliveries) == (1, 2)


def test_waiting_for_an_outside_service_counts_no_try(lanes: Lanes) -> None:
    lanes.admit(message())
    for counter in range(20):
        (work,) = take(lanes.inbox, counter=counter)
        assert work.deliveries == 1
        lanes.inbox.retry_later(work, "p", 0.0, is_failure=False)


def test_tries_are_those_of_one_message(lanes: Lanes) -> None:
    lanes.admit(message(text="a"), message(text="b"))
    (a,) = take(lanes.inbox)
    lanes.inbox.retry_later(a, "p", 0.0, is_failure=True)
    (a,) = take(lanes.inbox, counter=1)
    lanes.inbox.finish(a, "p", [])
    (b,) = take(lanes.inbox, counter=2)
    assert (body(b), b.deliveries, b.failures) == ("b", 1, 0)


def test_a_buried_message_lets_the_next_one_go(lanes: Lanes, store: Store) -> None:
    lanes.admit(message(text="poison"), message(text="next"))
    (work,) = take(lanes.inbox)
    assert lanes.inbox.dead_letter(work, "p", "failed", "ValueError")
    (following,) = take(lanes.inbox, counter=1)
    assert body(following) == "next"
    ((letter,), _) = DeadLetters(store, retention_seconds=60).page()
    assert (letter.kind, letter.reason, letter.tries) == ("failed", "ValueError", 1)


def test_a_replayed_letter_is_handled_after_what_waits(lanes: Lanes, store: Store) -> None:
    letters = DeadLetters(store, retention_seconds=60)
    lanes.admit(message(text="poison", id="wamid.P"))
    (work,) = take(lanes.inbox)
    lanes.inbox.dead_letter(work, "p", "failed", "ValueError")
    lanes.admit(message(text="waits"))
    assert letters.replay(letters.ids()[0], message()) == "queued"
    order = []
    for counter in range(1, 3):
        (work,) = take(lanes.inbox, counter=counter)
        order.append(body(work))
        lanes.inbox.finish(work, "p", [])
    assert order == ["waits", "poison"]
    assert letters.ids() == []


def flooded(lanes: Lanes, store: Store) -> tuple[DeadLetters, str]:
    """Fill a mailbox and admit one message more, which becomes a dead letter; return its id."""
    lanes.admit(*(message() for _ in range(MAILBOX_CEILING)), message(text="one too many"))
    letters = DeadLetters(store, retention_seconds=60)
    return letters, letters.ids()[0]


def test_a_letter_waits_while_its_mailbox_is_full(lanes: Lanes, store: Store, redis_client: redis.Redis) -> None:
    letters, letter = flooded(lanes, store)
    assert letters.replay(letter, message()) == "full"
    assert letters.ids() == [letter]
    assert redis_client.zcard(NAMES.mailbox(f"{NUMBER}:15551230001")) == MAILBOX_CEILING


def test_a_flood_letter_is_handled_once_there_is_room(lanes: Lanes, store: Store, redis_client: redis.Redis) -> None:
    letters, letter = flooded(lanes, store)
    (work,) = take(lanes.inbox)
    lanes.inbox.finish(work, "p", [])
    assert letters.replay(letter, message()) == "queued"
    last: Any = redis_client.zrange(NAMES.mailbox(work.conversation), -1, -1)[0]
    assert read_event(last).piece.raw["text"]["body"] == "one too many"


def test_a_replayed_letter_s_conversation_lives_on(lanes: Lanes, store: Store, redis_client: redis.Redis) -> None:
    letters = DeadLetters(store, retention_seconds=60)
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    lanes.inbox.dead_letter(work, "p", "failed", "ValueError")
    redis_client.delete(f"{PREFIX}conv:{work.conversation}", NAMES.contact(work.conversation))
    letters.replay(letters.ids()[0], message())
    assert redis_client.ttl(f"{PREFIX}conv:{work.conversation}") > 0
    assert redis_client.ttl(NAMES.contact(work.conversation)) > 0


def test_finishing_stamps_no_contact_that_is_gone(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    redis_client.delete(NAMES.contact(work.conversation))
    assert lanes.inbox.finish(work, "p", [], stamps={"unsupported_at": 0})
    assert not redis_client.exists(NAMES.contact(work.conversation))


def test_a_stopped_worker_gives_its_takes_back(lanes: Lanes) -> None:
    lanes.admit(message())
    take(lanes.inbox)
    assert lanes.inbox.release_consumer("p", died=False) == 1
    (work,) = take(lanes.inbox, "q")
    assert work.deliveries == 1


def test_a_dead_workers_takes_are_counted(lanes: Lanes) -> None:
    lanes.admit(message())
    take(lanes.inbox)
    lanes.inbox.release_consumer("p", died=True)
    (work,) = take(lanes.inbox, "q")
    assert work.deliveries == 2


def die(lanes: Lanes, times: int, count: int = 100) -> None:
    """Let workers take everything and die, several times."""
    for n in range(times):
        lanes.hurry()
        lanes.inbox.take(f"dead {n}", 0, count)
        lanes.inbox.release_consumer(f"dead {n}", died=True)


@pytest.mark.parametrize("deaths", [1, 2])
def test_after_one_or_two_deaths_a_message_is_due_at_once(lanes: Lanes, deaths: int) -> None:
    lanes.admit(message())
    die(lanes, deaths)
    (work,) = take(lanes.inbox)
    assert work.deliveries == deaths + 1


def test_after_more_deaths_a_message_waits_longer_each_time_and_never_long(lanes: Lanes) -> None:
    lanes.admit(message())
    die(lanes, 2)
    waits = []
    for _ in range(7):
        die(lanes, 1)
        waits.append(lanes.inbox.take("p", 0, 1)[0])
    assert waits == pytest.approx([1, 2, 4, 8, 16, 16, 16], abs=0.5)


def test_who_was_there_at_two_deaths_is_taken_with_few_others(lanes: Lanes) -> None:
    lanes.admit(*(message(f"1555000{i:04}") for i in range(20)))
    die(lanes, 2)
    assert len(take(lanes.inbox, "p", 0, 16)) == 8
    lanes.hurry("p")
    assert len(take(lanes.inbox, "another", 0, 16)) == 8


def test_who_was_there_at_three_deaths_is_taken_without_another_suspect(lanes: Lanes) -> None:
    lanes.admit(*(message(f"1555000{i:04}") for i in range(3)))
    die(lanes, 2)
    die(lanes, 1)
    lanes.hurry()
    (alone,) = take(lanes.inbox, "p", 0, 16)
    lanes.admit(message("15557770001", text="new"))
    lanes.hurry("p")
    (new,) = take(lanes.inbox, "p", 1, 16)
    assert (alone.deliveries, body(new)) == (4, "new")
    lanes.hurry("p")
    assert len(take(lanes.inbox, "another", 0, 16)) == 1
    lanes.inbox.finish(alone, "p", [])
    lanes.hurry("p", "another")
    assert len(take(lanes.inbox, "p", 2, 16)) == 1


def test_what_failed_or_was_given_back_is_no_suspect(lanes: Lanes) -> None:
    lanes.admit(*(message(f"1555000{i:04}") for i in range(3)))
    for counter in range(4):
        for work in take(lanes.inbox, "p", counter, 16):
            lanes.inbox.retry_later(work, "p", 0.0, is_failure=True)
    for counter in range(4, 8):
        take(lanes.inbox, "p", counter, 16)
        lanes.inbox.release_consumer("p", died=False)
    assert len(take(lanes.inbox, "p", 8, 16)) == 3


def test_a_conversation_with_twenty_unsent_replies_waits(lanes: Lanes) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    lanes.inbox.finish(work, "p", [send() for _ in range(20)])
    lanes.admit(message())
    assert take(lanes.inbox, counter=1) == []


def test_a_full_mailbox_makes_dead_letters(lanes: Lanes, store: Store) -> None:
    answers = lanes.admit(*(message() for _ in range(MAILBOX_CEILING + 1)))
    assert answers.count(b"new") == MAILBOX_CEILING
    assert answers[-1] == b"flood"
    ((letter,), _) = DeadLetters(store, retention_seconds=60).page()
    assert letter.kind == "flood"


def test_a_customer_seen_under_two_addresses_is_one_conversation(lanes: Lanes) -> None:
    lanes.admit(message("15550000001", user_id="US.1"), message("", user_id="US.1", text="later"))
    (work,) = take(lanes.inbox, count=5)
    assert work.contact["addresses"].split() == ["15550000001", "US.1"]


def test_a_group_does_not_bear_the_name_of_who_wrote_last(lanes: Lanes) -> None:
    lanes.admit(message("15550000001", group="Y2FwaV9ncm91cDox", name="Ana"))
    (work,) = take(lanes.inbox)
    assert work.contact["addresses"] == "Y2FwaV9ncm91cDox"
    assert "name" not in work.contact


def test_two_conversations_found_to_be_one_are_joined_when_the_younger_is_idle(lanes: Lanes) -> None:
    lanes.admit(message("15550000001"))
    (elder,) = take(lanes.inbox)
    lanes.inbox.finish(elder, "p", [])
    lanes.admit(message("", user_id="US.1"))
    (younger,) = take(lanes.inbox, counter=1)
    lanes.inbox.finish(younger, "p", [])
    lanes.admit(message("15550000001", user_id="US.1"), message("", user_id="US.1"))
    (work,) = take(lanes.inbox, counter=2, count=5)
    assert work.conversation == elder.conversation


def test_the_mark_of_an_event_does_not_hold_the_number(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message("15550000001", id="wamid.HBgLMTU1NTAwMDAwMDE="))
    marks = list(redis_client.scan_iter(f"{PREFIX}seen:*"))
    assert len(marks) == 1
    assert b"1555" not in marks[0]
    assert b"wamid" not in marks[0]


def test_everything_personal_has_a_lifetime(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    (work,) = take(lanes.inbox)
    lanes.inbox.finish(work, "p", [])
    lasting = {key for key in redis_client.scan_iter("*") if redis_client.ttl(key) == -1}
    assert lasting <= {f"{PREFIX}{family}".encode() for family in ("wake", "clock", "epoch")}


def test_a_worker_reads_the_form_before_its_own(lanes: Lanes, redis_client: redis.Redis) -> None:
    piece = message(text="from the previous form")
    lanes.admit(piece)
    (key,) = redis_client.keys(f"{PREFIX}mailbox:*")
    oldest: Any = redis_client.zrange(key, 0, 0, withscores=True)
    ((member, score),) = oldest
    new = read_event(member)
    old = {
        "v": 1,
        "kind": piece.kind,
        "field": piece.field,
        "waba_id": piece.waba_id,
        "phone_number_id": piece.phone_number_id,
        "id": piece.id,
        "timestamp": piece.timestamp,
        "addresses": list(piece.addresses),
        "contact": piece.contact,
        "raw": piece.raw,
        "entry_time": 0,
        "received": new.received,
    }

    redis_client.delete(key)
    redis_client.zadd(key, {orjson.dumps(old): score})
    (work,) = take(lanes.inbox)
    assert work.stored == new
    assert lanes.inbox.finish(work, "p", [])


def test_a_stored_event_reads_back_as_it_was() -> None:
    piece = message(text="ü 👍")
    assert read_event(write_event(piece, 5)).piece == piece


def test_the_bell_wakes_a_waiting_worker(lanes: Lanes) -> None:
    lanes.admit(message())
    assert lanes.store.do("LLEN", f"{PREFIX}wake") == 1
    lanes.inbox.wait_for_work(1.0)
    assert lanes.store.do("LLEN", f"{PREFIX}wake") == 0


def test_a_restarted_server_without_scripts_is_served_again(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    redis_client.script_flush()
    assert lanes.admit(message("15550000009")) == [b"new"]


@pytest.mark.parametrize("died", [True, False])
def test_giving_back_nothing_changes_nothing(lanes: Lanes, died: bool) -> None:
    lanes.admit(message())
    take(lanes.inbox, "one")
    assert lanes.inbox.release_consumer("two", died=died) == 0
    assert take(lanes.inbox, "two") == []


def test_the_number_is_part_of_the_conversation(lanes: Lanes) -> None:
    lanes.admit(message(number=NUMBER), message(number="42"))
    works = take(lanes.inbox, count=5)
    assert sorted(work.conversation.split(":")[0] for work in works) == sorted([NUMBER, "42"])


def test_one_customers_flood_pushes_nobody_elses_letters_out(lanes: Lanes) -> None:
    letters = DeadLetters(lanes.store, retention_seconds=60)
    lanes.admit(*(message(text=f"{n}", id=f"wamid.F{n}") for n in range(MAILBOX_CEILING + 60)))
    (kept, _) = letters.page(count=1000)
    assert len(kept) == 50
    assert [letter for letter in kept if letter.reason.endswith("; 10 more were not kept")]
