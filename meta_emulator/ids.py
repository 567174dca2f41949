"""Ids in Meta's formats (reference 1.1, 2.2)."""

from __future__ import annotations

import base64
import random
import string


class Ids:
    """Generate ids of every kind from one random generator, which can be seeded."""

    def __init__(self, generator: random.Random) -> None:
        self._random = generator

    def object_id(self) -> str:
        """Return a Graph object id: 16 decimal digits."""
        return str(self._random.randrange(10**15, 10**16))

    def wamid(self, peer: str, *, from_customer: bool) -> str:
        """Return a message id: base64 of the peer's address, a direction mark and an upper-case hex key."""
        address = peer.encode()
        key = f"{self._random.getrandbits(72):018X}".encode()
        mark = b"\x12" if from_customer else b"\x11"
        raw = b"\x1c\x18" + bytes([len(address)]) + address + b"\x15\x02\x00" + mark
        raw += b"\x18" + bytes([len(key)]) + key + b"\x00"
        return "wamid." + base64.b64encode(raw).decode()

    def group_id(self, business: str) -> str:
        """Return a group id: base64 with ``ZD`` in place of ``=``, never digits only, as a phone number is."""
        raw = f"capi_group:{business}:{self._random.randrange(10**17, 10**18)}"
        return base64.b64encode(raw.encode()).decode().replace("=", "ZD")

    def fbtrace(self) -> str:
        """Return a trace id as in ``error.fbtrace_id``."""
        return "A" + "".join(self._random.choices(string.ascii_letters + string.digits, k=22))

    def hexadecimal(self, length: int = 32) -> str:
        """Return ``length`` lower-case hex digits."""
        return f"{self._random.getrandbits(4 * length):0{length}x}"

    def business_scoped_user_id(self, country: str) -> str:
        """Return a business-scoped user id: country code, a dot, digits (reference 2.9)."""
        return f"{country}.{self._random.randrange(10**19, 10**20)}"
