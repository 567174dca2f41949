"""What all console pages share: access control, CSRF protection, error pages and response headers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, NoReturn

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request
from limits.errors import StorageError
from werkzeug.exceptions import HTTPException

from wa_service.observability import log
from wa_service.service.refusals import RefusedError
from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.web.auth import caller_of
from wa_service.web.console.sessions import Session, Sessions, is_same_origin, is_token
from wa_service.web.problems import (
    FORBIDDEN,
    INTERNAL,
    NOT_FOUND,
    REQUEST_IN_PROGRESS,
    TOO_LARGE,
    ProblemError,
    of_meta,
    of_refusal,
    of_status,
    store_unavailable,
)
from wa_service.whatsapp.errors import WhatsAppError

LARGEST_FORM: Final = 64 * 1024
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every response: no foreign resources, no inline scripts, no framing, no caching."""
EXPECTED: Final = (ProblemError, RefusedError, WhatsAppError, StoreUnavailableError, StorageError)
"""Errors that a page tells."""
_ROLE: Final = "session: "


class Guard:
    """Admits requests with a session and the role that the view declares.

    `count_use` is called with the session's id at each request, and may raise ProblemError.
    """

    def __init__(self, sessions: Sessions, events: Events, count_use: Callable[[str], None]) -> None:
        self._sessions = sessions
        self._events = events
        self._count_use = count_use
        self._log = log.get_logger()

    def add_to(self, pages: Blueprint) -> None:
        """Guard a blueprint, and answer its errors with a page."""
        pages.before_request(self._admit)
        pages.after_request(_add_headers)
        for kind in EXPECTED:
            pages.register_error_handler(kind, lambda error: _on_problem(problem_of(error)))
        pages.register_error_handler(HTTPException, _on_http_error)
        pages.register_error_handler(Exception, self._on_defect)

    def changed(self, action: str, conversation: str = "", **facts: str | int) -> None:
        """Record who changed what: a log line and an event of kind `console`.

        `facts` hold no personal data: an id, a count.
        """
        key = current_session().key.name
        self._log.info("whatsapp.console.changed", key=key, action=action, **facts)
        self._events.console(conversation, {"key": key, "action": action, **facts})

    def _admit(self) -> Response | None:
        request.max_content_length = LARGEST_FORM
        request.max_form_memory_size = LARGEST_FORM
        changes = request.method not in {"GET", "HEAD"}
        if changes and not is_same_origin(request):
            raise ProblemError(FORBIDDEN, "This request did not come from a console page.")
        caller = caller_of(current_app.view_functions[str(request.endpoint)])
        g.console_session = None
        if caller is None or not caller.startswith(_ROLE):
            return None
        session = self._sessions.read(request)
        if session is None:
            return _sign_in_again()
        g.console_session = session
        self._count_use(session.id)
        if changes and not is_token(session, request.form.get("csrf", "")):
            raise ProblemError(FORBIDDEN, "This page is out of date: go back, reload it, and try again.")
        role = caller.removeprefix(_ROLE)
        if role != "any" and not session.may(role):
            raise ProblemError(FORBIDDEN, f"This API key lacks the role `{role}`.")
        return None

    def _on_defect(self, error: Exception) -> Response:
        self._log.error("whatsapp.web.failed", exc_info=error)
        return _on_problem(ProblemError(INTERNAL))


def problem_of(error: Exception) -> ProblemError:
    """Return an expected error as a problem."""
    match error:
        case ProblemError():
            return error
        case RefusedError():
            return of_refusal(error)
        case WhatsAppError():
            return of_meta(error)
        case _:
            return store_unavailable()


def respond(page: str, problem: ProblemError | None) -> Response:
    """Return a page, with the status of a problem that it tells."""
    if problem is None:
        return make_response(page)
    response = Response(page, problem.kind.status)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(problem.retry_after)))
    return response


def nonce_after(problem: ProblemError | None) -> str:
    """Return the nonce of a form; after a problem that leaves open whether it was submitted, the same one again."""
    given = request.form.get("nonce", "")[:64]
    is_open = problem is not None and (problem.kind.status >= 500 or problem.kind is REQUEST_IN_PROGRESS)
    return given if given and is_open else secrets.token_urlsafe(12)


def current_session() -> Session:
    """Return the session of this request; a view that requires a role has one."""
    session = g.console_session
    if not isinstance(session, Session):
        raise TypeError
    return session


def not_found(what: str) -> NoReturn:
    """Raise a 404 with this sentence."""
    raise ProblemError(NOT_FOUND, what)


def see(path: str) -> Response:
    """Redirect to a console page; `path` must never come from a request."""
    return make_response(redirect(path, 303))


def _sign_in_again() -> Response:
    if request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate" and request.method == "GET":
        return see("/console/sign-in")
    page = render_template("console/sign_in.html", failed="", ended=True)
    return Response(page, 401)


def _on_problem(error: ProblemError) -> Response:
    kind = error.kind
    page = render_template("console/problem.html", title=kind.title, detail=error.detail, fields=error.fields)
    return respond(page, error)


def _on_http_error(error: HTTPException) -> Response:
    if error.code == 413:
        return _on_problem(ProblemError(TOO_LARGE))
    return _on_problem(of_status(error.code or 500, f"{error.name}."))


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
