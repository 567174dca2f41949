"""What a recording is, by its first bytes and by what was declared."""

import pytest

from wa_service.speech.audio import Form, detect, may_be

BEGINNINGS = {
    b"OggS\x00\x02": Form.OGG,
    b"ID3\x04\x00": Form.MP3,
    b"\xff\xfb\x90\x00": Form.MP3,
    b"\xff\xf3\x44\xc4": Form.MP3,
    b"\xff\xf1\x50\x80": Form.AAC,
    b"\xff\xf9\x50\x80": Form.AAC,
    b"RIFF\x24\x00\x00\x00WAVEfmt ": Form.WAV,
    b"\x00\x00\x00\x1cftypM4A ": Form.M4A,
    b"#!AMR\n": Form.AMR,
    b"#!AMR-WB\n": Form.AMR,
    b"fLaC\x00": Form.FLAC,
    b"\x1a\x45\xdf\xa3\x01": Form.MATROSKA,
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


@pytest.mark.parametrize(("content", "form"), BEGINNINGS.items())
def test_a_container_is_known_by_its_first_bytes(content: bytes, form: Form) -> None:
    assert detect(content) is form


@pytest.mark.parametrize("content", NOT_SOUND.values(), ids=NOT_SOUND.keys())
def test_what_is_no_sound_is_not_taken_for_one(content: bytes) -> None:
    assert detect(content) is None


@pytest.mark.parametrize(
    ("form", "declared"),
    [
        (Form.OGG, "audio/ogg; codecs=opus"),
        (Form.MP3, "audio/mpeg"),
        (Form.M4A, "audio/mp4"),
        (Form.AAC, "audio/aac"),
        (Form.M4A, "audio/aac"),
        (Form.AMR, "AUDIO/AMR"),
        (Form.WAV, "audio/wav"),
        (Form.OGG, ""),
        (Form.OGG, "application/octet-stream"),
    ],
)
def test_content_may_be_what_was_declared(form: Form, declared: str) -> None:
    assert may_be(form, declared)


@pytest.mark.parametrize(
    ("form", "declared"), [(Form.WAV, "audio/ogg"), (Form.OGG, "audio/mpeg"), (Form.MP3, "image/png")]
)
def test_content_that_is_not_what_was_declared_is_seen(form: Form, declared: str) -> None:
    assert not may_be(form, declared)
