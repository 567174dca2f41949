"""Find customers by name and sends by tag, among any number of others."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import NAMES
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.customer_names import NEWEST, CustomerNames
from wa_service.store.events import Events
from wa_service.store.outbox import SendOutcome
from wa_service.store.threads import Threads

ANA, BEN = "15551230001", "15551230002"
OF_ANA, OF_BEN = f"{NUMBER}:{ANA}", f"{NUMBER}:{BEN}"
INDEX = NAMES.of("names")


@pytest.fixture
def names(store: Store) -> CustomerNames:
    return CustomerNames(store, retention_seconds=KEEP)


@pytest.fixture
def threads(store: Store) -> Threads:
    return Threads(store)


def crowd(redis_client: redis.Redis, count: int = NEWEST) -> None:
    """Add newer conversations, so that no earlier one is among the newest."""
    later = int(time.time() * 1000) + 60_000
    redis_client.zadd(NAMES.recent, {f"{NUMBER}:crowd{i}": later for i in range(count)})


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        *(("Ana Lima", typed) for typed in ("lima", "LIMA", "Ana L", "a lim", "im")),
        ("Örjan Ž", "örjan ž"),
        ("ليلى", "ليلى"),
    ],
)
def test_one_of_late_is_found_by_any_part_of_the_name(
    lanes: Lanes, names: CustomerNames, redis_client: redis.Redis, name: str, typed: str
) -> None:
    lanes.admit(message(ANA, name=name), message(BEN, name="Ben"))
    redis_client.delete(INDEX)  # recent contacts are found without the index
    assert names.find(typed) == [OF_ANA]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        *(("Ana Lima", typed) for typed in ("lima", "LIM", "ana", "Ana L", "a lim", "ana lima")),
        *(("Örjan Ž", typed) for typed in ("örjan", "ÖRJAN", "örjan ž")),
        ("O'Neil-Brown", "neil-bro"),
        ("ليلى حداد", "حداد"),
        ("李小龍", "李小"),
        ("a" * 200, "a" * 100),
    ],
)
def test_anybody_is_found_by_the_beginning_of_a_word_of_the_name(
    lanes: Lanes, names: CustomerNames, redis_client: redis.Redis, name: str, typed: str
) -> None:
    lanes.admit(message(ANA, name=name), message(BEN, name="Ben"))
    crowd(redis_client)
    assert names.find(typed) == [OF_ANA]


@pytest.mark.parametrize("typed", ["", " ", "-", "\0", "ima", "Nobody", "lima ana", "\u00ff"])
def test_what_nobody_is_called_finds_nobody(
    lanes: Lanes, names: CustomerNames, redis_client: redis.Redis, typed: str
) -> None:
    lanes.admit(message(ANA, name="Ana Lima"))
    crowd(redis_client)
    assert names.find(typed or "?") == []


def test_the_rarest_word_is_looked_at(lanes: Lanes, names: CustomerNames, redis_client: redis.Redis) -> None:
    """With more matches for one word than are read, the other words of the query find the customer."""
    redis_client.zadd(INDEX, {f"ana\0{NUMBER}:crowd{i:05}": 0 for i in range(20_001)})
    lanes.admit(message(ANA, name="Ana Zorn"))
    crowd(redis_client)
    assert names.find("ana zorn") == [OF_ANA]


def test_no_more_are_found_than_were_asked_for(lanes: Lanes, names: CustomerNames, redis_client: redis.Redis) -> None:
    lanes.admit(message(ANA, name="Ana Lima"), message(BEN, name="Ana Berg"))
    crowd(redis_client)
    assert len(names.find("ana", count=1)) == 1
    assert sorted(names.find("ana")) == [OF_ANA, OF_BEN]


class TestLifetime:
    """A name finds nothing once it is no longer the customer's."""

    def test_a_name_of_the_address_book_is_found(self, lanes: Lanes, names: CustomerNames, redis_client: Any) -> None:
        lanes.outbox.put(send(ANA))
        lanes.store.run([Events(lanes.store, retention_seconds=KEEP).name_contact(NUMBER, ANA, "Ana Lima")])
        crowd(redis_client)
        assert names.find("lima") == [OF_ANA]

    def test_after_two_contacts_became_one_the_one_is_found(
        self, lanes: Lanes, names: CustomerNames, redis_client: redis.Redis
    ) -> None:
        user_id = "US.13491208655302741918"
        lanes.admit(message(ANA, name=""))
        lanes.admit(message(user_id, user_id=user_id, name="Ana Lima"))
        lanes.admit(message(ANA, user_id=user_id, name=""))
        crowd(redis_client)
        (found,) = Contacts(lanes.store, [NUMBER]).find(ANA)
        assert names.find("lima") == [found.conversation]

    def test_it_lives_as_long_as_contacts_do(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.admit(message(ANA))
        assert 0 < redis_client.ttl(INDEX) <= KEEP

    def test_of_one_who_has_another_name_the_old_one_is_dropped(
        self, lanes: Lanes, names: CustomerNames, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message(ANA, name="Ana Lima"))
        lanes.admit(message(ANA, name="Ana Berg"))
        crowd(redis_client)
        assert names.find("lima") == []
        names.sweep()
        assert redis_client.zrange(INDEX, 0, -1) == [f"{word}\0{OF_ANA}".encode() for word in ("ana", "berg")]

    def test_of_contacts_that_ended_all_is_dropped_part_by_part(
        self, lanes: Lanes, names: CustomerNames, redis_client: redis.Redis
    ) -> None:
        lanes.admit(message(ANA, name="Ana Lima"), message(BEN, name="Ben"))
        redis_client.zadd(INDEX, {f"crowd\0{NUMBER}:crowd{i}": 0 for i in range(3_000)})
        redis_client.delete(NAMES.contact(OF_ANA))
        names.sweep()
        assert redis_client.zcard(INDEX) > 1
        names.sweep()
        assert redis_client.zrange(INDEX, 0, -1) == [f"ben\0{OF_BEN}".encode()]

    def test_an_index_that_cannot_be_written_stops_no_message(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        redis_client.set(INDEX, "x")
        assert lanes.admit(message(ANA, name="Ana Lima")) == [b"new"]

    def test_erasure_takes_the_words_of_a_name(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.admit(message(ANA, name="Ana Lima"), message(BEN, name="Ana Berg"))
        Contacts(lanes.store, [NUMBER]).forget(ANA)
        assert redis_client.zrange(INDEX, 0, -1) == [f"{word}\0{OF_BEN}".encode() for word in ("ana", "berg")]


class TestTags:
    """The newest sends of a tag are found, however many other sends followed."""

    def test_the_newest_come_first_and_no_other_tag_s(self, lanes: Lanes, threads: Threads) -> None:
        for record_id, tag in (("a", "autumn"), ("b", "autumn-2"), ("c", "autumn")):
            lanes.outbox.put(send(ANA, id=record_id, tag=tag))
        assert threads.tagged("autumn") == ["c", "a"]
        assert threads.tagged("") == threads.tagged("autum") == []

    def test_a_hundred_of_a_tag_are_kept(self, lanes: Lanes, threads: Threads, redis_client: redis.Redis) -> None:
        for i in range(125):
            lanes.outbox.put(send(ANA, id=f"s{i}", tag="autumn"))
        assert threads.tagged("autumn", 3) == ["s124", "s123", "s122"]
        (key,) = redis_client.keys(NAMES.of("tagged", "*"))
        assert 100 <= redis_client.llen(key) <= 120

    def test_the_template_that_goes_instead_has_the_tag(self, lanes: Lanes, threads: Threads) -> None:
        lanes.outbox.put(send(ANA, id="a", tag="autumn", fallback=b'{"type":"template"}'))
        (grant,) = lanes.grant()
        lanes.outbox.done(NUMBER, grant, SendOutcome("failed", code=131047))
        assert threads.tagged("autumn") == ["af", "a"]

    def test_the_tag_stands_in_no_key_and_ends(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(ANA, tag="autumn"))
        assert redis_client.keys("*autumn*") == []
        (key,) = redis_client.keys(NAMES.of("tagged", "*"))
        assert 0 < redis_client.ttl(key) <= KEEP + 40 * 86_400

    def test_a_list_that_cannot_be_written_stops_no_send(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.put(send(ANA, tag="autumn"))
        (key,) = redis_client.keys(NAMES.of("tagged", "*"))
        redis_client.set(key, "x")
        assert lanes.outbox.put(send(ANA, id="b", tag="autumn")).id == "b"
