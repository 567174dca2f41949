"""The phone page: static files with a strict content security policy."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

_PAGE = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    # No script can turn text into markup, whatever a message holds.
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def page_blueprint() -> Blueprint:
    """``/`` is the page, ``/_page/…`` its files."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/")
    def index() -> Response:
        return _guarded(send_from_directory(_PAGE, "index.html"))

    @blueprint.get("/_page/<path:name>")
    def asset(name: str) -> Response:
        return _guarded(send_from_directory(_PAGE, name))

    return blueprint


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    return response
