"""The command `batch`: dry-run a CSV file, send it once, show, report, cancel."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import requests_mock as requests_mock_module

from tests.commands import Completed, run_command
from tests.keys import PREFIX
from wa_service.store.batches import Batches
from wa_service.store.flusher import StoreUnavailableError

Command = Callable[..., Completed]
NUMBER = "100000000000001"
ROWS = "to,name,body\n+44 7700 900123,Ana,x\n0123,Ben,y\n+49 151 23456789,Carl,z\n"
HELLO = ["--message", '{"text": "Hello {{ name }}"}']


@pytest.fixture
def environment(valkey_url: str, redis_client: redis.Redis, tmp_path: Path) -> dict[str, str]:
    return {
        "WA_ENV_FILE": "/dev/null",
        "WA_VAR_DIR": str(tmp_path / "var"),
        "WHATSAPP_ACCESS_TOKEN": "hush-token",
        "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        "WHATSAPP_VERIFY_TOKEN": "hush-verify",
        "WHATSAPP_APP_SECRET": "hush-secret",
        "REDIS_URL": valkey_url,
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Command:
    return lambda *arguments: run_command("batch", *map(str, arguments), environment=environment)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "guests.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_a_dry_run_shows_three_counts_all_and_sends_nothing(
    run: Command, file: Path, redis_client: redis.Redis
) -> None:
    done = run("send", str(file), *HELLO, "--dry-run")
    assert "Hello Ana" in done.output
    assert "2 messages would be sent." in done.output
    assert "line 3 is refused: to: The number begins with 0" in done.output
    assert redis_client.keys(f"{PREFIX}batch*") == []
    assert done.returncode == 1


def test_a_file_is_sent_once_shown_canceled_and_reported(run: Command, file: Path) -> None:
    first = run("send", str(file), *HELLO)
    assert "2 taken, 1 refused" in first.stdout
    again = run("send", str(file), *HELLO)
    assert "2 taken, 1 refused (again)" in again.stdout
    name = first.stdout.split()[0]
    listed = run().stdout.splitlines()
    assert len(listed) == 2
    assert listed[1].split() == [name, "running", "2", "2", "0", "guests"]
    assert "is paused (asked)" in run("pause", name).stdout
    assert "is running" in run("resume", name).stdout
    assert run("cancel", name).stdout.splitlines()[1].split() == ["canceled", "2"]
    rows = list(csv.DictReader(io.StringIO(run("report", name).stdout)))
    assert [(row["item"], row["to"], row["status"]) for row in rows] == [
        ("2", "4915123456789", "canceled"),
        ("0", "447700900123", "canceled"),
        ("1", "", "refused"),
    ]
    assert "begins with 0" in rows[2]["title"]


def test_a_report_that_cannot_be_written_is_said_before_anything_is_sent(run: Command, file: Path) -> None:
    told = run("send", str(file), *HELLO, "--report", str(file / "below.csv"))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.endswith("below.csv cannot be written: Not a directory.\n")
    assert "There are no batches." in run().stdout


def test_a_report_does_not_replace_the_customers(run: Command, file: Path) -> None:
    """With a file that has changed, the same command would send to all of them again."""
    told = run("send", str(file), *HELLO, "--report", str(file.parent / "." / file.name))
    assert (told.returncode, told.stderr.splitlines()[-1]) == (
        1,
        f"The report would replace {file}: name another file.",
    )
    assert file.read_text(encoding="utf-8") == ROWS
    assert "There are no batches." in run().stdout


def test_a_batch_whose_start_had_no_answer_may_run_and_the_same_command_is_repeated(
    run: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = Batches.change

    def without_answer(*arguments: Any, **named: Any) -> None:
        change(*arguments, **named)
        raise StoreUnavailableError("TimeoutError")

    with monkeypatch.context() as patched:
        patched.setattr(Batches, "change", without_answer)
        away = run("send", str(file), *HELLO)
    assert away.returncode == 1
    assert "may have been started: run the same command again" in away.stderr
    assert "2 taken, 1 refused (again)" in run("send", str(file), *HELLO).stdout


def test_a_column_that_is_called_like_a_part_of_a_template_replaces_none(run: Command, file: Path) -> None:
    done = run("send", str(file), "--template", "welcome", "--body", "{{ name }}", "--dry-run")
    assert '"text":"Ana"' in done.output


@pytest.mark.parametrize("name", ["body", "language", "recipient", "send_at", "column_0", "column_1", "header"])
def test_a_column_of_any_name_is_a_value(run: Command, tmp_path: Path, name: str) -> None:
    path = tmp_path / "guests.csv"
    path.write_text(f"{name},to,note\nAna,447700900123,x\n", encoding="utf-8")
    message = f'{{"text": "{{{{ {name} }}}} {{{{ to }}}} {{{{note}}}}"}}'
    done = run("send", str(path), "--message", message, "--dry-run")
    assert done.output.startswith("447700900123: Ana 447700900123 x\n")
    assert done.returncode == 0


@pytest.mark.parametrize("days", [2, 60])
def test_it_is_scheduled_as_far_ahead_as_the_settings_allow(
    run: Command, file: Path, environment: dict[str, str], days: int
) -> None:
    environment["WA_SCHEDULE_DAYS"] = str(days)
    day = 86_400
    allowed, too_far = (str(int(time.time()) + seconds) for seconds in (days * day - 60, days * day + 60))
    assert "2 messages would be sent." in run("send", file, *HELLO, "--dry-run", "--send-at", allowed).output
    refused = run("send", file, *HELLO, "--dry-run", "--send-at", too_far)
    assert (refused.returncode, refused.stderr) == (1, f"A message may be scheduled at most {days} days ahead.\n")


def test_a_file_as_a_spreadsheet_writes_it_is_read(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "guests.csv"
    text = '\ufeffto;name;note\r\n447700900123;"Ana\r\nMaria";x\r\n;;\r\n\r\n0123;Ben\r\n+44 7700 900123;Ana;y\r\n'
    path.write_text(text, encoding="utf-8", newline="")
    done = run("send", str(path), *HELLO, "--dry-run")
    assert "447700900123: Hello Ana\r\nMaria" in done.output
    assert "2 messages would be sent." in done.output
    assert "line 6 is refused: to: The number begins with 0" in done.output
    assert "1 number is in more than one row" in done.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "phone,name\n447700900123,Ana\n",
            "needs a first line with column names, `to` among them; it has: phone, name.",
        ),
        ("", "needs a first line with column names, `to` among them."),
        ("to,name\n", "has no customers after the line"),
        ("to,name,to\n447700900123,Ana,x\n", "has two columns with the name to."),
        ("to,name\n447700900123,Ana\n447700900124,Ben,Jr\n", "has more values than columns in line 3: put"),
        ("to,first\n447700900123,Ana\n", "uses {{ name }}, but the file has no such column; it has: to, first."),
        ('to,name\n447700900123,"Ana\n', "is not a CSV file"),
    ],
)
def test_a_file_that_would_be_misread_is_refused_whole(
    run: Command, tmp_path: Path, redis_client: redis.Redis, text: str, says: str
) -> None:
    path = tmp_path / "guests.csv"
    path.write_text(text, encoding="utf-8")
    done = run("send", str(path), *HELLO)
    assert done.returncode == 1
    assert says in done.stderr
    assert redis_client.keys(f"{PREFIX}batch*") == []


def test_another_encoding_is_named(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "guests.csv"
    path.write_bytes("to,name\n447700900123,José\n".encode("latin-1"))
    done = run("send", str(path), *HELLO)
    assert "is not in UTF-8" in done.stderr


def test_lines_that_are_refused_for_one_reason_are_told_together(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "guests.csv"
    path.write_text("to,name\n" + "0123,Ana\n" * 30 + "447700900123,Ben\n", encoding="utf-8")
    told = run("send", str(path), *HELLO, "--dry-run").stdout.splitlines()
    (refused,) = [line for line in told if "refused" in line]
    assert refused.startswith("line 2, 3, 4, 5, 6 and 25 more are refused: to: The number begins with 0")


def test_a_dry_run_shows_a_template_as_it_reads(
    run: Command, environment: dict[str, str], file: Path, requests_mock: requests_mock_module.Mocker
) -> None:
    environment["WHATSAPP_BUSINESS_ACCOUNT_ID"] = "200000000000001"
    body = {"type": "BODY", "text": "Dear {{1}}, come in."}
    offer = {"name": "offer", "language": "en_US", "category": "MARKETING", "components": [body]}
    known = [offer | {"status": "APPROVED"}, offer | {"name": "worn_out", "status": "PAUSED"}]
    requests_mock.get(requests_mock_module.ANY, json={"data": known})
    done = run("send", str(file), "--template", "offer", "--body", "{{ name }}", "--dry-run")
    assert "447700900123:\n  body: Dear Ana, come in.\n" in done.stdout
    assert "Meta's list" not in done.output
    parameters = [{"type": "text", "text": "{{ name }}"}]
    components = [{"type": "BODY", "parameters": parameters}]
    in_metas_form = {"name": "offer", "language": {"code": "en-US"}, "components": components}
    message = json.dumps({"type": "template", "template": in_metas_form})
    done = run("send", str(file), "--message", message, "--dry-run")
    assert "447700900123:\n  body: Dear Ana, come in.\n" in done.stdout
    assert done.stderr == ""
    done = run("send", str(file), "--template", "offer", "--language", "de", "--body", "{{ name }}", "--dry-run")
    assert "Meta's list has no template offer in de: it is available in en_US." in done.stderr
    done = run("send", str(file), "--template", "worn_out", "--body", "{{ name }}", "--dry-run")
    assert "The template is paused: Meta does not send it now." in done.stderr
