"""The HTTP interface of the speech process: OpenAI's `/v1/audio/transcriptions` and `/v1/embeddings`.

A recording's type is detected by its first bytes; its declared type is ignored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from werkzeug.formparser import FormDataParser
from werkzeug.wrappers import Request, Response

from wa_service.speech.audio import MAX_BYTES, AudioContainer, RecordingError, RecordingTooLongError, detect

_MAX_BODY = 2 * MAX_BYTES
_MAX_TEXTS = 2_048


Transcribe = Callable[[bytes, AudioContainer], dict[str, Any]]
"""A recording and its container → OpenAI's `verbose_json` object; raises RecordingError."""
Embed = Callable[[Sequence[str]], list[list[float]]]
"""Texts → a unit vector each."""


class SpeechApp:
    """A WSGI application for one request at a time. A function that is None answers 404."""

    def __init__(self, transcribe: Transcribe | None = None, embed: Embed | None = None) -> None:
        self._transcribe = transcribe
        self._embed = embed

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request."""
        try:
            response = self._answer(Request(environ))
        except MemoryError:
            # After a MemoryError, answer and end the process, to start with a fresh heap.
            response = _error(422, "MemoryError")
            response.call_on_close(lambda: os._exit(1))
        except Exception as error:  # noqa: BLE001  # a recording must not end the process, nor appear in an answer
            response = _error(500, type(error).__name__)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == "/health":
            return _json({"status": "ok"})
        if request.content_length is None or request.content_length > _MAX_BODY:
            return _error(413, "too large")
        if request.method == "POST" and request.path == "/v1/audio/transcriptions" and self._transcribe:
            return self._transcription(request, self._transcribe)
        if request.method == "POST" and request.path == "/v1/embeddings" and self._embed:
            return self._embeddings(request, self._embed)
        return _error(404, "not found")

    def _transcription(self, request: Request, transcribe: Transcribe) -> Response:
        # In memory: this process cannot open files, and recordings must not be written to disk.
        parser = FormDataParser(stream_factory=lambda *_args, **_kwargs: BytesIO())
        _, form, files = parser.parse_from_environ(request.environ)
        if "file" not in files:
            return _error(400, "'file' is missing")
        content = files["file"].read()
        container = detect(content)
        if container is None:
            return _error(422, "not a recording")
        try:
            found = transcribe(content, container)
        except RecordingTooLongError as error:
            return _error(413, str(error))
        except RecordingError as error:
            return _error(422, str(error))
        return _json(found if form.get("response_format") == "verbose_json" else {"text": found["text"]})

    def _embeddings(self, request: Request, embed: Embed) -> Response:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            return _error(400, "not a JSON object")
        texts = body.get("input")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or len(texts) > _MAX_TEXTS or not all(isinstance(text, str) for text in texts):
            return _error(400, f"'input' must be a text or a list of at most {_MAX_TEXTS}")
        data = [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(embed(texts) if texts else [])
        ]
        return _json({"object": "list", "data": data, "model": body.get("model", "")})


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json")


def _error(status: int, reason: str) -> Response:
    return _json({"error": {"message": reason, "type": "invalid_request_error"}}, status)
