"""The commands as a user runs them, on a real store; none of them needs Meta."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from threading import Thread
from urllib.parse import parse_qs

import pytest
import redis

from tests.commands import Completed, run_command
from tests.keys import PREFIX

ROOT = Path(__file__).parents[2]
NUMBER = "100000000000001"
ADDRESS = "447700900123"

Command = Callable[..., Completed]


@pytest.fixture
def environment(valkey_url: str, redis_client: redis.Redis, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "WA_ENV_FILE": "/dev/null",
        "WA_VAR_DIR": str(tmp_path / "var"),
        "WA_BIND": "127.0.0.1:1",
        "WHATSAPP_ACCESS_TOKEN": "hush-token",
        "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        "WHATSAPP_VERIFY_TOKEN": "hush-verify",
        "WHATSAPP_APP_SECRET": "hush-secret",
        "REDIS_URL": valkey_url,
    }


@pytest.fixture
def wa(environment: dict[str, str]) -> Command:
    def run(*arguments: str, **changed: str) -> Completed:
        return run_command(
            *arguments, environment={name: value for name, value in (environment | changed).items() if value}
        )

    return run


COMMANDS = [
    "worker",
    "emulator",
    "valkey",
    "send",
    "check",
    "settings",
    "dead-letters",
    "script",
    "speech",
    "templates",
    "resume",
    "forget",
]


def test_the_help_names_every_command(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "wa_service", "--help"]
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert [command for command in COMMANDS if f"\n  {command} " not in told] == []


def test_settings_are_printed_with_secrets_masked(wa: Command) -> None:
    told = wa("settings", WA_API_KEYS="tool:hush-key-of-the-tool:admin")
    assert told.returncode == 0
    assert NUMBER in told.stdout
    assert "tool (admin + manage + read + send)" in told.stdout
    assert "hush" not in told.stdout + told.stderr


def test_a_missing_setting_stops_every_process_with_a_sentence_that_names_it(wa: Command) -> None:
    for command in (["emulator"], ["send", ADDRESS, "hi"], ["settings"], ["templates"]):
        told = wa(*command, WHATSAPP_ACCESS_TOKEN="")
        assert (told.returncode, told.stderr) == (2, "WHATSAPP_ACCESS_TOKEN is missing: the system user's token.\n")


@pytest.mark.parametrize(
    ("command", "status"), [(["-m", "wa_service", "worker"], 2), (["-m", "gunicorn", "-c", "gunicorn.conf.py"], 1)]
)
def test_worker_and_web_stop_with_the_same_sentence(
    environment: dict[str, str], command: list[str], status: int
) -> None:
    given = {name: value for name, value in environment.items() if name != "WHATSAPP_ACCESS_TOKEN"}
    told = subprocess.run([sys.executable, *command], cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert told.returncode == status
    assert told.stderr == "WHATSAPP_ACCESS_TOKEN is missing: the system user's token.\n"


@pytest.mark.parametrize("command", [["-m", "wa_service", "worker"], ["-m", "gunicorn", "-c", "gunicorn.conf.py"]])
def test_where_no_embedded_valkey_answers_a_sentence_says_so(environment: dict[str, str], command: list[str]) -> None:
    given = environment | {"WA_REDIS_WAIT": "0"}
    del given["REDIS_URL"]
    told = subprocess.run([sys.executable, *command], cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "No embedded Valkey answers: start `python -m wa_service valkey`, or set REDIS_URL.\n" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("command", [["-m", "wa_service", "worker"], ["-m", "gunicorn", "-c", "gunicorn.conf.py"]])
def test_a_redis_that_would_lose_data_is_refused_where_that_was_asked_for(
    environment: dict[str, str], redis_client: redis.Redis, command: list[str]
) -> None:
    before = redis_client.config_get("appendonly")["appendonly"]
    redis_client.config_set("appendonly", "no")
    try:
        told = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment | {"WA_REQUIRE_DURABLE_REDIS": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        redis_client.config_set("appendonly", str(before))
    assert told.returncode == 1
    assert "WA_REQUIRE_DURABLE_REDIS refuses this Redis.\nAppend-only is off" in told.stderr
    assert "set 'appendonly yes'.\n" in told.stderr


def test_a_message_is_put_where_a_worker_will_find_it(wa: Command, redis_client: redis.Redis) -> None:
    told = wa("send", ADDRESS, "hello", "--wait", "0")
    assert told.returncode == 0
    record_id, status = told.stdout.split()[:2]
    assert status == "queued"
    assert redis_client.hget(f"{PREFIX}record:{record_id}", "status") == b"queued"


def test_a_message_that_cannot_be_right_is_refused_with_the_field(wa: Command) -> None:
    told = wa("send", "not-a-number", "hello")
    assert told.returncode == 1
    assert told.stderr.startswith("The message is not valid. to: ")


def test_one_message_is_sent_by_one_command(wa: Command) -> None:
    told = wa("send", ADDRESS, "hello", "--template", "welcome")
    assert (told.returncode, told.stderr) == (1, "Give one of a text, --template and --message.\n")


def test_a_message_goes_to_a_user_id(wa: Command, redis_client: redis.Redis) -> None:
    told = wa("send", "US.13491208655302741918", "hello", "--wait", "0")
    assert told.returncode == 0, told.stderr
    record = redis_client.hget(f"{PREFIX}record:{told.stdout.split()[0]}", "body") or b""
    assert b'"recipient":"US.13491208655302741918"' in record


def test_a_person_is_forgotten(wa: Command, redis_client: redis.Redis) -> None:
    wa("send", ADDRESS, "hello", "--wait", "0")
    assert "erased" in wa("forget", f"+{ADDRESS}").stdout
    left = [key for key in redis_client.scan_iter() if ADDRESS.encode() in key]
    assert left == []
    assert wa("forget", ADDRESS).stdout == "Nothing is stored about this person.\n"


def watched(environment: dict[str, str], *arguments: str) -> str:
    """What a command prints on standard error when that is a terminal."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "wa_service", *arguments]
    try:
        subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=True)
        os.set_blocking(ours, False)
        return os.read(ours, 65_536).decode()
    finally:
        os.close(theirs)
        os.close(ours)


