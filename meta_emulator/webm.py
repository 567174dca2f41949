"""Read Opus packets from a WebM recording of a browser (RFC 8794, RFC 9559)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x1a\x45\xdf\xa3"

_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _BLOCK_GROUP = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xA0
_CODEC_ID, _CODEC_PRIVATE, _TRACK_NUMBER = 0x86, 0x63A2, 0xD7
_SIMPLE_BLOCK, _BLOCK = 0xA3, 0xA1
_MASTERS = {_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _BLOCK_GROUP}


class WebmError(ValueError):
    """The bytes are not a WebM file with an Opus track."""


@dataclass(frozen=True, slots=True)
class OpusTrack:
    """The decoder's header (``OpusHead``) and the packets in order."""

    head: bytes
    packets: list[bytes]


def opus_track(content: bytes) -> OpusTrack:
    """Return the first Opus track; raise WebmError if there is none or the file is damaged."""
    if not content.startswith(MAGIC):
        raise WebmError("no EBML header")
    head, number, current, packets = b"", -1, -1, []
    codec = b""
    for element, data in _leaves(content):
        if element == _TRACK_NUMBER:
            current, codec = int.from_bytes(data, "big"), b""
        elif element == _CODEC_ID:
            codec = data.rstrip(b"\0")
        elif element == _CODEC_PRIVATE and data.startswith(b"OpusHead") and number < 0:
            head, number = data, current
        elif element in (_SIMPLE_BLOCK, _BLOCK):
            packet = _packet(data, number)
            if packet is not None:
                packets.append(packet)
    if not head or not packets:
        raise WebmError(f"no Opus track (codec {codec.decode('ascii', 'replace') or 'unknown'})")
    return OpusTrack(head, packets)


def _leaves(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield every element that is not a container.

    The size of containers is ignored, since it is unknown in a live recording. An incomplete last element is skipped.
    """
    position = 0
    while position < len(content):
        element, position = _number(content, position, keep_marker=True)
        size, position = _number(content, position, keep_marker=False)
        if element in _MASTERS:
            continue
        if position + size > len(content):
            return
        yield element, content[position : position + size]
        position += size


def _number(content: bytes, position: int, *, keep_marker: bool) -> tuple[int, int]:
    """Return a variable-length integer and the position after it."""
    if position >= len(content):
        raise WebmError("the file ends inside an element")
    first = content[position]
    length = 9 - first.bit_length()
    if first == 0 or position + length > len(content):
        raise WebmError("not an EBML number")
    value = int.from_bytes(content[position : position + length], "big")
    if not keep_marker:
        value &= (1 << (7 * length)) - 1
    return value, position + length


def _packet(block: bytes, track: int) -> bytes | None:
    """Return the frame of an unlaced block of this track; browsers never lace Opus."""
    number, position = _number(block, 0, keep_marker=False)
    if number != track or len(block) < position + 4:
        return None
    if block[position + 2] & 0x06:
        raise WebmError("laced blocks are not supported")
    return block[position + 3 :]
