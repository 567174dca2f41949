"""Where calls to the outside may go: public addresses, and the networks that the operator opened.

A URL that a user of the API chose must not reach what only this machine can reach: loopback, private networks, a
cloud's metadata service. A name is resolved here, every address it resolves to is judged, and the caller connects to
the address that was judged. Nobody looks the name up a second time, so a name that changes its answer gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LookUp = Callable[[str, int], Sequence[str]]
"""Host name and port → the addresses it resolves to; raises OSError."""

LOOPBACK: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
"""Where a service on this machine answers: open to URLs that the operator chose."""

_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 2_048
_MOST_REMEMBERED = 256

# Python's `is_global` differs between patch releases, so what is refused is written out. IPv4 addresses inside IPv6
# ones (mapped, 6to4, NAT64, Teredo) are judged as IPv6 networks here and as the IPv4 address they hold.
_REFUSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a public address at which Azure tells machines about themselves
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
        # IPv6 addresses of hosts begin with 2 or 3 (2000::/3). Beside them stand loopback, IPv4 addresses in several
        # forms, local NAT64, discard, unique local (also cloud metadata), link-local, site-local and multicast.
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
    """A URL that may not be called; the text is a sentence that names what to do and no address."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to connect for a URL: `address` is a literal IP address that was judged."""

    scheme: str
    host: str
    port: int
    address: str
    target: str
    """Path and query, as they stand in the request line."""

    @property
    def host_header(self) -> str:
        """The value of the `Host` header: the name from the URL, with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def look_up(host: str, port: int) -> list[str]:
    """Return every address that a name resolves to. Raise OSError where it resolves to none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def remembering(look_up: LookUp, *, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic) -> LookUp:
    """Return a look-up that asks for a name once in `seconds`, for callers that call often.

    What it remembers is judged in each call, and what is judged is connected to, so an old answer opens nothing.
    """
    known: dict[tuple[str, int], tuple[float, Sequence[str]]] = {}

    def remembered(host: str, port: int) -> Sequence[str]:
        until, addresses = known.get((host, port), (0.0, ()))
        if clock() >= until:
            addresses = look_up(host, port)
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            known[(host, port)] = (clock() + seconds, addresses)
        return addresses

    return remembered


class DestinationPolicy:
    """Judges URLs. `allowed`: networks beyond public ones (`WA_PUSH_ALLOW`)."""

    def __init__(self, allowed: Sequence[Network] = (), *, look_up: LookUp = look_up) -> None:
        self._allowed = tuple(allowed)
        self._look_up = look_up
        # An address is judged alike each time, and judging costs more than signing what is pushed.
        self._verdict = lru_cache(maxsize=_MOST_REMEMBERED)(self._judge)

    def resolve(self, url: str) -> Destination:
        """Return where to connect for an `http` or `https` URL.

        Raises:
            DestinationRefusedError: it is no such URL, its name does not resolve, or one of the addresses that its
                name resolves to is neither public nor in an allowed network.
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

    def _permits(self, address: Address) -> bool:
        if any(address in network for network in self._allowed if network.version == address.version):
            return True
        return not any(address in network for network in _REFUSED if network.version == address.version)


@lru_cache(maxsize=_MOST_REMEMBERED)
def split_url(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and target of an absolute `http` or `https` URL.

    Raises:
        DestinationRefusedError: it is none, it holds a user name, or characters that no URL holds.
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
        raise DestinationRefusedError("The URL must not hold a user name or password.")
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme], target


def _meanings(address: Address) -> list[Address]:
    """Return the addresses that one stands for: itself, or the IPv4 address that an IPv6 one holds."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    return [address]
