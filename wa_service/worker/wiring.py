"""Builds the conversation from the settings; only a worker process needs it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from wa_service.conversation.hearing import Hearing
from wa_service.conversation.language import FuzzyMatcher
from wa_service.conversation.pipeline import Pipeline, examples_of
from wa_service.conversation.responder import ScriptResponder, SilentResponder
from wa_service.conversation.script import load_script
from wa_service.settings import Settings


def script_path(settings: Settings) -> Path:
    """WA_SCRIPT_FILE, or the packaged hotel desk."""
    if settings.script_file is not None:
        return settings.script_file
    return Path(str(resources.files("wa_service.conversation") / "hotel_desk.yaml"))


def build_pipeline(settings: Settings) -> Pipeline:
    """Hear, understand, respond, as the settings say.

    Raises:
        ScriptError: the script file is broken; its text names the line and the reason.
    """
    script = load_script(script_path(settings))
    scripted = ScriptResponder(script)
    return Pipeline(
        script=script,
        matcher=FuzzyMatcher(examples_of(script)),
        scripted=scripted,
        responder=SilentResponder() if settings.responder == "none" else scripted,
        hearing=Hearing(None),
    )
