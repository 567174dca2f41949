"""Write WebM as a browser's recorder does. It shares no code with the reader under test."""

from __future__ import annotations

import struct

UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"


def element(identifier: str, data: bytes, *, unknown_size: bool = False) -> bytes:
    size = UNKNOWN if unknown_size else struct.pack(">Q", len(data) | 1 << 56)
    return bytes.fromhex(identifier) + size + data


def opus_head(channels: int = 1) -> bytes:
    return b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 312, 48000, 0, 0)


def simple_block(packet: bytes, track: int = 1, flags: int = 0x80) -> bytes:
    return element("A3", bytes([0x80 | track]) + struct.pack(">hB", 0, flags) + packet)


def track_entry(number: int, codec: bytes, private: bytes = b"") -> bytes:
    parts = element("D7", bytes([number])) + element("86", codec)
    return element("AE", parts + (element("63A2", private) if private else b""))


def webm(packets: list[bytes], *, tracks: bytes | None = None, blocks: bytes | None = None) -> bytes:
    """Return a live recording: its segment and cluster have an unknown size."""
    head = element("1A45DFA3", element("4282", b"webm"))
    tracks = tracks if tracks is not None else track_entry(1, b"A_OPUS", opus_head())
    blocks = blocks if blocks is not None else b"".join(simple_block(packet) for packet in packets)
    cluster = element("1F43B675", element("E7", b"\0") + blocks, unknown_size=True)
    return head + element("18538067", element("1654AE6B", tracks) + cluster, unknown_size=True)
