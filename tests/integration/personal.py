"""Find a person's data in the store: every key whose name or value contains it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import redis

NAME, WORDS = "Ana Lima", "secret words"


def wamid(customer: str, key: str = "A") -> str:
    return "wamid." + base64.b64encode(b"\x1d\x18\x0b" + customer.encode() + b"\x15\x02\x00" + key.encode()).decode()


def traces(client: redis.Redis, customer: str, *words: str) -> Iterator[bytes]:
    """Yield every key that contains the customer's number, name, text, or a wamid with the number."""
    needles = [word.encode() for word in (customer, NAME, WORDS, *words)]
    for key in client.scan_iter("*"):
        dump = key + b" " + everything(client, key)
        for word in dump.split(b"wamid.")[1:]:
            packed = word.split(b'"')[0].split(b" ")[0].rstrip(b"=")
            try:
                dump += base64.b64decode(packed[: len(packed) // 4 * 4])
            except ValueError:
                continue
        if any(needle in dump for needle in needles):
            yield key


def everything(client: Any, key: bytes) -> bytes:
    match client.type(key):
        case b"string":
            return client.get(key) or b""
        case b"hash":
            return b" ".join(part for pair in sorted(client.hgetall(key).items()) for part in pair)
        case b"list":
            return b" ".join(client.lrange(key, 0, -1))
        case b"zset":
            return b" ".join(client.zrange(key, 0, -1))
        case b"set":
            return b" ".join(client.smembers(key))
        case b"stream":
            entries = [flat for _, flat in client.xrange(key) if flat.get(b"k") != b"erased"]
            return b" ".join(part for flat in entries for pair in flat.items() for part in pair)
    raise AssertionError(key)


def contents(client: redis.Redis) -> dict[bytes, bytes]:
    """Every key with its content, except the clock, the request to rewrite the server's file, and the events about
    erasures.
    """
    of_nobody = (b":clock", b":rewrite_wanted")
    return {key: everything(client, key) for key in client.scan_iter("*") if not key.endswith(of_nobody)}
