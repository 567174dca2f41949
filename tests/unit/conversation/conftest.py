"""What the conversation's tests share: a pipeline of given parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.conversation.customer_messages import NOW, MakePipeline
from wa_service.conversation.intents import FuzzyMatcher
from wa_service.conversation.pipeline import Pipeline, examples_of
from wa_service.conversation.responder import ScriptResponder
from wa_service.conversation.script import load_script
from wa_service.conversation.transcription import Transcriber


@pytest.fixture
def make_pipeline(tmp_path: Path) -> MakePipeline:
    """Builds a pipeline from a script's text; named parts may be replaced."""

    def make(text: str, **parts: Any) -> Pipeline:
        path = tmp_path / "script.yaml"
        path.write_text(text, encoding="utf-8")
        script = load_script(path)
        scripted = parts.pop("scripted", None) or ScriptResponder(script)
        given: dict[str, Any] = {
            "script": script,
            "matcher": FuzzyMatcher(examples_of(script)),
            "scripted": scripted,
            "responder": scripted,
            "transcriber": Transcriber(None),
            "clock": lambda: float(NOW),
            **parts,
        }
        return Pipeline(**given)

    return make
