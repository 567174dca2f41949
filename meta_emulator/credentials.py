"""Secrets of the emulated app, which can change while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from meta_emulator.config import EmulatorConfig


@dataclass
class Credentials:
    """Access token, app secret and verify token in use."""

    access_token: str = field(repr=False)
    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)
    app_id: str

    @classmethod
    def configured(cls, config: EmulatorConfig) -> Credentials:
        """Return the credentials of the configuration."""
        return cls(config.access_token, config.app_secret, config.verify_token, config.app_id)

    @property
    def app_token(self) -> str:
        """App access token: ``APP_ID|APP_SECRET``."""
        return f"{self.app_id}|{self.app_secret}"
