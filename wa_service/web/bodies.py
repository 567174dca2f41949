"""Read a request's JSON body, up to a size limit."""

from __future__ import annotations

from typing import Any, Final

import orjson
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from wa_service.web.problems import INVALID, MEDIA_TYPE, ProblemError

LARGEST_MESSAGE: Final = 128 * 1024
NDJSON: Final = "application/x-ndjson"
NDJSON_TYPES: Final = frozenset({NDJSON, "application/ndjson", "application/jsonl"})
"""One JSON text per line. No media type is registered for it, so clients send several."""


def json_object(*, optional: bool = False) -> dict[str, Any]:
    """Return the request's JSON object; {} if there is no body and it is `optional`.

    Raises:
        ProblemError: the body is missing, is not a JSON object, or has another content type.
        RequestEntityTooLarge: it is larger than 128 KiB.
    """
    # One byte more than allowed: werkzeug truncates a chunked body at its limit without an error.
    request.max_content_length = LARGEST_MESSAGE + 1
    raw = request.get_data(cache=False)
    if len(raw) > LARGEST_MESSAGE:
        raise RequestEntityTooLarge
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
