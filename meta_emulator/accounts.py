"""Several business accounts in one emulator, each a world with its own app, secrets, numbers and callback."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs

from pydantic import Field

from meta_emulator.config import EmulatorConfig
from meta_emulator.property_check import ObjectId, Properties
from meta_emulator.world import StateError, World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PREFIX = "/_emulator/accounts/"


class AccountProperties(Properties):
    """An additional business account; values that are not given are random."""

    id: ObjectId
    access_token: str = ""
    app_secret: str = ""
    verify_token: str = ""
    app_id: ObjectId | Literal[""] = ""
    callback_url: str = ""
    phone_number_ids: list[ObjectId] = Field(default_factory=list)


def account_config(world: World, wanted: AccountProperties) -> EmulatorConfig:
    """Return the configuration of an additional account; raise StateError if it conflicts with another account."""
    worlds = (world, *world.accounts.values())
    if wanted.id in (world.config.business_account_id, *world.accounts):
        raise StateError("another account has this id")
    number_ids = wanted.phone_number_ids or [_object_id()]
    if taken := {each for other in worlds for each in other.numbers}.intersection(number_ids):
        raise StateError(f"another account has the number {', '.join(sorted(taken))}")
    config = replace(
        world.config,
        business_account_id=wanted.id,
        access_token=wanted.access_token or f"EAA{secrets.token_urlsafe(24)}",
        app_secret=wanted.app_secret or secrets.token_hex(16),
        verify_token=wanted.verify_token or secrets.token_urlsafe(12),
        app_id=wanted.app_id or _object_id(),
        callback_url=wanted.callback_url,
        phone_number_ids=tuple(dict.fromkeys(number_ids)),
        seed_file=None,
        data_file=None,
    )
    if any(config.app_id == other.config.app_id for other in worlds):
        raise StateError("another account has this app")
    if any(config.access_token == other.credentials.access_token for other in worlds):
        raise StateError("another account has this access token")
    return config


class AccountsMiddleware:
    """WSGI middleware that routes a call to the account of its token, or of ``/_emulator/accounts/{id}/…``."""

    def __init__(
        self, application: WSGIApplication, world: World, application_of: Callable[[World], WSGIApplication]
    ) -> None:
        self._application = application
        self._world = world
        self._application_of = application_of
        self._applications: dict[str, tuple[World, WSGIApplication]] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the account's application; by default the first account's."""
        path: str = environ.get("PATH_INFO", "")
        if path.startswith(_PREFIX):
            account_id, _, rest = path.removeprefix(_PREFIX).partition("/")
            if rest and account_id in self._world.accounts:
                inner = {**environ, "PATH_INFO": f"/_emulator/{rest}"}
                return self._named(account_id)(inner, start_response)
        elif self._world.accounts and not path.startswith("/_"):
            sent = _sent_secrets(environ)
            for account_id, other in self._world.accounts.items():
                credentials = other.credentials
                if sent & {credentials.access_token, credentials.app_token, f"client_id={credentials.app_id}"}:
                    return self._named(account_id)(environ, start_response)
        return self._application(environ, start_response)

    def _named(self, account_id: str) -> WSGIApplication:
        world = self._world.accounts[account_id]
        made = self._applications.get(account_id)
        if made is None or made[0] is not world:  # The account was removed and added again.
            made = self._applications[account_id] = world, self._application_of(world)
        return made[1]


def _sent_secrets(environ: WSGIEnvironment) -> set[str]:
    """Return the tokens in a Graph call's header and query, and the client id of an app that requests its token."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    sent = {*query.get("access_token", ()), *(f"client_id={each}" for each in query.get("client_id", ()))}
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() in ("bearer", "oauth"):
        sent.add(token.strip())
    return sent


def _object_id() -> str:
    return str(10**15 + secrets.randbelow(9 * 10**15))
