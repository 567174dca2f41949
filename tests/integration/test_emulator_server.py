"""The emulator as a server: broken connections, the live stream, start and stop as a program."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from meta_emulator import EmulatorConfig, RunningEmulator
from tests.eventually import eventually
from tests.integration.emulated_meta import ANA, APP, NUMBER, SECRET, TOKEN, Meta

ROOT = Path(__file__).parents[2]
CONFIG = EmulatorConfig(TOKEN, SECRET, "verify", (NUMBER,), port=0)


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator(CONFIG) as running:
        yield running


@pytest.fixture
def meta(emulator: RunningEmulator) -> Meta:
    """The module's emulator after a reset, without limits."""
    running = Meta(emulator.url)
    running.do("reset")
    running.do("limits", {"all": False})
    return running


def outcomes(meta: Meta) -> list[str]:
    return [attempt["outcome"] for attempt in meta.do("seen", method="GET")["sends"]]


def test_a_reset_connection_is_reset_and_nothing_is_taken(meta: Meta) -> None:
    meta.do("faults", {"kind": "reset"})
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        meta.send()
    assert (outcomes(meta), meta.do(f"phones/{ANA}/messages", method="GET")["messages"]) == (["fault"], [])


def test_a_lost_answer_ends_the_connection_and_the_message_is_taken(meta: Meta) -> None:
    meta.do("faults", {"kind": "answer_lost"})
    with pytest.raises(requests.ConnectionError, match="without response"):
        meta.send()
    assert outcomes(meta) == ["answer_lost"]
    assert meta.do(f"phones/{ANA}/messages", method="GET")["messages"][0]["status"] == "delivered"


def test_the_connection_after_a_lost_answer_is_good(meta: Meta) -> None:
    meta.do("faults", {"kind": "answer_lost"})
    with pytest.raises(requests.ConnectionError):
        meta.send()
    assert meta.send().startswith("wamid.")


def test_a_cut_answer_breaks_off(meta: Meta) -> None:
    meta.do("faults", {"kind": "cut"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        meta.send()


def test_a_slow_body_takes_its_time(meta: Meta) -> None:
    meta.do("faults", {"kind": "slow_body", "seconds": 0.4})
    started = time.monotonic()
    assert meta.send().startswith("wamid.")
    assert time.monotonic() - started > 0.3


def test_a_delayed_answer_lets_the_others_pass(meta: Meta) -> None:
    meta.do("faults", {"kind": "delay", "seconds": 20, "phone": "15550102030"})
    with pytest.raises(requests.Timeout):
        requests.post(
            f"{meta.url}/v24.0/{NUMBER}/messages",
            json={"messaging_product": "whatsapp", "to": "15550102030", "text": {"body": "x"}},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=0.2,
        )
    assert meta.send().startswith("wamid.")


def test_refused_connections_are_refused_and_come_back(meta: Meta) -> None:
    meta.do("refuse", {"seconds": 0.5})

    def refused() -> bool:
        try:
            requests.get(f"{meta.url}/_emulator/state", timeout=5)
        except requests.ConnectionError as error:
            return "refused" in str(error)
        return False

    eventually(refused)
    eventually(lambda: not refused())
    assert meta.send().startswith("wamid.")


def test_a_phones_file_has_a_url_before_anybody_called_and_after_a_reset(meta: Meta) -> None:
    sent = requests.post(f"{meta.url}/_emulator/phones/{ANA}/files", files={"file": ("a.txt", b"hello", "text/plain")})
    url = sent.json()["message"]["document"]["url"]
    assert requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5).content == b"hello"


def test_a_resumable_upload_works_over_a_socket(meta: Meta) -> None:
    session = meta.graph("POST", f"{APP}/uploads?file_length=6&file_type=image/png").json()["id"]
    meta.graph("POST", session, data=b"abc", headers={"file_offset": "0"})
    answer = meta.graph("POST", session, data=b"def", headers={"file_offset": "3"})
    assert answer.json()["h"].startswith("4::")


def read_events(url: str, count: int, **options: Any) -> list[dict[str, Any]]:
    """Return the first events of the stream."""
    found: list[dict[str, Any]] = []
    event: dict[str, Any] = {}
    with requests.get(f"{url}/_emulator/events", stream=True, timeout=10, **options) as stream:
        for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                event[name] = json.loads(value) if name == "data" else value
            elif not line and "data" in event:
                found.append(event)
                event = {}
                if len(found) == count:
                    return found
    return found


def test_the_stream_replays_what_happened(meta: Meta) -> None:
    wamid = meta.write("hi")
    events = read_events(meta.url, 4)
    assert [event["event"] for event in events] == ["reset", "phone", "phone", "message"]
    assert events[3]["data"]["id"] == wamid


def test_the_stream_goes_on_where_it_broke_off(meta: Meta) -> None:
    meta.write("first")
    last = read_events(meta.url, 4)[3]["id"]
    wamid = meta.write("second")
    event = read_events(meta.url, 1, headers={"Last-Event-ID": last})[0]
    assert event["data"]["id"] == wamid


def test_state_and_stream_fit_together_without_gap_or_repeat(meta: Meta) -> None:
    meta.write("first")
    cursor = meta.do(f"phones/{ANA}/messages", method="GET")["cursor"]
    wamid = meta.write("second")
    event = read_events(meta.url, 1, params={"after": cursor})[0]
    assert event["data"]["id"] == wamid


def test_two_emulators_live_side_by_side(meta: Meta) -> None:
    with RunningEmulator(CONFIG) as other:
        assert other.url != meta.url
        assert Meta(other.url).do("seen", method="GET")["total"] == 0


def test_a_port_that_is_taken_is_an_error_and_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = EmulatorConfig(TOKEN, SECRET, "verify", (NUMBER,), port=taken.getsockname()[1])
        with pytest.raises(RuntimeError, match="did not start"), RunningEmulator(config):
            pass
    assert capfd.readouterr().err.startswith("emulator: [Errno")


@pytest.mark.parametrize("as_given", [Path, str])
def test_a_seed_is_found_from_the_caller_s_directory(
    as_given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "world.yaml").write_text("phones: [{wa_id: '15550009999', name: Zoe}]\n")
    monkeypatch.chdir(tmp_path)
    with RunningEmulator(replace(CONFIG, seed_file=as_given("world.yaml"))) as running:
        assert Meta(running.url).do("phones/15550009999", method="GET")["name"] == "Zoe"


PROGRAM = """
import sys
if {patched}:
    from gevent import monkey
    monkey.patch_all()
from meta_emulator import EmulatorConfig
from meta_emulator.server import serve
config = EmulatorConfig("token", "secret", "verify", ("1",), port=0)
serve(config, lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("patched", [True, False], ids=["patched", "unpatched"])
def test_a_program_stops_cleanly_on_a_signal(number: signal.Signals, patched: bool) -> None:
    program = PROGRAM.format(patched=patched)
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        stream = requests.get(f"{url}/_emulator/events", stream=True, timeout=10)  # A client is still listening.
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
        stream.close()
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_a_world_that_cannot_be_saved_for_a_while_is_saved_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, in_the_way = tmp_path / "world.json", tmp_path / "world.new"
    in_the_way.mkdir()
    with RunningEmulator(replace(CONFIG, data_file=file)) as running:
        body = {"type": "text", "text": {"body": "hello"}}
        requests.post(f"{running.url}/_emulator/phones/{ANA}/messages", json=body, timeout=5)
        eventually(lambda: "cannot be saved" in capfd.readouterr().err, within=10.0)
        in_the_way.rmdir()

        assert eventually(file.exists, within=10.0)
