"""The store on a cluster: under load its slot moves and its owner dies, and nothing acknowledged is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from limits.storage import RedisStorage

from tests.cluster import Cluster
from tests.eventually import eventually
from tests.integration.lanes import Lanes, message
from tests.keys import NAMES
from wa_service.store.client import Replication, Store, connect
from wa_service.store.flusher import StoreUnavailableError

LONGEST_ANSWER = 2.5


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def lanes_of(cluster: Cluster, replicas: int = 1, **options: object) -> Lanes:
    replication = Replication(replicas, **options)  # type: ignore[arg-type]  # a test's
    return Lanes.over(Store(connect(cluster.url), replication=replication))


def test_a_slot_that_moves_takes_everything_along_and_is_no_failover(cluster: Cluster) -> None:
    failovers: list[int] = []
    lanes = lanes_of(cluster, on_failover=lambda: failovers.append(1))
    lanes.store.do("DEL", NAMES.due, NAMES.wake)  # left by other tests
    assert lanes.admit(message()) == [b"new"]
    cluster.move_slot()
    assert lanes.admit(message("15551230002")) == [b"new"]
    assert lanes.store.do("ZCARD", NAMES.due) == 2
    assert lanes.store.wait_for(NAMES.wake, 0.1) is not None
    assert failovers == []
    assert not lanes.store.availability.unavailable
    lanes.store.close()


def test_calls_are_counted_where_the_slot_is(cluster: Cluster) -> None:
    lanes = lanes_of(cluster)
    pool = lanes.store.new_pool(2, 1.0)
    storage = RedisStorage("redis://", connection_pool=pool, key_prefix=lanes.store.keys.of("calls"))
    assert storage.incr("one", 60) == 1
    cluster.move_slot()
    assert storage.incr("one", 60) == 2
    lanes.store.close()


@pytest.mark.chaos
@pytest.mark.timeout(400)
def test_while_the_slot_moves_and_its_owner_dies_what_was_stored_stays(cluster: Cluster, long_form: bool) -> None:
    lanes = lanes_of(cluster, on_failover=lambda: failovers.append(1))
    failovers: list[int] = []
    stored: list[str] = []
    took: list[float] = []
    ended = False

    def customer(n: int) -> None:
        count = 0
        while not ended:
            piece = message(f"1555{n:03}{count:05}")
            while not ended:
                started = time.monotonic()
                try:
                    lanes.store.run([lanes.inbox.admit(piece, int(time.time() * 1000))], replicated=True)
                except StoreUnavailableError:
                    eventually(lambda: not lanes.store.availability.unavailable or ended, within=30)
                else:
                    stored.append(piece.addresses[0])
                    break
                finally:
                    took.append(time.monotonic() - started)
            count += 1

    with ThreadPoolExecutor(8) as pool:
        for n in range(8):
            pool.submit(customer, n)
        try:
            for _ in range(5 if long_form else 1):
                for disturb in (cluster.move_slot, lambda: kill_owner(cluster)):
                    goal = len(stored) + 500
                    eventually(lambda goal=goal: len(stored) >= goal, within=60)  # type: ignore[misc]
                    disturb()
            goal = len(stored) + 200
            eventually(lambda: len(stored) >= goal, within=60)
        finally:
            ended = True
    known = {conversation.decode().partition(":")[2] for conversation in lanes.store.do("ZRANGE", NAMES.due, 0, -1)}
    assert set(stored) - known == set()
    assert max(took) < LONGEST_ANSWER or not long_form
    assert failovers
    lanes.store.close()


def test_a_seventh_server_lets_work_go_on_without_the_dead_one(tmp_path: Path) -> None:
    """It becomes the replica of the promoted server, which accepts nothing without one (docs/replicas.md)."""
    one_replica = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"]  # deploy/valkey/server.conf
    with Cluster(tmp_path, servers=7, settings=one_replica) as cluster:
        lanes = lanes_of(cluster)
        assert lanes.admit(message()) == [b"new"]
        cluster.kill(cluster.owner())
        assert eventually(lambda: admitted(lanes), within=60, every=0.2) == [b"new"]
        lanes.store.close()


def admitted(lanes: Lanes) -> list[bytes]:
    """Admit another message; return [] while the store is unavailable."""
    try:
        return lanes.store.run([lanes.inbox.admit(message("15551230002"), 0)], replicated=True)
    except StoreUnavailableError:
        return []


def kill_owner(cluster: Cluster) -> None:
    dead = cluster.owner()
    cluster.kill(dead)
    eventually(lambda: cluster.owner() not in (0, dead), within=30)
    cluster.start(dead)
    eventually(cluster.complete, within=60, every=0.2)


def test_no_node_that_answers_is_a_store_that_is_away(tmp_path: Path) -> None:
    lanes = Lanes.over(Store(connect("redis+cluster://127.0.0.1:1,127.0.0.1:2")))
    with pytest.raises(StoreUnavailableError):
        lanes.store.do("PING")
    lanes.store.close()
