"""Meta's webhook: the handshake, and deliveries: verify, parse, store, and only then answer 200 (reference 5).

This is the hot path: no hooks of other routes, no limiter and no log line for a success.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types

from wa_service.observability import log
from wa_service.observability.log_throttle import LogThrottle
from wa_service.observability.metrics_buffer import MetricsBuffer
from wa_service.service.intake import Intake
from wa_service.store.flusher import StoreUnavailableError
from wa_service.web.auth import allow
from wa_service.web.problems import (
    BUSY,
    FORBIDDEN,
    INVALID,
    STORE_UNAVAILABLE,
    TOO_LARGE,
    UNREADABLE_CHUNKS,
    UNSIGNED,
    ProblemError,
    store_unavailable,
)
from wa_service.whatsapp.webhooks import tolerant_json
from wa_service.whatsapp.webhooks.events import Piece, is_delivery, walk
from wa_service.whatsapp.webhooks.signature import SignatureVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PATH: Final = "/webhooks/whatsapp"
LARGEST_BODY: Final = 4 * 1024 * 1024
SMALL_BODY: Final = 64 * 1024
MOST_LARGE_BYTES: Final = 64 * 1024 * 1024
LONGEST_CHALLENGE: Final = 1024
META_WILL_REDELIVER: Final = frozenset({"failed", STORE_UNAVAILABLE.name, BUSY.name})
"""The outcomes after which Meta delivers again: a defect, a store that is unavailable, no memory to read it."""
_TOO_LARGE: Final = "A webhook payload has at most 4 MiB."
_CUT_OFF: Final = "The body is shorter than announced."


def webhook_blueprint(
    verifier: SignatureVerifier,
    intake: Intake,
    *,
    verify_token: str,
    count_refused: Callable[[], None],
    metrics_buffer: MetricsBuffer,
    debug: bool,
) -> Blueprint:
    """Return the two webhook routes.

    `count_refused` is called before a refusal and may raise; with `debug` each delivery has a log line.
    """
    blueprint = Blueprint("webhook", __name__)
    refusal = verifier.refusal
    take = intake.take
    token = verify_token.encode()
    logger = log.get_logger()
    stored = _StoredResponse()
    refusals = _Refusals()
    large_bodies = LargeBodies()

    @blueprint.get(PATH)
    @allow("verify token")
    def handshake() -> Response:
        """Answer Meta's challenge at the webhook's setup (reference 5.1)."""
        given = request.args.get("hub.verify_token", "").encode()
        challenge = request.args.get("hub.challenge", "")
        right = hmac.compare_digest(given, token)
        if not right or request.args.get("hub.mode") != "subscribe" or len(challenge) > LONGEST_CHALLENGE:
            count_refused()
            logger.warning("whatsapp.webhook.handshake_refused")
            raise ProblemError(FORBIDDEN, "Wrong verify token or mode.")
        logger.info("whatsapp.webhook.verified")
        return Response(
            challenge, content_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"}
        )

    @blueprint.post(PATH)
    @allow("signature")
    def deliver() -> Response:
        """Store a delivery; answer 200 only when everything in it is stored."""
        started = time.perf_counter()
        outcome = "failed"
        try:
            outcome = store_delivery()
        except ProblemError as problem:
            outcome = problem.kind.name
            if problem.kind is BUSY:
                refusals.tell("busy", peer=request.remote_addr)
            raise
        finally:
            if outcome in META_WILL_REDELIVER:
                intake.webhook_rejected()
            metrics_buffer.webhook_answered(outcome, time.perf_counter() - started)
        if debug:
            ms = round((time.perf_counter() - started) * 1000, 1)
            logger.debug("whatsapp.webhook.accepted", ms=ms)
        return stored

    def store_delivery() -> str:
        environ = request.environ
        with large_bodies.room_for(announced_length(environ)):
            raw = read_body(environ)
        reason = refusal(raw, environ.get("HTTP_X_HUB_SIGNATURE_256"))
        if reason is not None:
            count_refused()
            refusals.tell(reason, size=len(raw), peer=request.remote_addr)
            raise ProblemError(UNSIGNED)
        try:
            take(read_pieces(raw, intake))
        except StoreUnavailableError as error:
            refusals.tell("not_stored", error=str(error))
            raise store_unavailable() from None
        return "stored"

    return blueprint


class _Refusals:
    """Logs refused deliveries, one line per second and reason."""

    def __init__(self) -> None:
        self._throttle = LogThrottle(1.0)
        self._log = log.get_logger()

    def tell(self, reason: str, **facts: Any) -> None:
        if count := self._throttle.count(reason):
            self._log.warning("whatsapp.webhook.refused", reason=reason, count=count, **facts)


def read_pieces(raw: bytes, intake: Intake) -> list[Piece]:
    """Return the events of a delivery.

    Raises:
        ProblemError: it is not JSON, or belongs to another product of Meta.
    """
    try:
        delivery = tolerant_json.loads(raw)
    except ValueError:
        raise ProblemError(INVALID, "The body is not valid JSON.") from None
    if not is_delivery(delivery):
        intake.odd.seen("other_object")
        raise ProblemError(INVALID, "Not a WhatsApp webhook payload.")
    pieces = list(walk(delivery))
    if not pieces:
        intake.odd.seen("empty")
    return pieces


class _StoredResponse(Response):
    """The 200 of every delivery, built once since it is always the same."""

    def __init__(self) -> None:
        super().__init__(status=200)
        self._wsgi_headers = self.get_wsgi_headers({}).to_wsgi_list()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer."""
        del environ
        start_response(self.status, list(self._wsgi_headers))
        return ()


def read_body(environ: WSGIEnvironment) -> bytes:
    """Return the received bytes, read directly from the server at half the cost of werkzeug's stream.

    Raises:
        ProblemError: the body exceeds 4 MiB, is shorter than announced, or its chunks are malformed.
    """
    announced = environ.get("CONTENT_LENGTH") or ""
    length = announced_length(environ)
    if announced and length > LARGEST_BODY:
        raise ProblemError(TOO_LARGE, _TOO_LARGE)
    try:
        raw: bytes = environ["wsgi.input"].read(length)
    except OSError:
        raise ProblemError(INVALID, _CUT_OFF) from None
    except ParseException:
        raise ProblemError(INVALID, UNREADABLE_CHUNKS) from None
    if len(raw) > LARGEST_BODY:
        raise ProblemError(TOO_LARGE, _TOO_LARGE)
    if announced and len(raw) < length:
        raise ProblemError(INVALID, _CUT_OFF)
    return raw


def announced_length(environ: WSGIEnvironment) -> int:
    """Return a body's length in bytes; for a chunked one, whose end the server finds, one more than the limit."""
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced.isdecimal():
        return int(announced)
    return LARGEST_BODY + 1 if environ.get("wsgi.input_terminated") else 0


class LargeBodies:
    """Limits the memory of large bodies that are being read and are not authenticated yet."""

    def __init__(self, most: int = MOST_LARGE_BYTES) -> None:
        self._left = most

    @contextmanager
    def room_for(self, length: int) -> Iterator[None]:
        """Reserve memory for a body while it is read; small ones need no reservation.

        Raises:
            ProblemError: the memory is used up; Meta will deliver again.
        """
        taken = min(length, LARGEST_BODY) if length > SMALL_BODY else 0
        if taken > self._left:
            raise ProblemError(BUSY, retry_after=1)
        self._left -= taken
        try:
            yield
        finally:
            self._left += taken
