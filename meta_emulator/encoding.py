"""The bytes of a webhook as Meta writes them, and the signatures over those bytes (reference 5.2)."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any


def encode(payload: Any) -> bytes:
    r"""ASCII JSON: non-ASCII as ``\uXXXX`` with lower-case hex, ``/`` as ``\/``."""
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=True)
    # A slash can only stand inside a JSON string, so replacing it everywhere is safe.
    return text.replace("/", "\\/").encode("ascii")


def encode_reordered(payload: Any) -> bytes:
    """The same payload in other bytes: keys reversed and spaced, as a redelivery may come."""
    text = json.dumps(_reversed(payload), separators=(", ", ": "), ensure_ascii=True)
    return text.replace("/", "\\/").encode("ascii")


def signature_headers(body: bytes, app_secret: str) -> dict[str, str]:
    """``X-Hub-Signature-256`` and the legacy ``X-Hub-Signature`` for exactly these bytes."""
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
