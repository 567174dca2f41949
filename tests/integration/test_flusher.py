"""Round trips that several callers share, and the loss of the server. A small fake server causes the faults."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from tests.eventually import eventually
from tests.integration.lanes import Lanes
from tests.keys import NAMES, PREFIX
from wa_service.store import confirmation as confirmation_module
from wa_service.store import flusher as flusher_module
from wa_service.store.availability import Availability
from wa_service.store.client import Store, connect
from wa_service.store.confirmation import Confirmation
from wa_service.store.flusher import MOST_COMMANDS, Flusher, NotReplicatedError, StoreUnavailableError, pack


@pytest.fixture
def flusher(store: Store) -> Flusher:
    return store.flusher


def test_each_caller_gets_its_own_results(flusher: Flusher) -> None:
    def ask(i: int) -> list[bytes]:
        return flusher.run([("SET", f"k{i}", i), ("GET", f"k{i}")])

    with ThreadPoolExecutor(32) as pool:
        results = list(pool.map(ask, range(500)))
    assert results == [[b"OK", str(i).encode()] for i in range(500)]


def test_more_commands_than_a_pipeline_holds_all_run(flusher: Flusher) -> None:
    assert flusher.run([("INCR", "n")] * (3 * MOST_COMMANDS + 1))[-1] == 3 * MOST_COMMANDS + 1


class Written:
    """A pool with one connection, which records how many commands came in each round trip."""

    def __init__(self) -> None:
        self.connection_pool = self
        self.trips: list[int] = []

    def get_connection(self) -> Written:
        return self

    def send_packed_command(self, command: list[bytes]) -> None:
        self.trips.append(b"".join(command).count(b"INCR"))

    def read_response(self) -> int:
        return 1


def test_at_most_128_commands_go_in_one_round_trip() -> None:
    server = Written()
    Flusher(server, {}).run([("INCR", "n")] * 300)  # type: ignore[arg-type]  # as much of a client as is used
    assert server.trips == [128, 128, 44]


def test_callers_whose_commands_are_more_than_128_together_go_in_several_round_trips() -> None:
    server = Written()
    flusher = Flusher(server, {})  # type: ignore[arg-type]  # as much of a client as is used
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: flusher.run([("INCR", "n")] * 50), range(64)))
    assert sum(server.trips) == 64 * 50
    assert max(server.trips) <= 128


@pytest.mark.parametrize("part", [True, None, "\ud800"])
def test_a_command_that_cannot_be_packed_fails_its_own_caller_alone(flusher: Flusher, part: Any) -> None:
    def ask(i: int) -> list[Any] | None:
        if i % 8:
            return flusher.run([("SET", f"k{i}", i), ("GET", f"k{i}")])
        with pytest.raises((TypeError, ValueError)):
            flusher.run([("SET", "bad", part)])
        return None

    with ThreadPoolExecutor(32) as pool:
        results = list(pool.map(ask, range(500)))
    assert [got for got in results if got] == [[b"OK", str(i).encode()] for i in range(500) if i % 8]


def test_a_refused_command_is_its_own_result_and_its_siblings_run(flusher: Flusher) -> None:
    flusher.run([("SET", "text", "x")])
    results = flusher.run([("INCR", "n"), ("INCR", "text"), ("INCR", "n")])
    assert (results[0], results[2]) == (1, 2)
    assert isinstance(results[1], redis.ResponseError)


def test_a_refused_command_makes_the_store_say_no(store: Store) -> None:
    store.do("SET", "text", "x")
    with pytest.raises(StoreUnavailableError):
        store.do("INCR", "text")


def test_what_the_server_refuses_is_logged_once_a_minute_with_its_name(lanes: Lanes) -> None:
    lanes.store.do("SET", NAMES.workers, "no set")
    with capture_logs() as lines:
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                lanes.inbox.heartbeat("p")
            with pytest.raises(StoreUnavailableError):
                lanes.store.do("ZCARD", NAMES.workers)
            with pytest.raises(StoreUnavailableError):
                lanes.store.do("NOSUCH", "15551230001 wrote this")
    assert {line["event"] for line in lines} == {"whatsapp.store.refused"}
    refused = "ResponseError: WRONGTYPE"
    assert [(line["command"], line["error"]) for line in lines] == [("heartbeat", refused), ("ZCARD", refused)]


def test_an_error_does_not_tell_what_was_written(store: Store) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        store.do("NOSUCH15551230001", "15551230001 wrote this")
    assert "15551230001" not in str(caught.value)


def test_nobody_listening_is_away_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    store = Store(connect(f"redis://127.0.0.1:{port}/0"))
    with pytest.raises(StoreUnavailableError):
        store.do("PING")
    assert store.availability.unavailable
    with pytest.raises(StoreUnavailableError):
        store.do("PING")
    store.close()


def test_a_connection_that_the_server_let_go_while_it_was_idle_is_no_absence(
    store: Store, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restart, or with a `timeout` for idle clients, the next call reconnects."""
    monkeypatch.setattr(flusher_module, "FRESH_SECONDS", 0.0)
    mine = store.do("CLIENT", "ID")
    redis_client.client_kill_filter(_id=mine)
    eventually(lambda: mine not in {int(client["id"]) for client in redis_client.client_list()})

    assert store.do("INCR", "n") == 1
    assert not store.availability.unavailable


PRIMARY = b"*1\r\n$6\r\nmaster\r\n:1\r\n"


