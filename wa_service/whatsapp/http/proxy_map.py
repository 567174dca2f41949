"""Choose the proxy of a URL from given values, without reading the environment."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit


class ProxyMap:
    """`proxies`: scheme (or `all`) → proxy URL, and under `no_proxy` the hosts that are called directly.

    `no_proxy` is a comma-separated list: a host with all its subdomains (`example.org`, `.example.org`), with or
    without a port, or `*`.
    """

    def __init__(self, proxies: Mapping[str, str]) -> None:
        self._by_scheme = {key.lower(): url for key, url in proxies.items() if url and key.lower() != "no_proxy"}
        entries = proxies.get("no_proxy", "").split(",")
        self._direct = tuple(entry.strip().lower().removeprefix("*.").lstrip(".") for entry in entries if entry.strip())

    def for_url(self, url: str) -> dict[str, str]:
        """Return the `proxies` argument of `requests` for this URL; empty for a direct connection."""
        if not self._by_scheme:
            return {}
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        proxy = self._by_scheme.get(parts.scheme) or self._by_scheme.get("all")
        if proxy is None or self._is_direct(host, parts.port):
            return {}
        return {parts.scheme: proxy}

    def _is_direct(self, host: str, port: int | None) -> bool:
        for entry in self._direct:
            name, _, number = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
            if number and number != str(port):
                continue
            if name in ("*", host) or host.endswith(f".{name}"):
                return True
        return False
