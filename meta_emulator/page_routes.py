"""Static files of the phone page with a strict content security policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, abort, request

_PAGE = Path(__file__).parent / "page"
# Explicit, because the system's type of .js varies and `nosniff` enforces it.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "connect-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        # No script can turn text into markup, whatever a message holds.
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    mime_type: str
    etag: str


def page_blueprint() -> Blueprint:
    """Return the routes ``/`` and ``/_page/…``; files are read once."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/")
    def index() -> Response:
        return _answer("index.html")

    @blueprint.get("/_page/<path:name>")
    def asset(name: str) -> Response:
        return _answer(name)

    return blueprint


def _answer(name: str) -> Response:
    file = _files().get(name)
    if file is None:
        abort(404)
    response = Response(file.content, content_type=file.mime_type, headers=_HEADERS)
    response.set_etag(file.etag)
    response.make_conditional(request.environ)
    return response


@cache
def _files() -> dict[str, _File]:
    found = {}
    for path in _PAGE.rglob("*"):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            file = _File(content, _TYPES[path.suffix], sha256(content).hexdigest()[:16])
            found[path.relative_to(_PAGE).as_posix()] = file
    return found
