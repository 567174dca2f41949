"""`/v1/media`: stream files to and from Meta, never whole in memory (reference 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import Final

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field
from werkzeug.datastructures import Range

from wa_service.observability import metrics
from wa_service.web.auth import allow
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, MEDIA_TYPE, ProblemError
from wa_service.web.sender_numbers import NumberQuery, SenderClients
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.media.download import LARGEST, MEDIA_TYPES, MediaStream, base_type

# The form's overhead around the largest file.
_FORM_BYTES: Final = 64 * 1024
_UNKNOWN_TYPES: Final = frozenset({"", "application/octet-stream"})


class MediaPath(CachedSchemaModel):
    """Which file."""

    id: str = Field(max_length=256, description="Meta's media id.")


class UploadedMedia(ResponseBody):
    """Meta's id of an uploaded file, valid for 30 days."""

    id: str


def add_media_routes(api: APIBlueprint, clients: SenderClients) -> None:
    """Add the routes."""

    @api.post("/media", **operation(200, UploadedMedia, body="UploadForm"))
    @allow("send")
    def upload_media(query: NumberQuery) -> Response:
        """Upload a file of up to 100 MB; its id is valid for 30 days."""
        return UploadedMedia(id=_upload(clients.find(query.from_))).respond()

    @api.get("/media/<id>", **operation(200, None))
    @allow("read")
    def download_media(path: MediaPath, query: NumberQuery) -> Response:
        """Download a file that a customer sent (for 7 days) or that was uploaded (for 30)."""
        return _download(clients.find(query.from_), path.id)

    @api.delete("/media/<id>", **operation(204, None))
    @allow("admin")
    def delete_media(path: MediaPath, query: NumberQuery) -> Response:
        """Delete a file at Meta."""
        clients.find(query.from_).delete_media(path.id)
        return Response(status=204)


def _upload(client: WhatsAppMetaClient) -> str:
    """Upload the request's `file` (werkzeug keeps large ones on disk); return Meta's media id.

    Raises:
        ProblemError: the request is not a form with a file.
        WhatsAppError: Meta refused it.
    """
    request.max_content_length = LARGEST + _FORM_BYTES
    if request.mimetype != "multipart/form-data":
        raise ProblemError(MEDIA_TYPE, "Send a form, as multipart/form-data.")
    file = request.files.get("file")
    if file is None:
        raise ProblemError(INVALID, "The form is not valid.", fields=[("file", "This field is required.")])
    declared = request.form.get("type", "") or (file.mimetype or "")
    mime_type = "" if declared in _UNKNOWN_TYPES else declared
    return client.upload_media(file.stream, mime_type=mime_type, filename=file.filename or "")


def _download(client: WhatsAppMetaClient, media_id: str) -> Response:
    return media_response(lambda: client.open_media(media_id))


def media_response(
    open_stream: Callable[[], MediaStream], shown: Collection[str] = (), wanted: Range | None = None
) -> Response:
    """Stream a file from Meta. A browser saves it, or shows it if its type is one of `shown`.

    Customers sent it, so a browser must not run it: sniffing is off, and it is sandboxed. `wanted` is the requested
    range: browsers need ranges to show a voice note's length and to seek in it.

    Raises:
        WhatsAppError: Meta does not have it, or cannot be reached.
    """
    try:
        stream = open_stream()
    except WhatsAppError:
        metrics.media_downloaded(success=False)
        raise
    type_ = base_type(stream.mime_type)
    known = MEDIA_TYPES.get(type_)
    disposition = "inline" if type_ in shown else "attachment"
    headers = {
        "Content-Disposition": f'{disposition}; filename="media{known.extension if known else ""}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    status, chunks = 200, iter(stream)
    part = wanted.range_for_length(stream.size) if wanted else None
    if wanted and part and stream.size is not None:
        status, chunks = 206, part_of(chunks, *part)
        headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{stream.size}"
        headers["Content-Length"] = str(part[1] - part[0])
    elif stream.size is not None:
        headers["Content-Length"] = str(stream.size)
    pieces = _counted(chunks)
    # Read the first piece before the response begins, so that an early failure is a problem and not half a response.
    first = next(pieces, b"")
    response = Response(chain((first,), pieces), status, headers, content_type=_header_safe(stream.mime_type))
    response.call_on_close(stream.close)
    return response


def part_of(chunks: Iterator[bytes], start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes from `start` up to `stop`, exclusive. The rest is not read, so its hash is not checked."""
    at = 0
    for chunk in chunks:
        if piece := chunk[max(0, start - at) : max(0, stop - at)]:
            yield piece
        at += len(chunk)
        if at >= stop:
            return


def _counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
    success = False
    try:
        yield from chunks
        success = True
    finally:
        metrics.media_downloaded(success=success)


def _header_safe(mime_type: str) -> str:
    """Return Meta's type if it is valid in a header."""
    return mime_type if mime_type.isascii() and mime_type.isprintable() else "application/octet-stream"
