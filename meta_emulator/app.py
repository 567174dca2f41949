"""The emulator's front door: its settings, its application, and two ways to run it."""

from __future__ import annotations

from .config import EmulatorConfig, UnsafeBindError
from .faces import create_app
from .running import RunningEmulator
from .server import serve

__all__ = ["EmulatorConfig", "RunningEmulator", "UnsafeBindError", "create_app", "serve"]
