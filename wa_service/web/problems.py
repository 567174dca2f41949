"""Answer every error as `application/problem+json` (RFC 9457): the kinds of problems, and the mapping to them.

`META_ERRORS` maps each class of Meta's errors, and its subclasses without a row of their own, to a kind. Meta's own
`code`, `details`, `fbtrace_id` and `retryable` are added.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from flask import Flask, Response
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]  # gunicorn has no types
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException

from wa_service.observability import log
from wa_service.service.refusals import (
    AlreadySentError,
    BatchKeyReusedError,
    CustomerStoppedError,
    IdempotencyKeyReusedError,
    LaneFullError,
    MarketingLimitError,
    NotOwnerError,
    QuotaExceededError,
    RefusedError,
    RequestInProgressError,
    ScheduledTooFarError,
    SubmitUnavailableError,
    TemplateMismatchError,
    UnsentBytesError,
)
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
_LANE_RETRY_SECONDS: Final = 10.0
UNREADABLE_CHUNKS: Final = "The body's chunks cannot be read."


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem: its HTTP status, its name (the fragment of its `type`) and its title.

    `retryable`: whether the same request may succeed later; None if that depends on Meta's error.
    """

    status: int
    name: str
    title: str
    retryable: bool | None = False

    @property
    def type(self) -> str:
        """The problem type's URI: its entry on the documentation page."""
        return f"/docs#{self.name}"

    @property
    def retryable_text(self) -> str:
        """What the documentation says about retrying."""
        return {True: "yes", False: "no", None: "see the answer"}[self.retryable]


INVALID = ProblemKind(400, "invalid-request", "The request is not valid.")
SCHEDULED_TOO_FAR = ProblemKind(400, "scheduled-too-far", "The message is scheduled too far ahead.")
UNAUTHORIZED = ProblemKind(401, "unauthorized", "A valid API key is required.")
UNSIGNED = ProblemKind(401, "unsigned", "The webhook's signature is missing or wrong.")
FORBIDDEN = ProblemKind(403, "forbidden", "Not allowed.")
NOT_FOUND = ProblemKind(404, "not-found", "Not found.")
METHOD = ProblemKind(405, "method-not-allowed", "Method not allowed.")
REQUEST_IN_PROGRESS = ProblemKind(
    409, "request-in-progress", "The first request with this Idempotency-Key is still in progress.", True
)
UNREADABLE = ProblemKind(409, "still-unreadable", "The dead letter still cannot be handled.")
NOT_OWNER = ProblemKind(409, "not-owner", "Another application owns this thread.")
ALREADY_SENT = ProblemKind(409, "already-sent", "The message can no longer be canceled.")
NOT_CONFIGURED = ProblemKind(409, "not-configured", "A required setting is missing.")
TOO_LARGE = ProblemKind(413, "too-large", "The body is too large.")
MEDIA_TYPE = ProblemKind(415, "unsupported-media-type", "Unsupported content type.")
KEY_REUSED = ProblemKind(422, "idempotency-key-reused", "This Idempotency-Key was used with another body.")
TEMPLATE_MISFIT = ProblemKind(422, "template-misfit", "The message does not fit its template.")
CUSTOMER_STOPPED = ProblemKind(422, "customer-stopped", "The customer wants no marketing.")
TOO_MANY_CALLS = ProblemKind(429, "too-many-calls", "Too many calls.", True)
DAILY_LIMIT = ProblemKind(429, "daily-limit", "The daily limit of customers opened by template is reached.", True)
MARKETING_LIMIT = ProblemKind(429, "marketing-limit", "The customer has had a week's marketing.", True)
UNSENT_BYTES = ProblemKind(429, "unsent-bytes", "Too many bytes of this API key's messages wait to be sent.", True)
LANE_FULL = ProblemKind(429, "lane-full", "Too many messages are queued for this customer.", True)
MAILBOX_FULL = ProblemKind(429, "mailbox-full", "Too many messages of this customer wait to be handled.", True)
THROUGHPUT = ProblemKind(429, "throughput", "The number's throughput is used up at the moment.", True)
HTTP = ProblemKind(431, "http", "The server refused the request's head; 414 and 417, too.")
INTERNAL = ProblemKind(500, "internal", "Internal error.")
STORE_UNAVAILABLE = ProblemKind(503, "store-away", "The store is unavailable or full.", True)
BUSY = ProblemKind(503, "busy", "Too many large bodies are being read.", True)
EXPIRED = ProblemKind(504, "expired", "The message expired before it could be sent.")
NO_WORD = ProblemKind(504, "no-word-from-meta", "Meta neither confirmed nor refused the message.")