def test_a_long_walk_shows_how_far_it_came_to_who_watches(
    wa: Command, environment: dict[str, str], redis_client: redis.Redis
) -> None:
    redis_client.mset({f"{PREFIX}seen:{i}": "" for i in range(20_000)})
    assert "0 keys and entries scanned" in watched(environment, "forget", ADDRESS)
    assert wa("forget", ADDRESS).stderr == ""


def test_an_address_that_nobody_can_have_is_refused_with_a_sentence(wa: Command) -> None:
    told = wa("forget", "1")
    assert told.returncode == 1
    assert told.stderr.startswith("This is not a phone number with its country code, ")
    assert told.stdout == ""


def test_a_pause_is_ended_by_hand(wa: Command, redis_client: redis.Redis) -> None:
    redis_client.hset(f"{PREFIX}pause:{NUMBER}", mapping={"until": 9e15, "reason": "account"})
    assert wa("resume", NUMBER).stdout == f"{NUMBER} sends again.\n"
    assert wa("resume").stdout == f"{NUMBER} was not paused.\n"


def test_a_number_that_is_not_ours_is_not_resumed(wa: Command) -> None:
    told = wa("resume", "1234567")
    assert (told.returncode, told.stderr) == (1, "1234567 is not in WHATSAPP_PHONE_NUMBER_ID.\n")


def test_without_dead_letters_it_says_so(wa: Command) -> None:
    assert wa("dead-letters").stdout == "There are no dead letters.\n"


def test_dead_letters_are_dropped_only_when_named(wa: Command) -> None:
    told = wa("dead-letters", "drop")
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)


