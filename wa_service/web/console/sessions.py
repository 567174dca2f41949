"""Console sessions: a signed cookie that names an API key, valid for eight hours, and its CSRF token.

The signing key is derived from the API key's digest: removing an API key ends its sessions. Each sign-in creates a new
session id, against session fixation.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from flask import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from wa_service.config.api_keys import ApiKey
from wa_service.service.console import SESSION_SECONDS
from wa_service.store.console_sessions import EndedSessions
from wa_service.web.auth import KeyRing

_SALT: Final = "wa_service console session"
_PLAIN_COOKIE: Final = "wa_console"
# Browsers accept a cookie with this prefix only from this exact host over TLS, so no sibling domain can set it.
_TLS_COOKIE: Final = "__Host-wa_console"


@dataclass(frozen=True, slots=True)
class Session:
    """A session: its API key, its id, and the token that each change must carry."""

    key: ApiKey
    id: str
    csrf: str

    def may(self, role: str) -> bool:
        """Whether the key has a role."""
        return role in self.key.roles


class Sessions:
    """Signs in and out, and reads the cookie."""

    def __init__(self, keys: Iterable[ApiKey], server_secret: str, ended: EndedSessions) -> None:
        keys = tuple(keys)
        self._server_secret = server_secret.encode()
        self._ring = KeyRing(keys)
        self._by_name = {key.name: key for key in keys}
        self._ended = ended

    def sign_in(self, presented: str) -> ApiKey | None:
        """Return the API key that was typed, None if it is unknown."""
        return self._ring.find(f"Bearer {presented}")

    def begin(self, key: ApiKey, request: Request, response: Response) -> None:
        """Begin a session with a new id."""
        value = self._serializer(key).dumps({"k": key.name, "s": secrets.token_urlsafe(18)})
        response.set_cookie(
            _cookie_name(request),
            value if isinstance(value, str) else value.decode(),
            max_age=SESSION_SECONDS,
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
            path="/",
        )

    def read(self, request: Request) -> Session | None:
        """Return the request's session; None if there is none or it has expired or was ended.

        Raises:
            StoreUnavailableError: the store cannot tell whether it was ended.
        """
        cookie = request.cookies.get(_cookie_name(request), "")
        if not cookie or len(cookie) > 1_024:
            return None
        try:
            _, named = URLSafeTimedSerializer("", salt=_SALT).loads_unsafe(cookie)
            key = self._by_name[named["k"]]
            content = self._serializer(key).loads(cookie, max_age=SESSION_SECONDS)
        except (BadData, LookupError, TypeError):
            return None
        session_id = str(content["s"])
        return None if self._ended.has(session_id) else Session(key, session_id, self._csrf(key, session_id))

    def end(self, session: Session, request: Request, response: Response) -> None:
        """End a session, also for copies of its cookie."""
        self._ended.add(session.id)
        response.delete_cookie(
            _cookie_name(request), path="/", secure=request.is_secure, httponly=True, samesite="Strict"
        )

    def _derived(self, key: ApiKey, purpose: str) -> bytes:
        """Derive a signing key from the API key's digest and a secret of the server: the digest alone is not enough."""
        return hmac.new(key.digest + self._server_secret, f"wa_service console {purpose}".encode(), sha256).digest()

    def _serializer(self, key: ApiKey) -> URLSafeTimedSerializer:
        options = {"key_derivation": "hmac", "digest_method": sha256}
        return URLSafeTimedSerializer(self._derived(key, "session"), salt=_SALT, signer_kwargs=options)

    def _csrf(self, key: ApiKey, session_id: str) -> str:
        return hmac.new(self._derived(key, "csrf"), session_id.encode(), sha256).hexdigest()


def is_token(session: Session, presented: str) -> bool:
    """Whether the presented CSRF token is the session's."""
    return hmac.compare_digest(session.csrf.encode(), presented.encode("utf-8", "replace"))


def is_same_origin(request: Request) -> bool:
    """Whether a page of ours sent the request, by Sec-Fetch-Site, else by Origin."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") == f"{request.scheme}://{request.host}"


def _cookie_name(request: Request) -> str:
    return _TLS_COOKIE if request.is_secure else _PLAIN_COOKIE
