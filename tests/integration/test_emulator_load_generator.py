"""The load generator: what it plays, and which errors it finds."""

from __future__ import annotations

import json
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from click.testing import CliRunner

from meta_emulator import EmulatorConfig, RunningEmulator
from meta_emulator.cli import main
from meta_emulator.load_report import as_svg, as_table
from tests.integration.emulated_meta import NUMBER, SECRET, TOKEN, Meta
from tests.tool_server import ToolServer


class Bot:
    """Answers every message with its text, once or as often as `wrong` says."""

    def __init__(self, meta: Meta, wrong: dict[int, int]) -> None:
        self._meta = meta
        self._wrong = wrong
        self.statuses = 0

    def receive(self, payload: dict[str, Any]) -> None:
        for change in payload["entry"][0]["changes"]:
            self.statuses += len(change["value"].get("statuses", ()))
            for message in change["value"].get("messages", ()):
                text = message["text"]["body"]
                for _ in range(self._wrong.get(int(text.rpartition("#")[2]), 1)):
                    self._meta.send(to=message["from"], text={"body": f"you wrote {text}"})


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator(EmulatorConfig(TOKEN, SECRET, "verify", (NUMBER,), port=0)) as running:
        yield running


def play(emulator: RunningEmulator, wrong: dict[int, int] | None = None, **plan: Any) -> tuple[dict[str, Any], Bot]:
    """Play a plan against a bot; return the report and the bot."""
    meta = Meta(emulator.url)
    meta.do("reset")
    bot = Bot(meta, wrong or {})
    work = ThreadPoolExecutor(1)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            work.submit(bot.receive, payload)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ToolServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        meta.do("webhooks/callback", {"url": f"http://127.0.0.1:{server.server_port}/"})
        report = meta.do("load", {"conversations": 5, "rate": 40, "seconds": 0.5, **plan})
    finally:
        server.shutdown()
        server.server_close()
        work.shutdown()
    return report, bot


def test_every_message_is_answered_once_in_order(emulator: RunningEmulator) -> None:
    report, _ = play(emulator)
    assert (report["messages"], report["answers"]) == (20, 20)
    assert (report["lost"], report["twice"], report["out_of_order"]) == (0, 0, 0)
    assert 0 < report["ack_median_ms"] <= report["ack_p99_ms"]
    assert sum(row["written"] for row in report["timeline"]) == 20


def test_each_send_has_three_statuses_or_none(emulator: RunningEmulator) -> None:
    assert play(emulator)[1].statuses == 60
    assert play(emulator, statuses=False)[1].statuses == 0


def test_a_lost_and_a_repeated_answer_are_found(emulator: RunningEmulator) -> None:
    report, _ = play(emulator, {3: 0, 8: 2})
    assert (report["lost"], report["waiting"], report["twice"]) == (1, 0, 1)


def test_what_still_waits_when_the_time_is_over_is_not_lost(emulator: RunningEmulator) -> None:
    report, _ = play(emulator, dict.fromkeys(range(20), 0), drain=0)
    assert (report["lost"], report["waiting"]) == (0, 20)


def test_duplicates_reach_a_service_that_does_not_deduplicate(emulator: RunningEmulator) -> None:
    report, _ = play(emulator, duplicates=1)
    assert (report["lost"], report["twice"]) == (0, 20)


@pytest.mark.parametrize("plan", [{"rate": 0}, {"conversations": 0}, {"batching": "some"}, {"colour": "red"}])
def test_a_plan_that_is_none_is_refused(emulator: RunningEmulator, plan: dict[str, Any]) -> None:
    meta = Meta(emulator.url)
    meta.do("webhooks/callback", {"url": "http://127.0.0.1:1/"})
    answer = meta.session.post(f"{meta.url}/_emulator/load", json=plan, timeout=10)
    assert answer.status_code == 400


def test_the_report_is_a_table_and_a_picture(emulator: RunningEmulator) -> None:
    report, _ = play(emulator)
    table = dict(line.rsplit(maxsplit=1) for line in as_table(report).splitlines())
    assert table["messages written"] == "20"
    picture = ET.fromstring(as_svg(report))
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 3


def test_the_command_says_that_nobody_listens(emulator: RunningEmulator) -> None:
    Meta(emulator.url).do("webhooks/callback", {"url": ""})
    run = CliRunner().invoke(main, ["load", "--url", emulator.url, "--seconds", "1"])
    assert (run.exit_code, "nobody is subscribed" in run.output) == (1, True)
