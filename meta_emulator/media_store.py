"""The media that Meta keeps for a while: bytes, digests, and URLs that expire (reference 4)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any

from meta_emulator.clock import Clock
from meta_emulator.ids import Ids
from meta_emulator.records import BusinessNumber, Media

URL_SECONDS = 300
UPLOAD_SECONDS = 30 * 86400.0
INBOUND_SECONDS = 7 * 86400.0
_KEPT_BYTES = 64 * 1024 * 1024


class MediaStore:
    """Keeps media up to a bound of bytes (the oldest goes first) and signs their URLs.

    base_url: what these URLs begin with; whoever serves them sets it.
    """

    def __init__(self, clock: Clock, ids: Ids, base_url: str) -> None:
        self.base_url = base_url
        self._clock = clock
        self._ids = ids
        self.clear()

    def clear(self) -> None:
        """Forget everything; no URL that was given is good any more."""
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
        """Keep bytes under a new id: 30 days for uploads, 7 for what phones send."""
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

    def get(self, media_id: str) -> Media | None:
        """The media, or None where it is unknown or its life is over."""
        media = self._media.get(media_id)
        if media is not None and media.expires <= self._clock.now():
            self.delete(media_id)
            return None
        return media

    def delete(self, media_id: str) -> bool:
        """Forget it; False where it was not there."""
        media = self._media.pop(media_id, None)
        if media is None:
            return False
        self._bytes -= len(media.content)
        return True

    def url(self, media: Media, *, source: str = "", expired: bool = False) -> str:
        """A download URL that is good for five minutes and carries its own proof."""
        expires = int(self._clock.now()) + (-60 if expired else URL_SECONDS)
        path = "whatsapp_business/attachments/"
        marked = f"&source={source}" if source else ""
        proof = self._proof(media.id, expires)
        return f"{self.base_url}/{path}?mid={media.id}{marked}&ext={expires}&hash={proof}"

    def url_is_good(self, media_id: str, expires: str, proof: str) -> bool:
        """True where we made this URL and its time is not over."""
        if not expires.isdigit() or int(expires) <= self._clock.now():
            return False
        return hmac.compare_digest(self._proof(media_id, int(expires)), proof)

    def webhook_object(self, number: BusinessNumber, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """A phone's media as the webhook names it: type, base64 digest, id and URL (reference 5.6)."""
        media = self.get(str(content["id"]))
        if media is None:
            return content
        # A file sent a second time is a second media to Meta; the page's preview id stays as it is.
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

    def _proof(self, media_id: str, expires: int) -> str:
        return hmac.new(self._key, f"{media_id}:{expires}".encode(), hashlib.sha256).hexdigest()[:32]
