"""Trust the headers of the configured proxies only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class TrustedProxies:
    """A WSGI application that trusts X-Forwarded-* headers from `networks` only."""

    def __init__(self, app: WSGIApplication, networks: Sequence[str]) -> None:
        self._direct = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=1, x_host=1)
        trusted = tuple(ipaddress.ip_network(network) for network in networks)

        @lru_cache(maxsize=1024)
        def is_trusted(address: str) -> bool:
            if not address:  # a unix socket, which only a proxy on this machine can reach
                return True
            try:
                parsed = ipaddress.ip_address(address)
            except ValueError:
                return False
            return any(parsed in network for network in trusted)

        self._is_trusted = is_trusted

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, with the client's address from the headers of a trusted proxy."""
        if self._is_trusted(environ.get("REMOTE_ADDR", "")):
            return self._forwarded(environ, start_response)
        return self._direct(environ, start_response)
