"""A wall-clock deadline over every read from a socket.

`requests`' time-outs are per read, so a server that drips a byte a second holds a caller for ever. Here every read of
headers and body gets only the time that is left until the deadline of the call. So does every write of a body that
leaves in pieces; once it is out, the answer has the time that any other answer has.
"""

import contextlib
import io
import time
from contextvars import ContextVar
from typing import Any

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def within(seconds: float) -> contextlib.AbstractContextManager[None]:
    """Let every read in the block end `seconds` from now; an outer, earlier deadline stays in force."""
    return until(time.monotonic() + seconds)


class until:  # noqa: N801 - used like a function
    """As `within`, for a moment of `time.monotonic`."""

    __slots__ = ("_ends", "_token")

    def __init__(self, ends: float) -> None:
        self._ends = ends

    def __enter__(self) -> None:
        outer = _deadline.get()
        self._token = _deadline.set(self._ends if outer is None else min(self._ends, outer))

    def __exit__(self, *_: object) -> None:
        _deadline.reset(self._token)


def shorten(seconds: float) -> None:
    """Let the innermost block, if there is one, end at most `seconds` from now."""
    ends = _deadline.get()
    if ends is not None:
        _deadline.set(min(ends, time.monotonic() + seconds))  # until the block resets it


def time_left() -> float | None:
    """Seconds until the deadline of this block, None outside; raises TimeoutError once it is over."""
    ends = _deadline.get()
    if ends is None:
        return None
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("The deadline is over.")
    return left


def is_bounded() -> bool:
    """Whether there is a deadline here."""
    return _deadline.get() is not None


class _DeadlineReader(io.RawIOBase):
    """The socket's reader, given only the time that is left for each read; `received` comes first."""

    def __init__(self, inner: Any, sock: Any, received: bytes) -> None:
        self._inner = inner
        self._sock = sock
        self._received = received

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self._received:
            first = self._received[: len(buffer)]
            self._received = self._received[len(first) :]
            buffer[: len(first)] = first
            return len(first)
        left = time_left()
        if left is not None:
            # A shorter time-out per read stays in force; only the deadline may cut it.
            current = self._sock.gettimeout()
            self._sock.settimeout(left if current is None else min(left, current))
        count: int | None = self._inner.readinto(buffer)
        return count

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


class DeadlineSocket:
    """A socket whose `makefile` reads within the deadline; everything else is the socket's own.

    `received`: what was read from it already and shall be read again.
    """

    def __init__(self, sock: Any, received: bytes = b"") -> None:
        self._sock = sock
        self._received = received

    def makefile(self, mode: str, *args: Any, **kwargs: Any) -> io.BufferedReader:
        """The reader; for one only, since what was received is read once."""
        del args, kwargs
        return io.BufferedReader(_DeadlineReader(self._sock.makefile(mode, buffering=0), self._sock, self._received))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
