"""requests over a unix socket, by public hooks of requests and urllib3."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from wa_service.whatsapp.http.adapter import WRITE_SECONDS

_MAX_CONNECTIONS = 64


class UnixSocketAdapter(HTTPAdapter):
    """Sends every request of its session to one unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()

        class Connection(HTTPConnection):
            """A connection to `path`, whatever its host."""

            def connect(self) -> None:
                """Connect, within the time-out that urllib3 has set."""
                self.sock = socket.socket(socket.AF_UNIX)
                # A number of seconds, None, or urllib3's marker for its default.
                if isinstance(self.timeout, (int, float)):
                    self.sock.settimeout(self.timeout)
                try:
                    self.sock.connect(str(path))
                except OSError:
                    self.close()
                    raise
                self.sock.settimeout(WRITE_SECONDS)  # else the connect time-out would apply to the body

        class Pool(HTTPConnectionPool):
            """A pool of such connections."""

            ConnectionCls = Connection

        self._pool = Pool("localhost", maxsize=_MAX_CONNECTIONS)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """Return the only pool; a hook of HTTPAdapter."""
        return self._pool

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        super().close()
