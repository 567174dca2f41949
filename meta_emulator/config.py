"""Configuration of an emulator. The caller passes everything; no environment variable is read."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path


class UnsafeBindError(ValueError):
    """Listening beyond this machine needs ``unsafe=True``."""


@dataclass(frozen=True)
class EmulatorConfig:
    """One emulated Meta app with one business account and its numbers.

    access_token, app_secret, verify_token: as in the configuration of the service under test.
    phone_number_ids: ids of the business numbers; the first is the default.
    callback_url: webhook URL; empty: none until a Graph call subscribes one.
    port: 0: a free one. unsafe: allow listening beyond loopback; the control API has no login.
    public_url: base URL of media links; default: the address that the caller used.
    allowed_hosts: values of ``Host`` that are accepted in addition to loopback names.
    time_factor: divisor of Meta's retry delays (60 turns 15 s into 0.25 s).
    webhook_version: shape of webhooks; up to ``v23.0`` with ``conversation`` in statuses (reference 5.7).
    business_initiated_limit: template quota in customers per 24 h; 0 is unlimited (reference 7.4).
    seed_file: YAML with the initial phones, numbers and templates (see ``seed.py``).
    data_file: file that keeps the world across restarts; None: in memory only.
    kept_messages, kept_sends, kept_exchanges, kept_events: how many of each to keep.
    """

    access_token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    phone_number_ids: tuple[str, ...]
    business_account_id: str = "102030405060708"
    app_id: str = "908070605040302"
    callback_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8090
    unsafe: bool = False
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    time_factor: float = 60.0
    webhook_version: str = "v24.0"
    business_initiated_limit: int = 0
    seed_file: Path | None = None
    data_file: Path | None = None
    random_seed: int | None = None
    kept_messages: int = 10_000
    kept_sends: int = 50_000
    kept_exchanges: int = 500
    kept_events: int = 2_000

    def __post_init__(self) -> None:
        """Raise ValueError for invalid values."""
        if not self.phone_number_ids:
            raise ValueError("the emulator needs at least one phone number id")
        if self.time_factor <= 0:
            raise ValueError("time_factor must be above 0")
        if not self.unsafe and not _is_loopback(self.host):
            raise UnsafeBindError(
                f"{self.host} is reachable from other machines and the emulator's control API has no login: "
                "listen on 127.0.0.1, or pass unsafe=True (--unsafe)"
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