def test_the_packaged_script_is_fine(wa: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(wa("script", "example").stdout)
    told = wa("script", "check", str(tmp_path / "mine.yaml"), "--intents", "fuzzy")
    assert told.returncode == 0
    assert "The script can be used" in told.stdout


def test_a_broken_script_is_told_with_its_line(wa: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("fallback: {reply: []}\nintents:\n  - name: a\n    examples: 3\n")
    told = wa("script", "check", str(tmp_path / "mine.yaml"))
    assert told.returncode == 1
    assert ", line " in told.stderr
    assert "Traceback" not in told.stderr


def test_check_tells_what_is_wrong_and_ends_with_a_status(wa: Command) -> None:
    told = wa("check", "--offline")
    assert told.returncode == 1
    assert "✗  webhook answers" in told.stdout
    assert "✓  Redis answers" in told.stdout


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
def test_check_shakes_hands_on_a_unix_socket_too(wa: Command, tmp_path: Path, form: str) -> None:
    class Web(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            challenge = parse_qs(self.path)["hub.challenge"][0].encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(challenge)))
            self.end_headers()
            self.wfile.write(challenge)

    path = tmp_path / "web.sock"
    with UnixStreamServer(str(path), Web) as server:
        Thread(target=server.handle_request, daemon=True).start()
        told = wa("check", "--offline", WA_BIND=form.format(path))
    assert "✓  webhook answers" in told.stdout


def test_check_speaks_to_programs(wa: Command) -> None:
    told = json.loads(wa("check", "--offline", "--json").stdout)
    assert told["ok"] is False
    (answers,) = [one for one in told["checks"] if one["name"] == "webhook answers"]
    assert answers["verdict"] == "wrong"
    assert answers["do"] == "Start web (gunicorn)."


def test_check_asks_the_responder_and_names_what_is_no_setting(wa: Command) -> None:
    secret = f"whsec_{base64.b64encode(bytes(24)).decode()}"
    given = {"WA_RESPONDER": "http", "WA_RESPONDER_URL": "http://127.0.0.1:1/", "WA_RESPONDER_SECRET": secret}
    told = wa("check", "--offline", WA_RETENTION_DAY="3", **given).stdout
    assert "✗  responder" in told
    assert "✓  script" in told
    assert "WA_RETENTION_DAY is not a setting: did you mean WA_RETENTION_DAYS?" in told


def test_a_script_that_cannot_be_used_fails_the_check_of_the_settings(wa: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("falback: {}\n")
    told = wa("settings", "--quiet", WA_SCRIPT_FILE=str(tmp_path / "mine.yaml"))
    assert told.returncode == 2
    assert f"{tmp_path / 'mine.yaml'}, line 1" in told.stderr


def test_a_prompt_that_cannot_be_used_fails_the_check_of_the_settings_and_the_worker(
    wa: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {"WA_RESPONDER": "llm", "WA_LLM_URL": "http://127.0.0.1:1", "WA_LLM_PROMPT_FILE": "/missing"}
    sentence = "WA_LLM_PROMPT_FILE cannot be read (FileNotFoundError)."
    checked = wa("settings", "--quiet", **given)
    assert (checked.returncode, checked.stderr.splitlines()) == (2, [sentence])
    assert wa("worker", **given).returncode == 1
    told = capfd.readouterr().err  # the worker's process writes there itself
    assert sentence in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", ["check", "dead-letters", "worker"])
def test_a_directory_that_cannot_be_written_is_a_sentence(wa: Command, tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    told = wa(command, WA_VAR_DIR=str(tmp_path / "file"))
    assert told.returncode == 1
    assert "cannot be written (NotADirectoryError): correct WA_VAR_DIR" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:65536", "unix:/missing/speech.sock"])
def test_a_speech_server_that_cannot_listen_says_so(address: str) -> None:
    command = [sys.executable, "-m", "wa_service", "speech", "--bind", address]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    sentence = f"speech cannot listen on {address}: it is in use, or no address of this machine."
    assert (told.returncode, told.stderr.splitlines()) == (1, [sentence])


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_process_that_holds_the_token_cannot_be_read_by_its_like() -> None:
    code = (
        "import ctypes; from wa_service.memory_guard import protect_memory as p; p(); print(ctypes.CDLL(None).prctl(3))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout == "0\n"


def test_send_at_schedules_a_message(wa: Command, redis_client: redis.Redis) -> None:
    answer = wa("send", ADDRESS, "See you tomorrow.", "--at", str(int(time.time()) + 86_400))

    assert (answer.returncode, answer.stdout.split()[1:]) == (0, ["scheduled"])
    assert redis_client.zcard(f"{PREFIX}scheduled:{NUMBER}") == 1
    refused = wa("send", ADDRESS, "See you tomorrow.", "--at", "9" * 5_000)
    assert (refused.returncode, "send_at" in refused.stderr, "Traceback" in refused.stderr) == (1, True, False)


def test_check_tells_that_the_key_of_stops_is_another(wa: Command, redis_client: redis.Redis) -> None:
    redis_client.set(f"{PREFIX}stop_key_mark", "another")

    told = wa("check", "--json").stdout

    assert "STOP key" in told


def test_a_subscription_is_made_listed_tried_rotated_and_ended(wa: Command) -> None:
    refused = wa("subscriptions", "create", "http://2130706433:9/hook")
    assert (refused.returncode, "WA_PUSH_ALLOW" in refused.stderr) == (1, True)

    made = wa("subscriptions", "create", "http://127.0.0.1:9/hook", "--kind", "message", WA_PUSH_ALLOW="127.0.0.0/8")
    name, _, secret = made.stdout.split()[:3]
    assert secret.startswith("whsec_")
    listed = wa("subscriptions").stdout
    assert (name in listed, secret in listed) == (True, False)
    nobody = wa("subscriptions", "test", name, WA_PUSH_ALLOW="127.0.0.0/8")
    assert (nobody.returncode, nobody.stdout) == (1, "NewConnectionError\n")
    late = wa("subscriptions", "replay", name, "--after", "1760000000000000-0")
    assert (late.returncode, "must not be after the newest event" in late.stderr) == (1, True)
    assert wa("subscriptions", "rotate-secret", name).stdout.split()[1] != secret
    assert wa("subscriptions", "delete", name).stdout == "Deleted.\n"
