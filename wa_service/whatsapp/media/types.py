"""File types that WhatsApp supports, and their maximum sizes (reference 4.5)."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from wa_service.whatsapp.errors import MediaTooLargeError, UnsupportedMediaError

MediaKind: TypeAlias = Literal["audio", "document", "image", "sticker", "video"]

_KB: Final = 1024
_MB: Final = 1024 * 1024

LARGEST: Final = 100 * _MB
"""Bytes of the largest file that Meta handles, in either direction."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """One MIME type: its kind, file extension, largest size in bytes, and whether it may be uploaded."""

    kind: MediaKind
    extension: str
    max_size: int
    sendable: bool = True


_OFFICE: Final = "application/vnd.openxmlformats-officedocument"

MEDIA_TYPES: Final[Mapping[str, MediaType]] = MappingProxyType(
    {
        "audio/aac": MediaType("audio", ".aac", 16 * _MB),
        "audio/amr": MediaType("audio", ".amr", 16 * _MB),
        "audio/mpeg": MediaType("audio", ".mp3", 16 * _MB),
        "audio/mp4": MediaType("audio", ".m4a", 16 * _MB),
        "audio/ogg": MediaType("audio", ".ogg", 16 * _MB),
        # Customers' apps send these; Meta refuses them as uploads.
        "audio/opus": MediaType("audio", ".opus", 16 * _MB, sendable=False),
        "audio/wav": MediaType("audio", ".wav", 16 * _MB, sendable=False),
        "image/jpeg": MediaType("image", ".jpg", 5 * _MB),
        "image/png": MediaType("image", ".png", 5 * _MB),
        "image/webp": MediaType("sticker", ".webp", 500 * _KB),
        "video/mp4": MediaType("video", ".mp4", 16 * _MB),
        "video/3gpp": MediaType("video", ".3gp", 16 * _MB),
        "text/plain": MediaType("document", ".txt", LARGEST),
        "application/pdf": MediaType("document", ".pdf", LARGEST),
        "application/msword": MediaType("document", ".doc", LARGEST),
        "application/vnd.ms-excel": MediaType("document", ".xls", LARGEST),
        "application/vnd.ms-powerpoint": MediaType("document", ".ppt", LARGEST),
        f"{_OFFICE}.wordprocessingml.document": MediaType("document", ".docx", LARGEST),
        f"{_OFFICE}.spreadsheetml.sheet": MediaType("document", ".xlsx", LARGEST),
        f"{_OFFICE}.presentationml.presentation": MediaType("document", ".pptx", LARGEST),
    }
)
"""Every type in the reference. A customer's document may have any other type, too."""

_ALIASES: Final[Mapping[str, str]] = {
    "audio/mp3": "audio/mpeg",
    "audio/m4a": "audio/mp4",
    "audio/x-m4a": "audio/mp4",
    "audio/mp4a-latm": "audio/mp4",
    "audio/x-aac": "audio/aac",
    "audio/x-hx-aac-adts": "audio/aac",
    "audio/x-wav": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/wave": "audio/wav",
    "image/jpg": "image/jpeg",
    "video/3gp": "video/3gpp",
}

_BY_EXTENSION: Final[Mapping[str, str]] = {
    **{media.extension: mime_type for mime_type, media in MEDIA_TYPES.items()},
    ".jpeg": "image/jpeg",
    ".oga": "audio/ogg",
}


_SENDABLE: Final = ", ".join(media.extension for media in MEDIA_TYPES.values() if media.sendable)


def base_type(mime_type: str) -> str:
    """Return the MIME type without parameters (`; codecs=opus`), in lower case and under its usual name (9.1)."""
    plain = mime_type.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def usual_type(mime_type: str) -> str:
    """Return the MIME type under its usual name, which Meta requires in an upload, with its parameters (4.1)."""
    parameters = mime_type.partition(";")[2].strip()
    return f"{base_type(mime_type)}; {parameters}" if parameters else base_type(mime_type)


def media_kind(mime_type: str) -> MediaKind:
    """Return how WhatsApp shows a file of this type; an unknown type is a document."""
    known = MEDIA_TYPES.get(base_type(mime_type))
    return known.kind if known else "document"


def type_of_file(filename: str) -> str:
    """Return the MIME type of a file name's extension, "" if it is unknown."""
    extension = PurePath(filename).suffix.lower()
    return _BY_EXTENSION.get(extension) or mimetypes.guess_type(f"file{extension}", strict=True)[0] or ""


def check_upload(mime_type: str, size: int) -> MediaType:
    """Return the type if Meta accepts this file; raise `UnsupportedMediaError` or `MediaTooLargeError`."""
    base = base_type(mime_type)
    media = MEDIA_TYPES.get(base)
    if media is None or not media.sendable:
        raise UnsupportedMediaError(f"WhatsApp does not accept files of type {base or 'unknown'}, only {_SENDABLE}")
    if size > media.max_size:
        problem = f"A file of type {base} may have {media.max_size} bytes, this one has {size} or more"
        raise MediaTooLargeError(problem, advice="Use a smaller file.")
    if size == 0:
        raise UnsupportedMediaError("The file is empty", advice="Send a file with content.")
    return media
