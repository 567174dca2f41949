"""Damaged recordings: no crash, no hang past the deadline, no file opened. 500 of them, 10,000 with `--chaos`."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.decoding_speech import CONTAINERS
from tests.integration.speech_notes import notes, require_voice
from wa_service.conversation.http_speech import LocalSpeechClient
from wa_service.speech.audio import AudioContainer, RecordingTooLongError, RecordingUnreadableError, detect
from wa_service.speech.local_server import LocalSpeechServer

SHORT_COUNT = 500
LONG_COUNT = 10_000
DEADLINE = 30.0
SEED = 20261122


def damaged(count: int, seed: int) -> Iterator[bytes]:
    """Notes that are cut, flipped, spliced or stretched, and noise with a valid beginning."""
    pick = random.Random(seed)
    whole = [note.content for note in notes()]
    beginnings = [
        b"OggS",
        b"ID3",
        b"\xff\xfb",
        b"\xff\xf1",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"\0\0\0\x1cftypM4A ",
        b"#!AMR\n",
        b"fLaC",
    ]
    for _ in range(count):
        content = bytearray(pick.choice(whole))
        match pick.randrange(6):
            case 0:
                del content[pick.randrange(1, len(content)) :]
            case 1:
                for _ in range(pick.randrange(1, 60)):
                    content[pick.randrange(len(content))] ^= 1 << pick.randrange(8)
            case 2:
                at = pick.randrange(len(content))
                content[at : at + pick.randrange(1, 500)] = pick.randbytes(pick.randrange(500))
            case 3:
                other = pick.choice(whole)
                content = content[: pick.randrange(len(content))] + other[pick.randrange(len(other)) :]
            case 4:
                content = bytearray(pick.choice(beginnings) + pick.randbytes(pick.randrange(2_000)))
            case 5:
                # Only in the header of the first page: false lengths and counts.
                for at in range(4, 28):
                    if pick.random() < 0.3:
                        content[at] = pick.randrange(256)
        yield bytes(content)


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_no_damaged_recording_crashes_or_holds_the_decoder(long_form: bool) -> None:
    require_voice()
    pick = random.Random(SEED)
    command = (sys.executable, str(Path(__file__).with_name("decoding_speech.py")))
    speech = LocalSpeechClient(LocalSpeechServer(command=command), seconds=DEADLINE)
    speech.start()
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    try:
        for content in damaged(LONG_COUNT if long_form else SHORT_COUNT, SEED):
            # Decode even what the check of the first bytes would reject, as if it had been fooled.
            container = CONTAINERS.index(detect(content) or pick.choice(CONTAINERS))
            began = time.monotonic()
            outcomes[outcome(speech, b"OggS" + bytes([container]) + content)] += 1
            slowest = max(slowest, time.monotonic() - began)
    finally:
        speech.stop()

    print(f"damaged recordings: {dict(outcomes)}, slowest {slowest:.2f} s")
    # A process that died would raise `SpeechFailedError` for its recording.
    assert outcomes.keys() - {"too long"} == {"decoded", "unreadable"}


def outcome(speech: LocalSpeechClient, content: bytes) -> str:
    try:
        speech.transcribe(content, AudioContainer.OGG)
    except RecordingUnreadableError:
        return "unreadable"
    except RecordingTooLongError:
        return "too long"
    return "decoded"
