"""An emulated WhatsApp Business Cloud API with its webhooks and a phone page, in one process (docs/emulator.md)."""

from __future__ import annotations

from meta_emulator.config import EmulatorConfig, UnsafeBindError
from meta_emulator.running import RunningEmulator

__all__ = ["EmulatorConfig", "RunningEmulator", "UnsafeBindError"]
