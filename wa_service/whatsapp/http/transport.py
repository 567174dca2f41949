"""Call Meta's Graph API; return its answer as a dict or raise an error.

| what happened | error |
|---|---|
| the request was not sent (DNS, connect, TLS, pool, breaker open) | `WhatsAppConnectionError`: safe to repeat |
| Meta's error object, any status | by its code (`errors.classify`) |
| a POST was sent, then reset, time-out, 5xx without error object, 2xx not JSON | `WhatsAppOutcomeUnknownError` |
| the same of a GET or DELETE | retried, then `WhatsAppServerError` |

GET and DELETE are retried here (twice by urllib3, once more after an incomplete answer), a POST never.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from typing import IO, Any, Final, TypeAlias
from urllib.parse import urlsplit

import orjson
import requests
from requests import PreparedRequest, Request, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import Retry
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import LocationValueError

from wa_service.whatsapp.errors import (
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppOutcomeUnknownError,
    WhatsAppServerError,
    classify,
    error_object,
    retry_after_seconds,
)
from wa_service.whatsapp.http.adapter import MAX_IDLE_SECONDS, Exchange, WatchedAdapter
from wa_service.whatsapp.http.deadline import Deadline, DeadlineFactory, Watchdog
from wa_service.whatsapp.http.proxy_map import ProxyMap
from wa_service.whatsapp.http.session import REPEATABLE, new_session, retries
from wa_service.whatsapp.usage import Usage, read_usage
from wa_service.whatsapp.webhooks import tolerant_json

USER_AGENT: Final = "wa-service/0.1 (+requests)"
"""Media hosts refuse requests without one (4.3, 9.1)."""

ANSWER_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of an answer that are read: far more than Meta sends, and far less than would exhaust memory."""

_ATTEMPTS: Final = 2
_HEADER_VALUE: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The outcome of a call, for metrics: the HTTP status, None without an answer; the error, or None.

    Neither status nor error: the caller canceled the call. `retry_after`: seconds from the header; `usage`: Meta's
    usage headers; `version`: the API version that answered; `method`: of the HTTP request, "" for a call of several.
    """

    http_status: int | None
    error: WhatsAppError | None
    retry_after: float | None
    usage: tuple[Usage, ...]
    version: str
    method: str = ""

    @property
    def code(self) -> int | None:
        """Meta's error code, None where there is none."""
        return self.error.code if self.error else None


CallGuard: TypeAlias = Callable[[str], AbstractContextManager[object]]
CallObserver: TypeAlias = Callable[[str, CallOutcome, float], None]


