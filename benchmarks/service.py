"""The whole service in a directory of its own: Valkey, web, workers, and Meta's stand-in."""

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
"""Messages a second of the number: Meta's higher tier, so that not Meta's limit is measured. Limits stay on."""


class Workshop:
    """A temporary directory, and everything that was started in it; gone with the block."""

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
        """A process that ends with the block."""
        part = Part(command, log=self.directory / f"{name}.log", env=env, on=on)
        return self._stack.enter_context(part)


class _Watched:
    """A stand-in as a process, which tells at `/_bench` what it saw."""

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
        """From now on only what comes next counts."""
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_bench", data=b"", timeout=10).close()


class MetaStandIn(_Watched):
    """Meta's stand-in; see `benchmarks/meta.py` for what may be asked. Over TLS it does not tell what it saw."""

    def __init__(self, workshop: Workshop, *, on: Collection[int] = machine.LOAD, **spec: Any) -> None:
        super().__init__(workshop, "meta", on, spec)
        self.url = f"{'https' if 'certificate' in spec else 'http'}://127.0.0.1:{self.port}"

    def arrived(self) -> list[tuple[str, float]]:
        """(to whom, when on the machine's monotonic clock) of each message."""
        return [(to, at) for to, at in self._seen()["arrivals"]]


class Sink(_Watched):
    """Where the emulator's webhooks go."""

    def __init__(self, workshop: Workshop, *, on: Collection[int] = machine.LOAD) -> None:
        super().__init__(workshop, "sink", on, {})

    def delivered(self, expected: int, seconds: float) -> int:
        """How many `delivered` statuses came; waits for the expected ones, a moment."""
        end = time.monotonic() + seconds
        while (count := int(self._seen().get("delivered", 0))) < expected and time.monotonic() < end:
            time.sleep(0.1)
        return count


class Subscribers(_Watched):
    """Who is pushed events; see `benchmarks/subscribers.py`."""

    def __init__(self, workshop: Workshop, *, on: Collection[int] = machine.ALL) -> None:
        super().__init__(workshop, "subscribers", on, {})
        self.urls = (f"http://127.0.0.1:{self.port}/fast", f"http://127.0.0.1:{self.port}/slow")

    def ages(self, expected: int, seconds: float = 60.0) -> list[float]:
        """How old each event was when the fast one got it, in seconds.

        Raises:
            BenchmarkError: not all came.
        """
        end = time.monotonic() + seconds
        while len(ages := self._told()) < expected:
            if time.monotonic() > end:
                raise BenchmarkError(f"{len(ages)} of {expected} events were pushed")
            time.sleep(0.2)
        return ages

    def _told(self) -> list[float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_bench", timeout=10) as answer:
            ages: list[float] = json.load(answer)
        return ages


class Service:
    """The service's parts, each started when asked for, with the settings of production where not said otherwise."""

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
        """The embedded server, every write synced."""
        part = self.workshop.start("valkey", sys.executable, "-m", "wa_service", "valkey", on=on, env=self.env)
        part.until((self.workshop.directory / "valkey" / "valkey.sock").exists, "Valkey")
        return part

    def tidy_up(self, seconds: float = 60.0) -> None:
        """Lets the server write its append-only file anew now, so that it does not choose to while we measure.

        Raises:
            BenchmarkError: it does not end in time.
        """
        with redis.Redis.from_url(embedded_url(self.workshop.directory, wait=10)) as client:
            until = time.monotonic() + seconds
            asked = False
            while (about := client.info("persistence"))["aof_rewrite_in_progress"] or not asked:
                if not about["aof_rewrite_in_progress"]:
                    client.bgrewriteaof()
                    asked = True
                if time.monotonic() > until:
                    raise BenchmarkError("the append-only file is still being written anew")
                time.sleep(0.1)

    def web(self, *, on: Collection[int] = machine.ALL) -> Part:
        """gunicorn with the project's own configuration."""
        part = self.begin_web(on=on)
        part.until(answers(self.port, "/readyz"), "web")
        return part

    def begin_web(self, *, on: Collection[int] = machine.ALL) -> Part:
        """As `web`, without waiting."""
        command = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py")
        return self.workshop.start("web", *command, on=on, env=self.env)

    def worker(self, *, on: Collection[int] = machine.ALL, name: str = "worker") -> Part:
        """A worker under its supervisor, ready to work."""
        part = self.begin_worker(on=on, name=name)
        part.until(lambda: has_started(part), "the worker")
        return part

    def begin_worker(self, *, on: Collection[int] = machine.ALL, name: str = "worker") -> Part:
        """As `worker`, without waiting."""
        return self.workshop.start(name, sys.executable, "-m", "wa_service", "worker", on=on, env=self.env)

    def helper(self, module: str, *arguments: str, on: Collection[int] = machine.ALL, seconds: float = 120.0) -> str:
        """Runs one of our modules with the service's settings to its end; returns what it printed."""
        name = f"{module}-{free_port()}"
        part = self.workshop.start(name, sys.executable, "-m", module, *arguments, on=on, env=self.env)
        return part.result(seconds)


def has_started(worker: Part) -> bool:
    """Whether a worker says that it takes work."""
    return '"whatsapp.worker.started"' in worker.said()


class Load:
    """A load under way; see `benchmarks/load.py` for what may be asked."""

    def __init__(self, workshop: Workshop, port: int, *, on: Collection[int] = machine.LOAD, **spec: Any) -> None:
        asked = json.dumps({"port": port, **spec})
        name = f"load-{free_port()}"
        self._part = workshop.start(name, sys.executable, "-m", "benchmarks.load", asked, on=on)

    def result(self, seconds: float = 120.0) -> dict[str, Any]:
        """What it saw.

        Raises:
            BenchmarkError: anything but 200 came back.
        """
        seen: dict[str, Any] = json.loads(self._part.result(seconds))
        if set(seen["codes"]) != {"200"}:
            raise BenchmarkError(f"the load was answered {seen['codes']}")
        return seen


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
