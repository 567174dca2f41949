"""The files of voice notes."""

from __future__ import annotations

import pytest
import requests_mock

from wa_service.speech.audio import MAX_BYTES
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import MediaTooLargeError
from wa_service.worker.media_fetcher import MediaFetcher

NUMBER = "106540000000001"


@pytest.mark.parametrize("label", ["audio/ogg", "application/octet-stream", "video/mp4"])
def test_a_recording_that_is_too_large_is_not_fetched_whatever_its_label(label: str) -> None:
    adapter = requests_mock.Adapter()
    known = {"url": "https://lookaside.fbsbx.com/1", "mime_type": label, "file_size": MAX_BYTES + 1, "id": "1"}
    adapter.register_uri("GET", "https://graph.facebook.com/v24.0/1", json=known)
    client = WhatsAppMetaClient("EAAtoken", NUMBER, app_secret="s", api_version="v24.0", adapter=adapter)

    with pytest.raises(MediaTooLargeError):
        MediaFetcher({NUMBER: client})(NUMBER, "1")

    assert [request.url for request in adapter.request_history] == ["https://graph.facebook.com/v24.0/1"]
