"""``wa_service`` against an emulator for the length of a ``with`` block: store, web and worker on free ports."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from meta_emulator.client import EmulatedMeta
from meta_emulator.free_port import free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
# Leased work counts until it is done.
_DEPTH = re.compile(r'^whatsapp_queue_depth\{queue="(?:inbound|outbound|sending)"\} (\S+)$', re.MULTILINE)
# A worker listens nowhere; this line says that it is ready.
_WORKER_STARTED = "whatsapp.worker.started"
_OURS = ("WA_", "WHATSAPP_", "REDIS_URL", "WEB_CONCURRENCY")


class ServiceStartError(RuntimeError):
    """A part of the service ended or was not ready in time; the text has its last log lines."""


class RunningService:
    """The whole service, with the emulator ``meta`` in place of Meta.

    script: YAML file that answers. responder: URL of an HTTP responder; it is called with ``responder_secret``.
    settings: additional settings by name, such as ``{"WA_MARK_READ": "false"}``. The service runs in processes of
    this Python; nothing of it is imported. Raises ServiceStartError.
    """

    def __init__(
        self,
        meta: EmulatedMeta,
        *,
        script: Path | None = None,
        responder: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.meta = meta
        self.api_key = secrets.token_urlsafe(24)
        self.responder_secret = f"whsec_{secrets.token_urlsafe(32).replace('-', 'A').replace('_', 'B')}="
        self.url = ""
        self._script = script
        self._responder = responder
        self._settings = dict(settings or {})
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self._directory = Path()
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def webhook_url(self) -> str:
        """URL to which the emulator posts webhooks."""
        return f"{self.url}/webhooks/whatsapp"

    def __enter__(self) -> RunningService:
        """Start every part, wait until they are ready, and subscribe the webhook."""
        self._directory = Path(tempfile.mkdtemp(prefix="wa-"))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        try:
            environment = self._environment(port)
            package = _service_package()
            commands = {
                "valkey": ["wa_service", "valkey"],
                "web": ["gunicorn", "-c", str(package / "gunicorn_conf.py")],
                "worker": ["wa_service", "worker"],
            }
            for part, command in commands.items():
                self._start(part, [sys.executable, "-m", *command], environment, package.parent)
            self._wait_until_ready()
            self.subscribe()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every part and remove its data."""
        self.stop()

    def subscribe(self) -> None:
        """Send the emulator's webhooks to this service."""
        self.meta.webhooks(self.webhook_url)

    def forget_everything(self) -> None:
        """Empty the store, so that the next test starts without conversations, limits and records."""
        with socket.socket(socket.AF_UNIX) as store:
            store.settimeout(10)
            store.connect(str(self._directory / "valkey" / "valkey.sock"))
            store.sendall(b"FLUSHALL\r\n")
            if not store.recv(64).startswith(b"+OK"):
                raise RuntimeError("the store was not emptied")

    def send(self, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Call ``POST /v1/messages``; return its JSON, which may be a problem."""
        authorization = {"Authorization": f"Bearer {self.api_key}", **headers}
        answer: dict[str, Any] = self._session.post(
            f"{self.url}/v1/messages", json=body, headers=authorization, timeout=30
        ).json()
        return answer

    def wait_until_idle(self, timeout: float = 0.5) -> bool:
        """Wait until the service has no message to handle and no send to make; return False after ``timeout`` seconds.

        It reads ``/metrics``; without access to them it returns False at once.
        """
        deadline = time.monotonic() + timeout
        while (depth := self._queue_depth()) != 0:
            if depth is None or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def log(self, part: str = "worker") -> str:
        """Return the log of ``valkey``, ``web`` or ``worker``."""
        path = self._directory / f"{part}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """Kill web and worker with their child processes, stop the store, and remove the data."""
        store = self._parts.pop("valkey", None)
        _kill(self._parts.values())
        _end([store] if store else [])
        self._parts = {}
        shutil.rmtree(self._directory, ignore_errors=True)

    def _environment(self, port: int) -> dict[str, str]:
        meta = self.meta
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        environment |= {
            "WA_ENV_FILE": os.devnull,
            "WHATSAPP_ACCESS_TOKEN": meta.access_token,
            "WHATSAPP_APP_SECRET": meta.app_secret,
            "WHATSAPP_VERIFY_TOKEN": meta.verify_token,
            "WHATSAPP_PHONE_NUMBER_ID": ",".join(meta.phone_number_ids),
            "WHATSAPP_BUSINESS_ACCOUNT_ID": meta.business_account_id,
            "WHATSAPP_API_VERSION": "v24.0",
            "WHATSAPP_API_BASE_URL": meta.url,
            "WA_API_KEYS": f"tests:{self.api_key}:admin",
            "WA_API_RATE": "1000000/minute",
            "WA_BIND": f"127.0.0.1:{port}",
            "WA_VAR_DIR": str(self._directory),
            "WA_REDIS_WAIT": str(int(_START_SECONDS)),
            "WA_SPEECH": "none",
            "WA_INTENTS": "fuzzy",
            "WEB_CONCURRENCY": "1",
        }
        if self._script is not None:
            environment["WA_SCRIPT_FILE"] = str(self._script.resolve())
        if self._responder:
            environment["WA_RESPONDER"] = "http"
            environment["WA_RESPONDER_URL"] = self._responder
            environment["WA_RESPONDER_SECRET"] = self.responder_secret
        return environment | self._settings

    def _start(self, part: str, command: list[str], environment: dict[str, str], root: Path) -> None:
        with (self._directory / f"{part}.log").open("wb") as log:
            self._parts[part] = subprocess.Popen(
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            for part, process in self._parts.items():
                if process.poll() is not None:
                    raise ServiceStartError(f"{part} ended:\n{self.log(part)[-2000:]}")
            if time.monotonic() > deadline:
                logs = "\n".join(f"{part}:\n{self.log(part)[-1000:]}" for part in self._parts)
                raise ServiceStartError(f"not ready within {_START_SECONDS:g} s:\n{logs}")
            time.sleep(0.05)

    def _queue_depth(self) -> int | None:
        """Return how many conversations and sends are queued or leased; None if the metrics do not say."""
        metrics = self._session.get(f"{self.url}/metrics", timeout=10)
        found = _DEPTH.findall(metrics.text) if metrics.ok else []
        return sum(int(float(depth)) for depth in found) if found else None

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:  # noqa: S310 - our own URL
                return bool(answer.status == 200) and _WORKER_STARTED in self.log("worker")
        except (urllib.error.URLError, OSError):
            return False


def _kill(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Kill processes and their children; a graceful shutdown would wait for open connections."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for process in processes:
        process.wait()


def _end(processes: Collection[subprocess.Popen[bytes]]) -> None:
    """Terminate processes concurrently."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _service_package() -> Path:
    """Return the directory of the package ``wa_service``, from a checkout or an installation."""
    found = importlib.util.find_spec("wa_service")
    if found is None or found.origin is None:
        raise ServiceStartError("wa_service is not installed in this Python")
    return Path(found.origin).parent
