"""Verify webhook signatures: HMAC-SHA256 of the received bytes with the app's secret (reference 5.2)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal, TypeAlias

Refusal: TypeAlias = Literal["missing", "malformed", "mismatch"]
"""Why it is refused: no header, not `sha256=` with 64 hex digits, or signed with another secret or body."""

_HEADER: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")


class SignatureVerifier:
    """Checks `X-Hub-Signature-256` against one or several app secrets (several during a rotation).

    The keys are prepared once, so that a check costs one hash of the body. Thread- and greenlet-safe.
    """

    __slots__ = ("_prepared",)

    def __init__(self, secrets: Sequence[str]) -> None:
        """`secrets`: the app secrets in any order; empty ones are ignored. ValueError if none is left."""
        given = [secrets] if isinstance(secrets, str) else secrets
        self._prepared = tuple(hmac.new(secret.encode(), digestmod=sha256) for secret in given if secret)
        if not self._prepared:
            raise ValueError("An app secret is needed to verify webhooks.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._prepared)} secrets)"

    def refusal(self, raw: bytes, header: str | None) -> Refusal | None:
        """Return None if `header` signs `raw` (the bytes as received, never re-serialised), else the reason.

        It takes the same time for every wrong signature: all secrets are tried, each compared in constant time.
        """
        if not header:
            return "missing"
        match = _HEADER.fullmatch(header)
        if match is None:
            return "malformed"
        given = bytes.fromhex(match[1])
        signed = False
        for prepared in self._prepared:
            mac = prepared.copy()
            mac.update(raw)
            signed |= hmac.compare_digest(mac.digest(), given)
        return None if signed else "mismatch"
