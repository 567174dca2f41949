"""The first step of a voice note: fetch it, transcribe it, and judge whether the words can be relied on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import BoundedSemaphore

from wa_service.conversation.http_speech import SpeechClient, SpeechFailedError
from wa_service.conversation.script import ConversationProblem
from wa_service.observability import metrics
from wa_service.resilience.breaker import Unavailable
from wa_service.speech.audio import (
    MAX_BYTES,
    RecordingTooLongError,
    RecordingUnreadableError,
    detect,
)
from wa_service.whatsapp.errors import (
    MediaDownloadError,
    MediaTooLargeError,
    UnsupportedMediaError,
    WhatsAppMediaError,
)
from wa_service.whatsapp.media.download import Media
from wa_service.whatsapp.webhooks.events import Audio

FetchMedia = Callable[[str], Media]
"""Downloads a file by its media id; raises WhatsAppError."""

MAX_RECORDINGS = 32
"""Recordings that are fetched or transcribed, or wait for it, in one process."""
_RETRY_AFTER = 5.0
"""Seconds after which one more may find room."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """What became of a recording: its words, or why they cannot be relied on.

    `confidence`: 0 to 1, None where the service gives none. `text`: None where nothing was transcribed.
    """

    text: str | None = None
    confidence: float | None = None
    problem: ConversationProblem | None = None


class Transcriber:
    """Turns recordings into words. `speech`: None where speech is switched off.

    `max_recordings`: how many are in hand side by side, so that many of them leave room for those who write.
    """

    def __init__(
        self,
        speech: SpeechClient | None,
        min_confidence: float = 0.60,
        max_bytes: int = MAX_BYTES,
        max_recordings: int = MAX_RECORDINGS,
    ) -> None:
        self._speech = speech
        self._min_confidence = min_confidence
        self._max_bytes = max_bytes
        self._room = BoundedSemaphore(max_recordings)

    def transcribe(self, recording: Audio, fetch_media: FetchMedia) -> Transcription:
        """Fetch and transcribe.

        Raises Unavailable while the speech service is unavailable or there is no room, and the WhatsAppError that
        `fetch_media` raises for reasons other than the file itself (connection, server, rate, auth).
        """
        if self._speech is None:
            return Transcription(problem=ConversationProblem.SPEECH_OFF)
        # Before the file is fetched: nobody would listen to it soon.
        if not self._room.acquire(blocking=False):
            raise Unavailable("room for one more recording", _RETRY_AFTER)
        try:
            media = self._fetch(recording, fetch_media)
            if isinstance(media, ConversationProblem):
                return Transcription(problem=media)
            return self._judge(self._speech, media)
        finally:
            self._room.release()

    def _judge(self, speech: SpeechClient, media: Media) -> Transcription:
        container = detect(media.content)
        if container is None:
            return Transcription(problem=ConversationProblem.UNREADABLE)
        began = time.monotonic()
        try:
            transcript = speech.transcribe(media.content, container)
            metrics.speech_took(time.monotonic() - began)
        except RecordingTooLongError:
            return Transcription(problem=ConversationProblem.TOO_LONG)
        except RecordingUnreadableError:
            return Transcription(problem=ConversationProblem.UNREADABLE)
        except SpeechFailedError:
            return Transcription(problem=ConversationProblem.SPEECH_OFF)
        text, confidence = transcript.text.strip(), transcript.confidence
        if not text:
            return Transcription("", confidence, ConversationProblem.SILENCE)
        unclear = confidence is not None and confidence < self._min_confidence
        return Transcription(text, confidence, ConversationProblem.UNCLEAR if unclear else None)

    def _fetch(self, recording: Audio, fetch_media: FetchMedia) -> Media | ConversationProblem:
        # Meta says so itself when it could not fetch the file (131052, reference 5.6).
        if not recording.media_id or recording.raw.get("errors"):
            return ConversationProblem.MEDIA_GONE
        try:
            media = _fetch_twice(recording.media_id, fetch_media)
        except MediaTooLargeError:
            return ConversationProblem.TOO_LONG
        except UnsupportedMediaError:
            return ConversationProblem.UNREADABLE
        except WhatsAppMediaError:
            return ConversationProblem.MEDIA_GONE
        return media if len(media.content) <= self._max_bytes else ConversationProblem.TOO_LONG


def _fetch_twice(media_id: str, fetch_media: FetchMedia) -> Media:
    """Fetch, and once more where the download broke off; the second failure is answered, not waited out."""
    try:
        return fetch_media(media_id)
    except MediaDownloadError:
        return fetch_media(media_id)
