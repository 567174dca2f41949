"""`make run` as a person lives it: real processes, a terminal's signals, the same directory twice."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.eventually import eventually

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Started:
    """`make run` without make: the starter it calls, on free ports and a directory of its own."""

    def __init__(self, var: Path, **environment: str) -> None:
        self.port, self.emulator_port = free_port(), free_port()
        ports = ["--port", str(self.port), "--emulator-port", str(self.emulator_port)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wa_service.cli.start", "run", *ports, "--var", str(var)],
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
        """Every process below the starter, by its session's and its children's sessions."""
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

    def chat(self, wa_id: str) -> list[dict[str, str]]:
        url = f"http://127.0.0.1:{self.emulator_port}/_emulator/phones/{wa_id}/messages"
        messages: list[dict[str, str]] = requests.get(url, timeout=5).json()["messages"]
        return messages

    def write(self, wa_id: str, text: str) -> None:
        url = f"http://127.0.0.1:{self.emulator_port}/_emulator/phones/{wa_id}/messages"
        requests.post(url, json={"type": "text", "text": {"body": text}}, timeout=5).raise_for_status()

    def answers(self, wa_id: str) -> int:
        return len([message for message in self.chat(wa_id) if message["direction"] == "in"])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    running: list[Started] = []

    def begin(**environment: str) -> Started:
        running.append(Started(tmp_path / "var", **environment))
        return running[-1]

    yield begin
    for started in running:
        if started.process.poll() is None:
            started.stop()


@pytest.fixture
def curl(require_program: Callable[..., Path]) -> Path:
    return require_program("curl")


def test_a_phone_that_writes_is_answered_and_ctrl_c_leaves_no_process(start: Callable[..., Started]) -> None:
    service = start()
    service.until_ready()
    service.write("447700900123", "hello")
    eventually(lambda: service.answers("447700900123") > 0, within=30)
    everything = service.everything()
    assert len(everything) > 6
    assert service.stop() == 0
    assert [pid for pid in everything if alive(pid)] == []


def test_the_printed_command_sends_a_message(
    start: Callable[..., Started], require_program: Callable[..., Path]
) -> None:
    require_program("curl")
    service = start()
    service.until_ready()
    command = re.search(r"curl -s .*?'\n", service.said, re.DOTALL)
    assert command, service.said
    told = subprocess.check_output(shlex.split(command[0].replace("\\\n", " ")), text=True)
    assert '"status":"accepted"' in told.replace(" ", ""), told


def test_the_next_start_has_its_data(start: Callable[..., Started]) -> None:
    first = start()
    first.until_ready()
    headers = {"Authorization": "Bearer dev-key", "Idempotency-Key": "once"}
    body = {"to": "447700900123", "template": {"name": "hello_world", "language": "en_US"}}
    sent = requests.post(f"http://127.0.0.1:{first.port}/v1/messages", json=body, headers=headers, timeout=10)
    assert first.stop() == 0
    second = start()
    second.until_ready()
    record = requests.get(
        f"http://127.0.0.1:{second.port}/v1/messages/{sent.json()['id']}", headers=headers, timeout=10
    )
    assert record.json()["id"] == sent.json()["id"]


@pytest.mark.parametrize("part", ["valkey", "emulator", "web", "worker"])
def test_when_one_part_dies_the_rest_stops_and_it_says_which(start: Callable[..., Started], part: str) -> None:
    service = start()
    service.until_ready()
    everything = service.everything()
    os.kill(service.pid_of(part), signal.SIGKILL)
    assert service.ended() == 1
    assert f"{part} ended, so everything was stopped" in service.said
    eventually(lambda: not any(alive(pid) for pid in everything), within=30)


@pytest.mark.parametrize("taken", ["port", "emulator_port"])
def test_a_taken_port_is_one_sentence(taken: str, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        ports = {"port": str(free_port()), "emulator_port": str(free_port())} | {taken: port}
        command = [sys.executable, "-m", "wa_service.cli.start", "run", "--var", str(tmp_path)]
        told = subprocess.run(
            [*command, "--port", ports["port"], "--emulator-port", ports["emulator_port"]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert told.returncode == 1
    assert told.stderr == f"Port {port} is taken: `make run {taken.upper()}=…` takes another one.\n"
    assert told.stdout == ""


def test_ctrl_c_while_it_still_starts_leaves_no_process(start: Callable[..., Started]) -> None:
    service = start()
    eventually(lambda: "valkey started" in service.said, within=30)
    everything = service.everything()
    assert service.stop() == 0
    assert [pid for pid in everything if alive(pid)] == []


def test_a_real_token_in_the_environment_does_not_answer(start: Callable[..., Started]) -> None:
    service = start(WHATSAPP_ACCESS_TOKEN="a-real-token", REDIS_URL="redis://127.0.0.1:1/0", WA_RESPONDER="none")
    service.until_ready()
    service.write("447700900123", "hello")
    eventually(lambda: service.answers("447700900123") > 0, within=30)
