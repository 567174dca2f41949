"""The whole service in a temporary directory: Valkey, web, workers, and stand-ins."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from benchmarks import machine, payloads
from benchmarks.processes import BenchmarkError, Part, answers
from meta_emulator.free_port import free_port
from wa_service.store.embedded_valkey import embedded_url

THROUGHPUT = 1_000
"""Messages per second of the number: Meta's higher tier, so that its limit is not what is measured."""


class Workshop:
    """A temporary directory and its processes, for the length of a ``with`` block."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.directory = Path(tempfile.mkdtemp(prefix="wa-bench-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(
        self, name: str, *command: str, on: Collection[int] = machine.ALL, env: Mapping[str, str] | None = None
    ) -> Part:
        """Start a process that ends with the block."""
        part = Part(command, log=self.directory / f"{name}.log", env=env, on=on)
        return self._stack.enter_context(part)


class _Watched:
    """A stand-in process that reports at `/_bench` what it received."""

    def __init__(self, workshop: Workshop, module: str, on: Collection[int], spec: Mapping[str, Any]) -> None:
        self.port = free_port()
        asked = json.dumps({"port": self.port, **spec})
        name = f"{module}-{self.port}"
        part = workshop.start(name, sys.executable, "-m", f"benchmarks.{module}", asked, on=on)
        part.until(lambda: _listens(self.port), name)

    def _seen(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_bench", timeout=10) as answer:
            seen: dict[str, Any] = json.load(answer)
        return seen

    def forget(self) -> None:
        """Discard what was received so far."""
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_bench", data=b"", timeout=10).close()


class MetaStandIn(_Watched):
    """Meta's stand-in; see `benchmarks/meta.py` for `spec`. Over TLS, `arrived` is not available."""

    def __init__(self, workshop: Workshop, *, on: Collection[int] = machine.LOAD, **spec: Any) -> None:
        super().__init__(workshop, "meta", on, spec)
        self.url = f"{'https' if 'certificate' in spec else 'http'}://127.0.0.1:{self.port}"

    def arrived(self) -> list[tuple[str, float]]:
        """Return (recipient, time on the monotonic clock) of each message."""
        return [(to, at) for to, at in self._seen()["arrivals"]]


class Sink(_Watched):
    """Callback for the emulator's webhooks."""

    def __init__(self, workshop: Workshop, *, on: Collection[int] = machine.LOAD) -> None:
        super().__init__(workshop, "sink", on, {})

    def delivered(self, expected: int, seconds: float) -> int:
        """Return how many `delivered` statuses arrived; wait up to `seconds` for the expected ones."""
        end = time.monotonic() + seconds
        while (count := int(self._seen().get("delivered", 0))) < expected and time.monotonic() < end:
            time.sleep(0.1)
        return count


