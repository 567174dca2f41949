"""A `requests` adapter that connects only where a `DestinationPolicy` permits, to the address that it judged."""

from __future__ import annotations

from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidURL

from wa_service.resilience.destinations import DestinationPolicy, DestinationRefusedError


class GuardedAdapter(HTTPAdapter):
    """Resolves a request's URL by the policy and connects to that address, with the name from the URL for TLS.

    A refused URL raises `requests.exceptions.InvalidURL` with the policy's sentence, before anything is connected.
    Proxies are not used: what a proxy connects to cannot be judged here.
    """

    def __init__(self, policy: DestinationPolicy, *, pool_size: int = 32) -> None:
        self._policy = policy
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: bool | str, cert: Any = None
    ) -> tuple[Any, Any]:
        """Return the key of the connection pool: the judged address, and the name that its certificate must bear."""
        try:
            destination = self._policy.resolve(request.url or "")
        except DestinationRefusedError as error:
            raise InvalidURL(str(error), request=request) from None
        request.headers["Host"] = destination.host_header
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        names = {"server_hostname": destination.host, "assert_hostname": destination.host}
        return {**host, "host": destination.address}, {**pool, **(names if destination.scheme == "https" else {})}
