"""Erased and expired data is gone from the server's memory, copies and files, not only from responses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from tests.eventually import eventually
from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import NAMES, PREFIX
from wa_service.store import compaction, erasure
from wa_service.store.client import Store, connect
from wa_service.store.compaction import Compaction
from wa_service.store.contacts import Contacts
from wa_service.store.embedded_valkey import EmbeddedValkey
from wa_service.store.events import Events
from wa_service.store.memory import CROWDED_SHARE, MemoryWatch

CUSTOMER, NAME, WORDS = "15559998877", "Quillfeather", "a word that only they say"


class Files:
    """A separate server, and the uncompressed content of its memory and its files."""

    def __init__(self, directory: Path, server: EmbeddedValkey) -> None:
        self._directory = directory
        self.client = redis.Redis.from_url(server.url)
        self.client.config_set("rdbcompression", "no")
        self.store = Store(connect(server.url))
        self.lanes = Lanes.over(self.store)

    def hold(self, *words: str) -> list[str]:
        """Return the words that occur in a file or in the dump of a key."""
        everything = b"".join(path.read_bytes() for path in self._directory.rglob("*") if path.is_file())
        everything += b"".join(self.client.dump(key) or b"" for key in self.client.scan_iter("*"))
        return [word for word in words if word.encode() in everything]

    def found(self, word: str) -> set[str]:
        """Return the suffixes of the files that contain a word."""
        files = [path for path in self._directory.rglob("*") if path.is_file()]
        return {".".join(path.name.split(".")[-2:]) for path in files if word.encode() in path.read_bytes()}

    def rewritten(self) -> bool:
        """Return whether no rewrite is requested or running."""
        info = self.client.info("persistence")
        busy = info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"] or info["rdb_bgsave_in_progress"]
        return not busy and not self.client.exists(f"{PREFIX}rewrite_wanted")


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with EmbeddedValkey(tmp_path / "v", sync="everysec") as server:
        files = Files(tmp_path / "v", server)
        yield files
        files.store.close()
        files.client.close()


def fill(files: Files) -> None:
    """Twenty others write, and one person whose data occurs in nothing else."""
    others = [message(f"1555000{n:04}", f"somebody else's words {n}") for n in range(20)]
    files.lanes.admit(*others[:10], message(CUSTOMER, WORDS, name=NAME), *others[10:])
    files.lanes.outbox.put(send(CUSTOMER, id="a"))


def test_a_forgotten_person_is_in_no_file_and_no_dump(files: Files) -> None:
    fill(files)
    assert files.hold(CUSTOMER, NAME, WORDS) == [CUSTOMER, NAME, WORDS]
    Contacts(files.store, [NUMBER]).forget(CUSTOMER)
    eventually(files.rewritten, within=20)
    assert files.hold(CUSTOMER, NAME, WORDS) == []
    assert files.hold("somebody else's words 7") != []


def test_a_forgotten_person_is_in_no_base_and_no_snapshot(files: Files) -> None:
    """The base of the append-only file and the snapshot beside it have the RDB format."""
    files.client.config_set("save", "86400 1000000")
    fill(files)
    files.client.save()
    files.client.bgrewriteaof()
    eventually(files.rewritten, within=20)
    assert files.found(CUSTOMER) >= {"dump.rdb", "base.rdb"}
    snapshots = files.client.info("persistence")["rdb_saves"]

    Contacts(files.store, [NUMBER]).forget(CUSTOMER)

    eventually(lambda: files.client.info("persistence")["rdb_saves"] > snapshots and files.rewritten(), within=20)
    assert [files.found(word) for word in (CUSTOMER, NAME, WORDS)] == [set()] * 3
    assert files.found("somebody else's words 7") >= {"dump.rdb", "base.rdb"}


def test_a_readers_cursor_stays_good(files: Files) -> None:
    fill(files)
    events = Events(files.store, retention_seconds=KEEP)
    before = events.after("", 100)
    Contacts(files.store, [NUMBER]).forget(CUSTOMER)
    *left, erased = events.after("", 100)
    assert [entry.cursor for entry in left] == [entry.cursor for entry in before if CUSTOMER not in entry.conversation]
    assert [entry.kind for entry in events.after(before[-1].cursor, 100)] == [erased.kind] == ["erased"]
    files.lanes.admit(message("15550000099"))
    assert len(events.after(erased.cursor, 100)) == 1
    assert files.client.ttl(NAMES.events) > 0


def test_an_empty_stream_keeps_its_place(files: Files) -> None:
    files.lanes.admit(message(CUSTOMER, WORDS))
    events = Events(files.store, retention_seconds=KEEP)
    cursor = events.last_cursor()
    Contacts(files.store, [NUMBER]).forget(CUSTOMER)
    files.client.xtrim(NAMES.events, maxlen=0)  # the event about the erasure, too
    files.store.do("XSETID", NAMES.events, f"{int(time.time() * 1000) + 60_000}-0")
    Compaction(files.store).copy_stream()
    files.lanes.admit(message("15550000099"))
    (entry,) = events.after(cursor, 10)
    assert int(entry.cursor.split("-")[0]) >= time.time() * 1000 + 50_000


def test_what_is_over_its_time_is_gone_a_day_later(files: Files) -> None:
    old = int((time.time() - KEEP - 10) * 1000)
    for n in range(20):
        words = WORDS if n == 7 else "somebody else's words"
        files.client.xadd(
            NAMES.events, {"k": "message", "c": "c", "d": words}, id=f"{old + n * (n > 7) * 10_000_000}-{n}"
        )
    Events(files.store, retention_seconds=KEEP).trim()
    eventually(files.rewritten, within=20)
    assert files.hold(WORDS) == []
    assert files.client.xlen(NAMES.events) == 12


def test_files_are_not_rewritten_again_and_again(files: Files) -> None:
    events = Events(files.store, retention_seconds=KEEP)
    events.trim()
    eventually(files.rewritten, within=20)
    started = files.client.info("persistence")["aof_last_rewrite_time_sec"], files.client.info("stats")["total_forks"]
    events.trim()
    assert files.client.info("stats")["total_forks"] == started[1]


def test_two_people_who_are_forgotten_at_once_stay_forgotten(files: Files) -> None:
    fill(files)
    contacts = Contacts(files.store, [NUMBER])
    with ThreadPoolExecutor() as pool:
        list(pool.map(contacts.forget, [CUSTOMER, "15550000003", "15550000011"]))
    events = Events(files.store, retention_seconds=KEEP).after("", 100)
    assert [entry.kind for entry in events] == ["message"] * 18 + ["erased"] * 3
    assert files.client.exists(f"{PREFIX}events_lock", f"{PREFIX}events_draft") == 0


def interrupted(monkeypatch: pytest.MonkeyPatch, store: Store, meanwhile: Callable[[], object]) -> None:
    """Call `meanwhile` once, after the first page of a copy of the stream."""
    call = store.call

    def interrupting(name: str, /, **arguments: Any) -> Any:
        result = call(name, **arguments)
        if name == "copy_events":
            monkeypatch.undo()
            meanwhile()
        return result

    monkeypatch.setattr(compaction, "_PAGE", 8)
    monkeypatch.setattr(store, "call", interrupting)


def test_a_copy_of_the_stream_whose_draft_expired_loses_no_event(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may be suspended for longer than lock and draft live, and a failover may lose the draft's end."""
    fill(files)
    before = files.client.xrange(NAMES.events)
    interrupted(monkeypatch, files.store, lambda: files.client.delete(f"{PREFIX}events_lock", f"{PREFIX}events_draft"))
    Compaction(files.store).copy_stream()
    assert files.client.xrange(NAMES.events) == before


