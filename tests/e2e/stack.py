"""The whole service as real processes, which a test may kill, freeze and restart.

One Valkey on a fixed port, one emulated Meta, one gunicorn with two web processes, and two workers. Settings are
passed explicitly, not taken from the environment. `stop` leaves no process behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

import redis
import requests
from redis.backoff import NoBackoff
from redis.retry import Retry

from meta_emulator.free_port import free_port
from tests.e2e.phones import API_KEY, APP_SECRET, NUMBER, TOKEN, VERIFY_TOKEN, WABA, Meta, Webhooks
from tests.e2e.starter import ROOT
from tests.e2e.tool import SECRET as RESPONDER_SECRET
from tests.e2e.tool import Tool
from tests.eventually import eventually
from tests.keys import PREFIX
from tests.whole_lines import whole_lines
from wa_service.store.embedded_valkey import valkey_binary

Role = Literal["valkey", "emulator", "web", "worker-1", "worker-2"]
ROLES: tuple[Role, ...] = ("valkey", "emulator", "web", "worker-1", "worker-2")
WORKERS: tuple[Role, ...] = ("worker-1", "worker-2")
REDIS_PASSWORD = "redis-password-Kq7"
START_SECONDS = 60.0
REST_SECONDS = 3.0


class Stack:
    """The parts by role. `environment` adds to or replaces the settings of web and workers."""

    def __init__(
        self, directory: Path, *, web_processes: int = 2, environment: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory
        self.tool = Tool()
        self._ports = {role: free_port() for role in ("valkey", "emulator", "web")}
        self._parts: dict[Role, subprocess.Popen[bytes]] = {}
        self._read: dict[Path, int] = {}
        (directory / "valkey").mkdir(parents=True)
        self.env_file = directory / "settings.env"
        self.env_file.write_text(f"WHATSAPP_APP_SECRET={APP_SECRET}\n", encoding="utf-8")
        self.redis_url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{self._ports['valkey']}/0"
        self.url = f"http://127.0.0.1:{self._ports['web']}"
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(directory),
            "WA_ENV_FILE": str(self.env_file),
            "WHATSAPP_ACCESS_TOKEN": TOKEN,
            "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
            "WHATSAPP_VERIFY_TOKEN": VERIFY_TOKEN,
            "WHATSAPP_BUSINESS_ACCOUNT_ID": WABA,
            "WHATSAPP_API_VERSION": "v24.0",
            "WHATSAPP_API_BASE_URL": f"http://127.0.0.1:{self._ports['emulator']}",
            "REDIS_URL": self.redis_url,
            "WA_API_KEYS": f"tests:{API_KEY}:admin",
            "WA_API_RATE": "1000000/minute",
            "WA_BIND": f"127.0.0.1:{self._ports['web']}",
            "WA_VAR_DIR": str(directory),
            "WA_LOG_FORMAT": "json",
            "WA_RESPONDER": "http",
            "WA_RESPONDER_URL": self.tool.url,
            "WA_RESPONDER_SECRET": RESPONDER_SECRET,
            "WA_PUSH_ALLOW": "127.0.0.0/8",
            "WA_INTENTS": "fuzzy",
            "WA_SPEECH": "none",
            "WEB_CONCURRENCY": str(web_processes),
            # Unknown sends are settled within seconds, because the tests wait for them.
            "WA_SETTLE_SECONDS": "2",
            "WA_RESEND_UNKNOWN": "true",
            **(environment or {}),
        }
        self.meta = Meta(f"http://127.0.0.1:{self._ports['emulator']}")
        self.webhooks = Webhooks(f"{self.url}/webhooks/whatsapp")
        self.redis = redis.Redis.from_url(
            self.redis_url, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )

    @property
    def settings(self) -> dict[str, str]:
        """The settings of web and workers, for a runtime in the test's process."""
        given = {name: value for name, value in self._environment.items() if name.startswith(("WA_", "WHATSAPP_"))}
        return given | {"REDIS_URL": self.redis_url, "WHATSAPP_APP_SECRET": APP_SECRET}

    def __enter__(self) -> Self:
        self.tool.__enter__()
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *roles: Role) -> None:
        """Start the roles that do not run (by default all), and wait until they work."""
        wanted = [role for role in roles or ROLES if role not in self._parts or not self.runs(role)]
        for role in wanted:
            self._parts[role] = self._spawn(role)
            if role == "valkey":
                eventually(self._store_answers, within=START_SECONDS)
        for role in wanted:
            eventually(lambda role=role: self.works(role), within=START_SECONDS)  # type: ignore[misc]

    def works(self, role: Role) -> bool:
        """Return whether a part is ready for use."""
        assert self.runs(role), self.log(role)[-2000:]
        match role:
            case "valkey":
                return self._store_answers()
            case "emulator":
                return self.meta.answers()
            case "web":
                return self.ready() == 200
            case _:
                return bool(self._children_at_work(role))

    def ready(self) -> int:
        """Return the status of /readyz, or 0 where there is no response."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code
        except requests.RequestException:
            return 0

    def runs(self, role: Role) -> bool:
        """Return whether the part's main process runs."""
        return self._parts[role].poll() is None

    def command(self, *arguments: str) -> str:
        """Run `python -m wa_service …` with this stack's settings and return its output."""
        return subprocess.check_output(
            [sys.executable, "-m", "wa_service", *arguments], cwd=ROOT, env=self._environment, text=True, timeout=30
        )

    def pid(self, role: Role) -> int:
        """The process id of the part's main process."""
        return self._parts[role].pid

    def children(self, role: Role) -> list[int]:
        """The processes that do the part's work: gunicorn's workers, or the supervisor's child."""
        return _children(self.pid(role))

    def signal(self, role: Role, number: signal.Signals) -> None:
        """Send a signal to the part's main process."""
        os.kill(self.pid(role), number)

    def kill_child(self, role: Role, which: int = 0) -> None:
        """Kill one of the child processes with SIGKILL; their parent replaces it."""
        if children := self.children(role):
            with contextlib.suppress(ProcessLookupError):
                os.kill(children[which % len(children)], signal.SIGKILL)

    def kill_owner(self, port: int) -> None:
        """Kill the worker process that owns the connection from this port; raise LookupError where none does."""
        owners = [pid for worker in WORKERS for pid in self.children(worker) if _owns(pid, port)]
        if not owners:
            raise LookupError(port)
        for pid in owners:
            os.kill(pid, signal.SIGKILL)

    def kill(self, role: Role) -> None:
        """Kill all processes of a part with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid(role), signal.SIGKILL)
        self._parts[role].wait(timeout=10)

    @contextlib.contextmanager
    def frozen(self, role: Role) -> Iterator[None]:
        """Freeze all processes of the part inside the block."""
        os.killpg(self.pid(role), signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.pid(role), signal.SIGCONT)

    def stop(self) -> None:
        """Stop everything, in whatever state it is."""
        for part in reversed(self._parts.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(part.pid, signal.SIGCONT)
                os.killpg(part.pid, signal.SIGKILL)
            part.wait(timeout=10)
        self.redis.close()
        self.tool.__exit__()

    def log(self, role: Role) -> str:
        """The log of a part, in whole lines."""
        return whole_lines(self.directory / f"{role}.log").decode("utf-8", "replace")

    def new_lines(self) -> list[str]:
        """Return the log lines of all parts since the last call, each prefixed with its part."""
        lines = []
        for path in sorted(self.directory.glob("*.log")):
            start = self._read.get(path, 0)
            said = whole_lines(path, start)
            self._read[path] = start + len(said)
            lines += [f"{path.stem}: {line}" for line in said.decode("utf-8", "replace").splitlines()]
        return lines

    def api(self, method: str, path: str, *, timeout: float = 30.0, **rest: object) -> requests.Response:
        """Call the REST API with the tests' key."""
        headers = {"Authorization": f"Bearer {API_KEY}", **dict(rest.pop("headers", {}) or {})}  # type: ignore[call-overload]
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=timeout, **rest)  # type: ignore[arg-type]

    def metric(self, name: str) -> float:
        """Return the value of one series of /metrics, by its name with labels; 0 where it is absent."""
        for line in requests.get(f"{self.url}/metrics", timeout=10).text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def waiting(self) -> int:
        """The number of conversations, lanes and claims that are waiting."""
        lanes = [f"{PREFIX}out:{NUMBER}:0", f"{PREFIX}out:{NUMBER}:1"]
        return sum(int(self.redis.zcard(key)) for key in (f"{PREFIX}due", f"{PREFIX}busy", *lanes))

    def calm(self) -> None:
        """Start what does not run, wait until nothing waits, and reset the emulated world and the memory limit."""
        self.start()
        self.tool.calm()
        self.meta.reset()
        self.redis.config_set("maxmemory", 0)
        self._come_to_rest()
        self.redis.flushall()
        self.meta.reset()
        eventually(lambda: self.ready() == 200, within=START_SECONDS)

    def _come_to_rest(self) -> None:
        """Finish or kill what a failed test left behind, so that it is not answered in the next test."""
        try:
            eventually(lambda: self.waiting() == 0, within=REST_SECONDS)
        except AssertionError:
            for worker in WORKERS:
                self.kill(worker)
            self.redis.flushall()
            self.start(*WORKERS)

    def _children_at_work(self, role: Role) -> list[int]:
        said = self.log(role).rpartition('"whatsapp.worker.died"')[2]
        return self.children(role) if '"whatsapp.worker.started"' in said else []

    def _store_answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except redis.RedisError:
            return False

    def _spawn(self, role: Role) -> subprocess.Popen[bytes]:
        environment = dict(self._environment)
        python = [sys.executable, "-m"]
        match role:
            case "valkey":
                return self._spawn_valkey()
            case "emulator":
                # The emulated Meta keeps signing with the first secret, as an app does before its secret is changed.
                environment["WHATSAPP_APP_SECRET"] = APP_SECRET
                command = [*python, "wa_service", "emulator", "--port", str(self._ports["emulator"])]
            case "web":
                command = [*python, "gunicorn", "-c", "gunicorn.conf.py"]
            case _:
                command = [*python, "wa_service", "worker"]
        with (self.directory / f"{role}.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, process_group=0
            )

    def _spawn_valkey(self) -> subprocess.Popen[bytes]:
        settings = (
            "bind 127.0.0.1",
            f"port {self._ports['valkey']}",
            f"requirepass {REDIS_PASSWORD}",
            f'dir "{self.directory / "valkey"}"',
            "appendonly yes",
            "appendfsync always",
            "maxmemory-policy noeviction",
            'save ""',
        )
        with (self.directory / "valkey.log").open("ab") as log:
            server = subprocess.Popen(
                [str(valkey_binary()), "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, process_group=0
            )
        assert server.stdin is not None
        server.stdin.write("\n".join(settings).encode() + b"\n")
        server.stdin.close()
        return server


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, ppid = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def _owns(pid: int, port: int) -> bool:
    process = Path(f"/proc/{pid}")
    with contextlib.suppress(OSError):
        lines = [line.split() for line in (process / "net/tcp").read_text("ascii").splitlines()[1:]]
        sockets = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}")}
        return any(_target(descriptor) in sockets for descriptor in (process / "fd").iterdir())
    return False


def _target(descriptor: Path) -> str:
    """The target of a process's file descriptor; empty where the descriptor was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
