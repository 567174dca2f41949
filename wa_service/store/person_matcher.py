"""Whether stored JSON mentions a person: an address as a whole value, not as a part of a longer one."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from wa_service.whatsapp.addresses import is_user_id
from wa_service.whatsapp.phone_numbers import is_number

_META_ID: Final = re.compile(rb"wa[mc]id\.([A-Za-z0-9+/=_-]+)")
# Our own ids and times, which may have as many digits as a telephone number.
_IDS: Final = (b"n", b"w", b"waba_id", b"phone_number_id", b"display_phone_number", b"timestamp")
_TIMES: Final = (b"t", b"e", b"r", b"time", b"timestamp")
_NOT_ADDRESSES: Final = b"".join(
    [*(rb'(?<!"%b":")' % name for name in _IDS), *(rb'(?<!"%b":)' % name for name in _TIMES)]
)
_BEGIN: Final = rb"(?:(?<![0-9A-Za-z])|(?<=\\[bfnrt]))" + _NOT_ADDRESSES
_END: Final = rb"(?![0-9A-Za-z])"
# A group id may be any text from a caller; a shorter one could also be a button's id.
_SHORTEST: Final = 7
_SENDER: Final = ("from", "from_user_id", "from_parent_user_id")
_CONTACT: Final = ("wa_id", "user_id", "parent_user_id")


class PersonMatcher:
    """Find one person's addresses in compact JSON (without spaces)."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = frozenset(addresses)
        plain, packed = [], []
        for address in sorted(self._addresses):
            needle = re.escape(address).encode()
            if is_number(address):
                plain.append(_BEGIN + needle + _END)
                packed.append(rb"(?<![0-9])" + needle + rb"(?![0-9])")
            elif is_user_id(address):
                plain.append(_BEGIN + needle + _END)
                packed.append(needle + _END)
            elif len(address) >= _SHORTEST:
                plain.append(b'"' + needle + b'"')
                packed.append(needle + _END)
        self._plain, self._packed = _any(plain), _any(packed)

    def mentioned_in(self, data: bytes) -> bool:
        """Whether JSON contains one of the addresses, in plain text or inside a wamid or call id."""
        return self._plain.search(data) is not None or any(map(self._packed.search, _decoded_ids(data)))

    def is_sender_of(self, event: bytes) -> bool:
        """Whether a stored event is from the person: a group's mailbox has events of several people."""
        try:
            data = orjson.loads(event)
        except ValueError:
            return self.mentioned_in(event)
        if not isinstance(data, dict):
            return self.mentioned_in(event)
        raw, contact = data.get("m", data.get("raw")), data.get("p", data.get("contact"))
        given = [*_texts(raw, _SENDER), *_texts(contact, _CONTACT)]
        return any(address in self._addresses for address in given)


def _any(patterns: list[bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(patterns) or rb"(?!)")


def _texts(found: Any, fields: tuple[str, ...]) -> Iterator[str]:
    if isinstance(found, dict):
        yield from (value for name in fields if isinstance(value := found.get(name), str))


def _decoded_ids(data: bytes) -> Iterator[bytes]:
    """The decoded wamids and call ids in it, which contain the customer's number."""
    for found in _META_ID.findall(data):
        packed = found.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        try:
            yield base64.b64decode(packed + b"=" * (-len(packed) % 4))
        except (binascii.Error, ValueError):
            continue
