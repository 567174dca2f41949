"""Write Opus packets into an Ogg file, the format of WhatsApp voice notes (RFC 3533, RFC 7845)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_POLYNOMIAL = 0x04C11DB7
_RATE = 48_000
# A page holds at most 255 segments; about a second of speech per page suits seeking.
_PAGE_SAMPLES = _RATE
_PAGE_SEGMENTS = 255
# Frame length in samples at 48 kHz for each of the 32 configurations of the TOC byte (RFC 6716, 3.1).
_FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4


def mux(head: bytes, packets: Iterable[bytes], *, serial: int = 1, vendor: str = "emulator") -> bytes:
    """Return an Ogg Opus file of these packets; ``head`` is the ``OpusHead`` of their stream."""
    writer = _Writer(serial)
    writer.page([head], 0, flags=0x02)
    name = vendor.encode()
    writer.page([b"OpusTags" + struct.pack("<I", len(name)) + name + struct.pack("<I", 0)], 0)
    group: list[bytes] = []
    granule, samples, segments = 0, 0, 0
    pages: list[tuple[list[bytes], int]] = []
    for packet in packets:
        needed = len(packet) // 255 + 1
        if group and (samples >= _PAGE_SAMPLES or segments + needed > _PAGE_SEGMENTS):
            pages.append((group, granule))
            group, samples, segments = [], 0, 0
        duration = packet_samples(packet)
        group.append(packet)
        granule += duration
        samples += duration
        segments += needed
    pages.append((group, granule))
    for position, (content, at) in enumerate(pages, 1):
        writer.page(content, at, flags=0x04 if position == len(pages) else 0)
    return writer.result()


def packet_samples(packet: bytes) -> int:
    """Return the number of samples at 48 kHz in an Opus packet."""
    if not packet:
        return 0
    length = _FRAME_SAMPLES[packet[0] >> 3]
    code = packet[0] & 3
    if code == 3:
        return length * (packet[1] & 0x3F) if len(packet) > 1 else 0
    return length * (1 if code == 0 else 2)


def crc(page: bytes) -> int:
    """Return Ogg's checksum: not reflected, starts at 0, no final inversion."""
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ byte]
    return value


class _Writer:
    def __init__(self, serial: int) -> None:
        self._serial = serial
        self._sequence = 0
        self._pages: list[bytes] = []

    def page(self, packets: list[bytes], granule: int, *, flags: int = 0) -> None:
        table = bytearray()
        for packet in packets:
            full, rest = divmod(len(packet), 255)
            table += b"\xff" * full + bytes([rest])
        header = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, self._serial, self._sequence, 0, len(table))
        page = header + bytes(table) + b"".join(packets)
        self._pages.append(page[:22] + struct.pack("<I", crc(page)) + page[26:])
        self._sequence += 1

    def result(self) -> bytes:
        return b"".join(self._pages)


def _table() -> tuple[int, ...]:
    values = []
    for index in range(256):
        value = index << 24
        for _ in range(8):
            value = ((value << 1) & 0xFFFFFFFF) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
        values.append(value)
    return tuple(values)


_TABLE = _table()
