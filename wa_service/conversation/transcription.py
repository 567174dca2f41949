"""Voice notes: download, transcribe, and decide whether the transcript is reliable."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import BoundedSemaphore

from wa_service.conversation.http_speech import SpeechClient, SpeechFailedError, Transcript
from wa_service.conversation.intents import words
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
from wa_service.whatsapp.media.download import STEP_SECONDS, Media
from wa_service.whatsapp.webhooks.events import Audio

FetchMedia = Callable[[str], Media]
"""Download a file by its media id; raises WhatsAppError."""

MAX_RECORDINGS = 32
"""Most recordings in progress or waiting in one process."""
_LONG_TEXT = 100
_MAX_COMPRESSION = 2.4
"""Whisper's own limit of the compression ratio, above which a text is repetitive."""
_PIECE = 1_000
"""Characters that are judged together, about as many as whisper judges: any long text has a high ratio."""
_LEAST_OF_ITS_LANGUAGE = 0.5
"""Least confidence of a single-language model; below it the recording is most likely in another language, or
unintelligible (measurements in docs/script.md)."""
_LEAST_SPEECH = 0.5
"""Seconds of speech from which on a recording without words is not silence."""
_RETRY_AFTER = 5.0
"""Seconds until a retry, if too many recordings are in progress."""
_DOWNLOAD_SECONDS = 2 * 2 * STEP_SECONDS
"""The longest time of two downloads in two steps."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """The transcript of a recording, or the problem with it.

    `confidence`: 0 to 1, None if the service gives none. `text`: None if nothing was transcribed. `only_language`: the
    only language that the service understands, "" if it understands several.
    """

    text: str | None = None
    confidence: float | None = None
    problem: ConversationProblem | None = None
    only_language: str = ""


class Transcriber:
    """Transcribe recordings. `speech`: None if speech is disabled.

    `max_recordings`: how many are in progress at a time, so that they do not block text messages.
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

    @property
    def most_seconds(self) -> float:
        """The longest time that `transcribe` usually takes."""
        return _DOWNLOAD_SECONDS + self._speech.most_seconds if self._speech is not None else 0.0

    def transcribe(self, recording: Audio, fetch_media: FetchMedia) -> Transcription:
        """Fetch and transcribe.

        Raises Unavailable while the speech service is unavailable or too many recordings are in progress, and the
        WhatsAppError of `fetch_media` for reasons other than the file itself (connection, server, rate, auth).
        """
        if self._speech is None:
            return Transcription(problem=ConversationProblem.SPEECH_OFF)
        # Checked before the download, which would be wasted.
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
        text = transcript.text.strip()
        return Transcription(text, transcript.confidence, self._problem(text, transcript), transcript.only_language)

    def _problem(self, text: str, transcript: Transcript) -> ConversationProblem | None:
        """Return why the transcript is not reliable, None if it is."""
        confidence = transcript.confidence
        if not text:
            if transcript.speech_seconds < _LEAST_SPEECH:
                return ConversationProblem.SILENCE
            confidence = 0.0
        if transcript.only_language and confidence is not None and confidence < _LEAST_OF_ITS_LANGUAGE:
            return ConversationProblem.OTHER_LANGUAGE
        unclear = (confidence is not None and confidence < self._min_confidence) or is_loop(text)
        return ConversationProblem.UNCLEAR if unclear else None

    def _fetch(self, recording: Audio, fetch_media: FetchMedia) -> Media | ConversationProblem:
        # The message says so if Meta could not fetch the file (131052, reference 5.6).
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


def is_loop(text: str) -> bool:
    """Return whether a model got stuck in a loop, which it does with high confidence.

    Long texts are judged by their compression ratio, as in whisper, short ones by repeated phrases.
    """
    # One byte a character: in UTF-8 every character of Hindi, Thai or Georgian begins with the same bytes.
    encoded = bytes(ord(character) & 0xFF for character in text)
    pieces = (encoded[start : start + _PIECE] for start in range(0, len(encoded), _PIECE))
    if len(text.encode()) > _LONG_TEXT and any(map(_is_repetitive, pieces)):
        return True
    found = words(text)
    return any(_repeats(found, size) for size in range(1, 5))


def _is_repetitive(text: bytes) -> bool:
    return len(text) / len(zlib.compress(text)) > _MAX_COMPRESSION


def _repeats(found: Sequence[str], size: int) -> bool:
    """Whether more than half of the words are one phrase of `size` words, repeated at least four times in a row."""
    run = longest = 0
    for index in range(size, len(found)):
        run = run + 1 if found[index] == found[index - size] else 0
        longest = max(longest, run)
    repeated = longest + size
    return repeated >= max(6, 4 * size) and repeated > len(found) / 2


def _fetch_twice(media_id: str, fetch_media: FetchMedia) -> Media:
    """Fetch, and retry once after an aborted download; a second failure is reported to the customer."""
    try:
        return fetch_media(media_id)
    except MediaDownloadError:
        return fetch_media(media_id)
