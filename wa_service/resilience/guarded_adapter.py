"""A `requests` adapter that connects only where a `DestinationPolicy` permits, to the address that it judged."""

from __future__ import annotations

from typing import Any, cast

from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3 import HTTPConnectionPool, Retry

from wa_service.resilience.destinations import DestinationPolicy, DestinationRefusedError
from wa_service.whatsapp.http.adapter import WatchedAdapter


class RefusedURLError(RequestException):
    """The policy refused the URL, before anything was connected; the text is the policy's sentence."""


class GuardedAdapter(WatchedAdapter):
    """Resolves each request's URL by the policy and connects to that address, with the name from the URL for TLS.

    A refused URL raises RefusedURLError. Proxies are not used: what a proxy connects to cannot be judged here.
    """

    def __init__(self, policy: DestinationPolicy, *, pool_size: int = 32) -> None:
        self._policy = policy
        super().__init__(pool_size=pool_size, retries=Retry(False))

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """Return the pool of the judged address. Unlike its base, it remembers no pool for a name."""
        del proxies
        pool = cast(HTTPConnectionPool, HTTPAdapter.get_connection_with_tls_context(self, request, verify, None, cert))
        self.cert_verify(pool, str(request.url), verify, cert)  # type: ignore[no-untyped-call]  # requests' own gap
        return pool

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> tuple[Any, Any]:
        """Return the key of the connection pool: the judged address, and the name that its certificate must bear."""
        try:
            destination = self._policy.resolve(request.url or "")
        except DestinationRefusedError as error:
            raise RefusedURLError(str(error), request=request) from None
        request.headers["Host"] = destination.host_header
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        names = {"server_hostname": destination.host, "assert_hostname": destination.host}
        return {**host, "host": destination.address}, {**pool, **(names if destination.scheme == "https" else {})}
