"""Refuse foreign host names when web listens on loopback, against DNS rebinding."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from flask import Blueprint, request

from wa_service.web.problems import FORBIDDEN, ProblemError

_SENTENCE: Final = (
    "Web listens on loopback only: call it as 127.0.0.1 or localhost, or name the proxy in WA_TRUSTED_PROXIES."
)


def is_own_name(host: str) -> bool:
    """Whether a host, with or without a port, is a loopback name."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def refuse_foreign_hosts(blueprints: Sequence[Blueprint], bind: str, trusted_proxies: Sequence[str]) -> None:
    """Refuse calls with a Host other than loopback's, if `bind` is loopback and no proxy forwards calls.

    The webhook is not among the blueprints: a tunnel may lead to it, and its signature authenticates the caller.
    """
    if trusted_proxies or not is_own_name(bind):
        return

    def refuse() -> None:
        if not is_own_name(request.host):
            raise ProblemError(FORBIDDEN, _SENTENCE)

    for blueprint in blueprints:
        blueprint.before_request(refuse)
