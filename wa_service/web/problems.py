"""Every error that a caller of ours can meet, as `application/problem+json` (RFC 9457): one table, one place.

`KINDS` are ours; `ANSWERS` says how each class of Meta's errors is answered (its subclasses like it, unless
they have a row of their own). What Meta said stands beside it: `code`, `details`, `fbtrace_id`, `retryable`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from flask import Flask, Response
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException

from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError
from wa_service.whatsapp.errors import (
    MediaDownloadError,
    MediaNotFoundError,
    MediaTooLargeError,
    UnsupportedMediaError,
    WhatsAppAuthError,
    WhatsAppConnectionError,
    WhatsAppError,
    WhatsAppMediaError,
    WhatsAppOutcomeUnknownError,
    WhatsAppRateLimitError,
    WhatsAppRecipientError,
    WhatsAppRequestError,
    WhatsAppServerError,
    WhatsAppTemplateError,
    from_status_error,
)

MIME: Final = "application/problem+json"
STORE_RETRY_SECONDS: Final = 1.0
UNREADABLE_CHUNKS: Final = "The body's chunks cannot be read."


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its HTTP status, its name (the fragment of its `type`) and its title."""

    status: int
    name: str
    title: str
    retryable: bool = False

    @property
    def type(self) -> str:
        """The problem type's URI: its entry on the documentation page."""
        return f"/docs#{self.name}"


INVALID = Kind(400, "invalid-request", "The request is not valid.")
UNAUTHORIZED = Kind(401, "unauthorized", "An API key is needed.")
UNSIGNED = Kind(401, "unsigned", "The webhook is not signed by this app.")
FORBIDDEN = Kind(403, "forbidden", "This key may not do that.")
NOT_FOUND = Kind(404, "not-found", "There is no such thing.")
METHOD = Kind(405, "method-not-allowed", "This address does not take that method.")
BUSY = Kind(409, "request-in-progress", "The first request with this Idempotency-Key is still under way.", True)
UNREADABLE = Kind(409, "still-unreadable", "The dead letter can still not be handled.")
NOT_CONFIGURED = Kind(409, "not-configured", "A setting is missing for this.")
TOO_LARGE = Kind(413, "too-large", "The body is too large.")
MEDIA_TYPE = Kind(415, "unsupported-media-type", "The body has a type that is not taken here.")
KEY_REUSED = Kind(422, "idempotency-key-reused", "This Idempotency-Key came with another body before.")
TEMPLATE_MISFIT = Kind(422, "template-misfit", "The message does not fit its template.")
TOO_MANY_CALLS = Kind(429, "too-many-calls", "Too many calls.", True)
REACH_USED_UP = Kind(429, "daily-limit", "The customers that may be opened by template in 24 hours are used up.", True)
LANE_FULL = Kind(429, "lane-full", "Too many messages wait for this customer.", True)
MAILBOX_FULL = Kind(429, "mailbox-full", "Too many messages of this customer wait to be handled.", True)
NO_ROOM = Kind(429, "throughput", "The number's throughput is used up at the moment.", True)
INTERNAL = Kind(500, "internal", "Something went wrong here.")
STORE_AWAY = Kind(503, "store-away", "The store cannot be reached, or is full.", True)
EXPIRED = Kind(504, "expired", "The message waited longer than its time to live.")
NO_WORD = Kind(504, "no-word-from-meta", "Meta neither confirmed nor refused the message.")

_OURS: Final = (
    INVALID,
    UNAUTHORIZED,
    UNSIGNED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD,
    BUSY,
    UNREADABLE,
    NOT_CONFIGURED,
    TOO_LARGE,
    MEDIA_TYPE,
    KEY_REUSED,
    TEMPLATE_MISFIT,
    TOO_MANY_CALLS,
    REACH_USED_UP,
    LANE_FULL,
    MAILBOX_FULL,
    NO_ROOM,
    INTERNAL,
    STORE_AWAY,
    EXPIRED,
    NO_WORD,
)

ANSWERS: Final[Mapping[type[WhatsAppError], Kind]] = {
    WhatsAppConnectionError: Kind(503, "meta-unreachable", "Meta cannot be reached."),
    WhatsAppOutcomeUnknownError: Kind(504, "outcome-unknown", "Meta's answer did not come."),
    WhatsAppServerError: Kind(502, "meta-failed", "Meta failed."),
    WhatsAppRateLimitError: Kind(429, "meta-limit", "A limit of Meta's is reached."),
    WhatsAppAuthError: Kind(502, "meta-account", "Meta does not accept this service's account, token or number."),
    WhatsAppRequestError: Kind(400, "meta-request", "Meta refused the request."),
    WhatsAppRecipientError: Kind(422, "meta-recipient", "Meta refused this customer."),
    WhatsAppTemplateError: Kind(422, "meta-template", "Meta refused the template."),
    WhatsAppMediaError: Kind(422, "meta-media", "Meta refused the file."),
    MediaNotFoundError: Kind(404, "media-not-found", "Meta does not have this file, or no longer."),
    MediaDownloadError: Kind(502, "media-download", "The file could not be fetched."),
    MediaTooLargeError: Kind(413, "media-too-large", "The file is too large."),
    UnsupportedMediaError: Kind(415, "media-type", "WhatsApp does not take files of this type."),
}
"""How each class of Meta's errors is answered; a class without a row is answered like its parent."""

