"""One POST over a kept connection: a piece out, an answer in, by hand.

Two thirds of what a send cost were urllib3's and http.client's doors, forms and headers around a socket that takes
44 µs (a send 480 µs, by this road 300). So a request of one piece is written here, and an ordinary answer (HTTP/1.1,
with its length) read here; pools, connecting, TLS and proxies stay theirs, and whatever is not ordinary is read by
http.client from the same bytes. How an exchange ends is told as elsewhere: an error of the network, whatever its
class; `attempt` knows whether the request may have left.
"""

import contextlib
import io
from collections.abc import Mapping
from http.client import HTTPException
from http.client import HTTPResponse as PlainResponse
from typing import Any, Final, NamedTuple

from urllib3 import HTTPConnectionPool, HTTPHeaderDict
from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from wa_service.whatsapp.http.deadline import DeadlineSocket, time_left

WRITE_SECONDS: Final = 30.0
_LARGEST_HEAD: Final = 65_536
_LARGEST_BODY: Final = 1_048_576
_MOST_DIGITS: Final = 12
_CHUNK: Final = 65_536
_END: Final = b"\r\n\r\n"


class _Head(NamedTuple):
    """The head of an ordinary answer."""

    status: int
    reason: str
    headers: HTTPHeaderDict
    length: int


def exchange(
    pool: HTTPConnectionPool,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    connect_seconds: float,
    read_seconds: float,
) -> HTTPResponse:
    """POST one body and return the answer, its body in memory or still on the connection.

    `target`: path and query; `headers`: all but `Host`, with the body's length. Raises OSError or an error of
    urllib3's or http.client's.
    """
    connection: Any = pool._get_conn()
    try:
        if connection.is_closed:
            connection.timeout = connect_seconds
            connection.connect()
        sock = connection.sock
        _write(sock, _request(pool, target, headers) + body)
        data, end = _read_head(sock, read_seconds)
        head = _ordinary(data, end)
        if head is None or head.length > _LARGEST_BODY:
            return _unusual(pool, connection, data, read_seconds)
        content = _read_body(sock, data, end + len(_END), head.length, read_seconds)
    except BaseException:
        connection.close()
        pool._put_conn(connection)
        raise
    if len(content) != head.length or "close" in head.headers.get("connection", "").lower():
        connection.close()  # it says so, or said more than it had announced
    pool._put_conn(connection)
    return HTTPResponse(
        io.BytesIO(content[: head.length]),
        headers=head.headers,
        status=head.status,
        version=11,
        reason=head.reason,
        preload_content=False,
        decode_content=False,
    )


def _request(pool: HTTPConnectionPool, target: str, headers: Mapping[str, str]) -> bytes:
    host = f"[{pool.host}]" if ":" in pool.host else pool.host
    place = host if pool.port in (None, _PORTS[pool.scheme]) else f"{host}:{pool.port}"
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    return f"POST {target} HTTP/1.1\r\nHost: {place}\r\n{''.join(lines)}\r\n".encode("latin-1")


_PORTS: Final = {"http": 80, "https": 443}


def _write(sock: Any, data: bytes) -> None:
    sock.settimeout(_patience(WRITE_SECONDS))
    # An answer may have been said before the door was shut.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(data)


def _read_head(sock: Any, seconds: float) -> tuple[bytes, int]:
    """What was received, and where its head ends; -1 where it does not end."""
    data = b""
    while (end := data.find(_END)) < 0 and len(data) < _LARGEST_HEAD:
        sock.settimeout(_patience(seconds))
        more = sock.recv(_CHUNK)
        if not more:
            break
        data += more
    return data, end


def _ordinary(data: bytes, end: int) -> _Head | None:
    """The head, None where http.client shall read it: no end, no length, chunks, folded or odd lines, another HTTP."""
    first, *lines = data[: max(end, 0)].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status, _, reason = rest.partition(" ")
    if version != "HTTP/1.1" or len(status) != 3 or not status.isdecimal() or not "200" <= status < "600":
        return None
    headers = HTTPHeaderDict()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name.strip() != name or "\n" in line:
            return None
        headers.add(name, value.strip(" \t"))
    length = headers.get("content-length", "")
    is_length = length.isascii() and length.isdecimal() and len(length) <= _MOST_DIGITS
    if not is_length or "transfer-encoding" in headers or status in ("204", "304"):
        return None
    return _Head(int(status), reason.strip(), headers, int(length))


def _read_body(sock: Any, data: bytes, start: int, length: int, seconds: float) -> bytes:
    """The body; more where more was said."""
    parts, left = [data[start:]], length - (len(data) - start)
    while left > 0:
        sock.settimeout(_patience(seconds))
        more = sock.recv(min(left, _CHUNK))
        if not more:
            raise ConnectionResetError("the answer breaks off")
        parts.append(more)
        left -= len(more)
    return b"".join(parts)


def _unusual(pool: HTTPConnectionPool, connection: Any, received: bytes, seconds: float) -> HTTPResponse:
    """The answer as http.client reads it, beginning with what was received."""
    connection.sock.settimeout(seconds)
    plain = PlainResponse(DeadlineSocket(connection.sock, received), method="POST")  # type: ignore[arg-type]
    try:
        plain.begin()
    except BaseException as problem:
        plain.close()  # it holds the socket, too
        if isinstance(problem, HTTPException):
            raise ProtocolError("The answer is no HTTP") from problem
        raise
    if plain.will_close:
        connection.close()
    return HTTPResponse(
        plain,
        headers=HTTPHeaderDict(plain.headers.items()),
        status=plain.status,
        version=plain.version,
        reason=plain.reason,
        preload_content=False,
        decode_content=False,
        original_response=plain,
        pool=pool,
        connection=connection,
        request_method="POST",
    )


def _patience(seconds: float) -> float:
    left = time_left()
    return seconds if left is None else min(seconds, left)
