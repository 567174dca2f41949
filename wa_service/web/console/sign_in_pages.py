"""Sign in to the console and out of it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, make_response, render_template, request

from wa_service.observability import log
from wa_service.web.auth import allow
from wa_service.web.console.guard import current_session, see
from wa_service.web.console.sessions import Sessions

_HOME = "/console"


def add_sign_in_pages(pages: Blueprint, sessions: Sessions, count_failure: Callable[[], None]) -> None:
    """Add the pages. `count_failure` is called before a refusal, and may raise instead."""
    logger = log.get_logger()

    @pages.get("/sign-in")
    @allow("anyone")
    def sign_in_page() -> Response:
        """Show the form for the API key."""
        if sessions.read(request) is not None:
            return see(_HOME)
        return make_response(render_template("console/sign_in.html", failed="", ended=False))

    @pages.post("/sign-in")
    @allow("anyone")
    def sign_in() -> Response:
        """Begin a session."""
        key = sessions.sign_in(request.form.get("key", "").strip())
        if key is None:
            count_failure()
            logger.warning("whatsapp.console.sign_in_refused")
            failed = "This is not an API key of this service."
            return make_response(render_template("console/sign_in.html", failed=failed, ended=False), 401)
        response = see(_HOME)
        sessions.begin(key, request, response)
        logger.info("whatsapp.console.signed_in", key=key.name)
        return response

    @pages.post("/sign-out")
    @allow("session: any")
    def sign_out() -> Response:
        """End this session."""
        session = current_session()
        response = see("/console/sign-in")
        sessions.end(session, request, response)
        logger.info("whatsapp.console.signed_out", key=session.key.name)
        return response
