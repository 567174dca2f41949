"""Read a request's body, up to a size limit."""

from __future__ import annotations

from typing import Any, Final

import orjson
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from wa_service.web.problems import INVALID, MEDIA_TYPE, TOO_LARGE, ProblemError

LARGEST_MESSAGE: Final = 128 * 1024
NDJSON: Final = "application/x-ndjson"
NDJSON_TYPES: Final = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
"""One JSON text per line. No media type is registered for it, so clients send several."""
_COMPRESSIONS: Final = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})


def whole_body(most: int) -> bytes:
    """Return the request's body, of at most `most` bytes.

    Raises:
        ProblemError: it is larger, or compressed.
    """
    # Some programs name a character set here, beside a body that is not compressed.
    codings = {coding.strip() for coding in request.headers.get("Content-Encoding", "").lower().split(",")}
    if codings & _COMPRESSIONS:
        raise ProblemError(MEDIA_TYPE, "Send the body uncompressed, without Content-Encoding.")
    # One byte more than allowed: werkzeug truncates a chunked body at its limit without an error.
    request.max_content_length = most + 1
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large(most) from None
    if len(raw) > most:
        raise _too_large(most)
    return raw


def _too_large(most: int) -> ProblemError:
    return ProblemError(TOO_LARGE, f"The body may have at most {most // 1024} KiB.")


def json_object(*, optional: bool = False) -> dict[str, Any]:
    """Return the request's JSON object; {} if there is no body and it is `optional`.

    Raises:
        ProblemError: the body is missing, is not a JSON object, has another content type, is compressed, or is larger
            than 128 KiB.
    """
    raw = whole_body(LARGEST_MESSAGE)
    if optional and not raw:
        return {}
    if not request.is_json:
        raise ProblemError(MEDIA_TYPE, "Send JSON as application/json.")
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ProblemError(INVALID, "The body is not valid JSON.") from None
    if not isinstance(given, dict):
        raise ProblemError(INVALID, "The body is not a JSON object.")
    return given
