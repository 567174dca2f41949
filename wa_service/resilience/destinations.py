"""SSRF protection: outgoing calls may reach public addresses and networks that the operator allowed.

A URL chosen by an API user must not reach what only this machine can reach: loopback, private networks, a cloud's
metadata service. Names are resolved here, every resolved address is checked, and the caller connects to the checked
address. The name is not resolved again, so DNS rebinding does not work.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.event import AsyncResult
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
LookUp = Callable[[str, int], Sequence[str]]
"""Host name and port → the addresses it resolves to; raises OSError."""

LOOPBACK: tuple[IpNetwork, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
"""This machine's addresses, allowed for URLs that the operator configured."""

_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 2_048
_MOST_REMEMBERED = 256

# Python's `is_global` differs between patch releases, so the refused networks are listed. IPv4 addresses inside IPv6
# ones (mapped, 6to4, NAT64, Teredo) are checked both as IPv6 and as the IPv4 address they hold.
_REFUSED: tuple[IpNetwork, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's metadata service, a public address
        "169.254.0.0/16",  # link-local: cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relay
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        # Global unicast IPv6 addresses are in 2000::/3. The rest is loopback, IPv4 addresses in several forms, local
        # NAT64, discard, unique local (also cloud metadata), link-local, site-local and multicast.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class DestinationRefusedError(Exception):
    """A URL that may not be called; the text is a sentence with advice, without the address."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to connect for a URL: `address` is a literal IP address that was checked."""

    scheme: str
    host: str
    port: int
    address: str
    target: str
    """Path and query, as in the request line."""

    @property
    def host_header(self) -> str:
        """The value of the `Host` header: the URL's host, with the port unless it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def look_up(host: str, port: int) -> list[str]:
    """Return every address that a name resolves to; raise OSError if there is none."""
    return _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _addresses(found: Sequence[tuple[Any, ...]]) -> list[str]:
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class SharedLookUp:
    """A look-up for frequent callers: those of one name wait for one look-up, whose result is cached for `seconds`.

    A failure is cached, too, so a slow name server is asked once in that time; a caller whose deadline ends does not
    end the look-up. Cached addresses are checked at each call, and the caller connects to the checked address, so stale
    ones are safe. For the greenlets of one thread.
    """

    def __init__(self, look_up: LookUp, *, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._seconds = seconds
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, AsyncResult[Sequence[str]]]] = {}

    def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name; raise OSError if there are none."""
        until, found = self._known.get((host, port), (0.0, None))
        if found is None or (found.ready() and self._clock() >= until):
            found = AsyncResult()
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[(host, port)] = (0.0, found)
            gevent.spawn(self._ask, host, port, found)
        addresses: Sequence[str] = found.get()
        return addresses

    def _ask(self, host: str, port: int, found: AsyncResult[Sequence[str]]) -> None:
        try:
            addresses = self._look_up(host, port)
        except Exception as error:  # noqa: BLE001 - it is the callers' to handle
            found.set_exception(error)
        else:
            found.set(addresses)
        self._known[(host, port)] = (self._clock() + self._seconds, found)


def look_up_in(threads: ThreadPool) -> LookUp:
    """Return `look_up` with threads of its own, so that slow name servers hold up no other look-ups of the process."""
    resolve = get_original("socket", "getaddrinfo")

    def resolve_quietly(host: str, port: int) -> Any:
        try:
            return resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            return error  # gevent prints a traceback of what a thread raises

    def found(host: str, port: int) -> list[str]:
        result = threads.apply(resolve_quietly, (host, port))
        if isinstance(result, Exception):
            raise result
        return _addresses(result)

    return found


class DestinationPolicy:
    """Checks URLs. `allowed`: networks in addition to public ones (`WA_PUSH_ALLOW`)."""

    def __init__(self, allowed: Sequence[IpNetwork] = (), *, look_up: LookUp = look_up) -> None:
        self._allowed = tuple(allowed)
        self._look_up = look_up
        # Cached, since checking an address costs more than signing a pushed event.
        self._verdict = lru_cache(maxsize=_MOST_REMEMBERED)(self._judge)

    def resolve(self, url: str) -> Destination:
        """Return where to connect for an `http` or `https` URL.

        Raises:
            DestinationRefusedError: it is not such a URL, its name does not resolve, or to an address that is neither
                public nor in an allowed network.
        """
        scheme, host, port, target = split_url(url)
        try:
            addresses = self._look_up(host, port)
        except (OSError, UnicodeError):
            raise DestinationRefusedError("The host name of the URL does not resolve.") from None
        if not addresses:
            raise DestinationRefusedError("The host name of the URL does not resolve.")
        if not all(self.permits(address) for address in addresses):
            raise DestinationRefusedError(
                "The URL leads to an address that is not public. Open its network with WA_PUSH_ALLOW."
            )
        return Destination(scheme, host, port, addresses[0], target)

    def permits(self, address: str) -> bool:
        """Return whether an IP address may be connected to."""
        return self._verdict(address)

    def _judge(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return all(self._permits(each) for each in _meanings(parsed))

    def _permits(self, address: IpAddress) -> bool:
        if any(address in network for network in self._allowed if network.version == address.version):
            return True
        return not any(address in network for network in _REFUSED if network.version == address.version)


@lru_cache(maxsize=_MOST_REMEMBERED)
def split_url(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and target of an absolute `http` or `https` URL.

    Raises:
        DestinationRefusedError: it is not such a URL, or contains a user name or invalid characters.
    """
    if len(url) > _LONGEST_URL or not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise DestinationRefusedError("This must be a URL of at most 2,048 ASCII characters without spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise DestinationRefusedError("This must be a URL: its host or port cannot be read.") from None
    if parts.scheme not in _PORTS or not parts.hostname or "\\" in url:
        raise DestinationRefusedError("This must be a URL that begins with https:// or http://.")
    if parts.username is not None or parts.password is not None:
        raise DestinationRefusedError("The URL must not contain a user name or password.")
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], target


def _meanings(address: IpAddress) -> list[IpAddress]:
    """Return the addresses to check for one: itself, or the IPv4 address that an IPv6 one contains."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    return [address]
