"""API keys in the format of `WA_API_KEYS`: names, digests and roles."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["send", "read", "manage", "admin"]

ROLES: tuple[Role, ...] = ("send", "read", "manage", "admin")
DEFAULT_ROLES: frozenset[Role] = frozenset({"send", "read"})

SHORTEST_KEY = 20
"""Minimum characters of an API key or of the metrics key: a random one of this length cannot be guessed."""

_FORM = "takes name:key, name:key:role or name:sha256:hex:role with the roles send, read, manage, admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller of the REST API.

    `digest` is the SHA-256 of the key (32 bytes), so that the key itself is not kept in memory. `admin` includes the
    other roles.
    """

    name: str
    digest: bytes = field(repr=False)
    roles: frozenset[Role] = DEFAULT_ROLES


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Read comma-separated keys: `name:key[:roles]` or `name:sha256:hex[:roles]`, roles joined by `|`.

    Raises:
        ValueError: a key has the wrong format or is too short, or a name or key occurs twice.
    """
    keys = tuple(_parse(part.strip()) for part in text.split(",") if part.strip())
    if len({key.name for key in keys}) < len(keys):
        raise ValueError("gives the same name to two keys")
    if len({key.digest for key in keys}) < len(keys):
        raise ValueError("gives two names to the same key")
    return keys


def _parse(text: str) -> ApiKey:
    name, *rest = text.split(":")
    if rest[:1] == ["sha256"]:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", "".join(rest[1:2])):
            raise ValueError(_FORM)
        digest, roles = bytes.fromhex(rest[1]), rest[2:]
    else:
        digest, roles = hashlib.sha256("".join(rest[:1]).encode()).digest(), rest[1:]
    if not name or not "".join(rest[:1]) or len(roles) > 1:
        raise ValueError(_FORM)
    if rest[0] != "sha256" and len(rest[0]) < SHORTEST_KEY:
        raise ValueError(f"takes keys of at least {SHORTEST_KEY} characters, made at random")
    return ApiKey(name, digest, _granted(roles[0].split("|")) if roles else DEFAULT_ROLES)


def _granted(names: list[str]) -> frozenset[Role]:
    if not set(names) <= set(ROLES):
        raise ValueError(_FORM)
    return frozenset(role for role in ROLES if role in names or "admin" in names)
