"""Detect a file's type from its bytes, since its declared type is often wrong (reference 4.5)."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

import puremagic

from wa_service.whatsapp.media.types import MEDIA_TYPES, base_type, type_of_file

HEAD_BYTES: Final = 4096
"""How much of a file is read."""

_MIN_CONFIDENCE: Final = 0.3
"""Minimum confidence of puremagic, which is 0.1 per byte of the signature. Two bytes may match by chance."""

_NEARLY_AS_MIN_CONFIDENCE: Final = 0.2
"""How far below the best match others count: many types begin with `RIFF`, for example."""

_OFFICE: Final = frozenset(type_ for type_ in MEDIA_TYPES if "openxmlformats" in type_)
_OLD_OFFICE: Final = frozenset({"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"})
_MP4: Final = frozenset({"audio/mp4", "video/mp4", "video/3gpp"})
_AMBIGUOUS: Final = (_OFFICE, _OLD_OFFICE, _MP4)
"""Types with the same signature, which only the declared type or the file name distinguishes."""


def media_type_of(head: bytes, label: str, filename: str) -> str:
    """Return the type of a file that begins with `head`, "" if it cannot be determined.

    `label`: the declared MIME type, "" none; it is kept if it fits the bytes, or if the bytes have no known signature.
    If the bytes are of a type that WhatsApp does not support, that type is returned whatever the label says.
    """
    named, by_name = label or type_of_file(filename), base_type(type_of_file(filename))
    base = base_type(named)
    found = _types_of(head)
    taken = {type_ for type_ in found if type_ in MEDIA_TYPES}
    alike = taken.union(*(family for family in _AMBIGUOUS if family & taken))
    if not found or base in alike or (base == "text/plain" and _is_text(head)):
        return named
    if by_name in alike:
        return by_name
    if taken & _OFFICE:
        return "application/zip"
    if taken & _OLD_OFFICE:
        return "application/x-ole-storage"
    return next((type_ for type_ in found if type_ in taken), found[0])


def fitting_name(filename: str, mime_type: str) -> str:
    """Return a file name without folders and control characters, and with its type's extension."""
    name = PurePath(filename.replace("\\", "/")).name
    name = "".join(mark for mark in name if mark.isprintable()).strip().lstrip(".") or "file"
    media = MEDIA_TYPES.get(base_type(mime_type))
    if media is not None and base_type(type_of_file(name)) != base_type(mime_type):
        has_extension = bool(type_of_file(name))
        name = f"{PurePath(name).stem if has_extension else name}{media.extension}"
    return name[-240:]


def _types_of(head: bytes) -> list[str]:
    """Return the types whose signature matches, best first; WhatsApp's types under their usual names."""
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):  # no known signature, or no bytes
        return []
    least = max(_MIN_CONFIDENCE, max(match.confidence for match in matches) - _NEARLY_AS_MIN_CONFIDENCE)
    sure = [match for match in matches if match.confidence >= least]
    types = [_OGG.get(match.mime_type, base_type(match.mime_type)) for match in sure]
    by_extension = [type_of_file(f"file{match.extension}") for match in sure]
    known = [type_ for type_ in by_extension if type_ in MEDIA_TYPES]
    return list(dict.fromkeys([*(type_ for type_ in types if type_ not in _UNSPECIFIC), *known]))


_UNSPECIFIC: Final = frozenset({"", "application/octet-stream", "text/plain", "text/ascii"})
_OGG: Final = {"application/ogg": "audio/ogg"}


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as problem:
        return problem.start > len(head) - 4  # cut within a character
    return True
