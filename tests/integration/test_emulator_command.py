"""``python -m meta_emulator`` as a program."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[2]


@contextmanager
def started(*options: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "meta_emulator", *options],
        cwd=ROOT,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_one_json_line_says_where_it_is_and_what_it_accepts() -> None:
    with started("--port", "0", "--json") as process:
        ready = line_of(process)
        number = ready["phone_number_ids"][0]
        headers = {"Authorization": f"Bearer {ready['access_token']}"}
        assert requests.get(f"{ready['url']}/v24.0/{number}", headers=headers, timeout=10).status_code == 200
        assert requests.get(f"{ready['controls']}/state", timeout=10).status_code == 200
        assert requests.get(ready["phone_page"], timeout=10).headers["Content-Type"].startswith("text/html")


def test_the_token_is_another_one_in_each_run() -> None:
    with started("--port", "0", "--json") as first, started("--port", "0", "--json") as second:
        lines = [line_of(first), line_of(second)]
    for secret in ("access_token", "app_secret", "verify_token"):
        assert lines[0][secret] != lines[1][secret]


def test_options_come_from_the_environment_too() -> None:
    env = {"META_EMULATOR_ACCESS_TOKEN": "EAAgiven", "META_EMULATOR_NUMBERS": "111 222", "META_EMULATOR_PORT": "0"}
    with started("--json", **env) as process:
        ready = line_of(process)
    assert (ready["access_token"], ready["phone_number_ids"]) == ("EAAgiven", ["111", "222"])


def test_a_variable_is_named_like_its_option() -> None:
    env = {"META_EMULATOR_NUMBER": "333", "META_EMULATOR_ALLOW_HOST": "meta.test", "META_EMULATOR_JSON": "1"}
    with started("--port", "0", **env) as process:
        ready = line_of(process)
        answer = requests.get(f"{ready['controls']}/state", headers={"Host": "meta.test"}, timeout=10)
    assert (ready["phone_number_ids"], answer.status_code) == (["333"], 200)


def test_the_help_names_each_option_s_variable() -> None:
    command = [sys.executable, "-m", "meta_emulator", "--help"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    for name in ("ACCESS_TOKEN", "NUMBER", "ALLOW_HOST", "JSON", "DATA"):
        assert f"META_EMULATOR_{name}" in run.stdout


def test_it_prints_the_phone_pages_address_and_that_it_is_ready() -> None:
    with started("--port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(6)]
    assert lines[0].startswith("Phone page   http://127.0.0.1:")
    assert lines[4].startswith("Token        EAA")
    assert lines[5] == "The emulator is ready."


def test_a_given_token_is_not_printed() -> None:
    with started("--port", "0", META_EMULATOR_ACCESS_TOKEN="EAAsecret") as process:
        assert process.stdout is not None
        text = "".join(process.stdout.readline() for _ in range(5))
    assert text.endswith("The emulator is ready.\n")
    assert "EAAsecret" not in text


def test_a_taken_port_and_an_unsafe_address_are_sentences() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "meta_emulator", "--port", str(taken.getsockname()[1])]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
        assert (run.returncode, "Cannot listen on 127.0.0.1" in run.stderr) == (1, True)
    run = subprocess.run([*command, "--host", "0.0.0.0"], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (run.returncode, "--unsafe" in run.stderr) == (2, True)


def test_a_directory_and_a_seed_that_cannot_be_used_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("phones: 7\n")
    (tmp_path / "no-steps.yaml").write_text("version: 1\n")
    (tmp_path / "empty.yaml").write_text("version: 1\nsteps: []\n")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "world.json").write_text('{"version": 0}')
    for options, sentence in (
        (("--data", str(tmp_path / "file" / "below")), "cannot be used: Not a directory."),
        (("--data", str(tmp_path / "old")), "move it away to start with a new world."),
        (("--seed", str(tmp_path / "file")), str(tmp_path / "file")),
        (("--port", "65536"), "65535"),
        (("load", "--url", "http://127.0.0.1:1"), "No emulator answers at http://127.0.0.1:1."),
        (("load", "--service", "--url", "http://127.0.0.1:1"), "leave out --url."),
        (("load", "--service", "--setting", "WA_MARK_READ"), "--setting takes NAME=VALUE."),
        (("--seed", str(tmp_path / "file"), "load"), "phones must be"),
        (("replay", str(tmp_path / "file")), "is no recording of version 1."),
        (("replay", str(tmp_path / "no-steps.yaml")), "is no recording of version 1."),
        (("replay", str(tmp_path / "empty.yaml")), "--callback"),
        (("replay", "--service", "--script", str(tmp_path / "file"), str(tmp_path / "empty.yaml")), "worker ended:"),
        (("record", "--url", "http://127.0.0.1:1", str(tmp_path / "new")), "No emulator answers at http://127.0.0.1:1"),
    ):
        command = [sys.executable, "-m", "meta_emulator", *options]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
        assert run.returncode != 0
        assert sentence in run.stderr.replace("\n", " "), options
        assert "Traceback" not in run.stderr
        assert "ready" not in run.stdout


def test_it_stops_on_sigterm() -> None:
    with started("--port", "0", "--json") as process:
        line_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_the_services_command_starts_it_with_the_services_values() -> None:
    env = {
        "WA_ENV_FILE": os.devnull,
        "WHATSAPP_ACCESS_TOKEN": "EAAservice",
        "WHATSAPP_PHONE_NUMBER_ID": "100000000000001",
        "WHATSAPP_VERIFY_TOKEN": "verify-token",
        "WHATSAPP_APP_SECRET": "app-secret",
        "WHATSAPP_API_VERSION": "v24.0",
        "META_EMULATOR_NUMBER": "333",
    }
    command = [sys.executable, "-m", "wa_service", "emulator", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        page = process.stdout.readline().split()[-1]
        assert [process.stdout.readline() for _ in range(4)][-1] == "The emulator is ready.\n"
        headers = {"Authorization": "Bearer EAAservice"}
        answer = requests.get(f"{page}v24.0/100000000000001", headers=headers, timeout=10)
        process.terminate()
    assert (answer.status_code, process.returncode) == (200, 0)


def test_the_world_is_there_again_after_a_restart(tmp_path: Path) -> None:
    options = ("--port", "0", "--json", "--data", str(tmp_path / "data"))
    with started(*options) as process:
        url = line_of(process)["controls"]
        body = {"type": "text", "text": {"body": "before the restart"}}
        requests.post(f"{url}/phones/447700900123/messages", json=body, timeout=10).raise_for_status()
    with started(*options) as process:
        url = line_of(process)["controls"]
        messages = requests.get(f"{url}/phones/447700900123/messages", timeout=10).json()["messages"]
    assert [message["text"]["body"] for message in messages] == ["before the restart"]
