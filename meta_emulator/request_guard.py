"""Protection from cross-site requests and DNS rebinding (the control API has no login)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import orjson
from flask import Flask, Response, request

from meta_emulator.config import EmulatorConfig

_OURS = ("/_emulator", "/_page")


def refuse_foreign_requests(app: Flask, config: EmulatorConfig) -> None:
    """Refuse (403) controls and page to strangers.

    A browser that runs a foreign page says so in ``Origin``. A foreign name that was made to point at this machine
    shows in ``Host``; that is only checked where the emulator binds loopback, for behind a proxy or in a container
    it has other names. Graph calls carry a token and need no guard.
    """

    @app.before_request
    def check() -> Response | None:
        if request.path != "/" and not request.path.startswith(_OURS):
            return None
        origin = request.headers.get("Origin")
        if origin and urlsplit(origin).netloc != request.host:
            return _refused("this page is not the emulator's")
        if not config.unsafe and not _is_local(request.host):
            return _refused("this name is not this machine's")
        return None


def _is_local(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _refused(why: str) -> Response:
    return Response(orjson.dumps({"error": why}), 403, content_type="application/json")
