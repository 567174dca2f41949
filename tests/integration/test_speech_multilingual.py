"""The extra `multilingual`: a model for many languages, loaded once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.speech_notes import File, handled, heard, notes, require_voice, spanish_note, worker_pid
from wa_service.conversation.assembly import ConversationOptions, make_pipeline
from wa_service.conversation.http_speech import LocalSpeechClient
from wa_service.conversation.pipeline import Pipeline
from wa_service.speech.weights import multilingual_is_installed

pytestmark = pytest.mark.skipif(not multilingual_is_installed(), reason="the extra `multilingual` is not installed")

BREAKFAST = notes()[1]


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    require_voice()
    model = Path("multilingual")
    options = ConversationOptions(intents="semantic", speech="local", speech_model=model, speech_timeout=90.0)
    made = make_pipeline(options)
    made.start()
    yield made
    made.stop()


def test_the_multilingual_model_hears_spanish_and_the_english_script_answers(pipeline: Pipeline) -> None:
    result = handled(pipeline, File(spanish_note()))

    assert "hablar con una persona" in (result.transcript or "").lower()
    assert (result.intent, result.is_understood) == ("person", True)


def test_the_multilingual_model_is_loaded_within_its_limits_and_names_no_only_language(pipeline: Pipeline) -> None:
    (speech,) = [part for part in pipeline._parts if isinstance(part, LocalSpeechClient)]
    assert worker_pid(speech, within=60)

    found = heard(speech, BREAKFAST.content)

    assert "breakfast" in found.text.lower()
    assert found.only_language == ""
