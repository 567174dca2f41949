"""What the emulator is told when it starts. It reads no environment: its caller passes everything."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path


class UnsafeBindError(ValueError):
    """The emulator was asked to listen beyond this machine without ``unsafe=True``."""


@dataclass(frozen=True)
class EmulatorConfig:
    """The settings of one emulated Meta app with one business account and its numbers.

    access_token, app_secret, verify_token: the values the service under test was given (one secret to sign with).
    phone_number_ids: ids of the business numbers; the first is the default.
    callback_url: where webhooks go; empty means nowhere until someone subscribes through Graph.
    port: 0 picks a free one. unsafe: allow another address than loopback (there is no login on the controls).
    time_factor: Meta's retry back-off is divided by this (60: a quarter of a minute becomes a quarter of a second).
    webhook_version: shape of the webhooks, ``v23.0`` has ``conversation`` in statuses (reference 5.7).
    business_initiated_limit: customers one may open by template in 24 h; 0 is unlimited (reference 7.4).
    seed_file: YAML with phones, numbers and templates to start with (see ``seed.py``).
    kept_messages, kept_sends, kept_exchanges, kept_events: bounds of what is remembered.
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
    time_factor: float = 60.0
    webhook_version: str = "v24.0"
    business_initiated_limit: int = 0
    seed_file: Path | None = None
    random_seed: int | None = None
    kept_messages: int = 10_000
    kept_sends: int = 50_000
    kept_exchanges: int = 500
    kept_events: int = 2_000

    def __post_init__(self) -> None:
        """Refuse what cannot work, with a sentence that says what to change."""
        if not self.phone_number_ids:
            raise ValueError("the emulator needs at least one phone number id")
        if self.time_factor <= 0:
            raise ValueError("time_factor must be above 0")
        if not self.unsafe and not _is_loopback(self.host):
            raise UnsafeBindError(
                f"{self.host} is reachable from outside and the emulator's controls have no login: "
                "bind 127.0.0.1, or say unsafe=True if you mean it"
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
