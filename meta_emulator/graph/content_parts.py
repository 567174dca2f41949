"""Validation of what messages, headers and templates have in common: media, locations, texts (reference 2.3)."""

from __future__ import annotations

from typing import Any

from meta_emulator.errors import invalid, missing, parameter
from meta_emulator.graph.call import Call

MEDIA_KINDS: dict[str, tuple[str, ...]] = {
    "image": ("image/jpeg", "image/png"),
    "audio": ("audio/",),
    "video": ("video/",),
    "sticker": ("image/webp",),
    "document": ("",),
}
"""The beginnings of the MIME types that each kind of media may have (reference 4.5)."""


def check_media(call: Call, kind: str, media: Any, where: str = "") -> None:
    """Check a media object: exactly one of ``id`` and ``link``; the id must exist and fit the type."""
    label = where or kind
    if not isinstance(media, dict):
        raise parameter(f"Param {label} must be an object.")
    has_id, has_link = bool(media.get("id")), bool(media.get("link"))
    if has_id == has_link:
        raise parameter(f"Param {label} must have exactly one of id and link.")
    if has_link:
        link = media["link"]
        if not isinstance(link, str) or not link.lower().startswith(("http://", "https://")):
            raise invalid(f"{label}: link must be a http or https URL.")
        return
    stored = call.world.media_store.get(str(media["id"]))
    if stored is None:
        raise invalid(f"{label}: there is no media with this id, or it has expired.")
    if not stored.mime_type.startswith(MEDIA_KINDS[kind]):
        raise invalid(f"{label}: media of type {stored.mime_type} cannot be sent as {kind}.")


def check_length(value: Any, name: str, maximum: int, *, required: bool = True) -> None:
    """Check a text of 1 to ``maximum`` characters; None is allowed if it is not required."""
    if value is None and not required:
        return
    if not isinstance(value, str):
        raise parameter(f"Param {name} must be a string.")
    if required and not value:
        raise missing(f"{name} is required and must not be empty.")
    if len(value) > maximum:
        raise parameter(f"Param {name} must be at most {maximum} characters long.")


def check_location(content: Any) -> None:
    """Check a location: coordinates as numbers or numeric strings, name and address."""
    if not isinstance(content, dict):
        raise parameter("Param location must be an object.")
    for name, bound in (("latitude", 90), ("longitude", 180)):
        if name not in content:
            raise missing(f"location: {name} is required.")
        try:
            value = float(content[name])
        except (TypeError, ValueError):
            raise invalid(f"location: {name} must be a number.") from None
        if not -bound <= value <= bound:
            raise invalid(f"location: {name} must be between -{bound} and {bound}.")
    for name in ("name", "address"):
        check_length(content.get(name), f"location['{name}']", 1000, required=False)
