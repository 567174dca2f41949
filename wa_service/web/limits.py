"""Limit how often somebody may call us: API keys by flask-limiter, refused calls by their address.

The extension's hooks are put on the blueprint of the REST API alone: on the application they would cost every
webhook, too. Refused calls are counted by hand after the refusal, so that nobody who may call is ever turned away.
"""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Flask, Response, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse
from limits.errors import StorageError
from redis import exceptions

from wa_service.store.client import Store
from wa_service.store.flusher import REDIRECTS
from wa_service.store.server_address import SOCKET_SECONDS
from wa_service.web.auth import caller_name
from wa_service.web.problems import TOO_MANY_CALLS, ProblemError, store_unavailable

REFUSED_RATE = "600/minute"
GUESSED_KEYS_RATE = "60/minute"
"""Of one address: whoever guesses API keys gets no further."""
SIGN_IN_RATE = "10/minute"
"""Failed sign-ins to the console, of one address."""
SESSION_RATE = "600/minute"
"""Requests of one session of the console: some open pages that follow what happens, and somebody who clicks."""
# flask-limiter takes a connection for each call that it counts, and a web process runs a thousand calls side by side.
# They share these and wait for one, so that the store's own pool, which webhooks need, is left alone.
CONNECTIONS = 64
CONNECTION_SECONDS = 1.5
# Too many came at once, it is full, or another node of the cluster owns the slot by now.
_SERVER_IS_THERE = (exceptions.MaxConnectionsError, exceptions.OutOfMemoryError, *REDIRECTS)


class _BlueprintAsApp:
    """A blueprint in the place of the application that flask-limiter hangs its hooks on."""

    def __init__(self, app: Flask, blueprint: Blueprint) -> None:
        self.config = app.config
        self.extensions = app.extensions
        self.before_request = blueprint.before_request
        self.after_request = blueprint.after_request
        self.teardown_request = blueprint.teardown_request


class CallLimits:
    """The limits on calls to us, counted in the store. Where that cannot be done, `StorageError` is raised."""

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
            storage_uri="redis://",
            storage_options={
                "connection_pool": pool,  # type: ignore[dict-item]  # passed on as it is
                "key_prefix": store.keys.of("calls"),
                "wrap_exceptions": True,
            },
            strategy="fixed-window",
        )

    def count_calls(self, app: Flask, blueprint: Blueprint) -> None:
        """Count every call to the blueprint, and tell the caller how many are left."""
        target: Any = _BlueprintAsApp(app, blueprint)
        blueprint.before_request(self._refuse_while_unavailable)
        self._limiter.init_app(target)
        blueprint.after_request(self._add_headers)
        blueprint.register_error_handler(StorageError, self._refuse_uncounted)

    def count_refused(self) -> None:
        """Count a refused webhook for its address.

        Raises:
            ProblemError: there were too many from this address.
        """
        self._count_refusal(self._refused_rate, "refused")

    def count_guess(self) -> None:
        """Count a call without a known key for its address.

        Raises:
            ProblemError: there were too many from this address.
        """
        self._count_refusal(self._guessed_rate, "guessed")

    def count_sign_in(self) -> None:
        """Count a failed sign-in for its address, more strictly than a call: a person types.

        Raises:
            ProblemError: there were too many from this address.
        """
        self._count_refusal(self._sign_in_rate, "sign_in")

    def count_session(self, session_id: str) -> None:
        """Count a request of somebody who is signed in to the console.

        Raises:
            ProblemError: there were too many in this session.
        """
        self._count(self._session_rate, "session", session_id, "Too many requests of this session.")

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
        """Mark the store as unavailable, unless too many calls came at once.

        That says nothing of the store, and neither does an answer that a crowd kept us from reading in time while
        others came.
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
