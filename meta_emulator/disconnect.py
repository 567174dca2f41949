"""Closing a connection without an answer, at the one place where WSGI allows it."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_KEY = "wa_emulator.disconnect"
CONNECTION_KEY = "wa_emulator.connection"


def disconnect(environ: dict[str, Any], *, reset: bool) -> None:
    """Ask that this request's connection be closed with no answer; ``reset``: with a TCP reset."""
    environ[_KEY] = "reset" if reset else "close"


class DisconnectMiddleware:
    """WSGI middleware that throws the finished answer away where ``disconnect`` was asked for."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application; raise the error that makes the server close the connection."""
        result = self._application(environ, start_response)
        how = environ.get(_KEY)
        if how is None:
            return result
        if hasattr(result, "close"):
            result.close()
        connection = environ.get(CONNECTION_KEY)
        if how == "reset" and connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The server takes EPIPE as "the peer is gone": it writes nothing more and closes.
        raise OSError(errno.EPIPE, "the emulator hung up on purpose")
