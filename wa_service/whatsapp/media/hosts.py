"""URLs that may receive the access token (reference 1.1, 9.1): Meta's hosts and the configured one."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

_HOSTS: Final = frozenset({"graph.facebook.com", "api.facebook.com"})
_SUFFIXES: Final = (".fbsbx.com", ".fbcdn.net", ".whatsapp.net")


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class MediaHosts:
    """Checks media URLs before a request is sent to them."""

    def __init__(self, base_url: str) -> None:
        """`base_url`: the API's URL; its host and port are trusted like Meta's."""
        base = _parsed(base_url)
        self._base = (base.host, base.port or _default_port(base)) if base else None

    def refusal(self, url: str) -> str | None:
        """Return None if `url` is one of Meta's media URLs, else why not, without quoting it."""
        parsed = _parsed(url)
        if parsed is None or not parsed.host:
            return "its URL is invalid"
        host, port = parsed.host, parsed.port or _default_port(parsed)
        if parsed.scheme != "https" and not (parsed.scheme == "http" and is_loopback(host)):
            return "its URL is not https"
        if (host, port) == self._base:
            return None
        if port == 443 and (host in _HOSTS or host.endswith(_SUFFIXES)):
            return None
        return "its host is not Meta's"


def _parsed(url: str) -> Url | None:
    """Return `url` as urllib3 parses it; None if another parser might read another host from it."""
    if "\\" in url or any(ord(mark) <= 32 or ord(mark) == 127 for mark in url):
        return None
    try:
        parsed = parse_url(url)
    except LocationParseError:
        return None
    return None if parsed.auth else parsed


def _default_port(parsed: Url) -> int:
    return 80 if parsed.scheme == "http" else 443
