"""The service as `make run` starts it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import requests

from meta_emulator.free_port import free_port
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
# Settings for a start without models, which saves two processes.
WITHOUT_MODELS = {"WA_INTENTS": "fuzzy", "WA_SPEECH": "none"}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Started:
    """`make run` or `make serve` without make: runs their starter on free ports; `run` with a separate directory."""

    def __init__(self, var: Path, what: str = "run", *more: str, **environment: str) -> None:
        self.port, self.emulator_port = free_port(), free_port()
        self.secrets = var / "secrets"
        options = ["--port", str(self.port)]
        if what == "run":
            options += ["--emulator-port", str(self.emulator_port), "--var", str(var)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wa_service.cli.stack", what, *options, *more],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._lines.extend(iter(self.process.stdout.readline, ""))

    @property
    def headers(self) -> dict[str, str]:
        """The headers of an API call. The key exists once the service is ready."""
        return {"Authorization": f"Bearer {(self.secrets / 'api-key').read_text()}"}

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def until_ready(self) -> None:
        eventually(lambda: "Ready." in self.said or self.process.poll() is not None, within=30)
        assert "Ready." in self.said, self.said

    def pid_of(self, part: str) -> int:
        found = re.search(rf"\b{part} started \(pid=(\d+)\)", self.said)
        assert found, self.said
        return int(found[1])

    def everything(self) -> set[int]:
        """All descendants of the starter, including those in their own sessions."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, ask = set(), [self.process.pid]
        while ask:
            pid = ask.pop()
            found.add(pid)
            ask += parents.get(pid, [])
        return found

    def ended(self) -> int:
        status = self.process.wait(timeout=15)
        self._reader.join(5)
        return status

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ends_with(self, part: str) -> None:
        """Kill a part; everything stops, the output names the part, and no process is left."""
        everything = self.everything()
        os.kill(self.pid_of(part), signal.SIGKILL)
        assert self.ended() == 1
        assert f"{part} ended, so everything was stopped" in self.said
        eventually(lambda: not any(alive(pid) for pid in everything), within=30)

    def chat(self, wa_id: str) -> list[dict[str, str]]:
        url = f"http://127.0.0.1:{self.emulator_port}/_emulator/phones/{wa_id}/messages"
        messages: list[dict[str, str]] = requests.get(url, timeout=5).json()["messages"]
        return messages

    def write(self, wa_id: str, text: str) -> None:
        url = f"http://127.0.0.1:{self.emulator_port}/_emulator/phones/{wa_id}/messages"
        requests.post(url, json={"type": "text", "text": {"body": text}}, timeout=5).raise_for_status()

    def answers(self, wa_id: str) -> int:
        return len([message for message in self.chat(wa_id) if message["direction"] == "in"])
