"""Samples to words, with faster-whisper on the CPU. Runs in the child only."""

import math
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from wa_service.speech.decoding import RATE

_LONG = 29 * RATE
"""Whisper hears 30 s at once; without timestamps it drops words at the seam."""


class Whisper:
    """One loaded model: English where it knows nothing else, else the language it hears."""

    def __init__(self, directory: Path, threads: int) -> None:
        self._model = WhisperModel(
            str(directory), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
        self._language = None if self._model.model.is_multilingual else "en"

    def transcribe(self, samples: Any) -> tuple[str, float]:
        """The words, and how sure the model is of them (0 to 1); "" and 0 for silence."""
        found, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=5,
            vad_filter=True,
            without_timestamps=len(samples) < _LONG,
            condition_on_previous_text=False,
        )
        segments = list(found)
        if not segments:
            return "", 0.0
        lengths = [max(segment.end - segment.start, 0.01) for segment in segments]
        sure = sum(s.avg_logprob * length for s, length in zip(segments, lengths, strict=True)) / sum(lengths)
        return " ".join(segment.text.strip() for segment in segments), min(1.0, math.exp(sure))
