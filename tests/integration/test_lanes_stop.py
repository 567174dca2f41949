"""Customers who refuse marketing get none: for each source of a STOP, after joins, erasure and expired contacts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send
from tests.integration.lanes_servers import SET_CLOCK, steps_with_a_set_clock
from tests.integration.personal import traces
from tests.keys import NAMES, PREFIX
from wa_service.store.batches import BatchChange, Batches, BatchItem, NewBatch
from wa_service.store.client import Store, connect
from wa_service.store.contacts import Contacts
from wa_service.store.keys import template_key
from wa_service.store.outbox import Limits, Priority, Send, SendOutcome
from wa_service.store.schedule import Schedule
from wa_service.store.stop_digests import StopDigests
from wa_service.store.stops import Stops
from wa_service.store.tag_numbers import TagNumbers
from wa_service.store.template_categories import TemplateCategories
from wa_service.whatsapp.webhooks.identity import Identity

CUSTOMER, OTHER = "15551230001", "15559870002"
USER_ID = "US.13491208655302741918"
SECOND_NUMBER = "106540352242923"
OFFER, NEWS = template_key("offer", "en_US"), template_key("news", "en_US")
KEY = b"a key of a test"


@pytest.fixture
def marketing(store: Store) -> Lanes:
    TemplateCategories(store, "waba").note(
        [
            {"name": "offer", "language": "en-US", "category": "MARKETING"},
            {"name": "news", "language": "en_US", "category": "UTILITY"},
        ]
    )
    limits = dict.fromkeys((NUMBER, SECOND_NUMBER), Limits(80, 1_000, "waba"))
    return Lanes.over(store, digests=StopDigests(store, KEY), limits=limits)


@pytest.fixture
def stops(store: Store) -> Stops:
    return Stops(store, StopDigests(store, KEY), [NUMBER, SECOND_NUMBER], KEEP)


def offer(customer: str = CUSTOMER, **rest: Any) -> Send:
    return send(customer, type="template", **{"template": OFFER, **rest})


def ask(lanes: Lanes, customer: str = CUSTOMER, **rest: Any) -> str:
    return lanes.outbox.put(offer(customer, **rest), opens=True).outcome


def fail_with_131050(lanes: Lanes) -> None:
    lanes.outbox.put(offer(id="refused"), opens=True)
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("failed", error={"reason": "recipient"}, code=131050))


def status_131050(lanes: Lanes) -> None:
    lanes.outbox.put(offer(id="accepted"), opens=True)
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A", meta_healthy=True))
    status = meta_status("wamid.A", "failed", errors=[{"code": 131050, "title": "User stopped marketing"}])
    lanes.store.run([lanes.outbox.apply_status(status, int(time.time() * 1000))])


ROADS: dict[str, Callable[[Lanes, Stops], object]] = {
    "words": lambda lanes, stops: lanes.store.run(
        [
            lanes.inbox.admit(message(CUSTOMER, "STOP"), int(time.time() * 1000)),
            *stops.commands(Identity(numbers=(CUSTOMER,)), stop=True, by="words"),
        ]
    ),
    "api": lambda _, stops: stops.apply(f"+{CUSTOMER}", stop=True, by="api"),
    "import": lambda _, stops: stops.add([CUSTOMER]),
    "131050": lambda lanes, _: fail_with_131050(lanes),
    "131050 in a status": lambda lanes, _: status_131050(lanes),
}


@pytest.mark.parametrize("road", ROADS)
def test_after_a_stop_no_marketing_is_asked_for_or_leaves(
    marketing: Lanes, stops: Stops, store: Store, redis_client: redis.Redis, road: str
) -> None:
    ROADS[road](marketing, stops)
    assert ask(marketing) == "stopped"
    assert ask(marketing, template=NEWS) == "queued"
    assert ask(marketing, OTHER) == "queued"
    assert ask(marketing, despite_stop=True) == "queued"
    state = stops.find(CUSTOMER)
    assert state is not None
    assert state.by == road.split()[0]
    stops.write_digests()
    Contacts(store, [NUMBER], digests=stops.digests).forget(CUSTOMER)
    assert list(traces(redis_client, CUSTOMER)) == []
    assert ask(marketing) == "stopped"
    assert stops.apply(CUSTOMER, stop=False, by="api")
    assert (ask(marketing), stops.find(CUSTOMER)) == ("queued", None)


def test_a_template_that_the_list_does_not_have_may_be_marketing(
    marketing: Lanes, stops: Stops, redis_client: redis.Redis
) -> None:
    stops.apply(CUSTOMER, stop=True, by="api")
    new = template_key("new", "en_US")
    assert (ask(marketing, template=new), ask(marketing, OTHER, template=new)) == ("stopped", "queued")
    redis_client.delete(NAMES.categories("waba"))
    assert ask(marketing, template=new) == "queued"


def test_what_the_store_lost_of_the_categories_is_told_again(store: Store, redis_client: redis.Redis) -> None:
    categories = TemplateCategories(store, "waba")
    for _ in range(2):
        categories.note([{"name": "offer", "language": "en_US", "category": "MARKETING"}])
        assert redis_client.hgetall(NAMES.categories("waba")) == {OFFER.encode(): b"MARKETING"}
        redis_client.flushdb()


def test_what_waited_when_they_said_stop_does_not_leave(
    marketing: Lanes, stops: Stops, redis_client: redis.Redis
) -> None:
    marketing.outbox.put(offer(id="waits", priority=Priority.BULK), opens=True)
    later = int(time.time() * 1000) + 3_600_000
    marketing.outbox.put(offer(id="scheduled", send_at=later), opens=True)
    marketing.outbox.put(send(id="text", fallback=b"{}", fallback_name=OFFER))
    assert redis_client.zcard(NAMES.quota("waba")) == 1
    stops.apply(CUSTOMER, stop=True, by="api")
    redis_client.zadd(NAMES.scheduled(NUMBER), {"scheduled": 1})
    Schedule(marketing.outbox).move_due(NUMBER, 10)
    batch = marketing.outbox.next(NUMBER, "p", time.monotonic_ns(), 10)
    assert batch.failed == [("waits", "customer_stopped")]
    assert [grant.id for grant in batch.grants] == ["text"]
    closed = {"reason": "request", "code": 131047}
    marketing.outbox.done(NUMBER, batch.grants[0], SendOutcome("failed", error=closed, code=131047))
    batch = marketing.outbox.next(NUMBER, "p", time.monotonic_ns(), 10)
    assert batch.grants == []
    assert {id_ for id_, _ in batch.failed} == {"textf", "scheduled"}
    assert redis_client.zcard(NAMES.quota("waba")) == 0


def put_as(way: str, lanes: Lanes) -> None:
    """Submit a utility template in one way."""
    if way == "a batch":
        batches = Batches(lanes.outbox, ttl_seconds=3_600)
        batches.open(NewBatch("b1", "print", "tester"))
        batches.add("b1", 0, 1, [BatchItem(0, offer(template=NEWS, priority=Priority.BULK), opens=True)])
        batches.change("b1", "start")
        batches.feed(NUMBER, {})
        return
    send_at = int(time.time() * 1000) + 3_600_000 if way == "scheduled" else None
    lanes.outbox.put(offer(id="s", template=NEWS, send_at=send_at), opens=True)
    if send_at:
        lanes.store.do("ZADD", NAMES.scheduled(NUMBER), 1, "s")
        Schedule(lanes.outbox).move_due(NUMBER, 10)


class TestAStopWithoutAContact:
    @pytest.mark.parametrize("way", ["queued", "scheduled", "a batch"])
    def test_stops_a_template_that_becomes_marketing_before_it_leaves(
        self, marketing: Lanes, stops: Stops, way: str
    ) -> None:
        stops.add([CUSTOMER])
        put_as(way, marketing)
        marketing.store.run([TemplateCategories(marketing.store, "waba").change("news", "en_US", "MARKETING")])
        batch = marketing.outbox.next(NUMBER, "p", time.monotonic_ns(), 10)
        assert (batch.grants, [reason for _, reason in batch.failed]) == ([], ["customer_stopped"])

    @pytest.mark.parametrize("delay_ms", [0, 3_600_000], ids=["queued", "scheduled"])
    def test_stops_a_marketing_fallback(self, marketing: Lanes, stops: Stops, delay_ms: int) -> None:
        stops.add([CUSTOMER])
        send_at = int(time.time() * 1000) + delay_ms if delay_ms else None
        marketing.outbox.put(send(id="text", fallback=b"{}", fallback_name=OFFER, send_at=send_at))
        if send_at:
            marketing.store.do("ZADD", NAMES.scheduled(NUMBER), 1, "text")
            Schedule(marketing.outbox).move_due(NUMBER, 10)
        (grant,) = marketing.grant()
        closed = {"reason": "request", "code": 131047}
        marketing.outbox.done(NUMBER, grant, SendOutcome("failed", error=closed, code=131047))
        batch = marketing.outbox.next(NUMBER, "p", time.monotonic_ns(), 10)
        assert (batch.grants, batch.failed) == ([], [("textf", "customer_stopped")])


class TestPerson:
    def test_all_addresses_share_it_and_it_moves_with_a_join(self, marketing: Lanes, stops: Stops) -> None:
        marketing.admit(message(CUSTOMER), message("", user_id=USER_ID))
        stops.apply(USER_ID, stop=True, by="api")
        assert ask(marketing) == "queued"
        marketing.admit(message(CUSTOMER, user_id=USER_ID))
        assert [ask(marketing, address) for address in (CUSTOMER, USER_ID)] == ["stopped", "stopped"]

    @pytest.mark.parametrize("says", [True, False], ids=["stop", "start"])
    def test_of_two_contacts_that_are_joined_the_later_word_holds(
        self, marketing: Lanes, stops: Stops, says: bool
    ) -> None:
        marketing.admit(message(CUSTOMER), message("", user_id=USER_ID))
        now = int(time.time() * 1000)
        number, id_ = Identity(numbers=(CUSTOMER,)), Identity(user_ids=(USER_ID,))
        marketing.store.run(stops.commands(number, stop=True, by="api", at_ms=now - 9_000))
        marketing.store.run(stops.commands(id_, stop=True, by="api", at_ms=now - 8_000))
        marketing.store.run(stops.commands(id_, stop=says, by="api", at_ms=now - 7_000))
        marketing.admit(message(CUSTOMER, user_id=USER_ID))
        assert ask(marketing) == ("stopped" if says else "queued")

    def test_an_address_learned_later_is_stopped_when_the_contact_is_gone(
        self, marketing: Lanes, stops: Stops, redis_client: redis.Redis
    ) -> None:
        marketing.admit(message(CUSTOMER))
        stops.apply(CUSTOMER, stop=True, by="api")
        stops.write_digests()
        marketing.admit(message(CUSTOMER, user_id=USER_ID))
        stops.write_digests()
        for family in ("contact", "alias"):
            redis_client.delete(*redis_client.keys(f"{PREFIX}{family}:*"))
        assert [ask(marketing, address) for address in (CUSTOMER, USER_ID)] == ["stopped", "stopped"]

    def test_a_stop_to_one_number_holds_for_the_others(self, marketing: Lanes, stops: Stops) -> None:
        stops.apply(CUSTOMER, stop=True, by="api")
        assert ask(marketing, number=SECOND_NUMBER) == "stopped"

    def test_metas_other_spelling_of_a_number_is_the_same_person(self, marketing: Lanes, stops: Stops) -> None:
        stops.apply("5491155551234", stop=True, by="api")
        assert ask(marketing, "541155551234") == "stopped"


class TestWords:
    def test_the_later_word_holds_however_they_arrive(self, marketing: Lanes, stops: Stops) -> None:
        who, now = Identity(numbers=(CUSTOMER,)), int(time.time() * 1000)
        marketing.admit(message(CUSTOMER))

        def say(ago: int, *, stop: bool) -> str:
            marketing.store.run(stops.commands(who, stop=stop, by="words", at_ms=now - ago))
            return ask(marketing)

        assert [say(9_000, stop=True), say(7_000, stop=False), say(8_000, stop=True)] == ["stopped", "queued", "queued"]
        assert [say(5_000, stop=True), say(6_000, stop=False)] == ["stopped", "stopped"]

    def test_each_change_is_told_once(self, marketing: Lanes, stops: Stops, redis_client: redis.Redis) -> None:
        marketing.admit(message(CUSTOMER))
        for stop in (True, True, False, False):
            stops.apply(CUSTOMER, stop=stop, by="api")
        told = [orjson.loads(entry[b"d"]) for _, entry in redis_client.xrange(NAMES.events) if entry[b"k"] == b"stop"]
        assert [(event["marketing"], event["by"]) for event in told] == [("stopped", "api"), ("started", "api")]

    def test_a_digest_of_an_old_stop_does_not_undo_a_start(
        self, marketing: Lanes, stops: Stops, redis_client: redis.Redis
    ) -> None:
        marketing.admit(message(CUSTOMER, user_id=USER_ID))
        stops.apply(CUSTOMER, stop=True, by="api")
        stops.write_digests()
        stops.apply(CUSTOMER, stop=False, by="api")
        assert len(redis_client.keys(f"{PREFIX}stop:*")) == 1  # that of the user id
        stops.write_digests()
        assert redis_client.keys(f"{PREFIX}stop:*") == []
        assert ask(marketing, USER_ID) == "queued"


class SetClock:
    """The service on a server whose clock a test sets. Meta's clock, `meta_ms`, is right. Both begin at `START_MS`."""

    START_MS = 1_800_000_000_000

    def __init__(self, store: Store, client: redis.Redis) -> None:
        self.meta_ms = self.START_MS
        self._ahead_ms = 0
        self._client = client
        self._set()
        TemplateCategories(store, "waba").note([{"name": "offer", "language": "en_US", "category": "MARKETING"}])
        self._lanes = Lanes.over(store, digests=StopDigests(store, KEY))
        self.stops = Stops(store, StopDigests(store, KEY), [NUMBER], KEEP)
        self._lanes.admit(message(CUSTOMER, timestamp=self.meta_ms // 1000))

    def _set(self) -> None:
        ms = self.meta_ms + self._ahead_ms
        self._client.hset(SET_CLOCK, mapping={"s": ms // 1000, "us": ms % 1000 * 1000})

    def put_ahead(self, ms: int) -> None:
        """Set the server's clock ahead of Meta's."""
        self._ahead_ms = ms
        self._set()

    def go_on(self, seconds: int = 60) -> None:
        """Let time pass while the store keeps reading the clock."""
        for _ in range(-(-seconds // 10)):
            self.meta_ms += 10_000
            self._set()
            self._lanes.inbox.heartbeat("w")

    def go_on_ms(self, ms: int) -> None:
        self.meta_ms += ms
        self._set()

    def say(self, *, stop: bool, ago: int = 0) -> None:
        """The customer's STOP or START arrives, `ago` seconds after it was said."""
        who, at_ms = Identity(numbers=(CUSTOMER,)), (self.meta_ms // 1000 - ago) * 1000
        self._lanes.store.run(self.stops.commands(who, stop=stop, by="words", at_ms=at_ms))

    def say_by_rest(self, *, stop: bool) -> None:
        self.stops.apply(CUSTOMER, stop=stop, by="api")

    def refuse(self) -> None:
        fail_with_131050(self._lanes)

    def start_and_join(self, user_id: str) -> None:
        """The customer writes under a user id, gets a STOP and a START under it by REST, then reveals the number."""
        who = Identity(user_ids=(user_id,))
        self._lanes.admit(message("", user_id=user_id, timestamp=self.meta_ms // 1000))
        for stop in (True, False):
            self._lanes.store.run(self.stops.commands(who, stop=stop, by="api"))
        self._lanes.admit(message(CUSTOMER, user_id=user_id, timestamp=self.meta_ms // 1000))

    def is_stopped(self) -> bool:
        """Return whether a send is refused. REST and the digest must agree."""
        asked = ask(self._lanes) == "stopped"
        self.stops.write_digests()
        kept = self._lanes.store.do("EXISTS", NAMES.of("stop", self.stops.digests.of([CUSTOMER])[0])) == 1
        assert (self.stops.find(CUSTOMER) is not None, kept) == (asked, asked)
        return asked


@pytest.fixture
def set_clock(valkey_url: str, redis_client: redis.Redis, tmp_path: Path) -> Iterator[SetClock]:
    store = Store(connect(valkey_url), scripts=steps_with_a_set_clock(tmp_path / "steps"))
    yield SetClock(store, redis_client)
    store.close()


HOUR_MS = 3_600_000


@pytest.mark.parametrize("ahead", [-5 * HOUR_MS, 5 * HOUR_MS], ids=["set back", "set ahead"])
class TestAClockThatIsSet:
    """The last word holds when the clock is set, or after a failover to a server with another clock."""

    @pytest.mark.parametrize("road", ["words", "api", "131050"])
    def test_a_stop_after_a_start(self, set_clock: SetClock, ahead: int, road: str) -> None:
        set_clock.say(stop=True)
        set_clock.go_on()
        set_clock.say(stop=False)
        assert not set_clock.is_stopped()
        set_clock.put_ahead(ahead)
        set_clock.go_on()
        if road == "words":
            set_clock.say(stop=True)
        elif road == "api":
            set_clock.say_by_rest(stop=True)
        else:
            set_clock.refuse()
        assert set_clock.is_stopped()

    def test_a_stop_after_a_start_by_rest(self, set_clock: SetClock, ahead: int) -> None:
        set_clock.say_by_rest(stop=True)
        set_clock.say_by_rest(stop=False)
        assert not set_clock.is_stopped()
        set_clock.put_ahead(ahead)
        set_clock.go_on()
        set_clock.say(stop=True)
        assert set_clock.is_stopped()

    def test_a_start_after_a_stop(self, set_clock: SetClock, ahead: int) -> None:
        set_clock.say(stop=True)
        set_clock.put_ahead(ahead)
        set_clock.go_on()
        set_clock.say(stop=False)
        assert not set_clock.is_stopped()
        set_clock.say_by_rest(stop=True)
        set_clock.say_by_rest(stop=False)
        assert not set_clock.is_stopped()

    def test_a_start_that_was_said_before_the_stop_and_comes_late(self, set_clock: SetClock, ahead: int) -> None:
        set_clock.say(stop=True)
        set_clock.go_on()
        set_clock.say(stop=True)
        set_clock.put_ahead(ahead)
        set_clock.go_on()
        set_clock.say(stop=False, ago=90)
        assert set_clock.is_stopped()


class TestOneSecond:
    """Meta's timestamps are whole seconds: within one second the word that arrives later holds."""

    def test_words(self, set_clock: SetClock) -> None:
        for stop in (True, False, True, False):
            set_clock.say(stop=stop)
            assert set_clock.is_stopped() == stop

    def test_a_stop_without_a_time_of_metas_and_then_a_start(self, set_clock: SetClock) -> None:
        set_clock.go_on_ms(700)
        set_clock.say_by_rest(stop=True)
        set_clock.go_on_ms(100)
        set_clock.say(stop=False)
        assert not set_clock.is_stopped()


class TestDoubt:
    """Where the order of two words is unclear, STOP holds."""

    def test_a_start_comes_late_after_a_stop_that_has_no_time_of_metas(self, set_clock: SetClock) -> None:
        set_clock.go_on()
        set_clock.say_by_rest(stop=True)
        set_clock.say(stop=False, ago=30)
        assert set_clock.is_stopped()
        set_clock.go_on()
        set_clock.say(stop=False, ago=30)
        assert not set_clock.is_stopped()

    def test_a_stop_comes_late_after_a_start_that_has_no_time_of_metas(self, set_clock: SetClock) -> None:
        set_clock.say_by_rest(stop=True)
        set_clock.go_on()
        set_clock.say_by_rest(stop=False)
        set_clock.say(stop=True, ago=30)
        assert set_clock.is_stopped()

    def test_a_stop_that_comes_twice_undoes_no_later_start(self, set_clock: SetClock) -> None:
        set_clock.say(stop=True)
        set_clock.go_on()
        set_clock.say_by_rest(stop=False)
        set_clock.say(stop=True, ago=60)
        assert not set_clock.is_stopped()

    @pytest.mark.parametrize("days", [0.5, 400], ids=["half a day", "400 days"])
    def test_a_start_of_the_future_keeps_no_stop_away(self, set_clock: SetClock, days: float) -> None:
        set_clock.say(stop=True)
        set_clock.go_on()
        set_clock.say(stop=False, ago=-int(days * 86_400))
        assert not set_clock.is_stopped()
        set_clock.go_on()
        set_clock.say(stop=True)
        assert set_clock.is_stopped()

    def test_two_contacts_that_turn_out_to_be_one(self, set_clock: SetClock) -> None:
        set_clock.say(stop=False)
        set_clock.say_by_rest(stop=True)
        set_clock.go_on()
        set_clock.put_ahead(-5 * HOUR_MS)
        set_clock.start_and_join(USER_ID)
        assert not set_clock.is_stopped()


class TestKey:
    def test_it_is_made_once_for_all_processes_and_no_digest_tells_the_number(
        self, store: Store, redis_client: redis.Redis
    ) -> None:
        first, other = StopDigests(store), StopDigests(store)
        assert first.of([CUSTOMER]) == other.of([CUSTOMER]) != StopDigests(store, KEY).of([CUSTOMER])
        assert len(redis_client.get(f"{PREFIX}stop_key") or b"") == 64

    def test_another_key_than_the_first_process_had_is_noticed(self, store: Store) -> None:
        first = StopDigests(store, KEY)
        assert not first.key_has_changed()
        first.remember_key()
        StopDigests(store, b"another").remember_key()
        assert [StopDigests(store, key).key_has_changed() for key in (KEY, b"another", None)] == [False, True, True]


class TestWeek:
    def test_a_customer_gets_so_much_marketing_a_week(self, marketing: Lanes, redis_client: redis.Redis) -> None:
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=2))
        for n in range(3):  # all are submitted before one has left
            assert ask(lanes, id=f"s{n}", priority=Priority.BULK) == "queued"
        left, failed = [], []
        for _ in range(4):
            batch = lanes.outbox.next(NUMBER, "p", time.monotonic_ns(), 5)
            failed += batch.failed
            for grant in batch.grants:
                left.append(grant.id)
                outcome = SendOutcome("accepted", wamid=f"wamid.{grant.id}", meta_healthy=True)
                lanes.outbox.done(NUMBER, grant, outcome)
        assert (left, failed) == (["s0", "s1"], [("s2", "marketing_limit")])
        refused = lanes.outbox.put(offer(), opens=True)
        assert (refused.outcome, 604_700 < refused.retry_after <= 604_800) == ("marketing_limit", True)
        assert ask(lanes, template=NEWS) == "queued"
        redis_client.zadd(f"{PREFIX}marketing:{NUMBER}:{CUSTOMER}", {"s0": 1})
        assert ask(lanes) == "queued"

    def test_the_week_counts_what_all_numbers_sent(self, marketing: Lanes) -> None:
        TagNumbers(marketing.store, retention_seconds=KEEP).bind([NUMBER, SECOND_NUMBER])
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        assert ask(lanes, id="a", number=SECOND_NUMBER) == "queued"
        assert ask(lanes, id="b") == "queued"
        (grant,) = lanes.grant(SECOND_NUMBER)
        lanes.outbox.done(SECOND_NUMBER, grant, SendOutcome("accepted", wamid="wamid.A", meta_healthy=True))
        assert lanes.outbox.next(NUMBER, "p", time.monotonic_ns(), 1).failed == [("b", "marketing_limit")]
        assert ask(lanes) == "marketing_limit"
        assert ask(lanes, "15551239999") == "queued"

    @pytest.mark.parametrize(("counted", "asked"), [(NUMBER, SECOND_NUMBER), (SECOND_NUMBER, NUMBER)])
    def test_also_to_a_customer_whom_each_number_met_under_another_address(
        self, marketing: Lanes, counted: str, asked: str
    ) -> None:
        TagNumbers(marketing.store, retention_seconds=KEEP).bind([NUMBER, SECOND_NUMBER])
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        user_id = "US.13491208655302741918"
        lanes.admit(message("", user_id=user_id), message(CUSTOMER, user_id=user_id))
        lanes.admit(message(CUSTOMER, number=SECOND_NUMBER), message(CUSTOMER, user_id=user_id, number=SECOND_NUMBER))
        assert ask(lanes, number=counted) == "queued"
        (grant,) = lanes.grant(counted)
        lanes.outbox.done(counted, grant, SendOutcome("accepted", wamid="wamid.A", meta_healthy=True))
        assert ask(lanes, number=asked) == "marketing_limit"

    def test_a_key_of_a_wrong_type_at_another_number_stops_nothing(
        self, marketing: Lanes, redis_client: redis.Redis
    ) -> None:
        TagNumbers(marketing.store, retention_seconds=KEEP).bind([NUMBER, SECOND_NUMBER])
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        redis_client.sadd(NAMES.alias(SECOND_NUMBER, CUSTOMER), "what is this")
        redis_client.sadd(f"{PREFIX}marketing:{SECOND_NUMBER}:{CUSTOMER}", "what is this")
        assert ask(lanes) == "queued"
        assert len(lanes.grant()) == 1

    def test_nor_does_one_of_this_number_stop_the_others_of_it(
        self, marketing: Lanes, redis_client: redis.Redis
    ) -> None:
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        redis_client.sadd(f"{PREFIX}marketing:{NUMBER}:{CUSTOMER}", "what is this")
        assert [ask(lanes), ask(lanes, "15551239999")] == ["queued", "queued"]
        assert len(lanes.grant(count=2)) == 2

    def test_what_meta_refused_is_not_counted_and_what_is_tried_again_once(self, marketing: Lanes) -> None:
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        assert ask(lanes, id="a") == "queued"
        for outcome in (SendOutcome("retry", never_left=True), SendOutcome("failed", error={"reason": "request"})):
            (grant,) = lanes.grant()
            lanes.outbox.done(NUMBER, grant, outcome)
        assert ask(lanes) == "queued"

    @pytest.mark.parametrize("code", [131026, 131049])
    def test_what_meta_refuses_in_a_status_is_not_counted(self, marketing: Lanes, code: int) -> None:
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        assert ask(lanes, id="a") == "queued"
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A", meta_healthy=True))
        assert ask(lanes) == "marketing_limit"
        status = meta_status("wamid.A", "failed", errors=[{"code": code, "title": "Undeliverable"}])
        lanes.store.run([lanes.outbox.apply_status(status, int(time.time() * 1000))])
        assert ask(lanes) == "queued"

    def test_what_expired_before_it_left_is_not_counted(self, marketing: Lanes, redis_client: redis.Redis) -> None:
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        assert ask(lanes, id="a") == "queued"
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("retry", never_left=True))
        redis_client.hset(NAMES.record("a"), "expires", 1)
        assert lanes.grant() == []
        assert ask(lanes) == "queued"

    def test_what_was_canceled_before_it_left_is_not_counted(self, marketing: Lanes) -> None:
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        assert ask(lanes, id="a") == "queued"
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("retry", delay=60.0))
        Schedule(lanes.outbox).cancel("a")
        assert ask(lanes) == "queued"

    @pytest.mark.parametrize(("change", "by"), [("cancel", "sweep"), ("cancel", "next"), ("pause", "next")])
    def test_an_item_of_a_batch_that_was_stopped_is_not_counted(
        self, marketing: Lanes, change: BatchChange, by: str
    ) -> None:
        lanes = replace(marketing, outbox=replace(marketing.outbox, marketing_per_week=1))
        batches = Batches(lanes.outbox, ttl_seconds=3_600)
        batches.open(NewBatch("b1", "print", "tester"))
        batches.add("b1", 0, 1, [BatchItem(0, offer(priority=Priority.BULK), opens=True)])
        batches.change("b1", "start")
        batches.feed(NUMBER, {})
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("retry"))
        batches.change("b1", change)
        if by == "sweep":
            batches.sweep_canceled()
        else:
            assert lanes.grant() == []
        assert ask(lanes) == "queued"
