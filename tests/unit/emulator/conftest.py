"""Fixtures of the emulator's unit tests."""

from __future__ import annotations

import pytest

from tests.unit.emulator.emulated import Emulator


@pytest.fixture
def meta() -> Emulator:
    """An emulator with an open window between Ana and the first number, and no pair limit."""
    emulator = Emulator()
    emulator.write()
    emulator.do("limits", {"pair": False})
    return emulator


@pytest.fixture
def fresh() -> Emulator:
    """An emulator in which nothing has happened yet."""
    return Emulator()
