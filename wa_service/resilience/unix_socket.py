"""requests over a unix socket, by the doors that requests and urllib3 leave open for it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

_MAX_CONNECTIONS = 64


class UnixSocketAdapter(HTTPAdapter):
    """Sends every request of its session to one unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()

        class Connection(HTTPConnection):
            """A connection to `path`, whatever its host is called."""

            def connect(self) -> None:
                """Connect, within the time-out that urllib3 has set."""
                self.sock = socket.socket(socket.AF_UNIX)
                # None or seconds; urllib3's own default stands for "none given".
                if isinstance(self.timeout, (int, float)):
                    self.sock.settimeout(self.timeout)
                try:
                    self.sock.connect(str(path))
                except OSError:
                    self.close()
                    raise

        class Pool(HTTPConnectionPool):
            """Makes such connections."""

            ConnectionCls = Connection

        self._pool = Pool("localhost", maxsize=_MAX_CONNECTIONS)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        """Return the one pool there is; a hook of HTTPAdapter."""
        return self._pool

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        super().close()
