"""Detecting a recording's container from its first bytes."""

from __future__ import annotations

import pytest

from wa_service.speech.audio import AudioContainer, detect

BEGINNINGS = {
    b"OggS\x00\x02": AudioContainer.OGG,
    b"ID3\x04\x00": AudioContainer.MP3,
    b"\xff\xfb\x90\x00": AudioContainer.MP3,
    b"\xff\xf3\x44\xc4": AudioContainer.MP3,
    b"\xff\xf1\x50\x80": AudioContainer.AAC,
    b"\xff\xf9\x50\x80": AudioContainer.AAC,
    b"RIFF\x24\x00\x00\x00WAVEfmt ": AudioContainer.WAV,
    b"\x00\x00\x00\x1cftypM4A ": AudioContainer.M4A,
    b"#!AMR\n": AudioContainer.AMR,
    b"#!AMR-WB\n": AudioContainer.AMR,
    b"fLaC\x00": AudioContainer.FLAC,
    b"\x1a\x45\xdf\xa3\x01": AudioContainer.MATROSKA,
}

NOT_SOUND = {
    "nothing": b"",
    "one byte": b"\xff",
    "an ffconcat script": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "a playlist": b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/x\n",
    "a picture": b"\xff\xd8\xff\xe0"[1:] + b"JFIF",
    "a page": b"<!DOCTYPE html><html>",
    "RIFF that is no WAVE": b"RIFF\x24\x00\x00\x00AVI LIST",
}


@pytest.mark.parametrize(("content", "container"), BEGINNINGS.items())
def test_a_container_is_known_by_its_first_bytes(content: bytes, container: AudioContainer) -> None:
    assert detect(content) is container


@pytest.mark.parametrize("content", NOT_SOUND.values(), ids=NOT_SOUND.keys())
def test_what_is_no_sound_is_not_taken_for_one(content: bytes) -> None:
    assert detect(content) is None
