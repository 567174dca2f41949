"""The first step of a voice note: fetch it, look at what it is, have it transcribed, and judge the result."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Protocol

from wa_service.conversation.script import Problem
from wa_service.resilience.breaker import Unavailable
from wa_service.speech.audio import MAX_BYTES, detect, may_be
from wa_service.speech.engine import (
    RecordingTooLongError,
    RecordingUnreadableError,
    SpeechEngine,
    SpeechFailedError,
)
from wa_service.whatsapp.errors import (
    MediaDownloadError,
    MediaTooLargeError,
    UnsupportedMediaError,
    WhatsAppMediaError,
)
from wa_service.whatsapp.webhooks.events import Audio


class Media(Protocol):
    """A downloaded file, as `whatsapp.media` gives it."""

    @property
    def content(self) -> bytes:
        """The bytes."""
        ...

    @property
    def mime_type(self) -> str:
        """Its declared type."""
        ...


FetchMedia = Callable[[str], Media]

MOST_AT_ONCE = 32
"""Recordings that are fetched or heard, or wait for it, in one process."""
_ASK_AGAIN = 5.0
"""Seconds after which one more may find room."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The words of a recording; `confidence` 0 to 1, None where the engine says nothing about it."""

    text: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Unheard:
    """Why there are no words to go by; with a transcript where there is one nobody should rely on."""

    problem: Problem
    transcript: str | None = None
    confidence: float | None = None


class Hearing:
    """Turns a recording into words, or into the problem to answer.

    `most_at_once`: recordings in hand side by side, so that many of them leave room for those who write.
    """

    def __init__(
        self,
        engine: SpeechEngine | None,
        min_confidence: float = 0.60,
        max_bytes: int = MAX_BYTES,
        observe: Callable[[float], object] = lambda _seconds: None,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        self._engine = engine
        self._min_confidence = min_confidence
        self._max_bytes = max_bytes
        self._observe = observe
        self._room = BoundedSemaphore(most_at_once)

    def hear(self, event: Audio, fetch_media: FetchMedia) -> Heard | Unheard:
        """Fetch and transcribe.

        Raises Unavailable while the speech service is away or there is no room, and the WhatsAppError that
        `fetch_media` raises for reasons other than the file itself (connection, server, rate, auth): it may be
        had later.
        """
        if self._engine is None:
            return Unheard(Problem.SPEECH_OFF)
        # Before the file is fetched: nobody would listen to it soon.
        if not self._room.acquire(blocking=False):
            raise Unavailable("room for one more recording", _ASK_AGAIN)
        try:
            return self._heard(self._engine, event, fetch_media)
        finally:
            self._room.release()

    def _heard(self, engine: SpeechEngine, event: Audio, fetch_media: FetchMedia) -> Heard | Unheard:
        media = self._fetched(event, fetch_media)
        if isinstance(media, Unheard):
            return media
        form = detect(media.content)
        if form is None or not may_be(form, event.mime_type or media.mime_type):
            return Unheard(Problem.UNREADABLE)
        began = time.monotonic()
        try:
            transcript = engine.transcribe(media.content, form)
            self._observe(time.monotonic() - began)
        except RecordingTooLongError:
            return Unheard(Problem.TOO_LONG)
        except RecordingUnreadableError:
            return Unheard(Problem.UNREADABLE)
        except SpeechFailedError:
            return Unheard(Problem.SPEECH_OFF)
        text = transcript.text.strip()
        if not text:
            return Unheard(Problem.SILENCE, "", transcript.confidence)
        if transcript.confidence is not None and transcript.confidence < self._min_confidence:
            return Unheard(Problem.UNCLEAR, text, transcript.confidence)
        return Heard(text, transcript.confidence)

    def _fetched(self, event: Audio, fetch_media: FetchMedia) -> Media | Unheard:
        # Meta says so itself when it could not fetch the file (131052, reference 5.6).
        if not event.media_id or event.raw.get("errors"):
            return Unheard(Problem.MEDIA_GONE)
        try:
            media = _fetch_twice(event.media_id, fetch_media)
        except MediaTooLargeError:
            return Unheard(Problem.TOO_LONG)
        except UnsupportedMediaError:
            return Unheard(Problem.UNREADABLE)
        except WhatsAppMediaError:
            return Unheard(Problem.MEDIA_GONE)
        if len(media.content) > self._max_bytes:
            return Unheard(Problem.TOO_LONG)
        return media


def _fetch_twice(media_id: str, fetch_media: FetchMedia) -> Media:
    """A broken download is worth one more try; the second failure is answered, not waited out."""
    try:
        return fetch_media(media_id)
    except MediaDownloadError:
        return fetch_media(media_id)