class Faulty:
    """A server that answers ROLE and the probe's write, and responds to anything else as a test says."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.answer: bytes | None = b"+OK\r\n"
        self.probes: bytes | None = PRIMARY
        self.seen: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.server.getsockname()[1]}/0"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # A client may disconnect after the error, whatever else it has sent.
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(65_536):
                if b"CLIENT" in data or b"HELLO" in data:
                    connection.sendall(b"+OK\r\n" * data.count(b"CLIENT"))
                    continue
                answer = self.probes if b"ROLE" in data else self.answer
                self.seen.append(data)
                if answer is None:
                    return
                connection.sendall(answer)


@pytest.fixture
def faulty() -> Iterator[Faulty]:
    server = Faulty()
    yield server
    server.server.close()


def test_a_lost_answer_is_never_asked_again(faulty: Faulty) -> None:
    store = Store(connect(faulty.url))
    faulty.answer = None
    with pytest.raises(StoreUnavailableError):
        store.do("INCR", "n")
    assert len([data for data in faulty.seen if b"INCR" in data]) == 1
    store.close()


def test_it_comes_back_by_itself(faulty: Faulty) -> None:
    client = connect(faulty.url)
    flusher = Flusher(client, ())
    faulty.answer = None
    with pytest.raises(StoreUnavailableError):
        flusher.run([("INCR", "n")])
    faulty.answer = b":1\r\n"
    assert flusher.availability.wait_until_back(5)
    assert flusher.run([("INCR", "n")]) == [1]
    flusher.close()
    client.close()


def test_it_comes_back_however_often_it_was_looked_for_in_vain(faulty: Faulty) -> None:
    client = connect(faulty.url, connections=4)
    flusher = Flusher(client, (), availability=Availability(client.connection_pool, "k", probe_seconds=0.001))
    faulty.answer = faulty.probes = None
    with pytest.raises(StoreUnavailableError):
        flusher.run([("INCR", "n")])
    eventually(lambda: len([data for data in faulty.seen if b"ROLE" in data]) > 10)
    faulty.answer, faulty.probes = b":1\r\n", PRIMARY
    assert flusher.availability.wait_until_back(5)
    assert flusher.run([("INCR", "n")]) == [1]
    flusher.close()
    client.close()


def test_it_comes_back_although_a_probe_was_answered_with_nonsense(faulty: Faulty) -> None:
    client = connect(faulty.url)
    flusher = Flusher(client, (), availability=Availability(client.connection_pool, "k", probe_seconds=0.001))
    faulty.answer, faulty.probes = None, b"*0\r\n"
    with capture_logs() as lines:
        with pytest.raises(StoreUnavailableError):
            flusher.run([("INCR", "n")])
        eventually(lambda: len([data for data in faulty.seen if b"ROLE" in data]) > 10)
        faulty.answer, faulty.probes = b":1\r\n", PRIMARY
        assert flusher.availability.wait_until_back(5)
    assert [line["event"] for line in lines] == ["whatsapp.store.probe_failed"]
    flusher.close()
    client.close()


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (b"-READONLY You can't write against a read only replica.\r\n", "ReadOnlyError"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "BusyLoadingError"),
        (b"-MISCONF Errors writing to the AOF file\r\n", "ResponseError"),
    ],
)
def test_a_server_that_must_not_write_is_away(faulty: Faulty, refusal: bytes, told: str) -> None:
    client = connect(faulty.url)
    # Without scripts, because the server responds only once, and a missing response would pass as well as an error.
    flusher = Flusher(client, ())
    faulty.answer = refusal
    with pytest.raises(StoreUnavailableError, match=told):
        flusher.run([("INCR", "n")])
    assert flusher.availability.unavailable
    flusher.close()
    client.close()


def test_a_primary_that_was_demoted_while_a_replica_was_missing_is_away(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next call connects anew, to the new primary behind the same address."""
    monkeypatch.setattr(confirmation_module, "LOOK_SECONDS", 0.0)
    client = connect(faulty.url)
    flusher = Flusher(client, (), confirmation=Confirmation(1, pack(("INCR", "tick"))))
    faulty.answer = b":1\r\n:1\r\n:0\r\n"
    with pytest.raises(NotReplicatedError):
        flusher.run([("INCR", "n")])
    faulty.answer = (
        b"-READONLY You can't write against a read only replica.\r\n"
        b"-ERR WAIT cannot be used with replica instances.\r\n"
    )
    with pytest.raises(StoreUnavailableError, match="ReadOnlyError"):
        flusher.run([("INCR", "n")])
    assert flusher.availability.unavailable
    flusher.close()
    client.close()


def test_a_full_server_says_no_but_is_there(faulty: Faulty) -> None:
    client = connect(faulty.url)
    flusher = Flusher(client, ())
    faulty.answer = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
    (result,) = flusher.run([("INCR", "n")])
    assert isinstance(result, redis.exceptions.OutOfMemoryError)
    assert not flusher.availability.unavailable
    flusher.close()
    client.close()


def test_a_wait_at_an_absent_server_raises(faulty: Faulty) -> None:
    store = Store(connect(faulty.url))
    faulty.answer = None
    faulty.probes = None
    with pytest.raises(StoreUnavailableError):
        store.wait_for(f"{PREFIX}wake", 0.1)
    eventually(lambda: store.availability.unavailable)
    store.close()


def test_scripts_are_there_before_the_first_command_that_needs_one(store: Store, redis_client: redis.Redis) -> None:
    redis_client.config_resetstat()
    store.call("heartbeat", consumer="w")
    assert redis_client.info("errorstats").get("errorstat_NOSCRIPT") is None
