"""Subscriptions on a real server: order, leases, failures, pauses, replay, erasure."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from typing import Any, get_args

import orjson
import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, message
from tests.keys import NAMES
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.events import Kind
from wa_service.store.subscriptions import (
    FAILURES_IN_A_ROW,
    LONGEST_FAILING_SECONDS,
    META_KINDS,
    MOST_SUBSCRIPTIONS,
    RETRY_SECONDS,
    SUBSCRIBER_PAUSES,
    Delivery,
    Subscription,
    Subscriptions,
    TooManySubscriptionsError,
)

ANA, BEN = f"{NUMBER}:447700900123", f"{NUMBER}:447700900124"


@pytest.fixture
def subscriptions(store: Store) -> Subscriptions:
    return Subscriptions(store)


@pytest.fixture
def tool(subscriptions: Subscriptions) -> Subscription:
    return subscriptions.create("https://tool.example/", form="event", secret="whsec_eA==", cursor="0-0")


def tell(redis_client: redis.Redis, conversation: str, what: str, kind: str = "message") -> str:
    cursor = redis_client.xadd(NAMES.events, {"k": kind, "c": conversation, "d": f'{{"what":"{what}"}}'})
    return cursor.decode()


def said(deliveries: list[Delivery]) -> list[tuple[str, str]]:
    return [(each.conversation, each.data.decode().split('"')[3]) for each in deliveries]


def take(subscriptions: Subscriptions, tool: Subscription, count: int = 32) -> list[Delivery]:
    return subscriptions.take(tool.id, count)[2]


def took(subscriptions: Subscriptions, *deliveries: Delivery) -> list[bool]:
    """Record that deliveries succeeded, and take nothing; return whether each was recorded."""
    return subscriptions.take(deliveries[0].subscription, 0, taken=deliveries, answer="200")[1]


def told_of_pauses(redis_client: redis.Redis) -> list[tuple[str, str, str]]:
    """The pauses in the event stream: the subscription, the reason and its last answer."""
    told = [orjson.loads(entry[b"d"]) for _, entry in redis_client.xrange(NAMES.events) if entry[b"k"] == b"push"]
    assert {each["state"] for each in told} <= {"paused"}
    return [(each["subscription"], each["reason"], each["last_answer"]) for each in told]


def pass_time(redis_client: redis.Redis, seconds: float) -> None:
    """Let the store's time advance."""
    redis_client.hincrby(NAMES.of("clock"), "ahead", int(seconds * 1000))


def make_due(redis_client: redis.Redis, tool: Subscription, conversation: str) -> None:
    redis_client.zadd(NAMES.of("push_due", tool.id), {conversation: 1})
    redis_client.hdel(NAMES.of("push_head", tool.id, conversation), "lease")


