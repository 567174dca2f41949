"""API keys and their roles, and the role that every route requires."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, Literal, TypeAlias, TypeVar, cast, get_args

from flask import Blueprint, Flask, current_app, g, request

from wa_service.config.api_keys import ApiKey
from wa_service.web.problems import FORBIDDEN, UNAUTHORIZED, ProblemError

Caller: TypeAlias = Literal[
    "send",
    "read",
    "manage",
    "admin",
    "session: send",
    "session: read",
    "session: manage",
    "session: admin",
    "session: any",
    "anyone",
    "signature",
    "verify token",
    "metrics key",
]
"""A role of an API key, or of a session that began with one; `anyone`; or a credential that the route checks."""

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="wa_service"'}

View = TypeVar("View", bound=Callable[..., object])


def allow(caller: Caller) -> Callable[[View], View]:
    """Declare who may call a view; `create_app` fails for a route without this decorator."""

    def mark(view: View) -> View:
        view.caller = caller  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def caller_of(view: Callable[..., object]) -> Caller | None:
    """Return what `allow` declared for a view."""
    caller = getattr(view, "caller", None)
    return cast(Caller, caller) if caller in get_args(Caller) else None


class KeyRing:
    """The API keys. A presented key is compared with all of them, each in constant time."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys: Sequence[ApiKey] = tuple(keys)

    def find(self, authorization: str | None) -> ApiKey | None:
        """Return the key in an `Authorization: Bearer` header, None where it is missing or unknown."""
        scheme, _, presented = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not presented:
            return None
        digest = sha256(presented.encode("latin-1", "replace")).digest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(digest, key.digest):
                found = key
        return found


def require_keys(blueprint: Blueprint, keys: KeyRing, count_refused: Callable[[], None]) -> None:
    """Let only keys with the role that a view names through to a blueprint.

    `count_refused` is called for a call without a known key before it gets its 401, and may raise instead.
    """

    def authenticate() -> None:
        key = keys.find(request.headers.get("Authorization"))
        if key is None:
            count_refused()
            raise ProblemError(UNAUTHORIZED, "Send `Authorization: Bearer <key>`.", headers=_CHALLENGE)
        g.api_key = key
        require_role(caller_of(current_app.view_functions[str(request.endpoint)]))

    blueprint.before_request(authenticate)


def require_role(role: Caller | None) -> None:
    """Refuse the request if its key lacks a role. Views call it for roles that only some fields of a body require."""
    if role not in g.api_key.roles:
        raise ProblemError(FORBIDDEN, f"This API key lacks the role `{role}`.")


def caller_name() -> str:
    """Return the name of the request's API key."""
    return str(g.api_key.name)


def check_routes(app: Flask) -> None:
    """Raise `LookupError` where a route does not say who may call it."""
    for rule in app.url_map.iter_rules():
        if caller_of(app.view_functions[rule.endpoint]) is None:
            raise LookupError(f"{rule.rule} does not say who may call it")