class Subscribers(_Watched):
    """Receivers of pushed events; see `benchmarks/subscribers.py`."""

    def __init__(self, workshop: Workshop, *, on: Collection[int] = machine.ALL) -> None:
        super().__init__(workshop, "subscribers", on, {})
        self.urls = (f"http://127.0.0.1:{self.port}/fast", f"http://127.0.0.1:{self.port}/slow")

    def ages(self, expected: int, seconds: float = 60.0) -> list[float]:
        """Return how old each event was when the fast receiver got it, in seconds.

        Raises:
            BenchmarkError: not all events arrived.
        """
        end = time.monotonic() + seconds
        while len(ages := self._ages_so_far()) < expected:
            if time.monotonic() > end:
                raise BenchmarkError(f"{len(ages)} of {expected} events were pushed")
            time.sleep(0.2)
        return ages

    def _ages_so_far(self) -> list[float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_bench", timeout=10) as answer:
            ages: list[float] = json.load(answer)
        return ages


class Service:
    """The service's parts, started on request, with production settings unless `given` changes them."""

    def __init__(self, workshop: Workshop, meta_url: str = "http://127.0.0.1:9", **given: str) -> None:
        self.workshop = workshop
        self.port = free_port()
        self.env = {
            "WHATSAPP_ACCESS_TOKEN": "token",
            "WHATSAPP_PHONE_NUMBER_ID": payloads.NUMBER,
            "WHATSAPP_BUSINESS_ACCOUNT_ID": payloads.ACCOUNT,
            "WHATSAPP_VERIFY_TOKEN": "verify",
            "WHATSAPP_APP_SECRET": payloads.SECRET,
            "WHATSAPP_API_VERSION": "v24.0",
            "WHATSAPP_API_BASE_URL": meta_url,
            "WHATSAPP_MESSAGES_PER_SECOND": str(THROUGHPUT),
            "WA_API_KEYS": "benchmark:benchmark-key-for-measuring:admin",
            "WA_BIND": f"127.0.0.1:{self.port}",
            "WA_VAR_DIR": str(workshop.directory),
            "WA_LOG_FORMAT": "json",
            "WA_REDIS_WAIT": "30",
            "WA_SPEECH": "none",
            "WA_INTENTS": "fuzzy",
            "WEB_CONCURRENCY": "1",
        } | given

    def valkey(self, *, on: Collection[int] = machine.ALL) -> Part:
        """Start the embedded server, with every write synced to disk."""
        part = self.workshop.start("valkey", sys.executable, "-m", "wa_service", "valkey", on=on, env=self.env)
        part.until((self.workshop.directory / "valkey" / "valkey.sock").exists, "Valkey")
        return part

    def tidy_up(self, seconds: float = 60.0) -> None:
        """Rewrite the server's append-only file now, so that no rewrite starts during a measurement.

        Raises:
            BenchmarkError: the rewrite does not end in time.
        """
        with redis.Redis.from_url(embedded_url(self.workshop.directory, wait=10)) as client:
            until = time.monotonic() + seconds
            asked = False
            while (about := client.info("persistence"))["aof_rewrite_in_progress"] or not asked:
                if not about["aof_rewrite_in_progress"]:
                    client.bgrewriteaof()
                    asked = True
                if time.monotonic() > until:
                    raise BenchmarkError("the append-only file is still being rewritten")
                time.sleep(0.1)

    def web(self, *, on: Collection[int] = machine.ALL) -> Part:
        """Start gunicorn with the project's configuration and wait until it is ready."""
        part = self.begin_web(on=on)
        part.until(answers(self.port, "/readyz"), "web")
        return part

    def begin_web(self, *, on: Collection[int] = machine.ALL) -> Part:
        """Start as `web` does, without waiting."""
        command = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py")
        return self.workshop.start("web", *command, on=on, env=self.env)

    def worker(self, *, on: Collection[int] = machine.ALL, name: str = "worker") -> Part:
        """Start a worker under its supervisor and wait until it is ready."""
        part = self.begin_worker(on=on, name=name)
        part.until(lambda: has_started(part), "the worker")
        return part

    def begin_worker(self, *, on: Collection[int] = machine.ALL, name: str = "worker") -> Part:
        """Start as `worker` does, without waiting."""
        return self.workshop.start(name, sys.executable, "-m", "wa_service", "worker", on=on, env=self.env)

    def helper(self, module: str, *arguments: str, on: Collection[int] = machine.ALL, seconds: float = 120.0) -> str:
        """Run a module with the service's settings to its end; return its output."""
        name = f"{module}-{free_port()}"
        part = self.workshop.start(name, sys.executable, "-m", module, *arguments, on=on, env=self.env)
        return part.result(seconds)


def has_started(worker: Part) -> bool:
    """Return whether the worker's log says that it is ready."""
    return '"whatsapp.worker.started"' in worker.said()


class Load:
    """A running load; see `benchmarks/load.py` for `spec`."""

    def __init__(self, workshop: Workshop, port: int, *, on: Collection[int] = machine.LOAD, **spec: Any) -> None:
        asked = json.dumps({"port": port, **spec})
        name = f"load-{free_port()}"
        self._part = workshop.start(name, sys.executable, "-m", "benchmarks.load", asked, on=on)

    def result(self, seconds: float = 120.0) -> dict[str, Any]:
        """Return its figures.

        Raises:
            BenchmarkError: a response was not 200.
        """
        seen: dict[str, Any] = json.loads(self._part.result(seconds))
        if set(seen["codes"]) != {"200"}:
            raise BenchmarkError(f"the load was answered {seen['codes']}")
        return seen


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
