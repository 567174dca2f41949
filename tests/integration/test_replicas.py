"""Replicas with Sentinel: acknowledged work survives the loss of the primary."""

from __future__ import annotations

import contextlib
import functools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import NAMES
from wa_service.store import erasure
from wa_service.store.client import Replication, Store, connect
from wa_service.store.contacts import Contacts
from wa_service.store.embedded_replicas import SERVICE, ReplicatedValkey
from wa_service.store.embedded_valkey import EmbeddedValkey
from wa_service.store.flusher import NotReplicatedError, StoreUnavailableError
from wa_service.store.replication_report import Sentinels, report_replication
from wa_service.store.stop_digests import StopDigests
from wa_service.store.stops import Stops
from wa_service.store.tag_numbers import TagNumbers

T = TypeVar("T")
OFTEN_MS = 200


@contextlib.contextmanager
def running(servers: ReplicatedValkey) -> Iterator[ReplicatedValkey]:
    """Start servers whose Sentinels discover them and each other at once instead of every two and ten seconds.

    The detection of a dead server and the election of a leader are as in production.
    """
    for name in servers.ports:
        servers.start_one(name)
    often = [word for kind in ("PUBLISH", "INFO") for word in (f"{kind}-PERIOD", OFTEN_MS)]
    for name in servers.sentinels:
        with servers.client(name) as sentinel:
            eventually(functools.partial(answers, sentinel), within=30)
            sentinel.execute_command("SENTINEL DEBUG", *often)
    with servers:
        yield servers


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture(scope="module")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicatedValkey]:
    with running(ReplicatedValkey(tmp_path_factory.mktemp("replicas"), 2, sync="everysec")) as servers:
        yield servers


@pytest.fixture
def servers(_servers: ReplicatedValkey) -> ReplicatedValkey:
    """A primary and two replicas that follow it, all empty."""
    for name in _servers.ports:
        _servers.start_one(name)
        _servers.signal(name, signal.SIGCONT)
    eventually(_servers.complete, within=30)
    with _servers.client(_servers.primary()) as client:
        client.flushall()
        eventually(lambda: client.wait(2, 1_000) == 2, within=30)
    return _servers


def replicated(servers: ReplicatedValkey, replicas: int, **options: object) -> Store:
    client = connect(servers.url, sentinel_password=servers.password)
    return Store(client, replication=Replication(replicas, **options))  # type: ignore[arg-type]  # a test's


def frozen(servers: ReplicatedValkey, *names: str) -> contextlib.AbstractContextManager[None]:
    @contextlib.contextmanager
    def inside() -> Iterator[None]:
        for name in names:
            servers.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                servers.signal(name, signal.SIGCONT)

    return inside()


def once_available(call: Callable[[], T]) -> T:
    """Call until the store is available; return the result."""
    found: list[T] = []

    def succeeds() -> bool:
        try:
            found.append(call())
        except StoreUnavailableError:
            return False
        return True

    eventually(succeeds, within=20, every=0.1)
    return found[0]


def replicas_of(servers: ReplicatedValkey) -> list[str]:
    primary = servers.primary()
    return [name for name in servers.servers if name != primary]


def test_after_the_primary_died_what_was_put_is_there_and_the_numbers_pause_once(servers: ReplicatedValkey) -> None:
    failovers: list[int] = []
    lanes, other = (
        Lanes.over(replicated(servers, 2, on_failover=lambda: failovers.append(1), failover_pause=20)) for _ in "ab"
    )
    TagNumbers(lanes.store, retention_seconds=KEEP).bind([NUMBER])
    assert lanes.outbox.put(send(id="one")).outcome == "queued"
    other.store.do("PING")
    dead = servers.primary()
    servers.signal(dead, signal.SIGKILL)
    for each in (lanes, other):
        with pytest.raises(StoreUnavailableError):
            each.outbox.put(send())
    eventually(lambda: servers.primary() not in ("", dead), within=10)
    servers.start_one(dead)
    assert all(each.store.availability.wait_until_back(10) for each in (lanes, other))
    assert once_available(lambda: lanes.outbox.next(NUMBER, "p", 1, 1)).why == "pause"
    assert other.records.get("one")
    assert failovers == [1]
    for each in (lanes, other):
        each.store.close()


