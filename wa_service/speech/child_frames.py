"""The language of a worker and its child: requests of a JSON header and bytes, answers of one JSON line.

Spoken on both sides, so it imports next to nothing.
"""

import json
import struct
from typing import Any, BinaryIO

_SIZES = struct.Struct(">II")
_MAX_HEADER = 8 * 1024 * 1024
_MAX_PAYLOAD = 32 * 1024 * 1024
MAX_ANSWER = 8 * 1024 * 1024


class FrameError(Exception):
    """The other side does not speak this language, or has stopped in the middle of a word."""


def write_request(stream: BinaryIO, header: dict[str, Any], payload: bytes) -> None:
    """Send one request. Raises OSError when the other side is gone."""
    encoded = json.dumps(header).encode()
    stream.write(_SIZES.pack(len(encoded), len(payload)) + encoded)
    stream.write(payload)
    stream.flush()


def read_request(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next request; None at the end of the stream. Raises FrameError."""
    sizes = stream.read(_SIZES.size)
    if not sizes:
        return None
    if len(sizes) < _SIZES.size:
        raise FrameError("cut off")
    header_size, payload_size = _SIZES.unpack(sizes)
    if header_size > _MAX_HEADER or payload_size > _MAX_PAYLOAD:
        raise FrameError("too large")
    encoded, payload = stream.read(header_size), stream.read(payload_size)
    if len(encoded) < header_size or len(payload) < payload_size:
        raise FrameError("cut off")
    header: dict[str, Any] = json.loads(encoded)
    return header, payload


def write_answer(stream: BinaryIO, answer: dict[str, Any]) -> None:
    """Send one answer, a line."""
    stream.write(json.dumps(answer).encode() + b"\n")
    stream.flush()


def read_answer(stream: BinaryIO) -> dict[str, Any]:
    """The next answer. Raises FrameError when there is none, or none that can be read."""
    line = stream.readline(MAX_ANSWER)
    if not line.endswith(b"\n"):
        raise FrameError("cut off")
    try:
        answer = json.loads(line)
    except ValueError:
        raise FrameError("not JSON") from None
    if not isinstance(answer, dict):
        raise FrameError("not an answer")
    return answer
