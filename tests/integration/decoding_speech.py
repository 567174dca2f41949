"""A speech process with its limits and its decoder, but without a model, which would need hours for thousands of files.

A recording is `OggS`, a byte for the container to decode as, and the content. So a test can choose the container
regardless of what the check of the first bytes would detect.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from wa_service.speech.app import SpeechApp
from wa_service.speech.audio import AudioContainer
from wa_service.speech.server import ServerOptions, SpeechServer

CONTAINERS = list(AudioContainer)


def make_app() -> SpeechApp:
    from wa_service.speech.decoding import RATE, decode

    def transcribe(content: bytes, _container: AudioContainer) -> dict[str, Any]:
        seconds = len(decode(content[5:], CONTAINERS[content[4]], 180)) / RATE
        return {"text": f"{seconds:.2f}", "segments": []}

    transcribe(b"OggS" + bytes([CONTAINERS.index(AudioContainer.WAV)]) + silence(), AudioContainer.OGG)
    return SpeechApp(transcribe)


def silence() -> bytes:
    from wa_service.speech.whisper import a_second_of_silence

    return a_second_of_silence()


if __name__ == "__main__":
    SpeechServer(make_app, ServerOptions(bind=sys.argv[sys.argv.index("--bind") + 1], with_parent=True)).run()
