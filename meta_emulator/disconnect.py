"""Close a connection without a response."""

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
    """Close this request's connection without a response; ``reset``: with a TCP reset."""
    environ[_KEY] = "reset" if reset else "close"


class DisconnectMiddleware:
    """WSGI middleware that drops the response of a request marked by ``disconnect``."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Run the application; raise OSError to make the server close the connection."""
        result = self._application(environ, start_response)
        mode = environ.get(_KEY)
        if mode is None:
            return result
        if hasattr(result, "close"):
            result.close()
        connection = environ.get(CONNECTION_KEY)
        if mode == "reset" and connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # gevent's server handles EPIPE as a closed peer: it writes nothing more and closes.
        raise OSError(errno.EPIPE, "planned disconnect")
