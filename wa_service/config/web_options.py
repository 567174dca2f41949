"""The settings that web uses."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from pydantic import SecretStr

from wa_service.config.api_keys import ApiKey
from wa_service.config.settings import Settings


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Settings of the same names; `send_wait` and `send_ttl` in seconds."""

    api_keys: tuple[ApiKey, ...]
    api_rate: str
    send_wait: float
    send_ttl: int
    verify_token: SecretStr
    metrics_key: SecretStr | None
    bind: str
    trusted_proxies: tuple[str, ...]
    log_level: str
    console: bool
    console_numbers: Literal["read", "send", "manage", "admin", "none"]

    @classmethod
    def of(cls, settings: Settings) -> WebOptions:
        """Return web's part of the settings."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})