_OF_STATUS: Final[Mapping[int, Kind]] = {
    400: INVALID,
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    405: METHOD,
    413: TOO_LARGE,
    415: MEDIA_TYPE,
    429: TOO_MANY_CALLS,
    503: STORE_AWAY,
}
_OF_REASON: Final[Mapping[str, Kind]] = {"expired": EXPIRED, "no_word_from_meta": NO_WORD}


class ProblemError(Exception):
    """A view cannot do what it was asked for; the caller gets this problem.

    `fields`: (path, sentence) of what is wrong with the request. `retry_after` in seconds. `members` are further
    members of the problem, `headers` of the answer.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str = "",
        *,
        fields: Iterable[tuple[str, str]] = (),
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(kind.title)
        self.kind = kind
        self.detail = detail
        self.fields = tuple(fields)
        self.retry_after = retry_after
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> Response:
        """The answer."""
        kind = self.kind
        body: dict[str, Any] = {
            "type": kind.type,
            "title": kind.title,
            "status": kind.status,
            "retryable": kind.retryable,
        }
        if self.detail:
            body["detail"] = self.detail
        if self.fields:
            body["errors"] = [{"field": path, "detail": sentence} for path, sentence in self.fields]
        body |= {name: value for name, value in self.members.items() if value is not None}
        headers = self.headers
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        return Response(orjson.dumps(body), kind.status, headers, content_type=MIME)


def all_kinds() -> list[Kind]:
    """Every kind of problem, by status."""
    return sorted([*_OURS, *ANSWERS.values()], key=lambda kind: (kind.status, kind.name))


def kind_of(error: type[WhatsAppError]) -> Kind:
    """How a class of Meta's errors is answered."""
    return next(ANSWERS[parent] for parent in error.__mro__ if parent in ANSWERS)


def of_meta(error: WhatsAppError, **members: Any) -> ProblemError:
    """Meta's refusal, or its silence, as a problem."""
    return ProblemError(
        kind_of(type(error)),
        error.advice,
        retry_after=error.retry_after if error.retryable else None,
        code=error.code,
        subcode=error.subcode,
        meta_title=error.title,
        details=error.details or None,
        fbtrace_id=error.fbtrace_id or None,
        **{"retryable": error.retryable} | members,
    )


def of_failure(failure: Mapping[str, Any], **members: Any) -> ProblemError:
    """A failed record's error (see `Record.error`) as a problem."""
    reason = str(failure.get("reason"))
    kind = _OF_REASON.get(reason)
    if kind is not None:
        return ProblemError(kind, str(failure.get("title") or ""), **members)
    error = from_status_error(
        {
            "code": failure.get("code"),
            "title": failure.get("title"),
            "error_data": {"details": failure.get("details")},
            "fbtrace_id": failure.get("fbtrace_id"),
        },
        http_status=failure.get("http_status"),
        group=reason,
    )
    return of_meta(error, **members)


def of_status(status: int, title: str, headers: Mapping[str, str] | None = None) -> ProblemError:
    """What a framework or the server refuses by an HTTP status."""
    return ProblemError(_OF_STATUS.get(status) or Kind(status, "http", title), headers=headers)


def store_away(detail: str = "") -> ProblemError:
    """The store cannot be reached."""
    return ProblemError(STORE_AWAY, detail, retry_after=STORE_RETRY_SECONDS)


def install(app: Flask) -> None:
    """Every error of the application becomes a problem."""
    logger = log.get_logger()

    def problem(error: ProblemError) -> Response:
        return error.response()

    def from_meta(error: WhatsAppError) -> Response:
        return of_meta(error).response()

    def away(_: StoreUnavailableError | StorageError) -> Response:
        return store_away().response()

    def unreadable(_: ParseException) -> Response:
        # The server reads a chunked body only when a view asks for it.
        return ProblemError(INVALID, UNREADABLE_CHUNKS).response()

    def http(error: HTTPException) -> Response | HTTPException:
        if error.response is not None or error.code is None or error.code < 400:
            return error
        kept = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
        return of_status(error.code, error.name, kept).response()

    def unexpected(error: Exception) -> Response:
        logger.error("whatsapp.web.failed", exc_info=error)
        return ProblemError(INTERNAL).response()

    app.register_error_handler(ProblemError, problem)
    app.register_error_handler(WhatsAppError, from_meta)
    app.register_error_handler(StoreUnavailableError, away)
    app.register_error_handler(StorageError, away)
    app.register_error_handler(ParseException, unreadable)
    app.register_error_handler(HTTPException, http)
    app.register_error_handler(Exception, unexpected)
