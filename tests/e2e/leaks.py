"""Find what no log line may contain: secrets, customers' texts, and their numbers, in plain text or in a wamid."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator

from tests.e2e.phones import PREFIX, SECRETS

# Every text that a test writes contains this word.
SPOKEN = "marzipan"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def leaks(line: str, secrets: Iterable[str] = SECRETS) -> Iterator[str]:
    """Yield the kinds of forbidden content in a line."""
    yield from (f"the secret {secret[:4]}…" for secret in secrets if secret in line)
    if SPOKEN in line:
        yield "a text"
    if PREFIX in line:
        yield "a number"
    if "wamid." in line:
        yield "a wamid"
    if any(PREFIX.encode() in decoded for decoded in unpacked(line)):
        yield "a number in base64"


def unpacked(line: str) -> Iterator[bytes]:
    """Yield everything in a line that decodes as base64, at each of four offsets."""
    for found in _BASE64.findall(line):
        packed = found.rstrip("=").replace("-", "+").replace("_", "/")
        for start in range(4):
            part = packed[start:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            try:
                yield base64.b64decode(part + "=" * (-len(part) % 4))
            except (binascii.Error, ValueError):
                continue