_OURS: Final = tuple(value for value in globals().values() if isinstance(value, ProblemKind))

META_ERRORS: Final[Mapping[type[WhatsAppError], ProblemKind]] = {
    WhatsAppConnectionError: ProblemKind(503, "meta-unreachable", "Meta cannot be reached.", True),
    WhatsAppOutcomeUnknownError: ProblemKind(504, "outcome-unknown", "Meta's answer did not arrive.", None),
    WhatsAppServerError: ProblemKind(502, "meta-failed", "Meta reported an error of its own.", True),
    WhatsAppRateLimitError: ProblemKind(429, "meta-limit", "A limit of Meta's is reached.", True),
    WhatsAppAuthError: ProblemKind(502, "meta-account", "Meta refused this service's account, token or number."),
    WhatsAppRequestError: ProblemKind(400, "meta-request", "Meta refused the request."),
    WhatsAppRecipientError: ProblemKind(422, "meta-recipient", "Meta refused the recipient.", None),
    WhatsAppTemplateError: ProblemKind(422, "meta-template", "Meta refused the template.", None),
    WhatsAppMediaError: ProblemKind(422, "meta-media", "Meta refused the file."),
    MediaNotFoundError: ProblemKind(404, "media-not-found", "Meta does not have this file, or no longer."),
    MediaDownloadError: ProblemKind(502, "media-download", "The file could not be downloaded.", None),
    MediaTooLargeError: ProblemKind(413, "media-too-large", "The file is too large."),
    UnsupportedMediaError: ProblemKind(415, "media-type", "WhatsApp does not accept files of this type."),
}
"""How each class of Meta's errors is answered; a class without a row is answered like its parent."""

_OF_STATUS: Final[Mapping[int, ProblemKind]] = {
    400: INVALID,
    401: UNAUTHORIZED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    405: METHOD,
    413: TOO_LARGE,
    415: MEDIA_TYPE,
    429: TOO_MANY_CALLS,
    500: INTERNAL,
    503: STORE_UNAVAILABLE,
}
_OF_REASON: Final[Mapping[str, ProblemKind]] = {
    "expired": EXPIRED,
    "no_word_from_meta": NO_WORD,
    "not_owner": NOT_OWNER,
    "customer_stopped": CUSTOMER_STOPPED,
    "marketing_limit": MARKETING_LIMIT,
}


