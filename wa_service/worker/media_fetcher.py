"""Download recordings that customers sent, with logs and metrics."""

from __future__ import annotations

import time
from collections.abc import Mapping

from wa_service.observability import log, metrics
from wa_service.speech.audio import MAX_BYTES
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.media.download import Media


class MediaFetcher:
    """Download recordings, whatever their label, with the client of the number that received them."""

    def __init__(self, clients: Mapping[str, WhatsAppMetaClient]) -> None:
        self._clients = clients
        self._log = log.get_logger()

    def __call__(self, number: str, media_id: str) -> Media:
        """Return the file. Raises `WhatsAppError`."""
        started = time.monotonic()
        try:
            media = self._clients[number].download_media(media_id, max_size=MAX_BYTES)
        except WhatsAppError as error:
            metrics.media_downloaded(success=False)
            self._log.warning(
                "whatsapp.media.failed",
                number=number,
                media_id=media_id,
                reason=str(error),
                ms=_milliseconds_since(started),
            )
            raise
        metrics.media_downloaded(success=True)
        self._log.info(
            "whatsapp.media.downloaded",
            number=number,
            media_id=media_id,
            type=media.mime_type,
            bytes=media.size,
            ms=_milliseconds_since(started),
        )
        return media


def _milliseconds_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
