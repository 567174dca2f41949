"""A Valkey cluster on this machine: three primaries, each with a replica."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import redis
from redis.crc import key_slot

from meta_emulator.free_port import free_port
from tests.eventually import eventually
from tests.keys import PREFIX
from wa_service.store.client import connect
from wa_service.store.embedded_valkey import valkey_binary

PASSWORD = "cluster-password-Wm2"
SLOTS = 16_384
SLOT = key_slot(PREFIX.encode())


class Cluster:
    """Six servers, or more: the first three start as primaries, each with a replica; others are replicas of the first.

    `settings`: further ones of each server.
    """

    def __init__(self, directory: Path, *, servers: int = 6, settings: Sequence[str] = ()) -> None:
        self._directory = directory
        self._settings = settings
        self.ports, self.buses = ([free_port() for _ in range(servers)] for _ in range(2))
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"redis+cluster://:{PASSWORD}@" + ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def __enter__(self) -> Self:
        try:
            for port in self.ports:
                self.start(port)
            self._form()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def start(self, port: int) -> None:
        home = self._directory / str(port)
        home.mkdir(exist_ok=True, parents=True)
        settings = [
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), "--save", "", "--appendonly", "yes"),
            *("--requirepass", PASSWORD, "--masterauth", PASSWORD, "--cluster-enabled", "yes"),
            *(
                "--cluster-node-timeout",
                "1000",
                "--cluster-port",
                str(self._bus(port)),
                "--repl-diskless-sync-delay",
                "0",
            ),
            *("--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no"),
            *self._settings,
        ]
        with (self._directory / f"{port}.log").open("ab") as log:
            self._processes[port] = subprocess.Popen([str(valkey_binary()), *settings], stdout=log, stderr=log)
        eventually(lambda: self._answers(port), within=20)

    def kill(self, port: int) -> None:
        self._processes[port].kill()
        self._processes[port].wait()

    def ask(self, port: int, *command: Any) -> Any:
        with connect(f"redis://:{PASSWORD}@127.0.0.1:{port}/0", connections=2) as client:
            return client.execute_command(*command)

    def primaries(self) -> dict[int, bytes]:
        """Return the node id of each primary, by port, as the running servers report it."""
        found = {}
        for port, process in self._processes.items():
            if process.poll() is None and self.ask(port, "ROLE")[0] == b"master":
                found[port] = self.ask(port, "CLUSTER", "MYID")
        return found

    def owner(self) -> int:
        """Return the port of the primary that owns the slot of the default tag, or 0."""
        for port in self.primaries():
            for first, last, *_ in self._own_slots(port):
                if first <= SLOT <= last:
                    return port
        return 0

    def move_slot(self) -> None:
        """Migrate the slot to another primary, atomically."""
        owner = self.owner()
        target = next(node for port, node in sorted(self.primaries().items()) if port != owner)
        self.ask(owner, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", target)
        eventually(lambda: self.owner() not in (0, owner), within=20)

    def _own_slots(self, port: int) -> list[Any]:
        return [each for each in self.ask(port, "CLUSTER", "SLOTS") if each[2][1] == port]

    def _bus(self, port: int) -> int:
        return self.buses[self.ports.index(port)]

    def _answers(self, port: int) -> bool:
        try:
            return bool(self.ask(port, "PING"))
        except redis.RedisError:
            return False

    def _form(self) -> None:
        first = self.ports[0]
        for n, port in enumerate(self.ports[:3]):
            self.ask(port, "CLUSTER", "ADDSLOTSRANGE", SLOTS * n // 3, SLOTS * (n + 1) // 3 - 1)
        for port in self.ports[1:]:
            self.ask(port, "CLUSTER", "MEET", "127.0.0.1", first, self._bus(first))
        eventually(lambda: all(self._knows_all(port) for port in self.ports), within=20)
        primaries = [*self.ports[:3], *[first] * (len(self.ports) - 6)]
        for primary, replica in zip(primaries, self.ports[3:], strict=True):
            self.ask(replica, "CLUSTER", "REPLICATE", self.ask(primary, "CLUSTER", "MYID"))
        eventually(self.complete, within=30, every=0.1)

    def _knows_all(self, port: int) -> bool:
        return f"cluster_known_nodes:{len(self.ports)}".encode() in self.ask(port, "CLUSTER", "INFO")

    def complete(self) -> bool:
        """Return whether every slot has a primary with a connected replica."""
        try:
            roles = [self.ask(port, "ROLE") for port in self.ports]
            states = [b"cluster_state:ok" in self.ask(port, "CLUSTER", "INFO") for port in self.ports]
        except redis.RedisError:
            return False
        followed = [role for role in roles if role[0] == b"master" and role[2]]
        return all(states) and len(followed) == 3
