"""What the commands share: how they are told apart and how they get the settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

from wa_service.config.settings import Settings

Load: TypeAlias = Callable[[], Settings]
"""Reads the settings and sets up logs and metrics; raises SettingsError."""

Run: TypeAlias = Callable[[argparse.Namespace, Load], int]
"""A command: its options and a way to the settings → the exit status."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(commands: Commands, name: str, sentence: str, run: Run) -> argparse.ArgumentParser:
    """Add a command with its one-sentence help, and return its parser for options."""
    parser = commands.add_parser(name, help=sentence, description=sentence)
    parser.set_defaults(run=run)
    return parser
