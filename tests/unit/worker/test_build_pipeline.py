"""Building the conversation's pipeline from the settings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.house.test_settings import REQUIRED
from wa_service.config import settings
from wa_service.worker import build_pipeline as wiring


@pytest.mark.parametrize(("concurrency", "recordings"), [("64", 32), ("7", 3), ("1", 1)])
def test_recordings_leave_half_of_the_places_to_those_who_write(
    monkeypatch: pytest.MonkeyPatch, concurrency: str, recordings: int
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(wiring, "make_pipeline", lambda options, **_: asked.append(options))
    wiring.build_pipeline(settings.load(REQUIRED | {"WA_WORKER_CONCURRENCY": concurrency}))
    assert asked[0].speech_at_once == recordings
