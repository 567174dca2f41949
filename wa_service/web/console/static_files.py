"""The console's style sheet and scripts, from the package."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from typing import Final

from flask import Blueprint, Response, request

from wa_service.web.auth import allow
from wa_service.web.console.guard import not_found

_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def add_static_files(pages: Blueprint) -> None:
    """Add the route of the static files."""
    folder = files("wa_service.web.console").joinpath("static")
    known = {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in _TYPES}

    @pages.get("/static/<name>")
    @allow("anyone")
    def static_file(name: str) -> Response:
        """Return a file; browsers revalidate it at each use."""
        content = known.get(name)
        if content is None:
            not_found("There is no such file.")
        response = Response(content, content_type=_TYPES[name.rpartition(".")[2]])
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(sha256(content).hexdigest()[:16])
        return response.make_conditional(request)  # type: ignore[return-value]  # it returns the response