class ProblemError(Exception):
    """Raised by a view to refuse a request; the caller gets this problem.

    `fields`: (path, sentence) for each invalid field. `retry_after` in seconds. `members` are further members of the
    problem, `headers` those of the response.
    """

    def __init__(
        self,
        kind: ProblemKind,
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
        """Return the response."""
        kind = self.kind
        body: dict[str, Any] = {
            "type": kind.type,
            "title": kind.title,
            "status": kind.status,
            "retryable": bool(kind.retryable),
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


def all_kinds() -> list[ProblemKind]:
    """Return every kind of problem, by status."""
    return sorted([*_OURS, *META_ERRORS.values()], key=lambda kind: (kind.status, kind.name))


def kind_of(error: type[WhatsAppError]) -> ProblemKind:
    """Return the kind with which a class of Meta's errors is answered."""
    return next(META_ERRORS[parent] for parent in error.__mro__ if parent in META_ERRORS)


def of_meta(error: WhatsAppError, **members: Any) -> ProblemError:
    """Return an error of a call to Meta as a problem."""
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
    """Return a failed record's error (see `Record.error`) as a problem."""
    reason = str(failure.get("reason"))
    kind = _OF_REASON.get(reason)
    if kind is not None:
        return ProblemError(kind, str(failure.get("title") or ""), **members)
    error = from_status_error(
        {
            "code": failure.get("code"),
            "error_subcode": failure.get("subcode"),
            "title": failure.get("title"),
            "error_data": {"details": failure.get("details")},
            "fbtrace_id": failure.get("fbtrace_id"),
        },
        http_status=failure.get("http_status"),
        group=reason,
    )
    return of_meta(error, **members)


def of_refusal(error: RefusedError) -> ProblemError:
    """Return a refusal by the service as a problem."""
    match error:
        case TemplateMismatchError():
            return ProblemError(TEMPLATE_MISFIT, str(error), fields=error.fields)
        case IdempotencyKeyReusedError():
            return ProblemError(KEY_REUSED, str(error), id=error.record_id)
        case BatchKeyReusedError():
            return ProblemError(KEY_REUSED, str(error), id=error.batch_id)
        case RequestInProgressError():
            location = {"Location": f"/v1/messages/{error.record_id}"}
            return ProblemError(REQUEST_IN_PROGRESS, retry_after=1.0, headers=location, id=error.record_id)
        case QuotaExceededError():
            sentence = "With Prefer: respond-async the message waits until there is room."
            return ProblemError(DAILY_LIMIT, sentence, retry_after=error.retry_after)
        case CustomerStoppedError():
            return ProblemError(CUSTOMER_STOPPED, str(error))
        case MarketingLimitError():
            return ProblemError(MARKETING_LIMIT, str(error), retry_after=error.retry_after)
        case NotOwnerError():
            return ProblemError(NOT_OWNER, str(error))
        case ScheduledTooFarError():
            return ProblemError(SCHEDULED_TOO_FAR, str(error))
        case AlreadySentError():
            return ProblemError(ALREADY_SENT, str(error), id=error.record_id)
        case LaneFullError() | UnsentBytesError():
            full = LANE_FULL if isinstance(error, LaneFullError) else UNSENT_BYTES
            return ProblemError(full, retry_after=_LANE_RETRY_SECONDS)
        case _:
            return ProblemError(INVALID, str(error), fields=error.fields)


def of_status(status: int, title: str, headers: Mapping[str, str] | None = None) -> ProblemError:
    """Return the problem for an HTTP status with which the framework or the server refuses a request."""
    return ProblemError(_OF_STATUS.get(status) or replace(HTTP, status=status, title=title), headers=headers)


def store_unavailable(detail: str = "") -> ProblemError:
    """Return the problem of a store that cannot be reached, or is full."""
    return ProblemError(STORE_UNAVAILABLE, detail, retry_after=STORE_RETRY_SECONDS)


def install(app: Flask) -> None:
    """Answer every error of the application with a problem."""
    logger = log.get_logger()

    def on_problem(error: ProblemError) -> Response:
        return error.response()

    def on_refusal(error: RefusedError) -> Response:
        return of_refusal(error).response()

    def on_meta_error(error: WhatsAppError) -> Response:
        return of_meta(error).response()

    def on_store_error(error: StoreUnavailableError | StorageError) -> Response:
        return store_unavailable(str(error) if isinstance(error, SubmitUnavailableError) else "").response()

    def on_broken_chunks(_: ParseException) -> Response:
        # The server reads a chunked body only when a view asks for it.
        return ProblemError(INVALID, UNREADABLE_CHUNKS).response()

    def on_http_error(error: HTTPException) -> Response | HTTPException:
        if error.response is not None or error.code is None or error.code < 400:
            return error
        kept = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
        return of_status(error.code, error.name, kept).response()

    def on_defect(error: Exception) -> Response:
        logger.error("whatsapp.web.failed", exc_info=error)
        return ProblemError(INTERNAL).response()

    app.register_error_handler(ProblemError, on_problem)
    app.register_error_handler(RefusedError, on_refusal)
    app.register_error_handler(WhatsAppError, on_meta_error)
    app.register_error_handler(StoreUnavailableError, on_store_error)
    app.register_error_handler(StorageError, on_store_error)
    app.register_error_handler(ParseException, on_broken_chunks)
    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(Exception, on_defect)