class Transport:
    """HTTP to one base URL and version with one token, which is in no repr or error. Thread- and greenlet-safe."""

    def __init__(
        self,
        base_url: str,
        api_version: str,
        access_token: str,
        *,
        guard: CallGuard | None = None,
        observe: CallObserver | None = None,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
        user_agent: str = USER_AGENT,
        pool_size: int = 100,
        connect_timeout: float = 5.0,
        read_timeout: float = 25.0,
        call_seconds: float = 30.0,
        max_idle: float = MAX_IDLE_SECONDS,
        retry_pause: float = 0.3,
        deadline: DeadlineFactory = Watchdog,
        adapter: BaseAdapter | None = None,
    ) -> None:
        """Time-outs are in seconds. A connection that was idle for longer than `max_idle` is not reused.

        `call_seconds`: the wall-clock limit of a call with its retries, from connect to the answer's last byte;
        `deadline` creates what enforces it. `guard(call)` returns the context manager around the network part and may
        raise. `observe(call, outcome, seconds)` is called after every call. `proxies`: scheme → proxy URL, and
        `no_proxy`. `adapter` replaces the network.
        """
        parsed = urlsplit(base_url)
        if parsed.scheme not in ("http", "https") or not parsed.hostname or parsed.username or parsed.query:
            raise ValueError("The base URL must be like https://graph.facebook.com.")
        if not _HEADER_VALUE.fullmatch(access_token):
            raise ValueError("The access token may have visible ASCII characters only.")
        self._root = "/".join(part.strip("/") for part in (base_url, api_version) if part.strip("/"))
        self._guard: CallGuard = guard or _no_guard
        self._observe = observe
        self._timeout = (connect_timeout, read_timeout)
        self._call_seconds = call_seconds
        self.deadline = deadline
        self._retry_pause = retry_pause
        self._proxies = ProxyMap(proxies or {})
        self._verify: bool | str = ca_bundle or True
        self.user_agent = user_agent
        self._token = access_token
        self._headers = CaseInsensitiveDict(
            {"Authorization": f"Bearer {access_token}", "User-Agent": user_agent, "Accept-Encoding": "gzip, deflate"}
        )
        self._posting = new_session(
            adapter or WatchedAdapter(pool_size=pool_size, retries=Retry(0, read=False), max_idle=max_idle)
        )
        self._reading = new_session(
            adapter or WatchedAdapter(pool_size=pool_size, retries=retries(retry_pause), max_idle=max_idle)
        )
        self._prepared: dict[str, PreparedRequest] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._root!r})"

    @property
    def root(self) -> str:
        """Base URL and version, without a trailing slash."""
        return self._root

    def close(self) -> None:
        """Close the pooled connections."""
        self._posting.close()
        self._reading.close()

    def request(
        self,
        call: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        data: Any = None,
        files: Mapping[str, tuple[str | None, IO[bytes] | bytes | str, str | None]] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        body_seconds: float = 0.0,
    ) -> dict[str, Any]:
        """Call Meta and return the parsed answer; raise `WhatsAppError`.

        `call` names the kind of call for the guard and the observer (`messages`, `media` …); `path` is relative to
        base URL and version. `seconds`: the limit of this call. `body_seconds`: additional time to send a streamed
        body, after which the answer has `seconds`.
        """
        method = method.upper()
        request = Request(
            method,
            self.url(path),
            params=_query(params),
            data=orjson.dumps(json) if json is not None else data,
            files=files,
            headers={
                **self._headers,
                **({"Content-Type": "application/json"} if json is not None else {}),
                **(headers or {}),
            },
        )
        return self._run(call, request.prepare(), seconds, body_seconds)

    def post_json(self, call: str, path: str, payload: object) -> dict[str, Any]:
        """POST a JSON body; like `request`, but faster for a path that is used often (hot path)."""
        prepared = self._prepared.get(path)
        if prepared is None:
            headers = {**self._headers, "Content-Type": "application/json"}
            prepared = self._prepared[path] = Request("POST", self.url(path), headers=headers).prepare()
        request = copy(prepared)  # its own `copy` is slower: it copies cookies
        request.body = orjson.dumps(payload)
        request.headers = prepared.headers.copy()
        request.headers["Content-Length"] = str(len(request.body))
        return self._run(call, request)

    def url(self, path: str) -> str:
        """Return the URL of a path; raise ValueError if it is not a plain path below the root."""
        if "://" in path or ".." in path.split("/") or any(mark in path for mark in "?#\\\r\n "):
            raise ValueError("A path may have no host, query, space or dots.")
        return f"{self._root}/{path.lstrip('/')}"

    def report(self, call: str, outcome: CallOutcome, seconds: float) -> None:
        """Report a call to the observer that was not made by `request`."""
        if self._observe is not None:
            self._observe(call, outcome, seconds)

    def open_response(self, request: PreparedRequest, seconds: float) -> Response:
        """Send a GET to any host and return the unread response, without guard or retries; for media.

        Raises what `requests` and urllib3 raise, and TimeoutError after `seconds`.
        """
        with Exchange() as exchange, self.deadline(seconds, exchange.hang_up):
            return self._send(self._posting, request)

    def _run(
        self, call: str, request: PreparedRequest, seconds: float | None = None, body_seconds: float = 0.0
    ) -> dict[str, Any]:
        started = time.monotonic()
        last = _LastAnswer()
        error: WhatsAppError | None = None
        try:
            with self._guard(call):
                return self._attempts(request, last, seconds or self._call_seconds, body_seconds)
        except WhatsAppError as problem:
            error = problem
            raise
        finally:
            if self._observe is not None:
                self._observe(call, last.outcome(error, request.method or ""), time.monotonic() - started)

    def _attempts(
        self, request: PreparedRequest, last: _LastAnswer, seconds: float, body_seconds: float
    ) -> dict[str, Any]:
        left = _ATTEMPTS if request.method in REPEATABLE else 1
        ends = time.monotonic() + seconds
        while True:
            left -= 1
            try:
                return self._once(request, last, ends - time.monotonic(), body_seconds)
            except _BrokenAnswerError as broken:
                problem = broken.error
            pause = random.uniform(0.5, 1.5) * self._retry_pause  # noqa: S311 - jitter, not a secret
            if not left or time.monotonic() + pause >= ends:
                raise problem from None
            time.sleep(pause)

    def _once(self, request: PreparedRequest, last: _LastAnswer, seconds: float, body_seconds: float) -> dict[str, Any]:
        method = request.method or "GET"
        session = self._reading if method in REPEATABLE else self._posting
        response: Response | None = None
        exchange = Exchange()
        try:
            with exchange, self.deadline(seconds + body_seconds, exchange.hang_up) as deadline:
                if body_seconds:
                    request.body = _then_restart(request.body, deadline, seconds)  # type: ignore[assignment]
                response = self._send(session, request)
                last.note(response)
                raw = read_at_most(response, ANSWER_LIMIT)
        except _NETWORK as problem:
            error = _no_answer(problem, method, never_left=exchange.connect_failed)
            if response is None:
                raise error from None
            raise _BrokenAnswerError(error) from None
        return self._read(method, response, raw)

    def _read(self, method: str, response: Response, raw: bytes) -> dict[str, Any]:
        if response.status_code >= 400 and len(self._token) >= 8:
            raw = raw.replace(self._token.encode(), b"[secret]")  # Meta quotes invalid tokens
        body = parse_json(raw)
        found = error_object(body)
        if response.status_code < 300 and isinstance(body, dict) and found is None:
            return body
        error = classify(response.status_code, body, response.headers, method=method)
        if response.status_code < 400 and found is None:
            raise _BrokenAnswerError(error)
        raise error

    def _send(self, session: requests.Session, request: PreparedRequest) -> Response:
        return session.send(
            request,
            stream=True,
            timeout=self._timeout,
            verify=self._verify,
            cert=None,
            proxies=self._proxies.for_url(request.url or ""),
            allow_redirects=False,
        )


