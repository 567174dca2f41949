"""What a recording is, by its first bytes: needs no decoder, so nothing unexpected ever reaches one."""

from enum import StrEnum

MAX_BYTES = 16 * 1024 * 1024
"""WhatsApp's own limit for audio (reference 4.5)."""


class Form(StrEnum):
    """A container; the value is the name of FFmpeg's demuxer, the only one it is then allowed to use."""

    OGG = "ogg"
    MP3 = "mp3"
    AAC = "aac"
    M4A = "mov"
    AMR = "amr"
    WAV = "wav"
    FLAC = "flac"
    MATROSKA = "matroska"


_DECLARED: dict[str, frozenset[Form]] = {
    "audio/ogg": frozenset({Form.OGG}),
    "audio/opus": frozenset({Form.OGG}),
    "audio/mpeg": frozenset({Form.MP3}),
    "audio/mp3": frozenset({Form.MP3}),
    # Phones write AAC with and without its container, and name either.
    "audio/mp4": frozenset({Form.M4A, Form.AAC}),
    "audio/m4a": frozenset({Form.M4A, Form.AAC}),
    "audio/x-m4a": frozenset({Form.M4A, Form.AAC}),
    "audio/aac": frozenset({Form.M4A, Form.AAC}),
    "audio/aacp": frozenset({Form.M4A, Form.AAC}),
    "audio/amr": frozenset({Form.AMR, Form.M4A}),
    "audio/amr-wb": frozenset({Form.AMR, Form.M4A}),
    "audio/3gpp": frozenset({Form.AMR, Form.M4A}),
    "audio/wav": frozenset({Form.WAV}),
    "audio/wave": frozenset({Form.WAV}),
    "audio/x-wav": frozenset({Form.WAV}),
    "audio/vnd.wave": frozenset({Form.WAV}),
    "audio/flac": frozenset({Form.FLAC}),
    "audio/x-flac": frozenset({Form.FLAC}),
    "audio/webm": frozenset({Form.MATROSKA}),
    "audio/x-matroska": frozenset({Form.MATROSKA}),
}


def detect(content: bytes) -> Form | None:
    """The container these bytes begin like; None for anything else (a script, a playlist, a picture)."""
    head = content[:16]
    for magic, form in ((b"OggS", Form.OGG), (b"#!AMR", Form.AMR), (b"fLaC", Form.FLAC), (b"ID3", Form.MP3)):
        if head.startswith(magic):
            return form
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return Form.MATROSKA
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return Form.WAV
    if head[4:8] == b"ftyp":
        return Form.M4A
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # The layer bits tell the two apart: ADTS has none, MPEG audio always has.
        return Form.AAC if head[1] & 0xF6 == 0xF0 else Form.MP3
    return None


def may_be(form: Form, mime_type: str) -> bool:
    """Whether content of this form may have been declared so; a type that says nothing is taken on trust."""
    declared = mime_type.partition(";")[0].strip().lower()
    expected = _DECLARED.get(declared)
    if expected is None:
        return declared in {"", "application/octet-stream"}
    return form in expected
