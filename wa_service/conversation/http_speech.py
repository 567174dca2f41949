"""Speech to text by HTTP, from any service with an OpenAI-compatible `/v1/audio/transcriptions`.

`WA_SPEECH=local` uses the same client for our own speech process, on a unix socket.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from wa_service.observability import log
from wa_service.resilience.breaker import CircuitBreaker, Unavailable
from wa_service.resilience.http import HttpAnswer, HttpCaller, HttpCallError, HttpConnectionError
from wa_service.speech.audio import AudioContainer, RecordingTooLongError, RecordingUnreadableError
from wa_service.speech.local_server import LocalSpeechServer
from wa_service.whatsapp.webhooks import tolerant_json

_FILES = {
    AudioContainer.OGG: ("voice.ogg", "audio/ogg"),
    AudioContainer.MP3: ("voice.mp3", "audio/mpeg"),
    AudioContainer.AAC: ("voice.aac", "audio/aac"),
    AudioContainer.M4A: ("voice.m4a", "audio/mp4"),
    AudioContainer.AMR: ("voice.amr", "audio/amr"),
    AudioContainer.WAV: ("voice.wav", "audio/wav"),
    AudioContainer.FLAC: ("voice.flac", "audio/flac"),
    AudioContainer.MATROSKA: ("voice.webm", "audio/webm"),
}
LARGEST_TRANSCRIPT = 512 * 1024
"""Most bytes read of an answer: the words of a recording, with details of each."""
_UNAVAILABLE = frozenset({401, 403, 404, 408, 429})
"""Statuses that, like 5xx, count as an unavailable service: a wrong key or address is not the recording's fault."""
_WITH_CONFIDENCE = "verbose_json"
"""The format that has the confidence. Some services have only `json`, and say so."""


class SpeechFailedError(Exception):
    """The service failed: it crashed, timed out, is not set up, or returned no text."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of a recording.

    `confidence`: 0 to 1, None if the service gives none. `only_language`: the name of the only language that the
    service understands, "" if it understands several or does not say. `speech_seconds`: how long somebody speaks, 0 if
    unknown.
    """

    text: str
    confidence: float | None = None
    only_language: str = ""
    speech_seconds: float = 0.0


class SpeechClient:
    """Ask the service; each recording within `seconds`.

    `url`: the base address of `/audio/transcriptions`, with or without `/v1` at its end.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        *,
        model: str = "whisper-1",
        language: str = "",
        seconds: float = 30.0,
        service: CircuitBreaker | None = None,
        caller: HttpCaller | None = None,
    ) -> None:
        base = url.rstrip("/")
        self._url = f"{base}{'' if base.endswith('/v1') else '/v1'}/audio/transcriptions"
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._fields = {"model": model, "response_format": _WITH_CONFIDENCE}
        self._fields |= {"language": language} if language else {}
        self._seconds = seconds
        self._calling: Callable[[], AbstractContextManager[None]]
        self._calling = (service or CircuitBreaker("the speech service")).calling
        self._caller = caller or HttpCaller()
        self._log = log.get_logger()

    @property
    def most_seconds(self) -> float:
        """The longest time that `transcribe` takes."""
        return self._seconds

    def transcribe(self, content: bytes, container: AudioContainer) -> Transcript:
        """Return the words of a recording.

        Raises RecordingTooLongError, RecordingUnreadableError, SpeechFailedError, and Unavailable while the service
        is known to be unavailable.
        """
        try:
            with self._calling():
                answer = self._post(content, container)
        except HttpCallError as error:
            raise self._failed(str(error)) from error
        return self._transcript(answer)

    def _post(self, content: bytes, container: AudioContainer) -> HttpAnswer:
        wanted = self._fields["response_format"]
        answer = self._request(content, container)
        # Services name the field or the format, in words of their own.
        names_format = b"response_format" in answer.body or _WITH_CONFIDENCE.encode() in answer.body
        if answer.status != 200 and names_format and wanted != "json":
            self._fields["response_format"] = "json"
            answer = self._request(content, container)
        if answer.status >= 500 or answer.status in _UNAVAILABLE:
            raise HttpCallError(f"HTTP {answer.status}")
        return answer

    def _request(self, content: bytes, container: AudioContainer) -> HttpAnswer:
        name, mime_type = _FILES[container]
        return self._caller.post(
            self._url,
            seconds=self._seconds,
            headers=self._headers,
            data=self._fields,
            files={"file": (name, content, mime_type)},
        )

    def _transcript(self, answer: HttpAnswer) -> Transcript:
        if answer.status == 413:
            raise RecordingTooLongError("HTTP 413")
        if answer.status in {400, 415, 422}:
            raise RecordingUnreadableError(f"HTTP {answer.status}")
        try:
            found = tolerant_json.loads(answer.body)
        except ValueError:
            found = None
        if answer.status != 200 or not isinstance(found, Mapping) or not isinstance(found.get("text"), str):
            raise self._failed(f"HTTP {answer.status} without a text")
        only_language = found.get("only_language")
        language = only_language if isinstance(only_language, str) else ""
        seconds = found.get("speech_seconds")
        spoken = float(seconds) if isinstance(seconds, (int, float)) else 0.0
        return Transcript(found["text"], _confidence(found), language, spoken)

    def _failed(self, reason: str) -> SpeechFailedError:
        self._log.warning("whatsapp.conversation.speech_failed", reason=reason)
        return SpeechFailedError(reason)


class LocalSpeechClient(SpeechClient):
    """Ask our own speech process: `processes` recordings at a time, with a retry if the process dies.

    Recordings wait for their turn for up to `wait_seconds`; the timeout begins after that.
    """

    def __init__(
        self,
        server: LocalSpeechServer,
        *,
        caller: HttpCaller | None = None,
        seconds: float = 30.0,
        processes: int = 1,
        wait_seconds: float = 20.0,
    ) -> None:
        super().__init__("http://localhost", seconds=seconds, caller=caller or HttpCaller(unix_socket=server.path))
        self._server = server
        # No breaker: a dead process is restarted at once, and an unusable one refuses connections at once.
        self._calling = nullcontext
        self._turns = BoundedSemaphore(processes)
        self._wait_seconds = wait_seconds

    @property
    def most_seconds(self) -> float:
        """The longest time that `transcribe` takes: the wait, and two tries."""
        return self._wait_seconds + 2 * self._seconds

    def start(self) -> None:
        """Start the process; its model loads in the background."""
        self._server.start()

    def stop(self) -> None:
        """Stop the process."""
        self._server.stop()

    def _post(self, content: bytes, container: AudioContainer) -> HttpAnswer:
        if not self._turns.acquire(timeout=self._wait_seconds):
            raise Unavailable("the speech process", 1.0)
        try:
            return super()._post(content, container)
        except HttpConnectionError:
            return super()._post(content, container)
        finally:
            self._turns.release()


def _confidence(found: Mapping[str, Any]) -> float | None:
    """Return the confidence, 0 to 1, if the service has whisper's `segments` with `avg_logprob`."""
    total = weighted = 0.0
    segments = found.get("segments")
    for segment in segments if isinstance(segments, list) else []:
        if isinstance(segment, Mapping) and isinstance(segment.get("avg_logprob"), (int, float)):
            start, end = segment.get("start"), segment.get("end")
            length = 1.0
            if isinstance(start, (int, float)) and isinstance(end, (int, float)):
                length = max(end - start, 0.01)
            total += length
            weighted += segment["avg_logprob"] * length
    if not total:
        return None
    average = weighted / total
    # A log probability is finite and at most 0.
    return math.exp(min(0.0, average)) if math.isfinite(average) else None
