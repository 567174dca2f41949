"""HTTP calls to external services, with a deadline for the whole call and a limit on the answer's size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, Retry
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import NewConnectionError, ProtocolError

from wa_service.resilience.destinations import DestinationPolicy
from wa_service.resilience.guarded_adapter import GuardedAdapter, RefusedURLError
from wa_service.resilience.unix_socket import UnixSocketAdapter
from wa_service.whatsapp.http.adapter import Exchange, WatchedAdapter
from wa_service.whatsapp.http.deadline import DeadlineFactory, Watchdog


class HttpCallError(Exception):
    """No usable answer: not reached, too slow, too long. `str()` names the kind, never the content."""


class HttpConnectionError(HttpCallError):
    """The service could not be reached, or the connection broke before the answer."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer with its whole body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


_OnHead = Callable[[HttpAnswer], None]


class HttpCaller:
    """Makes calls with requests, without the environment's proxies and without redirects.

    `unix_socket`: used for every call, whatever the URL's host. `policy`: checks URLs that API users chose.
    `pool_size`: connections to one address that are kept between calls, with a `policy`. `ca_bundle`: file of the
    trusted certificate authorities; default: certifi's.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 3.0,
        max_answer: int = 1_000_000,
        deadline: DeadlineFactory = Watchdog,
        unix_socket: Path | None = None,
        policy: DestinationPolicy | None = None,
        pool_size: int = 32,
        ca_bundle: Path | None = None,
    ) -> None:
        self._connect_seconds = connect_seconds
        self._max_answer = max_answer
        self._deadline = deadline
        self._session = requests.Session()
        self._session.trust_env = False
        if ca_bundle is not None:
            self._session.verify = str(ca_bundle)
        adapter = _adapter(unix_socket, policy, pool_size, ca_bundle)
        self._guarded = adapter if isinstance(adapter, GuardedAdapter) else None
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def post(self, url: str, *, seconds: float, headers: Mapping[str, str], **content: Any) -> HttpAnswer:
        """POST `content` (the `data` and `files` of requests).

        Raises:
            HttpCallError: no usable answer, after `seconds` at the latest.
        """
        return self._call("POST", url, seconds, headers, content)

    def notify(self, url: str, *, seconds: float, headers: Mapping[str, str], data: bytes) -> HttpAnswer:
        """POST `data`; return status and headers. The body is discarded, and no failure if it is long, slow or broken.

        Raises:
            HttpCallError: no status, after `seconds` at the latest.
        """
        heads: list[HttpAnswer] = []
        try:
            self._call("POST", url, seconds, headers, {"data": data}, heads.append)
        except HttpCallError:
            if not heads:
                raise
        return heads[0]

    def get(self, url: str, *, seconds: float, params: Mapping[str, str]) -> HttpAnswer:
        """GET with a query; raise like `post`."""
        return self._call("GET", url, seconds, {}, {"params": params})

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def _call(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str],
        content: Mapping[str, Any],
        on_head: _OnHead = lambda _: None,
    ) -> HttpAnswer:
        exchange = Exchange()
        try:
            with exchange, self._deadline(seconds, exchange.hang_up):
                return self._answer(method, url, seconds, headers, content, on_head)
        except TimeoutError:
            raise HttpCallError("no answer in time") from None
        except RefusedURLError as error:
            raise HttpCallError(str(error)) from None
        except (requests.ConnectionError, NewConnectionError, ProtocolError) as error:
            raise HttpConnectionError(type(error).__name__) from None
        except (requests.RequestException, Urllib3Error, OSError, ValueError) as error:
            raise HttpCallError(type(error).__name__) from None

    def _answer(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str],
        content: Mapping[str, Any],
        on_head: _OnHead,
    ) -> HttpAnswer:
        # The read time-out exceeds the deadline, so that always the deadline ends the call.
        times = (min(self._connect_seconds, seconds), seconds + 1)
        if self._guarded is not None and isinstance(data := content.get("data"), bytes):
            answer = self._guarded.post(url, data, headers, connect_seconds=times[0], read_seconds=times[1])
            on_head(HttpAnswer(answer.status, b"", answer.headers))
            return HttpAnswer(answer.status, self._read(answer), answer.headers)
        with self._session.request(
            method, url, headers=dict(headers), timeout=times, allow_redirects=False, stream=True, **content
        ) as response:
            on_head(HttpAnswer(response.status_code, b"", response.headers))
            return HttpAnswer(response.status_code, self._read(response.raw), response.headers)

    def _read(self, answer: BaseHTTPResponse) -> bytes:
        try:
            body: bytes = answer.read(self._max_answer + 1, decode_content=True)
        except BaseException:
            answer.close()
            raise
        if len(body) > self._max_answer:
            answer.close()
            raise HttpCallError("the answer is too long")
        return body


def _adapter(
    unix_socket: Path | None, policy: DestinationPolicy | None, pool_size: int, ca_bundle: Path | None
) -> HTTPAdapter:
    if unix_socket is not None:
        return UnixSocketAdapter(unix_socket)
    if policy is not None:
        return GuardedAdapter(policy, pool_size=pool_size, ca_bundle=ca_bundle)
    return WatchedAdapter(pool_size=10, retries=Retry(False))
