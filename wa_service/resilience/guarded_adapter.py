"""A `requests` adapter that connects only to addresses that a `DestinationPolicy` has checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from requests.exceptions import RequestException
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Retry, Timeout

from wa_service.resilience.destinations import Destination, DestinationPolicy, DestinationRefusedError
from wa_service.whatsapp.http.adapter import WatchedAdapter

_MOST_DESTINATIONS: Final = 64


class RefusedURLError(RequestException):
    """The policy refused the URL before connecting; the text is the policy's sentence."""


class GuardedAdapter(WatchedAdapter):
    """Resolves each request's URL by the policy and connects to that address, with the URL's host name for TLS.

    A refused URL raises RefusedURLError. Proxies are not used, since a proxy's destination cannot be checked here.
    `ca_bundle`: file of the trusted certificate authorities; default: certifi's.
    """

    def __init__(self, policy: DestinationPolicy, *, pool_size: int = 32, ca_bundle: Path | None = None) -> None:
        self._policy = policy
        self._ca_certs = str(ca_bundle or DEFAULT_CA_BUNDLE_PATH)
        self._checked: dict[tuple[str, str, int, str], HTTPConnectionPool] = {}
        super().__init__(pool_size=pool_size, retries=Retry(False))
        self.init_poolmanager(_MOST_DESTINATIONS, pool_size)

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, connect_seconds: float, read_seconds: float
    ) -> BaseHTTPResponse:
        """POST without the overhead of `requests`, which exceeds that of the call; the answer's body is unread."""
        try:
            destination = self._policy.resolve(url)
        except DestinationRefusedError as error:
            raise RefusedURLError(str(error)) from None
        return self._pool_of(destination).urlopen(
            "POST",
            destination.target,
            body=body,
            headers={**headers, "Host": destination.host_header},
            retries=self.max_retries,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(connect=connect_seconds, read=read_seconds),
            preload_content=False,
            decode_content=False,
        )

    def _pool_of(self, destination: Destination) -> HTTPConnectionPool:
        """Return the pool of a checked address, for the host name that its certificate must have."""
        key = (destination.scheme, destination.host, destination.port, destination.address)
        pool = self._checked.get(key)
        if pool is None or pool.pool is None:  # the manager closes pools that were not used for long
            tls = {"cert_reqs": "CERT_REQUIRED", "ca_certs": self._ca_certs}
            tls |= {"server_hostname": destination.host, "assert_hostname": destination.host}
            pool = self.poolmanager.connection_from_host(
                destination.address, destination.port, destination.scheme, tls if destination.scheme == "https" else {}
            )
            if len(self._checked) >= _MOST_DESTINATIONS:
                self._checked.clear()
            self._checked[key] = pool
        return pool

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """Return the pool of the checked address. Unlike the base class, it caches no pool by name."""
        del proxies
        pool = cast(HTTPConnectionPool, HTTPAdapter.get_connection_with_tls_context(self, request, verify, None, cert))
        self.cert_verify(pool, str(request.url), verify, cert)  # type: ignore[no-untyped-call]  # requests has no type here
        return pool

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> tuple[Any, Any]:
        """Return the key of the connection pool: the checked address, and the host name of its certificate."""
        try:
            destination = self._policy.resolve(request.url or "")
        except DestinationRefusedError as error:
            raise RefusedURLError(str(error), request=request) from None
        request.headers["Host"] = destination.host_header
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        names = {"server_hostname": destination.host, "assert_hostname": destination.host}
        return {**host, "host": destination.address}, {**pool, **(names if destination.scheme == "https" else {})}
