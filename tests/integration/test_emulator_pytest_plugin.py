"""The pytest plugin, run as a user runs it, in a separate pytest."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from meta_emulator.client import EmulatedMeta
from meta_emulator.running_service import RunningService
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
BOT = ROOT / "examples" / "pytest_bot"

PHONES = """
import asyncio
import pytest
from meta_emulator.client import NothingHeardError

NUMBER = "447700900123"


def send(meta, text="hello", to=NUMBER):
    body = {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}}
    return meta.graph("POST", f"{meta.phone_number_id}/messages", body)


def test_a_phone_hears_each_message_once_in_order(meta):
    phone = meta.phone(NUMBER)
    phone.write("hi")
    for text in ("one", "two", "three"):
        send(meta, text)
    assert [phone.heard().text for _ in range(3)] == ["one", "two", "three"]
    phone.heard_nothing(quiet=0)


def test_a_test_starts_with_a_fresh_world(meta):
    assert meta.phone(NUMBER).messages() == []
    assert meta.sends() == []


def test_nothing_heard_is_a_failure_that_shows_the_traffic(meta):
    phone = meta.phone(NUMBER)
    send(meta)
    with pytest.raises(NothingHeardError, match="received no message within 0.05 s") as failure:
        phone.heard(wait=0.05)
    assert "/messages 200" in str(failure.value)


def test_buttons_are_pressed_and_rows_are_picked(meta):
    phone = meta.phone(NUMBER)
    phone.write("hi")
    buttons = [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]
    rows = [{"title": "A", "rows": [{"id": "r1", "title": "First"}]}]
    for interactive in (
        {"type": "button", "body": {"text": "Sure?"}, "action": {"buttons": buttons}},
        {"type": "list", "body": {"text": "Which?"}, "action": {"button": "Open", "sections": rows}},
    ):
        body = {"messaging_product": "whatsapp", "to": NUMBER, "type": "interactive", "interactive": interactive}
        meta.graph("POST", f"{meta.phone_number_id}/messages", body)
    assert phone.heard().buttons == ["Yes"]
    assert phone.press("Yes")["interactive"]["button_reply"]["id"] == "y"
    assert phone.heard().buttons == ["First"]
    assert phone.press("First")["interactive"]["list_reply"]["id"] == "r1"
    assert phone.react("\\U0001f44d")["type"] == "reaction"


def test_calls_and_preferences(meta):
    phone = meta.phone(NUMBER, name="Ana")
    phone.hang_up(phone.call(), seconds=30)
    phone.stop()
    assert meta.control("GET", f"phones/{NUMBER}")["marketing"] is False
    phone.resume()
    assert meta.control("GET", f"phones/{NUMBER}")["marketing"] is True


def test_faults_and_the_clock(meta):
    meta.faults.add("error", status=503, code=2, count=1)
    assert send(meta)["error"]["code"] == 2
    before = meta.clock.now()
    assert meta.clock.advance(3600) - before >= 3600


def test_asyncio(async_meta):
    async def talk():
        phone = async_meta.phone(NUMBER)
        await phone.write("hi")
        heard = asyncio.create_task(phone.heard())
        body = {"messaging_product": "whatsapp", "to": NUMBER, "type": "text", "text": {"body": "hello from asyncio"}}
        await async_meta.graph("POST", f"{async_meta.sync.phone_number_id}/messages", body)
        return (await heard).text, await phone.read(), len(await phone.messages()), len(await async_meta.sends())

    assert asyncio.run(talk()) == ("hello from asyncio", 1, 2, 1)


def test_an_error_of_the_control_api_is_a_sentence(meta):
    with pytest.raises(AssertionError, match="POST faults: kind must be one of"):
        meta.faults.add("no such kind")
"""


SLOW_BOT = """
import threading, time
import pytest
from flask import Flask, request
from werkzeug.serving import make_server

app = Flask(__name__)


@app.post("/answer")
def answer():
    time.sleep(0.3)
    return {"messages": [{"type": "text", "text": {"body": "heard " + request.get_json()["text"]}}]}


@pytest.fixture(scope="session")
def wa_service_options():
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {"responder": f"http://127.0.0.1:{server.server_port}/answer"}


