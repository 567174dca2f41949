"""Media: upload, URL, download, deletion, resumable upload (reference 4)."""

from __future__ import annotations

import base64

from flask import Response

from meta_emulator.errors import GraphError, parameter, unsupported_request
from meta_emulator.graph.call import Call, JsonObject
from meta_emulator.records import Media, Upload

_MB = 1024 * 1024
_OFFICE = "application/vnd.openxmlformats-officedocument."
LARGEST: dict[str, int] = {
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16 * _MB),
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            f"{_OFFICE}wordprocessingml.document",
            f"{_OFFICE}spreadsheetml.sheet",
            f"{_OFFICE}presentationml.presentation",
        ),
        100 * _MB,
    ),
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * _MB),
    "image/webp": 500 * 1024,
    **dict.fromkeys(("video/mp4", "video/3gpp"), 16 * _MB),
}
_STATIC_STICKER = 100 * 1024
_OPUS = "audio/ogg; codecs=opus"


def upload_media(call: Call) -> JsonObject:
    """``POST /{number}/media``: one file of an allowed type and size."""
    if call.params.get("messaging_product") != "whatsapp":
        raise parameter("The parameter messaging_product is required.")
    file = call.files.get("file")
    if file is None:
        raise parameter("The parameter file is required.")
    declared = file.content_type or ""
    if not declared or declared.startswith("application/octet-stream"):
        declared = call.text("type") or declared
    content = file.stream.read()
    mime_type = _accepted_type(declared, content)
    _check_size(mime_type, content)
    media = call.world.media_store.add(call.number, content, mime_type, file.filename or "")
    return {"id": media.id}


def get_media(call: Call) -> JsonObject:
    """``GET /{media}``: type, digest, size, and a URL that is valid for five minutes."""
    media = _owned(call)
    fault = call.fault.kind if call.fault else ""
    digest = "0" * 64 if fault == "wrong_sha256" else media.sha256
    return {
        "messaging_product": "whatsapp",
        "url": call.world.media_store.url(media, expired=fault == "expired_url"),
        "mime_type": media.mime_type,
        "sha256": digest,
        "file_size": len(media.content),
        "id": media.id,
    }


def delete_media(call: Call) -> JsonObject:
    """``DELETE /{media}``."""
    media = _owned(call)
    call.world.media_store.delete(media.id)
    return {"success": True}


def download_media(call: Call) -> Response:
    """Return the bytes of a media URL; errors have no JSON body (reference 4.3)."""
    if not call.token:
        return Response("<!DOCTYPE html><html><body>Log in</body></html>", 401, content_type="text/html")
    if not call.headers.get("user-agent"):
        return Response("<!DOCTYPE html><html><body>Sorry</body></html>", 403, content_type="text/html")
    store = call.world.media_store
    media_id = call.text("mid")
    media = store.get(media_id)
    if (
        media is None
        or call.token != call.world.credentials.access_token
        or not store.url_is_valid(media_id, call.text("ext"), call.text("hash"))
    ):
        return Response(b"", 404, content_type="text/plain")
    content = media.content
    if call.fault is not None and call.fault.kind == "corrupt":
        content = bytes(byte ^ 0xFF for byte in content)
    response = Response(content, 200, content_type=media.mime_type)
    response.headers["Content-Disposition"] = f"attachment; filename={media.id}"
    return response


def start_upload(call: Call) -> JsonObject:
    """``POST /{app}/uploads``: begin a resumable upload."""
    length = call.integer("file_length", 0)
    if length <= 0 or length > 100 * _MB:
        raise parameter("The parameter file_length is required.")
    kind = call.text("file_type")
    if kind not in ("application/pdf", "image/jpeg", "image/jpg", "image/png", "video/mp4"):
        raise parameter("Param file_type must be one of {PDF, JPEG, JPG, PNG, MP4}.")
    session = Upload(f"upload:{call.world.ids.hexadecimal(40)}", call.text("file_name"), kind, length)
    uploads = call.world.uploads
    uploads[session.id] = session
    if len(uploads) > 20:
        uploads.pop(next(iter(uploads)))
    return {"id": session.id}


def continue_upload(call: Call) -> JsonObject:
    """``POST /upload:…``: store bytes from ``file_offset`` on; return a handle once complete, else the offset."""
    session = _session(call)
    offset = call.headers.get("file-offset", "0")
    if offset != str(len(session.content)):
        raise parameter(f"The file_offset must be {len(session.content)}.")
    session.content += call.body
    if len(session.content) < session.length:
        return {"id": session.id, "file_offset": len(session.content)}
    kind = base64.b64encode(session.file_type.encode()).decode()
    return {"h": f"4::{kind}:ARZ{call.world.ids.hexadecimal(40)}"}


def resume_upload(call: Call) -> JsonObject:
    """``GET /upload:…``: the offset to continue from."""
    session = _session(call)
    return {"id": session.id, "file_offset": len(session.content)}


def _session(call: Call) -> Upload:
    session = call.world.uploads.get(call.object_id)
    if session is None:
        raise unsupported_request(call.method, call.object_id)
    return session


def _owned(call: Call) -> Media:
    media = call.world.media_store.get(call.object_id)
    owner = call.text("phone_number_id")
    if media is None or (owner and owner != media.owner_number_id):
        raise unsupported_request(call.method, call.object_id)
    return media


def _accepted_type(declared: str, content: bytes) -> str:
    base = declared.partition(";")[0].strip().lower()
    if base == "audio/ogg" and content[:4] == b"OggS" and b"OpusHead" in content[:512]:
        return _OPUS
    if base == "audio/ogg" or base not in LARGEST:
        raise parameter(
            f"Param file must be a file with one of the following types: {', '.join(LARGEST)}. "
            f"Received file of type '{declared or 'unknown'}'."
        )
    return base


def _check_size(mime_type: str, content: bytes) -> None:
    largest = LARGEST[mime_type.partition(";")[0]]
    if mime_type == "image/webp" and b"ANIM" not in content[:64]:
        largest = _STATIC_STICKER
    if not content:
        raise GraphError(131053, "The file is empty.")
    if len(content) > largest:
        raise GraphError(131053, f"The file is larger than {largest} bytes, the maximum for {mime_type}.")
