"""How `make run` ends, what survives the death of a part, and what the next run keeps.

`test_make_run.py` tests the end with the emulator and with web, each with a custom responder.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.e2e.starter import WITHOUT_MODELS, Started, alive
from tests.eventually import eventually
from wa_service.store.embedded_replicas import embedded_replicas_in

ANA = "447700900123"


def test_a_phone_is_answered_ctrl_c_leaves_no_process_and_the_next_start_has_all(start: Callable[..., Started]) -> None:
    first = start()
    first.until_ready()
    first.write(ANA, "kept over the restart")
    eventually(lambda: first.answers(ANA) > 0, within=30)
    headers = {**first.headers, "Idempotency-Key": "once"}
    body = {"to": ANA, "template": {"name": "hello_world", "language": "en_US"}}
    sent = requests.post(f"http://127.0.0.1:{first.port}/v1/messages", json=body, headers=headers, timeout=10)
    everything = first.everything()
    assert len(everything) > 6
    assert first.stop() == 0
    assert [pid for pid in everything if alive(pid)] == []

    second = start(**WITHOUT_MODELS)
    second.until_ready()
    assert any("kept over the restart" in str(message.get("text")) for message in second.chat(ANA))
    record = requests.get(
        f"http://127.0.0.1:{second.port}/v1/messages/{sent.json()['id']}", headers=headers, timeout=10
    )
    assert record.json()["id"] == sent.json()["id"]

    # A closed terminal (SIGHUP) stops everything, too.
    everything = second.everything()
    second.process.send_signal(signal.SIGHUP)
    assert second.ended() == 0
    assert [pid for pid in everything if alive(pid)] == []


def test_ctrl_c_while_it_still_starts_leaves_no_process(start: Callable[..., Started]) -> None:
    service = start()
    eventually(lambda: "valkey started" in service.said, within=30)
    everything = service.everything()
    assert service.stop() == 0
    assert [pid for pid in everything if alive(pid)] == []


@pytest.mark.parametrize(
    ("part", "environment"), [("valkey", WITHOUT_MODELS), ("worker", {})], ids=["valkey", "worker"]
)
def test_when_one_part_dies_the_rest_stops_and_it_says_which(
    start: Callable[..., Started], part: str, environment: dict[str, str]
) -> None:
    service = start(**environment)  # for a worker with all models: their processes end as well
    service.until_ready()
    service.ends_with(part)


def program_of(pid: int) -> str:
    """Return a process's program, "" if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    return ""


def test_a_valkey_that_died_is_back_and_all_parts_go_on(start: Callable[..., Started]) -> None:
    service = start(**WITHOUT_MODELS)
    service.until_ready()
    service.write(ANA, "hello")
    eventually(lambda: service.answers(ANA) >= 2, within=30)  # a greeting and its list
    # A child of Valkey's may be rewriting the append-only file.
    parts = {pid: program_of(pid) for pid in sorted(service.everything())}
    server = next(pid for pid, program in parts.items() if program == "valkey-server")
    others = [pid for pid, program in parts.items() if program and not program.startswith("valkey")]
    os.kill(server, signal.SIGKILL)
    eventually(lambda: "Valkey is back" in service.said, within=30)
    service.write(ANA, "are you still there?")
    eventually(lambda: service.answers(ANA) > 2, within=60)
    assert "It is started again in 0.0 s." in service.said
    assert [pid for pid in others if not alive(pid)] == []
    assert service.stop() == 0


def test_with_replicas_a_message_is_answered_after_the_primary_was_killed(
    start: Callable[..., Started], tmp_path: Path
) -> None:
    service = start("--replicas", "2", **WITHOUT_MODELS)
    service.until_ready()
    # Web may be ready before each Sentinel knows each replica; a server that dies before that ends the start.
    eventually(lambda: "is the primary of 2 replicas" in service.said, within=60)
    servers = embedded_replicas_in((tmp_path / "var").absolute(), 2)
    with servers.client(servers.primary()) as primary:
        killed = primary.info("server")["process_id"]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: "is the primary now" in service.said, within=30)
    service.write(ANA, "hello")
    eventually(lambda: service.answers(ANA) > 0, within=60)
    everything = service.everything()
    assert service.stop() == 0
    assert [pid for pid in everything if alive(pid)] == []
