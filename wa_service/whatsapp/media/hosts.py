"""To which addresses the access token may go (reference 1.1, 9.1): to Meta's hosts, and to the configured one."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

_HOSTS: Final = frozenset({"graph.facebook.com", "api.facebook.com"})
_SUFFIXES: Final = (".fbsbx.com", ".fbcdn.net", ".whatsapp.net")


def is_loopback(host: str) -> bool:
    """Is `host` this machine itself?"""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class MediaHosts:
    """Judges addresses before anything is sent to them."""

    def __init__(self, base_url: str) -> None:
        """`base_url`: where the API is; its host and port are trusted as Meta's own are."""
        base = _parsed(base_url)
        self._base = (base.host, base.port or _default_port(base)) if base else None

    def refusal(self, url: str) -> str | None:
        """None where `url` is one of Meta's media addresses; else why not, without naming it."""
        parsed = _parsed(url)
        if parsed is None or not parsed.host:
            return "its address cannot be read"
        host, port = parsed.host, parsed.port or _default_port(parsed)
        if parsed.scheme != "https" and not (parsed.scheme == "http" and is_loopback(host)):
            return "its address is not https"
        if (host, port) == self._base:
            return None
        if port == 443 and (host in _HOSTS or host.endswith(_SUFFIXES)):
            return None
        return "its host is not Meta's"


def _parsed(url: str) -> Url | None:
    """`url` as urllib3 will understand it; None where another parser might see another host in it."""
    if "\\" in url or any(ord(mark) <= 32 or ord(mark) == 127 for mark in url):
        return None
    try:
        parsed = parse_url(url)
    except LocationParseError:
        return None
    return None if parsed.auth else parsed


def _default_port(parsed: Url) -> int:
    return 80 if parsed.scheme == "http" else 443
