"""Files: passed on to Meta and from Meta in pieces, never held in memory whole (reference 4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from flask import Response, request

from wa_service.observability import metrics
from wa_service.web.problems import INVALID, MEDIA_TYPE, ProblemError
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.media.download import LARGEST, MEDIA_TYPES, MediaStream, base_type

# What a form needs around the largest file.
_FORM_BYTES: Final = 64 * 1024
_UNSAID: Final = frozenset({"", "application/octet-stream"})


def upload(client: WhatsAppMetaClient) -> str:
    """Uploads the request's `file` (werkzeug keeps large ones on disk); returns Meta's media id.

    Raises:
        ProblemError: the request is no form with a file.
        WhatsAppError: Meta does not take it.
    """
    request.max_content_length = LARGEST + _FORM_BYTES
    if request.mimetype != "multipart/form-data":
        raise ProblemError(MEDIA_TYPE, "Send a form, as multipart/form-data.")
    file = request.files.get("file")
    if file is None:
        raise ProblemError(INVALID, "The form is not valid.", fields=[("file", "This field is required.")])
    said = request.form.get("type", "") or (file.mimetype or "")
    mime_type = "" if said in _UNSAID else said
    return client.upload_media(file.stream, mime_type=mime_type, filename=file.filename or "")


def download(client: WhatsAppMetaClient, media_id: str) -> Response:
    """Passes a file on while it comes. A browser saves it and never runs it: customers sent it.

    Raises:
        WhatsAppError: Meta does not have it, or could not be asked.
    """
    try:
        stream = client.open_media(media_id)
    except WhatsAppError:
        metrics.media_downloaded(success=False)
        raise
    known = MEDIA_TYPES.get(base_type(stream.mime_type))
    headers = {
        "Content-Disposition": f'attachment; filename="media{known.extension if known else ""}"',
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    if stream.size is not None:
        headers["Content-Length"] = str(stream.size)
    pieces = _counted(stream)
    # Waited for before the answer begins: what goes wrong until then is a problem, not half an answer.
    first = next(pieces, b"")
    response = Response(chain((first,), pieces), headers=headers, content_type=_header_safe(stream.mime_type))
    response.call_on_close(stream.close)
    return response


def _counted(stream: MediaStream) -> Iterator[bytes]:
    success = False
    try:
        yield from stream
        success = True
    finally:
        metrics.media_downloaded(success=success)


def _header_safe(mime_type: str) -> str:
    """Meta's word for the type, unless it could not stand in a header."""
    return mime_type if mime_type.isascii() and mime_type.isprintable() else "application/octet-stream"
