"""A primary and its replica, and steps whose clock a test sets, for the lanes' model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import redis

import wa_service.store
from tests.eventually import eventually
from tests.keys import PREFIX
from wa_service.store.client import Replication, Store, connect
from wa_service.store.embedded_replicas import ReplicatedValkey
from wa_service.store.scripts import Step, load_scripts

STEPS = Path(wa_service.store.__file__).parent / "steps"
_READS_CLOCK = "redis.call('TIME')"
SET_CLOCK = f"{PREFIX}set_clock"


def steps_with_a_set_clock(folder: Path, mutate: Callable[[Path], None] = lambda _: None) -> Mapping[str, Step]:
    """The steps with a clock that is read from a key; `mutate` may change their sources in `folder`."""
    shutil.copytree(STEPS, folder)
    clock = folder / "shared" / "clock.lua"
    source = clock.read_text("utf-8")
    assert source.count(_READS_CLOCK) == 1
    clock.write_text(source.replace(_READS_CLOCK, "redis.call('HMGET', prefix .. 'set_clock', 's', 'us')"), "utf-8")
    mutate(folder)
    return load_scripts(folder)


class Pair:
    """Two servers without Sentinel: the test decides which is the primary."""

    def __init__(self, directory: Path, steps: Mapping[str, Step]) -> None:
        self._servers = ReplicatedValkey(directory, 1, sync="everysec")
        self.steps = steps
        self.primary, self.replica = self._servers.servers
        for name in self._servers.servers:
            self._servers.start_one(name)
        self.clients = {name: self._servers.client(name) for name in self._servers.servers}
        for client in self.clients.values():
            eventually(lambda: _answers(client), within=30, every=0.02)  # noqa: B023 - called at once
            client.config_set("min-replicas-to-write", 0)
        self.follow()

    @property
    def client(self) -> redis.Redis:
        """A client of the primary."""
        return self.clients[self.primary]

    def store(self, replication: Replication) -> Store:
        """A store over the primary."""
        password, port = self._servers.password, self._servers.ports[self.primary]
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        return Store(connect(url), replication=replication, scripts=self.steps)

    def empty(self) -> None:
        """Delete everything."""
        self.client.flushall()

    def replicated(self) -> None:
        """Wait until the replica has all writes."""
        eventually(lambda: self._wait() == 1, within=30, every=0.01)

    def _wait(self) -> int:
        with self.client.pipeline(transaction=False) as pipe:
            pipe.incr(f"{PREFIX}tick")
            pipe.wait(1, 200)
            return int(pipe.execute()[1])

    def cut(self) -> None:
        """Cut the replica off from the primary."""
        self.replicated()
        self.clients[self.replica].replicaof("NO", "ONE")

    def follow(self) -> None:
        """Let the replica follow the primary, whatever it was before."""
        port = self._servers.ports[self.primary]
        self.clients[self.replica].replicaof("127.0.0.1", port)
        self.replicated()

    def fail_over(self) -> None:
        """Promote the replica, which was cut off before."""
        self.primary, self.replica = self.replica, self.primary
        self.follow()

    def stop(self) -> None:
        """Stop both servers."""
        for client in self.clients.values():
            client.close()
        self._servers.stop()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
