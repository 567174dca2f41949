"""Sentence embeddings by HTTP, from any service with an OpenAI-compatible `/v1/embeddings`."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from operator import mul
from typing import Any, TypeAlias

import orjson

from wa_service.resilience.http import HttpCaller, HttpCallError, HttpConnectionError

Vector: TypeAlias = "array[float]"
"""A text's embedding: single precision, of length 1."""

_BATCH = 64
MAX_ANSWER = 8 * 1024 * 1024
"""Most bytes of an answer: the vectors of 64 texts."""


class EmbeddingsClient:
    """Ask the service for the vectors of texts.

    `url`: the base address of `/embeddings`, with or without `/v1` at its end.
    """

    def __init__(
        self, url: str, api_key: str = "", *, model: str = "text-embedding", caller: HttpCaller | None = None
    ) -> None:
        base = url.rstrip("/")
        self._url = f"{base}{'' if base.endswith('/v1') else '/v1'}/embeddings"
        self._headers = {"Content-Type": "application/json"}
        self._headers |= {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._model = model
        self._caller = caller or HttpCaller(max_answer=MAX_ANSWER)

    def embed(self, texts: Sequence[str], seconds: float) -> list[Vector]:
        """Return a vector for each text, with one request for 64 texts. Raises HttpCallError."""
        batches = (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))
        return [vector for batch in batches for vector in self._embed(batch, seconds)]

    def _embed(self, texts: Sequence[str], seconds: float) -> list[Vector]:
        body = orjson.dumps({"model": self._model, "input": list(texts)})
        try:
            answer = self._caller.post(self._url, seconds=seconds, headers=self._headers, data=body)
        except HttpConnectionError:
            # A local process may have just been restarted.
            answer = self._caller.post(self._url, seconds=seconds, headers=self._headers, data=body)
        if answer.status != 200:
            raise HttpCallError(f"HTTP {answer.status}")
        try:
            vectors = [_unit(item["embedding"]) for item in orjson.loads(answer.body)["data"]]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise HttpCallError("no vectors") from None
        if len(vectors) != len(texts):
            raise HttpCallError("a vector for each text is missing")
        return vectors


def similarity(one: Vector, other: Vector) -> float:
    """Return the cosine similarity of two vectors, 0 to 1; 0 if it is negative."""
    return max(0.0, min(1.0, float(sum(map(mul, one, other)))))


def _unit(values: Any) -> Vector:
    vector = array("f", values)
    length = math.sqrt(sum(map(mul, vector, vector)))
    if not length or not math.isfinite(length):
        raise ValueError("a vector of no length")
    return array("f", (value / length for value in vector))
