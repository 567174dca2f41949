"""JSON as Meta encodes it, and the signatures of webhooks (reference 5.2)."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)


def encode(payload: Any) -> bytes:
    r"""Encode as ASCII JSON: non-ASCII as ``\uXXXX`` with lower-case hex, ``/`` as ``\/``."""
    text = _COMPACT.encode(payload)
    # Slashes occur only inside JSON strings.
    return text.replace("/", "\\/").encode("ascii")


def encode_reordered(payload: Any) -> bytes:
    """Encode with keys in reverse order and spaces: a redelivery may differ in its bytes."""
    text = json.dumps(_reversed(payload), separators=(", ", ": "), ensure_ascii=True)
    return text.replace("/", "\\/").encode("ascii")


def signature_headers(body: bytes, app_secret: str) -> dict[str, str]:
    """Return ``X-Hub-Signature-256`` and the legacy ``X-Hub-Signature`` of these bytes."""
    key = app_secret.encode()
    return {
        "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
        "X-Hub-Signature": "sha1=" + hmac.new(key, body, hashlib.sha1).hexdigest(),
    }


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [_reversed(item) for item in value]
    return value
