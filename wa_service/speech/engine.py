"""Speech to text: what an engine takes and gives, and how it fails."""

from dataclasses import dataclass
from typing import Protocol

from wa_service.speech.audio import Form


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words of a recording. `confidence`: 0 to 1, None where the engine gives none."""

    text: str
    confidence: float | None


class SpeechError(Exception):
    """A recording that could not be turned into words."""


class RecordingTooLongError(SpeechError):
    """It lasts longer, or is larger, than the engine takes."""


class RecordingUnreadableError(SpeechError):
    """It cannot be decoded."""


class SpeechFailedError(SpeechError):
    """The engine failed: it died, took too long, or is not set up."""


class SpeechEngine(Protocol):
    """Anything that turns a recording into words."""

    def transcribe(self, content: bytes, form: Form) -> Transcript:
        """The words of a recording in this container.

        Raises RecordingTooLongError, RecordingUnreadableError, SpeechFailedError, and Unavailable while an
        outside service is known to be away.
        """
        ...
