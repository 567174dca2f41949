"""Protection from cross-site requests and DNS rebinding."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson
from werkzeug.wrappers import Response
from werkzeug.wsgi import get_host

from meta_emulator.config import EmulatorConfig

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class GuardMiddleware:
    """WSGI middleware that answers 403 to requests from other web pages and with foreign host names.

    A browser sends the page's origin in ``Origin``. A foreign name that resolves to this machine is in ``Host``, which
    is checked if the emulator listens on loopback, or if ``allowed_hosts`` is set, as for a container. The Graph API is
    checked as well, because its token may be known or guessed.
    """

    def __init__(self, application: WSGIApplication, config: EmulatorConfig) -> None:
        self._application = application
        allowed = {host.lower() for host in config.allowed_hosts}
        if config.public_url:
            allowed.add((urlsplit(config.public_url).hostname or "").lower())
        self._allowed = allowed
        self._checks_host = bool(allowed) or not config.unsafe

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application, or refuse the request."""
        host = get_host(environ)
        origin = environ.get("HTTP_ORIGIN")
        if origin and urlsplit(origin).netloc != host:
            return _refused("this request comes from a page of another origin")(environ, start_response)
        if self._checks_host:
            name, is_local = _named(host)
            if name not in self._allowed and not is_local:
                return _refused("this host name is not allowed (--allow-host)")(environ, start_response)
        return self._application(environ, start_response)


@lru_cache(maxsize=256)
def _named(host: str) -> tuple[str, bool]:
    """Return the name in a host with or without a port, and whether it is a loopback name."""
    name = (urlsplit(f"//{host}").hostname or "").lower()
    return name, _is_local(name)


def _is_local(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _refused(reason: str) -> Response:
    return Response(orjson.dumps({"error": reason}), 403, content_type="application/json")
