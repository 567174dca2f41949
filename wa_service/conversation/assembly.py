"""A pipeline from plain values: the wiring of this room, for `runtime` and for `script check`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wa_service.conversation.http_responder import HttpResponder
from wa_service.conversation.intents import FuzzyMatcher, Matcher
from wa_service.conversation.notice import Notice, say_nothing
from wa_service.conversation.pipeline import Pipeline, Startable, examples_of
from wa_service.conversation.responder import Responder, ScriptResponder, SilentResponder
from wa_service.conversation.script import HOTEL_DESK, Script, load_script
from wa_service.conversation.transcription import MOST_AT_ONCE, Hearing
from wa_service.speech.engine import SpeechEngine
from wa_service.speech.http_speech import HttpSpeech
from wa_service.speech.local_speech import LocalSpeech
from wa_service.speech.semantic import SemanticMatcher

Intents = Literal["fuzzy", "semantic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationOptions:
    """The room's settings, under the names of `WA_…` without the prefix; `speech_at_once` follows from others."""

    script_file: Path | None = None
    responder: Literal["script", "http", "none"] = "script"
    responder_url: str = ""
    responder_secret: str = ""
    intents: Intents = "fuzzy"
    speech: Literal["local", "http", "none"] = "none"
    speech_model: Path | None = None
    speech_url: str = ""
    speech_api_key: str = ""
    speech_timeout: float = 30.0
    speech_processes: int = 1
    speech_confidence: float = 0.60
    speech_at_once: int = MOST_AT_ONCE


def make_pipeline(
    options: ConversationOptions,
    *,
    observe_speech: Callable[[float], object] = lambda _seconds: None,
    notice: Notice = say_nothing,
) -> Pipeline:
    """The pipeline these options describe; `start()` it before the first message.

    `observe_speech` gets the seconds each recording took, `notice` what an operator should know.
    Raises ScriptError for a script that cannot be used, ValueError for a responder's secret that is none.
    """
    script = load_script(options.script_file or HOTEL_DESK)
    scripted = ScriptResponder(script, notice)
    matcher = make_matcher(script, options.intents, notice)
    engine = _engine(options, notice)
    started = [part for part in (matcher, engine) if isinstance(part, (SemanticMatcher, LocalSpeech))]
    parts: list[Startable] = list(started)
    return Pipeline(
        script=script,
        matcher=matcher,
        scripted=scripted,
        responder=_responder(options, scripted, notice),
        hearing=Hearing(engine, options.speech_confidence, observe=observe_speech, most_at_once=options.speech_at_once),
        parts=parts,
    )


def make_matcher(script: Script, intents: Intents, notice: Notice = say_nothing) -> Matcher:
    """The way to compare texts with the script's examples."""
    examples = examples_of(script)
    if intents == "semantic":
        return SemanticMatcher(examples, script.threshold, notice=notice)
    return FuzzyMatcher(examples, script.threshold)


def _responder(options: ConversationOptions, scripted: ScriptResponder, notice: Notice) -> Responder:
    if options.responder == "http":
        return HttpResponder(options.responder_url, options.responder_secret, scripted, notice=notice)
    return SilentResponder() if options.responder == "none" else scripted


def _engine(options: ConversationOptions, notice: Notice) -> SpeechEngine | None:
    if options.speech == "local":
        return LocalSpeech(
            model=options.speech_model,
            processes=options.speech_processes,
            seconds=options.speech_timeout,
            notice=notice,
        )
    if options.speech == "http":
        return HttpSpeech(options.speech_url, options.speech_api_key, seconds=options.speech_timeout, notice=notice)
    return None