class TestOrder:
    """Events of a conversation are pushed one after the other, conversations concurrently."""

    def test_a_conversation_s_next_event_waits_for_the_one_before(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for conversation, what in ((ANA, "1"), (ANA, "2"), (BEN, "1")):
            tell(redis_client, conversation, what)
        first = take(subscriptions, tool)
        assert said(first) == [(ANA, "1"), (BEN, "1")]
        assert take(subscriptions, tool) == []
        assert took(subscriptions, first[0]) == [True]
        assert said(take(subscriptions, tool)) == [(ANA, "2")]

    def test_a_failed_event_holds_up_its_conversation_alone(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for conversation, what in ((ANA, "1"), (ANA, "2"), (BEN, "1"), (BEN, "2")):
            tell(redis_client, conversation, what)
        ana, ben = take(subscriptions, tool)
        assert subscriptions.failed(ana, "failed", answer="500", delay=300) == "retried"
        assert took(subscriptions, ben) == [True]
        assert said(take(subscriptions, tool)) == [(BEN, "2")]
        make_due(redis_client, tool, ANA)
        [again] = take(subscriptions, tool)
        assert (said([again]), again.tries) == ([(ANA, "1")], 1)

    def test_an_event_waits_for_an_older_one_of_a_conversation_that_was_joined_into_its_own(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis, lanes: Lanes
    ) -> None:
        lanes.admit(message("447700900123", id="wamid.0"))
        lanes.admit(message("", user_id="GB.1122334455", id="wamid.1"))
        number, user_id = take(subscriptions, tool)
        assert took(subscriptions, number) == [True]
        subscriptions.failed(user_id, "failed", answer="503", delay=300)
        lanes.admit(message("447700900123", user_id="GB.1122334455", id="wamid.2"))
        lanes.admit(message("447700900124", id="wamid.3"))

        [other] = take(subscriptions, tool)
        wait, _, found = subscriptions.take(tool.id, 32, taken=[other], answer="200")
        assert (other.conversation, found, 0 < wait <= 1) == (BEN, [], True)
        pass_time(redis_client, 300)
        [first] = take(subscriptions, tool)
        assert (first.cursor, first.contact) == (user_id.cursor, "447700900123")
        assert subscriptions.take(tool.id, 32, taken=[first], answer="200")[2] == []
        pass_time(redis_client, 1)
        [second] = take(subscriptions, tool)
        assert (second.conversation, b"wamid.2" in second.data) == (ANA, True)
        assert took(subscriptions, second) == [True]
        assert subscriptions.get(tool.id).waiting == 0

    def test_what_waits_ten_hours_is_not_due_now(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "1")
        [ana] = take(subscriptions, tool)
        subscriptions.failed(ana, "failed", answer="500", delay=36_000)
        wait, _, found = subscriptions.take(tool.id, 32)
        assert found == []
        assert 35_000 < wait <= 36_000

    def test_only_the_kinds_and_numbers_that_it_asked_for(
        self, subscriptions: Subscriptions, redis_client: redis.Redis
    ) -> None:
        tool = subscriptions.create(
            "https://tool.example/", form="event", kinds=["status"], numbers=[NUMBER], secret="s", cursor=""
        )
        tell(redis_client, ANA, "message")
        tell(redis_client, "2:447700900123", "other", kind="status")
        tell(redis_client, ANA, "status", kind="status")
        tell(redis_client, "", "account", kind="status")
        assert sorted(said(take(subscriptions, tool))) == [("", "account"), (ANA, "status")]

    @pytest.mark.parametrize("kind", ["management", "history"])
    def test_an_event_that_names_a_number_of_ours_is_of_that_number_without_a_customer_too(
        self, subscriptions: Subscriptions, store: Store, redis_client: redis.Redis, kind: str
    ) -> None:
        tool = subscriptions.create("https://tool.example/", form="event", numbers=[NUMBER], secret="s", cursor="")
        for number in ("", f"2{NUMBER}", NUMBER):
            value = {"calls": [{"phone_number_id": NUMBER}]}
            event = {"field": "calls", "waba_id": "w", "phone_number_id": number, "value": value}
            data = orjson.dumps(event)
            redis_client.xadd(NAMES.events, {"k": kind, "c": "", "d": data})
        taken = take(subscriptions, tool)
        while len(found := subscriptions.take(tool.id, 32, taken=taken[-1:], answer="200")[2]):
            taken += found
        assert [orjson.loads(each.data)["phone_number_id"] for each in taken] == ["", NUMBER]
        redis_client.xadd(
            NAMES.events, {"k": kind, "c": "", "d": data.replace(NUMBER.encode(), b"2" + NUMBER.encode())}
        )
        assert subscriptions.oldest_unsent(subscriptions.get(tool.id)) == ""

    @pytest.mark.parametrize("change", [{"kinds": ["status"]}, {"numbers": [f"2{NUMBER}"]}])
    def test_what_it_no_longer_wants_is_not_pushed_although_it_waits(
        self,
        change: dict[str, list[str]],
        subscriptions: Subscriptions,
        tool: Subscription,
        redis_client: redis.Redis,
    ) -> None:
        for what in ("1", "2", "3"):
            tell(redis_client, ANA, what)
        wanted = f"2{NUMBER}:447700900123"
        tell(redis_client, wanted, "4", kind="status")
        [first, other] = take(subscriptions, tool)
        subscriptions.change(tool.id, kinds=change.get("kinds"), numbers=change.get("numbers"))
        subscriptions.release([other])
        assert said(subscriptions.take(tool.id, 32, taken=[first], answer="200")[2]) == [(wanted, "4")]
        assert subscriptions.take(tool.id, 32)[0] <= 0.001
        assert take(subscriptions, tool) == []
        assert subscriptions.get(tool.id).waiting == 1

    def test_in_meta_s_form_only_kinds_that_have_it(
        self, subscriptions: Subscriptions, redis_client: redis.Redis
    ) -> None:
        tool = subscriptions.create("https://tool.example/", form="meta", secret="s", cursor="0-0")
        tell(redis_client, ANA, "1", kind="send")
        assert subscriptions.oldest_unsent(tool) == ""
        for n, kind in enumerate(get_args(Kind)):
            tell(redis_client, f"{NUMBER}:4477009001{n:02}", kind, kind=kind)
        assert {each.kind for each in take(subscriptions, tool)} == META_KINDS

    def test_each_subscriber_has_its_own_place(self, subscriptions: Subscriptions, redis_client: redis.Redis) -> None:
        tools = [
            subscriptions.create(f"https://{n}.example/", form="event", secret="s", cursor="0-0") for n in range(2)
        ]
        tell(redis_client, ANA, "1")
        assert [said(take(subscriptions, tool)) for tool in tools] == [[(ANA, "1")]] * 2


class TestLeases:
    """A worker that dies causes a repetition; one that comes late writes nothing."""

    def test_after_its_lease_an_event_is_handed_out_again_and_the_first_holder_writes_nothing(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "1")
        [dead] = take(subscriptions, tool)
        make_due(redis_client, tool, ANA)
        [alive] = take(subscriptions, tool)
        assert (alive.cursor, alive.tries) == (dead.cursor, 0)
        assert took(subscriptions, dead) == [False]
        assert took(subscriptions, alive) == [True]

    def test_what_a_stopping_worker_releases_is_due_at_once_and_counts_as_no_try(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "1")
        subscriptions.release(take(subscriptions, tool))
        [again] = take(subscriptions, tool)
        assert again.tries == 0

    def test_a_push_from_before_a_failover_acknowledges_no_other_event(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for n in range(3):
            tell(redis_client, ANA, str(n))
        keys = [NAMES.of("subscription", tool.id), NAMES.of("push_lane", tool.id, ANA)]
        replicated = {key: value for key in keys if (value := redis_client.dump(key)) is not None}
        subscriptions.release(take(subscriptions, tool))
        [before] = take(subscriptions, tool)

        redis_client.delete(*redis_client.keys(NAMES.of("push_*")), *keys)  # these writes are lost
        for key, value in replicated.items():
            redis_client.restore(key, 0, value)
        pass_time(redis_client, 1)  # as `compare_epoch` does

        [again] = take(subscriptions, tool)
        _, written, [second] = subscriptions.take(tool.id, 1, taken=[again], answer="200")
        assert (before.cursor, written, said([second])) == (again.cursor, [True], [(ANA, "1")])
        assert took(subscriptions, before) == [False]


class TestFailing:
    """A failing subscription is tried less often, and at last it is paused."""

    def failing(self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis) -> None:
        for n in range(20):
            tell(redis_client, f"{NUMBER}:4477009001{n:02}", str(n))
        for delivery in take(subscriptions, tool, FAILURES_IN_A_ROW):
            assert subscriptions.failed(delivery, "failed", answer="ConnectionError", delay=5) == "retried"

    def test_after_some_failures_in_a_row_one_event_at_a_time(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        self.failing(subscriptions, tool, redis_client)
        wait, _, found = subscriptions.take(tool.id, 32)
        assert found == []
        assert 0 < wait <= 5
        redis_client.hset(NAMES.of("subscription", tool.id), "retry_at", 1)
        assert len(take(subscriptions, tool)) == 1
        assert take(subscriptions, tool) == []

    def test_one_success_and_all_go_on(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        self.failing(subscriptions, tool, redis_client)
        redis_client.hset(NAMES.of("subscription", tool.id), "retry_at", 1)
        [probe] = take(subscriptions, tool)
        assert took(subscriptions, probe) == [True]
        assert len(take(subscriptions, tool)) >= 14
        assert subscriptions.get(tool.id).failures == 0

    def test_what_was_tried_while_it_was_down_is_due_at_once_and_was_no_event_s_failure(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        self.failing(subscriptions, tool, redis_client)
        for _ in range(3):
            redis_client.hset(NAMES.of("subscription", tool.id), "retry_at", 1)
            [probe] = take(subscriptions, tool)
            subscriptions.failed(probe, "failed", answer="503", delay=300)
        redis_client.hset(NAMES.of("subscription", tool.id), "retry_at", 1)
        [probe] = take(subscriptions, tool)
        took(subscriptions, probe)
        assert sum(each.tries for each in take(subscriptions, tool)) == 0
        later = redis_client.zrange(NAMES.of("push_due", tool.id), 0, -1, withscores=True)
        assert max(score for _, score in later) < (time.time() + 30) * 1000

    def test_an_event_that_is_not_sent_in_its_form_is_no_success(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        self.failing(subscriptions, tool, redis_client)
        before = subscriptions.get(tool.id)
        redis_client.hset(NAMES.of("subscription", tool.id), "retry_at", 1)
        [probe] = take(subscriptions, tool)
        [other] = subscriptions.take(tool.id, 32, taken=[probe])[2]
        after = subscriptions.get(tool.id)
        assert (after.failures, after.failing_since) == (before.failures, before.failing_since)
        assert after.last_answer == "ConnectionError"
        assert subscriptions.take(tool.id, 32)[2] == []
        assert subscriptions.failed(other, "failed", answer="503", delay=5) == "retried"
        assert 5 < subscriptions.take(tool.id, 32)[0] <= 15

    def test_a_subscriber_that_is_down_is_left_in_peace_for_as_long_as_it_asked(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        self.failing(subscriptions, tool, redis_client)
        redis_client.hset(NAMES.of("subscription", tool.id), "retry_at", 1)
        [probe] = take(subscriptions, tool)
        subscriptions.failed(probe, "failed", answer="503", delay=5, requested_delay=600)
        assert 590 < subscriptions.take(tool.id, 32)[0] <= 600

    def test_its_retry_after_applies_to_all_its_events_from_the_first_failure(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for conversation in (ANA, ANA, BEN, f"{NUMBER}:447700900125"):
            tell(redis_client, conversation, "1")
        refused, accepted = take(subscriptions, tool, 2)
        assert subscriptions.failed(refused, "failed", answer="429", delay=60, requested_delay=60) == "retried"
        assert 59 < subscriptions.take(tool.id, 32)[0] <= 60
        wait, written, found = subscriptions.take(tool.id, 32, taken=[accepted], answer="200")
        assert (59 < wait <= 60, written, found) == (True, [True], [])
        pass_time(redis_client, 60)
        assert len(take(subscriptions, tool)) == 2

    def test_a_shorter_retry_after_does_not_end_a_longer_one(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for n in range(FAILURES_IN_A_ROW):
            tell(redis_client, f"{NUMBER}:4477009001{n:02}", "1")
        for delivery, wait in zip(take(subscriptions, tool), (600, 1, 0, 0, 0), strict=True):
            subscriptions.failed(delivery, "failed", answer="429", delay=wait, requested_delay=wait)
        assert redis_client.hget(NAMES.of("subscription", tool.id), "level") == b"1"
        assert 590 < subscriptions.take(tool.id, 32)[0] <= 600

    def test_a_retry_after_outlasts_a_success_of_an_older_push_when_the_subscriber_is_down(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for n in range(FAILURES_IN_A_ROW + 2):
            tell(redis_client, f"{NUMBER}:4477009001{n:02}", "1")
        *refused, accepted = take(subscriptions, tool, FAILURES_IN_A_ROW + 1)
        for delivery in refused:
            subscriptions.failed(delivery, "failed", answer="429", delay=600, requested_delay=600)
        wait, written, found = subscriptions.take(tool.id, 32, taken=[accepted], answer="200")
        assert (590 < wait <= 600, written, found) == (True, [True], [])
        pass_time(redis_client, 600)
        assert len(take(subscriptions, tool)) == FAILURES_IN_A_ROW + 1

    def test_a_retry_after_outlasts_a_failed_probe(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for n in range(FAILURES_IN_A_ROW + 2):
            tell(redis_client, f"{NUMBER}:4477009001{n:02}", "1")
        *refused, older = take(subscriptions, tool, FAILURES_IN_A_ROW + 1)
        for delivery in refused:
            subscriptions.failed(delivery, "failed", answer="500", delay=5)
        pass_time(redis_client, 6)
        [probe] = take(subscriptions, tool)
        subscriptions.failed(older, "failed", answer="429", delay=600, requested_delay=600)
        subscriptions.failed(probe, "failed", answer="500", delay=5)
        assert 590 < subscriptions.take(tool.id, 32)[0] <= 600

    @pytest.mark.parametrize("ended_by", ["resume", "replay"])
    def test_a_resume_and_a_replay_end_its_retry_after(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis, ended_by: str
    ) -> None:
        for conversation in (ANA, BEN):
            tell(redis_client, conversation, "1")
        refused = take(subscriptions, tool, 1)[0]
        subscriptions.failed(refused, "failed", answer="429", delay=600, requested_delay=600)
        assert take(subscriptions, tool) == []
        if ended_by == "resume":
            subscriptions.resume(tool.id)
        else:
            subscriptions.replay(tool.id, "0-0")
        assert (BEN, "1") in said(take(subscriptions, tool))

    def test_a_failed_probe_lengthens_the_pause(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        self.failing(subscriptions, tool, redis_client)
        redis_client.hset(NAMES.of("subscription", tool.id), "retry_at", 1)
        [probe] = take(subscriptions, tool)
        subscriptions.failed(probe, "failed", answer="500", delay=5)
        assert 5 < subscriptions.take(tool.id, 32)[0] <= 15

    def test_after_five_days_without_a_success_it_is_paused_and_resumes_where_it_was(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        self.failing(subscriptions, tool, redis_client)
        long_ago = subscriptions.get(tool.id).failing_since - LONGEST_FAILING_SECONDS * 1000
        redis_client.hset(NAMES.of("subscription", tool.id), mapping={"retry_at": 1, "failing_since": long_ago})
        [probe] = take(subscriptions, tool)
        assert subscriptions.failed(probe, "failed", answer="500", delay=5) == "paused"
        paused = subscriptions.get(tool.id)
        assert (paused.state, paused.paused_reason) == ("paused", "failing")
        assert told_of_pauses(redis_client) == [(tool.id, "failing", "500")]
        assert take(subscriptions, tool) == []
        subscriptions.resume(tool.id)
        assert len(take(subscriptions, tool)) >= 14

    def test_one_that_wants_no_more_is_paused_at_once(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "1")
        [delivery] = take(subscriptions, tool)
        assert subscriptions.failed(delivery, "gone", answer="410") == "paused"
        assert subscriptions.get(tool.id).paused_reason == "gone"
        assert told_of_pauses(redis_client) == [(tool.id, "gone", "410")]

    def test_it_is_paused_once_however_many_pushes_are_answered_gone(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for conversation in (ANA, BEN):
            tell(redis_client, conversation, "1")
        became = [subscriptions.failed(each, "gone", answer="410") for each in take(subscriptions, tool)]
        assert became == ["paused", "retried"]
        assert told_of_pauses(redis_client) == [(tool.id, "gone", "410")]

    def test_a_repeated_pause_keeps_since_when_and_why(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "1")
        [delivery] = take(subscriptions, tool)
        subscriptions.failed(delivery, "gone", answer="410")
        redis_client.hset(NAMES.of("subscription", tool.id), "paused_at", 1)
        again = subscriptions.pause(tool.id)
        assert (again.state, again.paused_reason, again.paused_at) == ("paused", "gone", 1)

    def test_a_pause_by_hand_remains_one(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "1")
        [delivery] = take(subscriptions, tool)
        paused = subscriptions.pause(tool.id)
        assert subscriptions.failed(delivery, "gone", answer="410") == "retried"
        after = subscriptions.get(tool.id)
        assert (after.paused_reason, after.paused_at) == ("by_hand", paused.paused_at)
        assert told_of_pauses(redis_client) == []

    def test_a_push_from_before_a_resume_does_not_undo_it(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for conversation in (ANA, BEN):
            tell(redis_client, conversation, "1")
        first, late = take(subscriptions, tool)
        subscriptions.failed(first, "gone", answer="410")
        subscriptions.resume(tool.id)
        assert subscriptions.failed(late, "gone", answer="410") == "retried"
        assert (subscriptions.get(tool.id).state, subscriptions.get(tool.id).failures) == ("active", 0)
        make_due(redis_client, tool, ANA)
        [again] = take(subscriptions, tool, 1)
        assert subscriptions.failed(again, "gone", answer="410") == "paused"

    def test_an_event_that_is_never_taken_while_others_are_is_dropped_and_counted(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "poison")
        tell(redis_client, ANA, "good")
        became = ""
        for n in range(len(RETRY_SECONDS) + 1):
            tell(redis_client, BEN, str(n))
            make_due(redis_client, tool, ANA)
            for delivery in sorted(take(subscriptions, tool), key=lambda d: d.conversation, reverse=True):
                theirs = delivery.conversation == BEN
                if theirs:
                    took(subscriptions, delivery)
                else:
                    became = subscriptions.failed(delivery, "failed", answer="-", delay=5)
        assert became == "dropped"
        assert subscriptions.get(tool.id).dropped == 1
        assert said(take(subscriptions, tool)) == [(ANA, "good")]

    @pytest.mark.parametrize("refused", [1, FAILURES_IN_A_ROW + 1])
    def test_events_that_it_refuses_hold_up_no_others_and_are_dropped(
        self, refused: int, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for n in range(refused):
            tell(redis_client, f"{NUMBER}:4477009001{n:02}", "refused")
        accepted: list[str] = []

        def push() -> float:
            """Push once; return the seconds until the next time."""
            wait, _, found = subscriptions.take(tool.id, 32)
            for delivery in found:
                [(_, what)] = said([delivery])
                if what == "refused":
                    delay = RETRY_SECONDS[min(delivery.tries, len(RETRY_SECONDS) - 1)]
                    subscriptions.failed(delivery, "failed", answer="400", delay=delay)
                else:
                    took(subscriptions, delivery)
                    accepted.append(what)
            return 0 if found else wait

        while not redis_client.hexists(NAMES.of("subscription", tool.id), "level"):
            pass_time(redis_client, push())
        for hour in range(72):
            tell(redis_client, f"{NUMBER}:4477009002{hour:02}", str(hour))
            late = 0.0
            while len(accepted) <= hour:
                assert late <= SUBSCRIBER_PAUSES[-1]
                late += (wait := push())
                pass_time(redis_client, wait)
            pass_time(redis_client, 3_600)
        assert accepted == [str(hour) for hour in range(72)]
        assert (subscriptions.get(tool.id).dropped, subscriptions.get(tool.id).waiting) == (refused, 0)


class TestPlace:
    """The position of a subscription in the stream."""

    def test_replay_pushes_again_from_a_cursor_and_an_old_lease_writes_nothing(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        first = tell(redis_client, ANA, "1")
        tell(redis_client, ANA, "2")
        [one] = take(subscriptions, tool)
        subscriptions.replay(tool.id, "0-0")
        assert took(subscriptions, one) == [False]
        assert said(take(subscriptions, tool)) == [(ANA, "1")]
        subscriptions.replay(tool.id, first)
        assert said(take(subscriptions, tool)) == [(ANA, "2")]

    def test_a_subscriber_that_takes_nothing_costs_a_bounded_number_of_ids(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis, store: Store
    ) -> None:
        for n in range(30):
            tell(redis_client, ANA, str(n))
        one: dict[str, Any] = {"subscription": tool.id, "consumer": "w", "lease_ms": 1000, "count": 1, "window": 10}
        nothing: dict[str, Any] = {"meta_kinds": "", "answer": "", "taken": ()}
        store.call("push_take", **one, **nothing)
        assert redis_client.llen(NAMES.of("push_lane", tool.id, ANA)) <= 110
        again = store.call("push_take", **one, **nothing)
        assert again[0] > 0
        assert redis_client.llen(NAMES.of("push_lane", tool.id, ANA)) <= 110

    def test_what_a_dead_worker_was_pushing_is_due_at_once_and_another_s_is_not(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        cleo = f"{NUMBER}:447700900125"
        for conversation in (ANA, BEN, cleo):
            tell(redis_client, conversation, "1")
        [ana] = subscriptions.take(tool.id, 1, consumer="dead")[2]
        [ben] = subscriptions.take(tool.id, 1, consumer="living")[2]
        [late] = subscriptions.take(tool.id, 1, consumer="dead")[2]
        subscriptions.failed(late, "failed", answer="500", delay=300)
        assert take(subscriptions, tool) == []
        assert subscriptions.release_consumer("dead") == 1
        [again] = take(subscriptions, tool)
        assert (said([again]), again.tries) == ([(ANA, "1")], 0)
        assert took(subscriptions, ana, ben, again) == [False, True, True]
        assert subscriptions.release_consumer("dead") == 0

    def test_what_was_taken_is_written_and_what_is_next_is_handed_out_in_one_step(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for conversation, what in ((ANA, "1"), (ANA, "2"), (BEN, "1")):
            tell(redis_client, conversation, what)
        ana, ben = take(subscriptions, tool)
        lost = replace(ben, token=ben.token + 100)
        _, written, found = subscriptions.take(tool.id, 32, taken=[ana, lost], answer="204")
        assert (written, said(found)) == ([True, False], [(ANA, "2")])
        shown = subscriptions.get(tool.id)
        assert (shown.taken, shown.waiting, shown.last_answer) == (1, 2, "204")
        assert took(subscriptions, ben, *found) == [True, True]
        assert took(subscriptions, ben) == [False]
        assert (subscriptions.get(tool.id).taken, subscriptions.get(tool.id).waiting) == (3, 0)

    def test_one_that_takes_nothing_holds_no_more_than_was_handed_out(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        for n in range(300):
            tell(redis_client, f"{NUMBER}:4477009{n:05}", str(n))
        assert len(take(subscriptions, tool, 64)) == 64
        for delivery in take(subscriptions, tool, FAILURES_IN_A_ROW):
            subscriptions.failed(delivery, "failed", answer="500", delay=5)
        for _ in range(5):
            take(subscriptions, tool)
        assert redis_client.zcard(NAMES.of("push_due", tool.id)) == 64 + FAILURES_IN_A_ROW

    def test_what_it_does_not_want_is_passed_over_however_much_it_is(
        self, subscriptions: Subscriptions, redis_client: redis.Redis
    ) -> None:
        tool = subscriptions.create("https://tool.example/", form="event", kinds=["send"], secret="s", cursor="0-0")
        for n in range(3_000):
            redis_client.xadd(NAMES.events, {"k": "status", "c": ANA, "d": f'{{"what":"{n}"}}'})
        tell(redis_client, BEN, "wanted", kind="send")
        found: list[Delivery] = []
        looks = 0
        while not found:
            wait, _, found = subscriptions.take(tool.id, 32)
            looks += 1
            assert found or wait <= 0.001
        assert (said(found), looks) == ([(BEN, "wanted")], 3)

    def test_the_oldest_event_that_it_was_not_sent_is_known(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        assert subscriptions.oldest_unsent(tool) == ""
        first = tell(redis_client, ANA, "1")
        tell(redis_client, BEN, "2")
        assert subscriptions.oldest_unsent(subscriptions.get(tool.id)) == first
        take(subscriptions, tool)
        assert subscriptions.oldest_unsent(subscriptions.get(tool.id)) == first

    def test_the_oldest_one_in_the_lanes_is_found_by_its_time(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        old, young = "999999999999-2", "1000000000000-0"
        for conversation, cursor in ((ANA, young), (BEN, old)):
            redis_client.rpush(NAMES.of("push_lane", tool.id, conversation), cursor, f"{cursor}9")
            redis_client.zadd(NAMES.of("push_due", tool.id), {conversation: 1})
        assert subscriptions.oldest_unsent(tool) == old
        redis_client.lset(NAMES.of("push_lane", tool.id, ANA), 0, "999999999999-1")
        assert subscriptions.oldest_unsent(tool) == "999999999999-1"

    def test_what_a_paused_one_does_not_want_is_not_unsent(
        self, subscriptions: Subscriptions, redis_client: redis.Redis
    ) -> None:
        tool = subscriptions.create(
            "https://tool.example/", form="event", kinds=["send"], numbers=[NUMBER], secret="s", cursor="0-0"
        )
        subscriptions.pause(tool.id)
        for conversation in (ANA, "", f"2{NUMBER}:447700900123"):
            tell(redis_client, conversation, "another kind", kind="status")
        tell(redis_client, f"2{NUMBER}:447700900123", "another number", kind="send")
        assert (subscriptions.oldest_unsent(tool), subscriptions.lag_seconds(tool)) == ("", 0.0)
        wanted = tell(redis_client, ANA, "wanted", kind="send")
        tell(redis_client, ANA, "wanted", kind="send")
        assert subscriptions.oldest_unsent(tool) == wanted

    def test_the_search_for_the_oldest_one_is_bounded(
        self, subscriptions: Subscriptions, redis_client: redis.Redis
    ) -> None:
        tool = subscriptions.create("https://tool.example/", form="event", kinds=["send"], secret="s", cursor="0-0")
        cursors = [tell(redis_client, ANA, str(n), kind="status") for n in range(1_001)]
        assert subscriptions.oldest_unsent(tool) == cursors[999]

    def test_since_when_it_is_paused_is_known(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        before = int(time.time() * 1000)
        assert tool.paused_at == 0
        assert before <= subscriptions.pause(tool.id).paused_at <= int(time.time() * 1000)
        assert subscriptions.resume(tool.id).paused_at == 0
        tell(redis_client, ANA, "1")
        [delivery] = take(subscriptions, tool)
        subscriptions.failed(delivery, "gone", answer="410")
        assert before <= subscriptions.get(tool.id).paused_at

    def test_an_event_that_is_gone_is_passed_over(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        gone = tell(redis_client, ANA, "gone")
        tell(redis_client, ANA, "there")
        subscriptions.release(take(subscriptions, tool))
        redis_client.xdel(NAMES.events, gone)
        found: list[Delivery] = []
        for _ in range(3):
            found += take(subscriptions, tool)
        assert said(found) == [(ANA, "there")]

    def test_who_is_erased_is_not_pushed(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis, lanes: Lanes
    ) -> None:
        tell(redis_client, ANA, "1")
        tell(redis_client, ANA, "2")
        take(subscriptions, tool)
        tell(redis_client, BEN, "3")
        Contacts(lanes.store, [NUMBER]).forget("447700900123")
        assert [key for key in redis_client.keys(NAMES.of("push_*")) if b"447700900123" in key] == []
        assert redis_client.zscore(NAMES.of("push_due", tool.id), ANA) is None
        assert subscriptions.get(tool.id).waiting == 0
        assert sorted((each.conversation, each.kind) for each in take(subscriptions, tool)) == [
            ("", "erased"),
            (BEN, "message"),
        ]
        assert subscriptions.get(tool.id).waiting == 2

    def test_who_is_erased_is_told_by_digests_of_every_address(
        self, subscriptions: Subscriptions, tool: Subscription, lanes: Lanes
    ) -> None:
        lanes.admit(message("447700900123", user_id="GB.1122334455"))
        Contacts(lanes.store, [NUMBER]).forget("447700900123")
        [erased] = take(subscriptions, tool)
        digests = sorted(sha256(address).hexdigest() for address in (b"447700900123", b"GB.1122334455"))
        assert orjson.loads(erased.data) == {"addresses": digests}

    def test_deleting_leaves_nothing(
        self, subscriptions: Subscriptions, tool: Subscription, redis_client: redis.Redis
    ) -> None:
        tell(redis_client, ANA, "1")
        take(subscriptions, tool)
        assert subscriptions.delete(tool.id)
        assert redis_client.keys(NAMES.of("push_*")) == []
        with pytest.raises(LookupError):
            subscriptions.take(tool.id, 1)
        with pytest.raises(LookupError):
            subscriptions.pause(tool.id)
        assert redis_client.exists(NAMES.of("subscription", tool.id)) == 0


def test_the_pushed_contact_is_the_address_that_rest_shows(
    subscriptions: Subscriptions, tool: Subscription, lanes: Lanes
) -> None:
    lanes.admit(message("", user_id="GB.1122334455"))
    lanes.admit(message("447700900123", user_id="GB.1122334455"))
    [delivery] = take(subscriptions, tool)
    [(conversation, shown)] = Contacts(lanes.store, [NUMBER]).addresses_of([delivery.conversation]).items()
    assert (conversation, delivery.contact, shown) == (f"{NUMBER}:GB.1122334455", "447700900123", "447700900123")


def test_callers_at_the_same_moment_make_no_more_subscriptions_than_there_may_be(subscriptions: Subscriptions) -> None:
    def create(n: int) -> bool:
        try:
            subscriptions.create(f"https://{n}.example/", form="event", secret="s", cursor="0-0")
        except TooManySubscriptionsError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create, range(MOST_SUBSCRIPTIONS + 14)))
    assert made.count(True) == len(subscriptions.all()) == MOST_SUBSCRIPTIONS


def test_two_secrets_sign_while_one_is_rotated(subscriptions: Subscriptions, tool: Subscription) -> None:
    assert subscriptions.rotate_secret(tool.id, "whsec_bmV3").secrets == ("whsec_bmV3", "whsec_eA==")


def test_workers_that_rotate_to_the_same_secret_at_once_keep_the_old_one(
    subscriptions: Subscriptions, tool: Subscription
) -> None:
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: subscriptions.rotate_secret(tool.id, "whsec_bmV3"), range(40)))
    assert subscriptions.get(tool.id).secrets == ("whsec_bmV3", "whsec_eA==")