def test_two_copies_of_the_stream_at_once_lose_no_event(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(files)
    before = files.client.xrange(NAMES.events)

    def copy_too() -> None:
        files.client.delete(f"{PREFIX}events_lock")  # it expired
        Compaction(files.store).copy_stream()

    interrupted(monkeypatch, files.store, copy_too)
    Compaction(files.store).copy_stream()
    assert files.client.xrange(NAMES.events) == before


def test_an_erasure_renews_its_lock_while_it_deletes_entries(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(files)
    lives, do = list[int](), files.store.do

    def reading(*command: Any) -> Any:
        if command[0] == "XRANGE":
            lives.append(files.client.ttl(f"{PREFIX}events_lock"))
            files.client.expire(f"{PREFIX}events_lock", 30)
        return do(*command)

    monkeypatch.setattr(erasure, "PAGE", 8)
    monkeypatch.setattr(files.store, "do", reading)
    Contacts(files.store, [NUMBER]).forget(CUSTOMER)
    assert len(lives) > 2
    assert min(lives) > 30


def test_a_copy_of_the_stream_costs_no_history(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a share of the memory on, workers delete the oldest events; a copy needs as much as the stream."""
    for n in range(2_000):
        files.client.xadd(NAMES.events, {"k": "message", "c": "c", "d": f"{n}" + "x" * 10_000})
    used = int(files.client.info("memory")["used_memory"])
    files.client.config_set("maxmemory", used * 3 // 2)
    events = Events(files.store, retention_seconds=KEEP)
    crowded = list[bool]()
    call = files.store.call

    def copying(name: str, /, **arguments: Any) -> Any:
        if name == "replace_events":
            crowded.append(MemoryWatch(files.store, CROWDED_SHARE).full())
        return call(name, **arguments)

    monkeypatch.setattr(files.store, "call", copying)
    with capture_logs() as logs:
        events.trim()
    assert crowded == []
    assert [line["event"] for line in logs] == ["whatsapp.store.stream_not_copied"]
    files.client.config_set("maxmemory", used * 3)
    files.client.delete(f"{PREFIX}compacted")
    events.trim()
    assert crowded == [False]
