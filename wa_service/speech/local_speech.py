"""`WA_SPEECH=local`: faster-whisper in a child process."""

from pathlib import Path
from typing import Any

from wa_service.observability import log
from wa_service.speech.audio import Form
from wa_service.speech.children import ChildError, ChildPlan, Children
from wa_service.speech.engine import (
    RecordingTooLongError,
    RecordingUnreadableError,
    SpeechFailedError,
    Transcript,
)

MAX_SECONDS = 180.0
"""Seconds of sound in one recording."""


class LocalSpeech:
    """Hears recordings in `processes` children, each note within `seconds`."""

    def __init__(
        self,
        *,
        model: Path | None = None,
        processes: int = 1,
        seconds: float = 30.0,
        max_recording_seconds: float = MAX_SECONDS,
        threads: int = 1,
    ) -> None:
        setup = {"model": str(model) if model else None, "threads": threads}
        plan = ChildPlan(task="hear", setup=setup, niceness=10)
        self._children = Children(plan, processes=processes)
        self._seconds = seconds
        self._max_recording_seconds = max_recording_seconds

    @property
    def pids(self) -> list[int]:
        """The children's process ids."""
        return self._children.pids

    def start(self) -> None:
        """Start the children; their model loads in the background."""
        self._children.start()

    def stop(self) -> None:
        """End the children."""
        self._children.stop()

    def transcribe(self, content: bytes, form: Form) -> Transcript:
        """The words of a recording. Raises SpeechError, and Unavailable while every child is busy."""
        header = {"form": str(form), "max_seconds": self._max_recording_seconds}
        try:
            answer = self._children.ask(header, content, seconds=self._seconds)
        except ChildError as error:
            log.get_logger().warning("whatsapp.conversation.speech_failed", reason=type(error).__name__)
            raise SpeechFailedError(type(error).__name__) from error
        return _transcript(answer)


def _transcript(answer: dict[str, Any]) -> Transcript:
    match answer:
        case {"text": str(text), "confidence": float(confidence)}:
            return Transcript(text, confidence)
        case {"error": "too_long"}:
            raise RecordingTooLongError
        case {"error": "unreadable"}:
            raise RecordingUnreadableError
    raise SpeechFailedError(str(answer.get("reason", "no reason given")))