@pytest.mark.parametrize("word", ["one", "two"])
def test_nobody_listens_to_the_last_answer(meta, wa_service, word):
    phone = meta.phone("447700900123")
    phone.write(word)
    assert phone.heard().text == f"heard {word}"
    phone.write(f"{word} again")
    meta.settle()
"""


def run_pytest(directory: Path, *options: str, **variables: str) -> str:
    """Run pytest with the plugin in a directory; return its output, also when it fails."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{directory}"} | variables
    command = [sys.executable, "-m", "pytest", "-q", "-p", "meta_emulator.pytest_plugin", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", str(directory), *options, str(directory)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    return run.stdout


def processes_with(variable: str) -> list[str]:
    """Return the commands of the processes whose environment contains this text."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if variable.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text(encoding="utf-8"))
    return found


SCRIPT = """
def test_the_default_script_answers(meta, wa_service):
    phone = meta.phone("447700900123")
    phone.write("hello")
    assert phone.heard().text
    assert wa_service.send({"to": "447700900123", "text": "x"})["id"]
"""


@dataclass(frozen=True)
class FinishedRun:
    """The output of a run of several files, and a text in the environment of each of its processes."""

    output: str
    mark: str

    def passed(self, file: str) -> int:
        """Return how many tests of a file passed."""
        return self.output.count(f"PASSED {file}::")


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """One pytest run for phones, script and slow bot: their tests can share an emulator."""
    directory = tmp_path_factory.mktemp("one_run")
    named = 'pytest_plugins = ["meta_emulator.pytest_plugin"]\n'
    for name, content in {
        "conftest.py": named,
        "test_phones.py": PHONES,
        "test_script.py": SCRIPT,
        "test_slow_bot.py": SLOW_BOT,
    }.items():
        (directory / name).write_text(content, encoding="utf-8")
    mark = secrets.token_hex(8)
    return FinishedRun(run_pytest(directory, "-rp", META_EMULATOR_TEST_MARK=mark), mark)


def test_phones_faults_clock_and_fresh_worlds(one_run: FinishedRun) -> None:
    assert one_run.passed("test_phones.py") == 8


def test_phones_faults_clock_and_fresh_worlds_under_xdist(tmp_path: Path) -> None:
    (tmp_path / "test_phones.py").write_text(PHONES, encoding="utf-8")
    assert "8 passed" in run_pytest(tmp_path, "-n", "2")


def test_the_plugin_may_be_named_by_a_conftest_as_well(one_run: FinishedRun) -> None:
    assert "11 passed" in one_run.output


def test_the_clinic_bot_is_tested_through_the_whole_service() -> None:
    assert "23 passed" in run_pytest(BOT)


def test_the_clinic_bots_set_up_has_at_most_twenty_lines() -> None:
    lines = (BOT / "conftest.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20


def test_a_script_answers_in_the_service_of_the_plugin(one_run: FinishedRun) -> None:
    assert one_run.passed("test_script.py") == 1


def test_a_late_answer_stays_in_its_test_and_no_process_stays(one_run: FinishedRun) -> None:
    assert one_run.passed("test_slow_bot.py") == 2
    eventually(lambda: not processes_with(one_run.mark))


DEPTHS = 'whatsapp_queue_depth{queue="%s"} %d.0\n'


@pytest.mark.parametrize("queue", ["inbound", "outbound", "sending"])
def test_a_service_is_idle_once_nothing_waits(requests_mock: requests_mock.Mocker, queue: str) -> None:
    service = RunningService(EmulatedMeta("http://meta.test"))
    service.url = "http://service.test"
    pages = [{"text": DEPTHS % (queue, depth) + DEPTHS % ("scheduled", 3)} for depth in (2, 1, 0)]
    scrapes = requests_mock.get("http://service.test/metrics", pages)
    assert service.wait_until_idle(timeout=30)
    assert scrapes.call_count == 3


@pytest.mark.parametrize(
    "page", [{"text": DEPTHS % ("inbound", 1)}, {"status_code": 401}, {"text": "no such series"}], ids=str
)
def test_a_service_that_is_busy_or_does_not_say_is_not_idle(
    requests_mock: requests_mock.Mocker, page: dict[str, Any]
) -> None:
    service = RunningService(EmulatedMeta("http://meta.test"))
    service.url = "http://service.test"
    requests_mock.get("http://service.test/metrics", **page)
    assert not service.wait_until_idle(timeout=0.03)
