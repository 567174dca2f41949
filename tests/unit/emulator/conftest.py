"""Fixtures of the emulator's unit tests."""

from __future__ import annotations

import pytest

from tests.unit.emulator.emulated import Emulator


@pytest.fixture(scope="session")
def one_emulator() -> Emulator:
    """Made once, because compiling some fifty routes takes longer than most tests."""
    return Emulator()


@pytest.fixture
def fresh(one_emulator: Emulator) -> Emulator:
    """An emulator in which nothing has happened yet, and nobody listens to webhooks."""
    one_emulator.do("reset")
    one_emulator.do("webhooks/callback", {"url": ""})
    return one_emulator


@pytest.fixture
def meta(fresh: Emulator) -> Emulator:
    """An emulator with an open window between Ana and the first number, and no pair limit."""
    fresh.write()
    fresh.do("limits", {"pair": False})
    return fresh
