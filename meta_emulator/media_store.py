"""Media with their lifetimes, digests and expiring URLs (reference 4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Any

from meta_emulator.clock import Clock
from meta_emulator.ids import Ids
from meta_emulator.records import BusinessNumber, Media

URL_SECONDS = 300
UPLOAD_SECONDS = 30 * 86400.0
INBOUND_SECONDS = 7 * 86400.0
_SECONDS = re.compile(r"[0-9]{1,15}")
_KEPT_BYTES = 64 * 1024 * 1024


class MediaStore:
    """Stores media up to a total size (the oldest are removed first) and signs their URLs.

    base_url: prefix of the URLs; the server sets it.
    """

    def __init__(self, clock: Clock, ids: Ids, base_url: str) -> None:
        self.base_url = base_url
        self._clock = clock
        self._ids = ids
        self.clear()

    def clear(self) -> None:
        """Remove all media and invalidate their URLs."""
        self._key = secrets.token_bytes(32)
        self._media: dict[str, Media] = {}
        self._bytes = 0

    def add(
        self,
        number: BusinessNumber,
        content: bytes,
        mime_type: str,
        filename: str = "",
        *,
        inbound: bool = False,
    ) -> Media:
        """Store bytes under a new id: 30 days for uploads, 7 days for inbound media."""
        media = Media(
            id=self._ids.object_id(),
            mime_type=mime_type,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            owner_number_id=number.id,
            expires=self._clock.now() + (INBOUND_SECONDS if inbound else UPLOAD_SECONDS),
            filename=filename,
        )
        self._media[media.id] = media
        self._bytes += len(content)
        while self._bytes > _KEPT_BYTES and len(self._media) > 1:
            self.delete(next(iter(self._media)))
        return media

    def all(self) -> list[Media]:
        """Return all media."""
        return list(self._media.values())

    def restore(self, media: Media) -> None:
        """Add saved media."""
        self._media[media.id] = media
        self._bytes += len(media.content)

    def get(self, media_id: str) -> Media | None:
        """Return the media, None if it is unknown or expired."""
        media = self._media.get(media_id)
        if media is not None and media.expires <= self._clock.now():
            self.delete(media_id)
            return None
        return media

    def delete(self, media_id: str) -> bool:
        """Remove media; return False for an unknown id."""
        media = self._media.pop(media_id, None)
        if media is None:
            return False
        self._bytes -= len(media.content)
        return True

    def url(self, media: Media, *, source: str = "", expired: bool = False) -> str:
        """Return a signed download URL that is valid for five minutes."""
        expires = int(self._clock.now()) + (-60 if expired else URL_SECONDS)
        path = "whatsapp_business/attachments/"
        marked = f"&source={source}" if source else ""
        signature = self._signature(media.id, expires)
        return f"{self.base_url}/{path}?mid={media.id}{marked}&ext={expires}&hash={signature}"

    def url_is_valid(self, media_id: str, expires: str, signature: str) -> bool:
        """Return whether the URL's signature is valid and it has not expired."""
        if not _SECONDS.fullmatch(expires) or int(expires) <= self._clock.now():
            return False
        return hmac.compare_digest(self._signature(media_id, int(expires)).encode(), signature.encode())

    def webhook_object(self, number: BusinessNumber, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Return the media object of an inbound message: type, base64 digest, id and URL (reference 5.6)."""
        media = self.get(str(content["id"]))
        if media is None:
            return content
        shown: dict[str, Any] = {}
        for name in ("caption", "filename"):
            if content.get(name):
                shown[name] = content[name]
        if kind == "document" and media.filename:
            shown.setdefault("filename", media.filename)
        shown["mime_type"] = media.mime_type
        shown["sha256"] = base64.b64encode(bytes.fromhex(media.sha256)).decode()
        shown["id"] = media.id
        shown["url"] = self.url(media, source="webhook")
        if kind == "audio":
            shown["voice"] = bool(content.get("voice", "opus" in media.mime_type))
        if kind == "sticker":
            shown["animated"] = bool(content.get("animated", False))
        media.owner_number_id = number.id
        return shown

    def _signature(self, media_id: str, expires: int) -> str:
        return hmac.new(self._key, f"{media_id}:{expires}".encode(), hashlib.sha256).hexdigest()[:32]
