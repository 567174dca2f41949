"""`/openapi.json`, and pages at `/docs` that show it, without any file from elsewhere.

The reference is rendered by Scalar, whose package holds the script. The problem types, whose URIs are `/docs#<name>`,
are a page without scripts.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Final

import flask_openapi3_scalar
import orjson
from flask import Blueprint, Response, request
from flask_openapi3.openapi import OpenAPI

from wa_service.web import problems
from wa_service.web.auth import allow
from wa_service.web.openapi import build

_SCALAR: Final = "scalar.js"
_STATIC: Final = {
    _SCALAR: "text/javascript; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
}
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_HTML: Final = "text/html; charset=utf-8"
_DAY: Final = {"Cache-Control": "public, max-age=86400"}


def docs_blueprint(
    app: OpenAPI, numbers: Sequence[str], longest_ttl: int, is_caller: Callable[[str | None], bool]
) -> Blueprint:
    """Return the routes; `is_caller` tells whether an Authorization header has a known API key.

    Only such a caller is shown our `numbers`.
    """
    blueprint = Blueprint("docs", __name__)
    document = cache(lambda named: orjson.dumps(build(app, numbers if named else (), longest_ttl)))

    @blueprint.get("/openapi.json")
    @allow("anyone")
    def openapi() -> Response:
        """Return the OpenAPI description."""
        body = document(is_caller(request.headers.get("Authorization")))
        return Response(body, content_type="application/json")

    @blueprint.get("/docs")
    @allow("anyone")
    def docs() -> Response:
        """Return the API reference."""
        return Response(_file("docs.html"), content_type=_HTML, headers=_PAGE_HEADERS)

    @blueprint.get("/docs/problems")
    @allow("anyone")
    def problem_page() -> Response:
        """Return the page of problem types."""
        return Response(_problems(), content_type=_HTML, headers=_PAGE_HEADERS)

    @blueprint.get("/docs/<name>")
    @allow("anyone")
    def asset(name: str) -> Response:
        """Return a script or style sheet of the pages."""
        if name not in _STATIC:
            raise problems.ProblemError(problems.NOT_FOUND)
        response = Response(_file(name), content_type=_STATIC[name], headers=_PAGE_HEADERS | _DAY)
        if name == _SCALAR and "gzip" in request.headers.get("Accept-Encoding", ""):
            response.set_data(_packed(name))
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        return response

    return blueprint


@cache
def _file(name: str) -> bytes:
    if name == _SCALAR:
        return files(flask_openapi3_scalar).joinpath("templates/scalar/js/scalar.standalone.js").read_bytes()
    return files("wa_service.web").joinpath("static", name).read_bytes()


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_file(name), 5)


@cache
def _problems() -> bytes:
    rows = "".join(
        f'<tr id="{kind.name}"><td><code>{kind.name}</code></td><td>{kind.status}</td>'
        f"<td>{escape(kind.title)}</td><td>{kind.retryable_text}</td></tr>"
        for kind in problems.all_kinds()
    )
    return _file("problems.html").replace(b"<!-- rows -->", rows.encode())
