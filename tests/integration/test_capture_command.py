"""`python -m wa_service capture` turns a stored session into a recording that can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from meta_emulator import EmulatorConfig, RunningEmulator
from meta_emulator.client import EmulatedMeta
from meta_emulator.recording import replay_session
from tests.commands import Completed, run_command
from tests.integration.emulated_callback import VERIFY_TOKEN, Callback
from tests.integration.emulated_meta import ACCOUNT, SECRET, TOKEN, Meta
from tests.integration.lanes import NUMBER, Lanes, message, meta_status, send
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.outbox import SendOutcome

ANA, BEN = "447700900123", "447700900124"
Capture = Callable[..., Completed]


@pytest.fixture
def capture(valkey_url: str, tmp_path: Path, lanes: Lanes) -> Capture:
    environment = {
        "WA_ENV_FILE": "/dev/null",
        "WA_VAR_DIR": str(tmp_path),
        "REDIS_URL": valkey_url,
        "WHATSAPP_ACCESS_TOKEN": "token",
        "WHATSAPP_PHONE_NUMBER_ID": NUMBER,
        "WHATSAPP_VERIFY_TOKEN": "shake",
        "WHATSAPP_APP_SECRET": "pepper",
    }

    def run(*arguments: str) -> Completed:
        return run_command("capture", *arguments, environment=environment)

    return run


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback() as running:
        yield running


def session(lanes: Lanes) -> None:
    """Ana writes and is answered, Ben's message becomes a dead letter, and another of his cannot be parsed."""
    asked = message(ANA, "My PIN is 4711", name="Ana Lima")
    lanes.admit(asked, message(BEN, "call 07700 900124", name="Ben Ito"))
    lanes.outbox.put(send(ANA, id="answer", origin="abc@1"))
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.OUT1"))
    lanes.store.run([lanes.outbox.apply_status(meta_status("wamid.OUT1", "sent", recipient_id=ANA), 1)])
    broken = replace(message(BEN, "secret words", name="Ben Ito"), kind="malformed", reason="why")
    lanes.store.run([DeadLetters(lanes.store, retention_seconds=86_400).add(broken, 1)])


def test_events_and_dead_letters_become_a_recording_that_plays_again(
    capture: Capture, lanes: Lanes, tmp_path: Path, callback: Callback
) -> None:
    session(lanes)
    file = tmp_path / "bug.yaml"
    done = capture(str(file))
    assert (done.returncode, done.stdout) == (0, "5 steps.\n"), done.stderr
    written = file.read_text(encoding="utf-8")
    for detail in (ANA, BEN, "Ana", "Ben", "PIN", "4711", "900124", "secret", NUMBER, "wamid.OUT1"):
        assert detail not in written
    recording = yaml.safe_load(written)
    assert [next(iter(step.keys() - {"at", "status"})) for step in recording["steps"]].count("call") == 1

    with RunningEmulator(EmulatorConfig(TOKEN, SECRET, VERIFY_TOKEN, (NUMBER,), port=0)) as emulator:
        Meta(emulator.url).do("reset", {"callback_url": callback.url})
        client = EmulatedMeta(
            emulator.url,
            access_token=TOKEN,
            app_secret=SECRET,
            phone_number_ids=(NUMBER,),
            business_account_id=ACCOUNT,
        )
        report = replay_session(recording, client, at_once=True)
    assert report["webhooks"] == [200, 200, 200]
    assert report["recorded_sends"] == [{"to": "15550000001", "type": "text"}]
    texts = sorted(item["text"]["body"] for item in callback.parts("messages"))
    assert texts == ["Xx XXX xx 0000", "xxxx 00000 000000", "xxxxxx xxxxx"]


def test_one_customer_alone_may_be_captured(capture: Capture, lanes: Lanes, tmp_path: Path) -> None:
    session(lanes)
    assert capture("--contact", ANA, "--texts", str(tmp_path / "a.yaml")).stdout == "3 steps.\n"
    written = (tmp_path / "a.yaml").read_text(encoding="utf-8")
    assert "My PIN is 4711" in written
    assert ANA not in written


def test_a_file_that_cannot_be_written_is_a_sentence(capture: Capture, lanes: Lanes, tmp_path: Path) -> None:
    session(lanes)
    done = capture(str(tmp_path / "missing" / "bug.yaml"))
    assert done.returncode == 1
    assert done.stderr.endswith("bug.yaml cannot be written: No such file or directory.\n")
    assert "Traceback" not in done.stderr


def test_where_nothing_happened_no_file_is_written(capture: Capture, tmp_path: Path) -> None:
    done = capture(str(tmp_path / "none.yaml"))
    assert (done.returncode, done.stderr) == (1, "There is nothing to capture.\n")
    assert not (tmp_path / "none.yaml").exists()
