"""The speech process: killed, too slow, with a custom model, under gevent, and ended on a stop."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.eventually import eventually
from tests.integration.speech_notes import (
    File,
    handled,
    heard,
    notes,
    require_voice,
    spanish_note,
    started,
    wav,
    worker_pid,
)
from wa_service.conversation.assembly import ConversationOptions, make_pipeline
from wa_service.conversation.http_speech import LocalSpeechClient, SpeechFailedError
from wa_service.speech.audio import AudioContainer
from wa_service.speech.local_server import ENVIRONMENT
from wa_service.speech.weights import wheel_directory

BREAKFAST = notes()[1]


@pytest.fixture(scope="module", autouse=True)
def _voice() -> None:
    require_voice()


@pytest.fixture(scope="module")
def of_own_model(tmp_path_factory: pytest.TempPathFactory, _voice: None) -> Iterator[LocalSpeechClient]:
    """A process with a model from a custom directory."""
    wheel = wheel_directory()
    assert wheel is not None
    directory = tmp_path_factory.mktemp("model")
    for file in wheel.iterdir():
        (directory / file.name).symlink_to(file)
    with started("--model", str(directory)) as client:
        yield client


def test_a_process_killed_in_the_middle_of_a_note_hears_it_after_all(of_own_model: LocalSpeechClient) -> None:
    heard_texts: list[str] = []
    heard(of_own_model, BREAKFAST.content)
    pid = worker_pid(of_own_model)
    long = wav(bytes(2 * 16_000 * 170))
    thread = threading.Thread(target=lambda: heard_texts.append(heard(of_own_model, long).text))
    before = cpu_ticks(pid)
    thread.start()
    eventually(lambda: cpu_ticks(pid) > before, within=10)
    os.kill(pid, 9)
    thread.join(60)
    assert heard_texts == [""]
    assert worker_pid(of_own_model) != pid


def test_what_cannot_be_understood_takes_no_longer_than_other_notes(of_own_model: LocalSpeechClient) -> None:
    from wa_service.speech.decoding import RATE, decode

    def ticks(*recordings: bytes) -> int:
        samples = [sample for content in recordings for sample in decode(content, AudioContainer.OGG, 180)][: 35 * RATE]
        before = cpu_ticks(pid)
        heard(of_own_model, wav(struct.pack(f"<{len(samples)}h", *(int(32_767 * sample) for sample in samples))))
        return cpu_ticks(pid) - before

    heard(of_own_model, BREAKFAST.content)
    pid = worker_pid(of_own_model)

    assert ticks(*[spanish_note()] * 9) < 3 * ticks(*(note.content for note in notes()))


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_a_note_past_its_deadline_fails() -> None:
    with started(seconds=0.02) as speech, pytest.raises(SpeechFailedError):
        heard(speech, BREAKFAST.content)


def test_a_model_directory_without_a_model_is_said() -> None:
    with capture_logs() as lines, started("--model", "/nowhere") as speech:
        eventually(lambda: lines, within=10)
        with pytest.raises(SpeechFailedError):
            heard(speech, BREAKFAST.content)

    assert "holds no model.bin" in lines[0]["reason"]


def test_a_model_directory_of_ones_own_is_loaded(of_own_model: LocalSpeechClient) -> None:
    assert "breakfast" in heard(of_own_model, BREAKFAST.content).text


def test_the_runtime_of_the_models_reports_to_nobody(tmp_path: Path) -> None:
    """It would begin at its import, with a file of its reports."""
    program = [sys.executable, "-c", "import onnxruntime"]
    subprocess.run(program, env=ENVIRONMENT | {"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*")) == []


GREEN = """
    from gevent import monkey; monkey.patch_all()
    import sys, time
    sys.path[:0] = [{root!r}]
    from pathlib import Path
    import gevent
    from wa_service.conversation.http_speech import LocalSpeechClient
    from wa_service.speech.audio import AudioContainer
    from wa_service.speech.local_server import LocalSpeechServer
    speech = LocalSpeechClient(LocalSpeechServer("--only", "transcriptions"))
    speech.start()
    note = Path({note!r}).read_bytes()
    speech.transcribe(note, AudioContainer.OGG)
    lags = []
    def tick():
        while True:
            began = time.monotonic()
            gevent.sleep(0.005)
            lags.append(time.monotonic() - began - 0.005)
    gevent.spawn(tick)
    print(speech.transcribe(note, AudioContainer.OGG).text)
    speech.stop()
    print(len(lags) > 10, sorted(lags)[len(lags) // 2] < 0.05, speech._server.pid)
"""


def test_under_gevent_others_go_on_while_a_note_is_heard() -> None:
    here = Path(__file__).parents[1]
    program = textwrap.dedent(GREEN).format(root=str(here.parent), note=str(here / "voice" / BREAKFAST.name))

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout == "What time is breakfast?\nTrue True None\n", done.stderr


def test_a_stopped_pipeline_leaves_no_process() -> None:
    pipeline = make_pipeline(ConversationOptions(intents="semantic", speech="local"))
    pipeline.start()
    assert handled(pipeline, File(BREAKFAST.content)).intent == "breakfast"
    parts = pipeline._parts
    pids = [part._server.pid for part in parts if part._server is not None]

    pipeline.stop()

    assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
