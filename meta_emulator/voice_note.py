"""Convert browser recordings (WebM) to the format of voice notes (ogg/opus) (reference 5.6, 9.1)."""

from __future__ import annotations

from meta_emulator import ogg_opus, webm

MIME_TYPE = "audio/ogg; codecs=opus"


def convert_recording(content: bytes, mime_type: str) -> tuple[bytes, str]:
    """Return the file and its MIME type as a phone would send them.

    Opus packets in WebM are moved to Ogg; Ogg with Opus gets its full MIME type; other files are unchanged.
    """
    base = mime_type.partition(";")[0].strip().lower()
    if content.startswith(webm.MAGIC) and base in ("audio/webm", "video/webm"):
        try:
            track = webm.opus_track(content)
        except webm.WebmError:
            return content, base
        return ogg_opus.mux(track.head, track.packets), MIME_TYPE
    if content[:4] == b"OggS" and b"OpusHead" in content[:512]:
        return content, MIME_TYPE
    return content, base or "application/octet-stream"
