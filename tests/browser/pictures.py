"""Generated image files to send."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 480, height: int = 320) -> bytes:
    """A plain PNG of a harbour at dusk."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes(_colour(x / width, y / height, width / height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + _chunk(b"IEND", b"")
    )


def _colour(x: float, y: float, aspect: float) -> tuple[int, int, int]:
    sun = ((x - 0.68) * aspect) ** 2 + (y - 0.5) ** 2
    if y < 0.62:
        if sun < 0.012:
            return (255, 226, 170)
        return (int(70 + 170 * y), int(84 + 96 * y), int(146 - 30 * y))
    glitter = 40 if abs(x - 0.68) < 0.05 + (y - 0.62) * 0.2 and int(y * 60) % 2 else 0
    return (int(52 + glitter * 2), int(66 + glitter), int(112 - 60 * (y - 0.62) + glitter // 2))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