def test_with_too_few_replicas_nothing_is_promised_and_nothing_handed_out(servers: ReplicatedValkey) -> None:
    lanes = Lanes.over(replicated(servers, 2))
    once_available(lambda: lanes.outbox.put(send("15551230001", id="before")))
    with frozen(servers, replicas_of(servers)[0]):
        with pytest.raises(NotReplicatedError):
            lanes.outbox.next(NUMBER, "p", 1, 1)
        assert lanes.records.get("before").status == "queued"
        started = time.monotonic()
        for n in range(20):
            with pytest.raises(NotReplicatedError):
                lanes.outbox.put(send(f"1555124{n:04}"))
        # Individually, each would wait for a second.
        assert time.monotonic() - started < 20
        # A call that needs no replica does not wait for one.
        lanes.inbox.heartbeat("w")
        assert not lanes.store.availability.unavailable
    assert once_available(lambda: lanes.outbox.next(NUMBER, "p", 2, 1)).grants
    assert lanes.outbox.put(send("15551230003")).outcome == "queued"
    lanes.store.close()


def test_what_customers_rely_on_is_not_answered_before_replicas_have_it(
    servers: ReplicatedValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_REPLICATION_SECONDS", 0.0)
    lanes = Lanes.over(replicated(servers, 2))
    customer = "15551230001"
    once_available(lambda: lanes.store.run([lanes.inbox.admit(message(customer), 0)], replicated=True))
    contacts, stops = Contacts(lanes.store, [NUMBER]), Stops(lanes.store, StopDigests(lanes.store), [NUMBER], KEEP)
    calls: list[Callable[[], object]] = [
        lambda: contacts.pause(customer, 60),
        lambda: stops.apply(customer, stop=True, by="api"),
        lambda: stops.add([customer]),
        lambda: contacts.forget(customer),
    ]
    stops.digests.of([customer])
    with frozen(servers, replicas_of(servers)[0]):
        for call in calls:
            with pytest.raises(NotReplicatedError):
                call()
    for call in calls:
        once_available(call)
    assert not list(lanes.store.client.scan_iter(f"*{customer}*"))
    lanes.store.close()


def test_a_repeat_whose_mark_no_replica_has_is_no_duplicate(servers: ReplicatedValkey) -> None:
    """Meta redelivers after our 503. The primary has the mark, but a 200 would be wrong: a failover loses the mark."""
    piece = message()
    dead = servers.primary()
    other, lanes = Lanes.over(replicated(servers, 0)), Lanes.over(replicated(servers, 2))
    command = lanes.inbox.admit(piece, int(time.time() * 1000))
    lanes.store.run([("PING",)], replicated=True)
    for name in replicas_of(servers):  # they fall behind, and cannot catch up from the dead primary
        servers.signal(name, signal.SIGSTOP)
    # Without delay, because the store's clock is written ten times a second as well.
    assert other.store.run([command]) == [b"new"]
    with pytest.raises(NotReplicatedError):
        lanes.store.run([command], replicated=True)
    for each in (lanes, other):
        each.store.close()
    with servers.client(dead) as client:
        assert client.zcard(NAMES.due) == 1
    others = replicas_of(servers)
    for name in (*others, dead):
        servers.signal(name, signal.SIGKILL)
    for name in others:
        servers.start_one(name)
    lanes = Lanes.over(replicated(servers, 1))
    assert once_available(lambda: lanes.store.run([command], replicated=True)) == [b"new"]
    lanes.store.close()


def test_during_a_failover_the_answer_of_the_sentinel_that_leads_it_is_ignored(servers: ReplicatedValkey) -> None:
    """It reports the old primary until every replica follows the new one; here one replica is frozen."""
    old, (frozen_one, _) = servers.primary(), replicas_of(servers)
    leader, *others = servers.sentinels
    with servers.client(frozen_one) as replica:
        replica.config_set("replica-priority", 0)
    try:
        with servers.client(leader) as sentinel:
            eventually(
                lambda: 0 in [replica["slave-priority"] for replica in sentinel.sentinel_slaves(SERVICE)], within=10
            )
            with frozen(servers, frozen_one), connect(servers.url, sentinel_password=servers.password) as client:
                eventually(lambda: begin_failover(sentinel), within=10)
                eventually(lambda: all(named_by(servers, name) not in ("", old) for name in others), within=10)
                _, port = client.connection_pool.get_master_address()
                assert named_by(servers, leader) == old
                assert port == servers.ports[named_by(servers, others[0])]
            eventually(lambda: named_by(servers, leader) != old, within=10)
    finally:
        with servers.client(frozen_one) as replica:
            replica.config_set("replica-priority", 100)


def begin_failover(sentinel: redis.Redis) -> bool:
    """Begin a failover; return False while the sentinel has not heard from the other replica lately."""
    try:
        sentinel.sentinel_failover(SERVICE)
    except redis.ResponseError as refusal:
        if str(refusal).startswith("NOGOODSLAVE"):
            return False
        raise
    return True


def named_by(servers: ReplicatedValkey, sentinel: str) -> str:
    """The server that `SENTINEL MASTERS` names, as redis-py asks; "" for none."""
    with servers.client(sentinel) as client:
        port = client.sentinel_masters()[SERVICE]["port"]
    return next((name for name in servers.servers if servers.ports[name] == port), "")


@pytest.mark.parametrize("fsync", [False, True])
def test_the_store_of_debian_knows_wait_and_valkey_also_waits_for_the_disk(
    tmp_path: Path, require_program: Callable[[str], Path], fsync: bool
) -> None:
    binary = None if fsync else require_program("redis-server")
    with running(ReplicatedValkey(tmp_path, 1, sync="always" if fsync else "everysec", binary=binary)) as servers:
        with servers.client(servers.primary()) as client:  # a replica first writes existing data to its disk
            client.flushall()
            has_it: list[object] = ["WAITAOF", 1, 1, 1_000] if fsync else ["WAIT", 1, 1_000]
            eventually(lambda: client.execute_command(*has_it) in (1, [1, 1]), within=30)
        lanes = Lanes.over(replicated(servers, 1, fsync=fsync))
        assert [lanes.outbox.put(send()).outcome for _ in range(5)] == ["queued"] * 5
        report = report_replication(lanes.store)
        assert report is not None
        assert report.syncs_always is fsync
        if not fsync:
            without = Lanes.over(replicated(servers, 1, fsync=True))
            with pytest.raises(NotReplicatedError):
                without.outbox.put(send())
            without.store.close()
        lanes.store.close()
    # The primary stopped while its replica followed it; otherwise it would have waited ten seconds for the replica.
    assert "1 of 1 replicas are in sync when shutting down" in (tmp_path / "server-0.log").read_text(encoding="utf-8")


def test_the_report_says_what_any_one_loss_would_cost(servers: ReplicatedValkey) -> None:
    store = replicated(servers, 2)
    report = report_replication(store)
    assert report is not None
    assert (report.following, report.promotable, report.missing(2)) == (2, 2, [])
    assert report.missing(1) == ["WA_REDIS_REPLICAS=2"]
    assert report.sentinels == Sentinels(3, 2, 2000)
    with servers.client(replicas_of(servers)[0]) as replica:
        replica.config_set("appendonly", "no")
        without = report_replication(store)
        replica.config_set("appendonly", "yes")
    assert without is not None
    assert without.missing(2) == ["appendonly yes on every replica"]
    store.close()


def test_a_server_that_restarts_without_replicas_is_no_failover(tmp_path: Path) -> None:
    failovers: list[int] = []
    for _ in range(2):
        with EmbeddedValkey(tmp_path, sync="everysec") as server:
            store = Store(connect(server.url), replication=Replication(on_failover=lambda: failovers.append(1)))
            store.do("PING")
            store.close()
    assert failovers == []
