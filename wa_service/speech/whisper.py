"""Transcription with faster-whisper on the CPU. Runs in the speech process only."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from wa_service.speech.audio import AudioContainer
from wa_service.speech.decoding import RATE, decode
from wa_service.speech.weights import MULTILINGUAL, model_directory, multilingual_files

_LONG = 29 * RATE
"""Whisper processes windows of 30 s; without timestamps it drops words at a window's end."""


class WhisperTranscriber:
    """One loaded model; a multilingual one detects the language.

    Raises WeightsError if there is no model that may be loaded.
    """

    def __init__(self, model: Path | None, max_seconds: float, threads: int = 1) -> None:
        self._model = _load(model, threads)
        self._language = None if self._model.model.is_multilingual else "en"
        self._max_seconds = max_seconds
        # Trigger lazy loading now: later no file can be opened.
        self(a_second_of_silence(), AudioContainer.WAV)

    def __call__(self, content: bytes, container: AudioContainer) -> dict[str, Any]:
        """Return OpenAI's `verbose_json` of a recording; raises RecordingError."""
        samples = decode(content, container, self._max_seconds)
        segments, info = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=5,
            vad_filter=True,
            without_timestamps=len(samples) < _LONG,
            condition_on_previous_text=False,
            # By default unintelligible speech is decoded six times, which takes nearly as long as the recording.
            temperature=0.0,
        )
        found = list(segments)
        return {
            "task": "transcribe",
            "language": info.language,
            # Our additions: the reply to an unclear recording names the language, and a recording without words is
            # silence only without speech.
            "only_language": "English" if self._language == "en" else "",
            "speech_seconds": round(info.duration_after_vad, 2),
            "duration": round(len(samples) / RATE, 2),
            "text": " ".join(segment.text.strip() for segment in found),
            "segments": [
                {
                    "id": index,
                    "start": segment.start,
                    "end": segment.end,
                    "text": segment.text,
                    "avg_logprob": segment.avg_logprob,
                    "compression_ratio": segment.compression_ratio,
                    "no_speech_prob": segment.no_speech_prob,
                }
                for index, segment in enumerate(found)
            ],
        }


def _load(model: Path | None, threads: int) -> WhisperModel:
    options = {"device": "cpu", "compute_type": "int8", "cpu_threads": threads, "local_files_only": True}
    if model == MULTILINGUAL:
        return WhisperModel("base", files=multilingual_files(), **options)
    return WhisperModel(str(model_directory(model)), **options)


def a_second_of_silence() -> bytes:
    """Return a recording of a second of silence, in WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(bytes(2 * RATE))
    return file.getvalue()
