"""What must not stand in any line of a log: secrets, what people wrote, their numbers, plainly or inside a wamid."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator

from tests.e2e.phones import PREFIX, SECRETS

# Every text that a test writes holds this word.
SPOKEN = "marzipan"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def leaks(line: str, secrets: Iterable[str] = SECRETS) -> Iterator[str]:
    """What a line tells that it must not, by kind."""
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
    """Whatever in a line can be read as base64, at each of the four places where it could begin."""
    for found in _BASE64.findall(line):
        packed = found.rstrip("=").replace("-", "+").replace("_", "/")
        for start in range(4):
            part = packed[start:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            try:
                yield base64.b64decode(part + "=" * (-len(part) % 4))
            except (binascii.Error, ValueError):
                continue
