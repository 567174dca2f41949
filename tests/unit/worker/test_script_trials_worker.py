"""The worker's part of script trials from the console."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import gevent
import pytest

from wa_service.store.script_trials import ScriptTrials
from wa_service.worker import script_trials_worker
from wa_service.worker.script_trials_worker import ScriptTrialsWorker


class Broken:
    """Script trials that always fail."""

    def __init__(self) -> None:
        self.asked = 0

    def answer_next(self, answer: Callable[[str], Mapping[str, Any]]) -> bool:
        del answer
        self.asked += 1
        gevent.sleep(0)
        raise RuntimeError("broken")


def test_after_a_failure_it_looks_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_trials_worker, "LOOK_SECONDS", 3_600.0)
    broken = Broken()
    worker = ScriptTrialsWorker(cast(ScriptTrials, broken), lambda _: {})

    loop = gevent.spawn(worker.consume)
    for _ in range(20):
        gevent.idle()
        gevent.sleep(0)
    worker.stop()
    loop.join(5)

    assert broken.asked == 1
