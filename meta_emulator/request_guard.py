"""Protection from cross-site requests and DNS rebinding."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import orjson
from flask import Flask, Response, request

from meta_emulator.config import EmulatorConfig


def refuse_foreign_requests(app: Flask, config: EmulatorConfig) -> None:
    """Answer 403 to requests of other web pages and to foreign names of this machine, on every path.

    A browser names the page that sends a request in ``Origin``. A foreign name that resolves to this machine shows
    in ``Host``, which is checked where the emulator listens on loopback, or where ``allowed_hosts`` is set: in a
    container it has other names. The Graph API is checked as well, because its token may be known or guessed.
    """
    allowed = {host.lower() for host in config.allowed_hosts}
    if config.public_url:
        allowed.add((urlsplit(config.public_url).hostname or "").lower())

    @app.before_request
    def check() -> Response | None:
        origin = request.headers.get("Origin")
        if origin and urlsplit(origin).netloc != request.host:
            return _refused("this request comes from a page of another origin")
        name = (urlsplit(f"//{request.host}").hostname or "").lower()
        if (allowed or not config.unsafe) and name not in allowed and not _is_local(name):
            return _refused("this host name is not allowed (--allow-host)")
        return None


def _is_local(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _refused(reason: str) -> Response:
    return Response(orjson.dumps({"error": reason}), 403, content_type="application/json")
