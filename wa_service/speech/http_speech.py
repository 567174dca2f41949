"""`WA_SPEECH=http`: any service with an OpenAI-compatible `/v1/audio/transcriptions`."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from wa_service.observability import log
from wa_service.resilience.breaker import CircuitBreaker
from wa_service.resilience.http import HttpAnswer, HttpCaller, HttpCallError
from wa_service.speech.audio import Form
from wa_service.speech.engine import (
    RecordingTooLongError,
    RecordingUnreadableError,
    SpeechFailedError,
    Transcript,
)

_FILES = {
    Form.OGG: ("voice.ogg", "audio/ogg"),
    Form.MP3: ("voice.mp3", "audio/mpeg"),
    Form.AAC: ("voice.aac", "audio/aac"),
    Form.M4A: ("voice.m4a", "audio/mp4"),
    Form.AMR: ("voice.amr", "audio/amr"),
    Form.WAV: ("voice.wav", "audio/wav"),
    Form.FLAC: ("voice.flac", "audio/flac"),
    Form.MATROSKA: ("voice.webm", "audio/webm"),
}


class HttpSpeech:
    """Asks the service, each note within `seconds`.

    `url`: the address under which `/audio/transcriptions` is found, with or without `/v1` at its end.
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
        self._fields = {"model": model, "response_format": "json"} | ({"language": language} if language else {})
        self._seconds = seconds
        self._service = service or CircuitBreaker("the speech service")
        self._caller = caller or HttpCaller()

    def transcribe(self, content: bytes, form: Form) -> Transcript:
        """The words of a recording. Raises SpeechError, and Unavailable while the service is known to be away."""
        try:
            with self._service.calling():
                answer = self._asked(content, form)
        except HttpCallError as error:
            log.get_logger().warning("whatsapp.conversation.speech_failed", reason=str(error))
            raise SpeechFailedError(str(error)) from error
        return self._transcript(answer)

    def _asked(self, content: bytes, form: Form) -> HttpAnswer:
        name, mime_type = _FILES[form]
        answer = self._caller.post(
            self._url,
            seconds=self._seconds,
            headers=self._headers,
            data=self._fields,
            files={"file": (name, content, mime_type)},
        )
        if answer.status >= 500 or answer.status in {401, 403, 404, 408, 429}:
            # A wrong key or address is as good as away: no customer can do anything about it.
            raise HttpCallError(f"HTTP {answer.status}")
        return answer

    def _transcript(self, answer: HttpAnswer) -> Transcript:
        if answer.status == 413:
            raise RecordingTooLongError
        if answer.status in {400, 415, 422}:
            raise RecordingUnreadableError
        try:
            said = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            said = None
        if answer.status != 200 or not isinstance(said, Mapping) or not isinstance(said.get("text"), str):
            log.get_logger().warning(
                "whatsapp.conversation.speech_failed", reason=f"HTTP {answer.status} without a text"
            )
            raise SpeechFailedError(f"HTTP {answer.status} without a text")
        return Transcript(said["text"], _confidence(said))


def _confidence(said: Mapping[str, Any]) -> float | None:
    """How sure the service is, where it tells as whisper does (`segments` with `avg_logprob`)."""
    segments = said.get("segments")
    sure = [
        segment["avg_logprob"]
        for segment in (segments if isinstance(segments, list) else [])
        if isinstance(segment, Mapping) and isinstance(segment.get("avg_logprob"), (int, float))
    ]
    return min(1.0, math.exp(sum(sure) / len(sure))) if sure else None
