"""Fixtures for the conversation's tests: a pipeline of given parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.unit.conversation.customer_messages import NOW, MakePipeline
from wa_service.conversation.intents import FuzzyMatcher
from wa_service.conversation.pipeline import Pipeline, examples_of
from wa_service.conversation.responder import ScriptResponder
from wa_service.conversation.script import Script, load_script
from wa_service.conversation.transcription import Transcriber


@pytest.fixture(scope="session")
def script_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Script]:
    """Return a function that loads a script from text, cached because loading one takes longer than most tests."""
    path = tmp_path_factory.mktemp("scripts") / "script.yaml"

    @cache
    def script_of(text: str) -> Script:
        path.write_text(text, encoding="utf-8")
        return load_script(path)

    return script_of


@pytest.fixture
def make_pipeline(script_of: Callable[[str], Script]) -> MakePipeline:
    """Return a function that builds a pipeline from a script's text; keyword arguments replace its parts."""

    def make(text: str, **parts: Any) -> Pipeline:
        script = script_of(text)
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