class _BrokenAnswerError(Exception):
    """An incomplete or meaningless answer, which urllib3 does not retry, so a GET is retried here."""

    def __init__(self, error: WhatsAppError) -> None:
        super().__init__()
        self.error = error


class _LastAnswer:
    """Status and headers of the last answer, for the observer."""

    __slots__ = ("_headers", "_status")

    def __init__(self) -> None:
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}

    def note(self, response: Response) -> None:
        self._status, self._headers = response.status_code, response.headers

    def outcome(self, error: WhatsAppError | None, method: str) -> CallOutcome:
        headers = self._headers
        return CallOutcome(
            self._status,
            error,
            retry_after_seconds(headers),
            read_usage(headers),
            headers.get("facebook-api-version", ""),
            method,
        )


def _then_restart(body: Any, deadline: Deadline, seconds: float) -> Iterator[bytes]:
    """Yield a body in pieces, then restart the deadline for the answer."""
    yield from body
    deadline.restart(seconds)


def read_at_most(response: Response, limit: int) -> bytes:
    """Return the decoded body, at most `limit` bytes; release the connection, or close it if there is more."""
    with response:
        raw: bytes = response.raw.read(limit, decode_content=True)
    return raw


def parse_json(raw: bytes) -> object:
    """Return the parsed body, None if it is not JSON (an HTML page, an empty or incomplete body).

    Meta quotes what it refuses, which may end in half an emoji.
    """
    try:
        return tolerant_json.loads(raw)
    except ValueError:
        return None


def _no_answer(problem: Exception, method: str, *, never_left: bool) -> WhatsAppError:
    """Return a failed exchange as an error. It names only the exception's class, since texts may contain URLs."""
    what = type(problem).__name__
    if never_left or isinstance(problem, _BEFORE_SENDING):
        return WhatsAppConnectionError("The request did not reach Meta", details=what)
    if method in REPEATABLE:
        return WhatsAppServerError("Meta's answer did not arrive", details=what)
    return WhatsAppOutcomeUnknownError("The request was sent, but Meta's answer did not arrive", details=what)


# UnicodeError: of a proxy's user or password that no header can carry.
_NETWORK: Final = (requests.RequestException, Urllib3Error, OSError, UnicodeError)

_BEFORE_SENDING: Final = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    LocationValueError,
)


def _query(params: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return query parameters in Graph's format: lists, objects and booleans as JSON."""
    if not params:
        return None
    return {
        key: value if isinstance(value, str) else orjson.dumps(value).decode()
        for key, value in params.items()
        if value is not None
    }


def _no_guard(call: str) -> AbstractContextManager[object]:
    del call
    return nullcontext()
