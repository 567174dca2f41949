"""Fixtures of the emulator's unit tests."""

from __future__ import annotations

import pytest

from tests.unit.emulator.emulated import Emulator


@pytest.fixture(scope="session")
def one_emulator() -> Emulator:
    """Return the session's emulator: compiling its routes takes longer than most tests."""
    return Emulator()


@pytest.fixture
def fresh(one_emulator: Emulator) -> Emulator:
    """Return an emulator in its initial state, without a callback."""
    one_emulator.do("reset")
    one_emulator.do("webhooks/callback", {"url": ""})
    return one_emulator


@pytest.fixture
def meta(fresh: Emulator) -> Emulator:
    """Return an emulator with an open service window between Ana and the first number, and no pair limit."""
    fresh.write()
    fresh.do("limits", {"pair": False})
    return fresh
