"""A file's type comes from its bytes; its name has no folders and the extension of its type."""

from __future__ import annotations

import pytest

from wa_service.whatsapp.errors import UnsupportedMediaError
from wa_service.whatsapp.media.sniffing import fitting_name, media_type_of
from wa_service.whatsapp.media.types import check_upload
from wa_service.whatsapp.media.uploads import open_upload

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ZEROS = bytes(64)
HEADS = {
    "png": b"\x89PNG\r\n\x1a\n" + ZEROS,
    "jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + ZEROS,
    "ogg": b"OggS\0\x02" + bytes(22) + b"\x01\x13OpusHead\x01",
    "mp3": b"ID3\x03\0\0\0\0\0\0" + ZEROS,
    "mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + ZEROS,
    "webp": b"RIFF\x24\0\0\0WEBPVP8 " + ZEROS,
    "wav": b"RIFF\x24\0\0\0WAVEfmt " + ZEROS,
    "pdf": b"%PDF-1.7\n" + ZEROS,
    "zip": b"PK\x03\x04" + ZEROS,
    "ole": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "gif": b"GIF89a" + ZEROS,
    "exe": b"MZ\x90\0" + bytes(100),
    "html": b"<!DOCTYPE html><html></html>",
    "amr": b"#!AMR\n" + ZEROS,
}


@pytest.mark.parametrize(
    ("head", "label", "name", "type_"),
    [
        ("ogg", "audio/opus", "voice.opus", "audio/ogg"),
        ("ogg", "video/mp4", "voice-note.mp4", "audio/ogg"),
        ("ogg", "", "", "audio/ogg"),
        ("jpeg", "image/png", "a.png", "image/jpeg"),
        ("png", "application/pdf", "a.pdf", "image/png"),
        ("webp", "image/png", "a.png", "image/webp"),
        ("pdf", "text/plain", "a.txt", "application/pdf"),
        ("mp3", "audio/ogg", "a.ogg", "audio/mpeg"),
        ("amr", "audio/mpeg", "a.mp3", "audio/amr"),
        ("zip", "application/pdf", "a.docx", DOCX),
    ],
)
def test_a_wrong_label_is_corrected(head: str, label: str, name: str, type_: str) -> None:
    assert media_type_of(HEADS[head], label, name) == type_
    check_upload(type_, 1)


@pytest.mark.parametrize(
    ("head", "label"),
    [
        ("ogg", "audio/ogg; codecs=opus"),
        ("mp4", "audio/mp4"),
        ("zip", DOCX),
        ("ole", "application/vnd.ms-excel"),
        ("html", "text/plain"),
    ],
)
def test_a_label_that_fits_is_kept(head: str, label: str) -> None:
    assert media_type_of(HEADS[head], label, "file") == label


@pytest.mark.parametrize(
    ("head", "label"),
    [
        ("gif", "image/png"),
        ("exe", "application/pdf"),
        ("html", "image/png"),
        ("wav", "audio/ogg"),
        ("zip", "application/pdf"),
        ("ole", "image/png"),
    ],
)
def test_bytes_that_whatsapp_does_not_take_are_refused_whatever_the_label_says(head: str, label: str) -> None:
    with pytest.raises(UnsupportedMediaError, match=r"only \.aac, .*\.jpg, \.png, .*\.pptx"):
        check_upload(media_type_of(HEADS[head], label, "file"), 100)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"0123456789" * 10, bytes(range(100))])
def test_bytes_that_tell_nothing_leave_the_label(content: bytes) -> None:
    assert media_type_of(content, "image/png", "") == "image/png"


@pytest.mark.parametrize(
    ("given", "type_", "name"),
    [
        ("../../etc/passwd", "application/pdf", "passwd.pdf"),
        ("C:\\photos\\a.png", "image/png", "a.png"),
        ("voice-note.mp4", "audio/ogg", "voice-note.ogg"),
        ("a\0b\r\n.pdf", "application/pdf", "ab.pdf"),
        ("a\u202egpj.pdf", "application/pdf", "agpj.pdf"),
        ("photo.JPEG", "image/jpeg", "photo.JPEG"),
        ("report v1.2", "application/pdf", "report v1.2.pdf"),
        ("..", "text/plain", "file.txt"),
        ("", "image/png", "file.png"),
    ],
)
def test_a_name_has_no_folder_and_the_extension_of_its_type(given: str, type_: str, name: str) -> None:
    assert fitting_name(given, type_) == name


def test_an_upload_has_the_type_and_name_of_its_bytes() -> None:
    upload = open_upload(HEADS["ogg"], mime_type="audio/opus", filename="in/voice.opus")
    assert (upload.mime_type, upload.filename, upload.stream.read()) == ("audio/ogg", "voice.ogg", HEADS["ogg"])
