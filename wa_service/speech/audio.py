"""Detect a recording's container by its first bytes, so that no unexpected format reaches a decoder.

The declared type is ignored, because phones and gateways label recordings wrongly.
"""

from __future__ import annotations

from enum import StrEnum

MAX_BYTES = 16 * 1024 * 1024
"""WhatsApp's own limit for audio (reference 4.5)."""


class RecordingError(Exception):
    """A recording that cannot be transcribed; the text says why, without its content."""


class RecordingTooLongError(RecordingError):
    """The recording is too long or too large."""


class RecordingUnreadableError(RecordingError):
    """The recording cannot be decoded."""


class AudioContainer(StrEnum):
    """A container; the value is the name of FFmpeg's demuxer, the only one that is allowed for it."""

    OGG = "ogg"
    MP3 = "mp3"
    AAC = "aac"
    M4A = "mov"
    AMR = "amr"
    WAV = "wav"
    FLAC = "flac"
    MATROSKA = "matroska"


_MAGIC = {
    b"OggS": AudioContainer.OGG,
    b"#!AMR": AudioContainer.AMR,
    b"fLaC": AudioContainer.FLAC,
    b"ID3": AudioContainer.MP3,
    b"\x1a\x45\xdf\xa3": AudioContainer.MATROSKA,
}


def detect(content: bytes) -> AudioContainer | None:
    """Return the container by its magic bytes; None for anything else (a script, a playlist, a picture)."""
    head = content[:16]
    for magic, container in _MAGIC.items():
        if head.startswith(magic):
            return container
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return AudioContainer.WAV
    if head[4:8] == b"ftyp":
        return AudioContainer.M4A
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # Distinguished by the layer bits: zero in ADTS, never in MPEG audio.
        return AudioContainer.AAC if head[1] & 0xF6 == 0xF0 else AudioContainer.MP3
    return None
