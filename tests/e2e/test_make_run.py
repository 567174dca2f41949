"""`make run` as a user sees it: its output, what responds, and what it takes from the environment."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from standardwebhooks import Webhook

from meta_emulator.free_port import free_port
from tests.e2e.starter import ROOT, WITHOUT_MODELS, Started
from tests.eventually import eventually
from wa_service.cli.development import prepare
from wa_service.config import settings

ANA = "447700900123"


class Responder:
    """An HTTP responder that answers each message and stores the requests."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                answer = json.dumps({"messages": [{"text": f"the responder heard {json.loads(body)['text']}"}]})
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/answer"

    def __enter__(self) -> Responder:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A start with the defaults, for tests that only read from it. A phone has written "hello" and has its answer.

    The environment has a real token and a real store, as with a user's `.env`; the start must ignore them.
    """
    var = tmp_path_factory.mktemp("make-run") / "var"
    started = Started(var, "run", WHATSAPP_ACCESS_TOKEN="a-real-token", REDIS_URL="redis://127.0.0.1:1/0")
    try:
        started.until_ready()
        started.write(ANA, "hello")
        eventually(lambda: started.answers(ANA) > 0, within=30)
        yield started
    finally:
        assert started.stop() == 0


def test_the_printed_command_sends_a_message(service: Started, require_program: Callable[..., Path]) -> None:
    require_program("curl")
    command = re.search(r"curl -s .*?'\n", service.said, re.DOTALL)
    assert command, service.said
    told = subprocess.check_output(shlex.split(command[0].replace("\\\n", " ")), text=True)
    assert '"status":"accepted"' in told.replace(" ", ""), told

    # Other commands find the service by the file that the output names.
    named = re.search(r"(WA_ENV_FILE=\S+) (\S+ -m wa_service) --help", service.said)
    assert named, service.said
    environment = {"PATH": os.environ["PATH"], **dict([named[1].split("=", 1)])}
    command_line = [*named[2].split(), "send", ANA, "--template", "hello_world"]
    done = subprocess.run(command_line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_real_token_in_the_environment_does_not_answer(service: Started) -> None:
    assert "Not used by `make run`: REDIS_URL, WHATSAPP_ACCESS_TOKEN." in service.said
    assert service.answers(ANA) > 0


@pytest.mark.parametrize("taken", ["port", "emulator_port"])
def test_a_taken_port_is_one_sentence(taken: str, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        ports = {"port": str(free_port()), "emulator_port": str(free_port())} | {taken: port}
        command = [sys.executable, "-m", "wa_service.cli.stack", "run", "--var", str(tmp_path)]
        told = subprocess.run(
            [*command, "--port", ports["port"], "--emulator-port", ports["emulator_port"]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert told.returncode == 1
    assert told.stderr == f"Port {port} is in use: choose another with `make run {taken.upper()}=…`.\n"
    assert told.stdout == ""


def test_a_script_of_ones_own_answers_on_the_phone_page(start: Callable[..., Started], tmp_path: Path) -> None:
    script = tmp_path / "mine.yaml"
    script.write_text('fallback:\n  reply:\n    - text: "Mine says {{ text }}."\n')
    service = start("--script", str(script), WA_MARK_READ="false", WA_INTENT="fuzzy")
    service.until_ready()
    assert "Taken from the environment: WA_MARK_READ." in service.said
    assert "WA_INTENT is not a setting: did you mean WA_INTENTS?" in service.said
    service.write(ANA, "hello")
    eventually(lambda: "Mine says hello." in str(service.chat(ANA)), within=30)
    service.ends_with("emulator")


def test_a_responder_of_ones_own_is_called_with_the_printed_secret(start: Callable[..., Started]) -> None:
    with Responder() as responder:
        service = start("--responder", responder.url, **WITHOUT_MODELS)
        service.until_ready()
        service.write(ANA, "hello")
        eventually(lambda: "the responder heard hello" in str(service.chat(ANA)), within=30)
        service.ends_with("web")
    secret = (service.secrets / "responder-secret").read_text()
    assert f"Responder    {responder.url}, signed with {secret}\n" in service.said
    headers, body = responder.calls[0]
    assert Webhook(secret).verify(body, headers)["text"] == "hello"


def test_a_broken_script_is_told_before_anything_starts(tmp_path: Path) -> None:
    script = tmp_path / "mine.yaml"
    script.write_text("falback: {}\n")
    service = Started(tmp_path / "var", "run", "--script", str(script))
    assert service.ended() == 1
    assert f"{script}, line 1" in service.said
    assert "emulator started" not in service.said


def test_the_secrets_are_random_and_for_their_owner_alone(tmp_path: Path) -> None:
    one, other = (prepare(1, 2, tmp_path / name, environment={}) for name in ("one", "other"))
    assert one.api_key != other.api_key
    assert prepare(1, 2, tmp_path / "one", environment={}).api_key == one.api_key
    files = list((tmp_path / "one" / "secrets").iterdir())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "one" / "secrets").stat().st_mode & 0o777 == 0o700
    assert set(one.environment.values()).isdisjoint(file.read_text() for file in files)


def test_a_language_model_answers_where_one_is_named(tmp_path: Path) -> None:
    made = prepare(1, 2, tmp_path, llm="http://127.0.0.1:11434", environment={"WA_LLM_MODEL": "small"})
    given = settings.load(made.environment)
    assert (given.responder, given.llm_url, given.llm_model) == ("llm", "http://127.0.0.1:11434", "small")


def test_serve_takes_its_settings_from_the_environment_and_starts_no_emulator(tmp_path: Path) -> None:
    given = {
        "WA_ENV_FILE": str(tmp_path / "settings"),
        "WHATSAPP_ACCESS_TOKEN": "token",
        "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
        "WHATSAPP_API_BASE_URL": "http://127.0.0.1:1",
        "WA_VAR_DIR": str(tmp_path / "var"),
        **WITHOUT_MODELS,
    }
    (tmp_path / "settings").write_text("WHATSAPP_VERIFY_TOKEN=shake\nWHATSAPP_APP_SECRET=pepper\n")
    service = Started(tmp_path / "unused", "serve", **given)
    service.until_ready()
    handshake = {"hub.mode": "subscribe", "hub.verify_token": "shake", "hub.challenge": "7"}
    answer = requests.get(f"http://127.0.0.1:{service.port}/webhooks/whatsapp", params=handshake, timeout=5)
    assert answer.text == "7"
    assert "emulator started" not in service.said
    assert service.said.count("ended on 2026-01-26") == 1
    assert service.stop() == 0


def test_serve_without_settings_says_which_are_missing(tmp_path: Path) -> None:
    service = Started(tmp_path / "var", "serve", WA_ENV_FILE="/dev/null")
    assert service.ended() == 2
    assert "WHATSAPP_ACCESS_TOKEN is missing" in service.said


def test_the_dashboard_and_the_alerts_name_only_what_a_running_service_tells(service: Started) -> None:
    url, headers = f"http://127.0.0.1:{service.port}", service.headers
    # One error of Meta's, so that the error series exists.
    requests.get(f"{url}/v1/media/404404", headers=headers, timeout=10)

    def scrape_with_the_price() -> str:
        scrape = requests.get(f"{url}/metrics", timeout=10).text
        return scrape if "whatsapp_billable_total{" in scrape else ""

    # The status with the price comes after the phone has its answer.
    scrape = eventually(scrape_with_the_price, within=30)
    told = set(re.findall(r"^(?:# TYPE )?(whatsapp_\w+)[{ ]", scrape, re.MULTILINE))
    files = [ROOT / "deploy/grafana/wa-service.json", ROOT / "deploy/prometheus/alerts.yml"]
    named = {name for file in files for name in re.findall(r"\bwhatsapp_[a-z_]+", file.read_text(encoding="utf-8"))}
    # These exist only after a push or a STOP.
    assert named - told == {"whatsapp_push_total", "whatsapp_marketing_choices_total"}
    assert 'whatsapp_messages_sent_total{type="text"} 1.0' in scrape
