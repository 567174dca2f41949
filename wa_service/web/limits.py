"""Rate limits: of API keys by flask-limiter, of refused calls by address.

The extension's hooks are on the REST API's blueprint only: on the application they would slow down every webhook.
Refused calls are counted after the refusal, so that no permitted call is ever limited by its address.
"""

from __future__ import annotations

import time
from typing import Any, Final

from flask import Blueprint, Flask, Response, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from redis import exceptions

from wa_service.store.client import Store
from wa_service.store.flusher import REDIRECTS
from wa_service.store.server_address import SOCKET_SECONDS
from wa_service.web.auth import caller_name
from wa_service.web.problems import TOO_MANY_CALLS, ProblemError, store_unavailable

REFUSED_RATE = "600/minute"
GUESSED_KEYS_RATE = "60/minute"
"""Calls with an unknown API key, from one address."""
SIGN_IN_RATE = "10/minute"
"""Failed sign-ins to the console, from one address."""
SESSION_RATE = "600/minute"
"""Requests of one console session: several open live pages, and a person who clicks."""
# flask-limiter takes a connection for each call that it counts, and a web process runs a thousand calls concurrently.
# They share this pool and wait for a connection, so that the store's own pool stays free for webhooks.
CONNECTIONS = 64
CONNECTION_SECONDS = 1.5
# The pool was exhausted, the server is full, or another node of the cluster owns the slot now.
_SERVER_IS_THERE = (exceptions.MaxConnectionsError, exceptions.OutOfMemoryError, *REDIRECTS)
_STORAGE: Final = "wa-store"


class _Storage(RedisStorage):
    """The storage that `limits` finds by the scheme `_STORAGE`.

    The base class also imports the client library `valkey`, which is not used here.
    """

    STORAGE_SCHEME = [_STORAGE]  # noqa: RUF012 - as the base class declares it
    DEPENDENCIES = {"redis": None}  # noqa: RUF012


class _BlueprintAsApp:
    """Stands in for the application, so that flask-limiter adds its hooks to a blueprint."""

    def __init__(self, app: Flask, blueprint: Blueprint) -> None:
        self.config = app.config
        self.extensions = app.extensions
        self.before_request = blueprint.before_request
        self.after_request = blueprint.after_request
        self.teardown_request = blueprint.teardown_request


class CallLimits:
    """The rate limits, counted in the store."""

    def __init__(self, store: Store, rate: str, refused_rate: str = REFUSED_RATE) -> None:
        self._store = store
        self._refused_rate = parse(refused_rate)
        self._guessed_rate = parse(GUESSED_KEYS_RATE)
        self._sign_in_rate = parse(SIGN_IN_RATE)
        self._session_rate = parse(SESSION_RATE)
        pool = store.new_pool(CONNECTIONS, CONNECTION_SECONDS)
        self._limiter = Limiter(
            caller_name,
            application_limits=[rate],
            storage_uri=f"{_STORAGE}://",
            storage_options={
                "connection_pool": pool,  # type: ignore[dict-item]  # passed on as it is
                "key_prefix": store.keys.of("calls"),
                "wrap_exceptions": True,
            },
            strategy="fixed-window",
        )

    def count_calls(self, app: Flask, blueprint: Blueprint) -> None:
        """Count every call to the blueprint, and add the RateLimit headers."""
        target: Any = _BlueprintAsApp(app, blueprint)
        blueprint.before_request(self._refuse_while_unavailable)
        self._limiter.init_app(target)
        blueprint.after_request(self._add_headers)
        blueprint.register_error_handler(StorageError, self._refuse_uncounted)

    def count_refused(self) -> None:
        """Count a refused webhook against its address.

        Raises:
            ProblemError: there were too many from this address.
        """
        self._count_refusal(self._refused_rate, "refused")

    def count_guess(self) -> None:
        """Count a call without a known key against its address.

        Raises:
            ProblemError: there were too many from this address.
        """
        self._count_refusal(self._guessed_rate, "guessed")

    def count_sign_in(self) -> None:
        """Count a failed sign-in against its address; the limit is lower than for calls, since a person types.

        Raises:
            ProblemError: there were too many from this address.
        """
        self._count_refusal(self._sign_in_rate, "sign_in")

    def count_session(self, session_id: str) -> None:
        """Count a request of a console session.

        Raises:
            ProblemError: there were too many in this session.
        """
        self._count(self._session_rate, "session", session_id, "Too many requests in this session.")

    def _count_refusal(self, rate: RateLimitItem, what: str) -> None:
        self._count(rate, what, request.remote_addr or "local", "Too many refused calls.")

    def _count(self, rate: RateLimitItem, what: str, who: str, sentence: str) -> None:
        if self._store.availability.unavailable:
            return
        try:
            if self._limiter.limiter.hit(rate, what, who):
                return
            reset, _ = self._limiter.limiter.get_window_stats(rate, what, who)
        except StorageError as error:
            self.note_failure(error)
            return
        raise ProblemError(TOO_MANY_CALLS, sentence, retry_after=reset - time.time())

    def _refuse_while_unavailable(self) -> None:
        if self._store.availability.unavailable:
            raise store_unavailable()

    def _refuse_uncounted(self, error: StorageError) -> Response:
        self.note_failure(error)
        return store_unavailable().response()

    def note_failure(self, error: StorageError) -> None:
        """Mark the store as unavailable, unless the error comes from too many concurrent calls.

        A timeout does not count either while other answers arrive: this process may have been too busy to read it.
        """
        cause, availability = error.storage_error, self._store.availability
        late = isinstance(cause, exceptions.TimeoutError) and availability.answered_within(SOCKET_SECONDS)
        if not late and not isinstance(cause, _SERVER_IS_THERE):
            availability.mark_unavailable()

    def _add_headers(self, response: Response) -> Response:
        limit = self._limiter.current_limit
        if limit is None or self._store.availability.unavailable:
            return response
        try:
            seconds = max(0, limit.reset_at - int(time.time()))
            remaining = limit.remaining
        except StorageError as error:
            self.note_failure(error)
            return response
        response.headers["RateLimit-Limit"] = str(limit.limit.amount)
        response.headers["RateLimit-Remaining"] = str(max(0, remaining))
        response.headers["RateLimit-Reset"] = str(seconds)
        if limit.breached and "Retry-After" not in response.headers:
            response.headers["Retry-After"] = str(max(1, seconds))
        return response
