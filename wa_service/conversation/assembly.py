"""Build a pipeline from plain values, for the worker and for `script check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wa_service.conversation.embeddings import MAX_ANSWER, EmbeddingsClient
from wa_service.conversation.http_responder import HttpResponder
from wa_service.conversation.http_speech import LARGEST_TRANSCRIPT, LocalSpeechClient, SpeechClient
from wa_service.conversation.intents import FuzzyMatcher
from wa_service.conversation.llm_responder import HANDOVER_SECONDS, LlmResponder, read_prompt
from wa_service.conversation.outside_responder import LARGEST_ANSWER
from wa_service.conversation.pipeline import Pipeline, examples_of
from wa_service.conversation.responder import Responder, ScriptResponder, SilentResponder
from wa_service.conversation.script import HOTEL_DESK, Script, load_script
from wa_service.conversation.semantic import SemanticMatcher
from wa_service.conversation.transcription import MAX_RECORDINGS, Transcriber
from wa_service.resilience.deadline import GreenletDeadline
from wa_service.resilience.destinations import LOOPBACK, DestinationPolicy, IpNetwork
from wa_service.resilience.http import HttpCaller
from wa_service.speech.local_server import LocalSpeechServer
from wa_service.speech.weights import MULTILINGUAL
from wa_service.whatsapp.stop_words import StopWords

Intents = Literal["fuzzy", "semantic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationOptions:
    """Settings of the conversation, named as `WA_…` without the prefix; `speech_at_once` is derived from others."""

    script_file: Path | None = None
    responder: Literal["script", "http", "llm", "none"] = "script"
    responder_url: str = ""
    responder_secret: str = ""
    llm_url: str = ""
    llm_api_key: str = ""
    llm_model: str = ""
    llm_prompt_file: Path | None = None
    llm_timeout: float = 30.0
    staff_pause: float = 1_800.0
    intents: Intents = "fuzzy"
    speech: Literal["local", "http", "none"] = "none"
    speech_model: Path | None = None
    speech_url: str = ""
    speech_api_key: str = ""
    speech_timeout: float = 30.0
    speech_processes: int = 1
    speech_confidence: float = 0.60
    speech_at_once: int = MAX_RECORDINGS
    push_allow: tuple[IpNetwork, ...] = ()
    ca_bundle: Path | None = None
    stop_words: tuple[str, ...] = ()
    start_words: tuple[str, ...] = ()


def make_pipeline(options: ConversationOptions) -> Pipeline:
    """Return the pipeline these options describe; `start()` it before the first message.

    Raises ScriptError for a script that cannot be used, ValueError for an invalid responder's secret or a prompt that
    cannot be read.
    """
    script = load_script(options.script_file or HOTEL_DESK)
    scripted = ScriptResponder(script)
    matcher = make_matcher(script, options.intents)
    speech = _speech(options)
    return Pipeline(
        script=script,
        matcher=matcher,
        scripted=scripted,
        responder=_responder(options, scripted),
        stop_words=StopWords.of(options.stop_words, options.start_words),
        transcriber=Transcriber(speech, options.speech_confidence, max_recordings=options.speech_at_once),
        parts=[part for part in (matcher, speech) if isinstance(part, (SemanticMatcher, LocalSpeechClient))],
    )


def make_matcher(script: Script, intents: Intents) -> FuzzyMatcher | SemanticMatcher:
    """Return the matcher for the script's examples."""
    examples = examples_of(script)
    if intents == "fuzzy":
        return FuzzyMatcher(examples, script.threshold)
    # A separate process, so that texts do not wait for voice notes.
    server = LocalSpeechServer("--only", "embeddings")
    embeddings = EmbeddingsClient("http://localhost", caller=_http_caller(server.path))
    return SemanticMatcher(examples, embeddings, script.threshold, server=server)


def _responder(options: ConversationOptions, scripted: ScriptResponder) -> Responder:
    if options.responder == "http":
        caller = _guarded_caller(options, LARGEST_ANSWER)
        return HttpResponder(options.responder_url, options.responder_secret, scripted, caller=caller)
    if options.responder == "llm":
        return LlmResponder(
            options.llm_url,
            options.llm_model,
            read_prompt(options.llm_prompt_file),
            scripted,
            api_key=options.llm_api_key,
            seconds=options.llm_timeout,
            # A handover pauses replies even if WA_STAFF_PAUSE is 0.
            handover_seconds=options.staff_pause or HANDOVER_SECONDS,
            caller=_guarded_caller(options, LARGEST_ANSWER),
        )
    return SilentResponder() if options.responder == "none" else scripted


def _speech(options: ConversationOptions) -> SpeechClient | None:
    if options.speech == "local":
        arguments = ["--only", "transcriptions", "--niceness", "10", "--timeout", str(options.speech_timeout)]
        arguments += ["--processes", str(options.speech_processes)]
        if options.speech_model:
            is_extra = options.speech_model == MULTILINGUAL
            arguments += ["--model", str(options.speech_model if is_extra else options.speech_model.absolute())]
        server = LocalSpeechServer(*arguments)
        caller = _http_caller(server.path)
        return LocalSpeechClient(
            server, caller=caller, seconds=options.speech_timeout, processes=options.speech_processes
        )
    if options.speech == "http":
        return SpeechClient(
            options.speech_url,
            options.speech_api_key,
            seconds=options.speech_timeout,
            caller=_guarded_caller(options, LARGEST_TRANSCRIPT),
        )
    return None


def _guarded_caller(options: ConversationOptions, max_answer: int) -> HttpCaller:
    """Return a client for services on this machine, at public addresses, or in allowed networks."""
    policy = DestinationPolicy([*LOOPBACK, *options.push_allow])
    return HttpCaller(deadline=GreenletDeadline, max_answer=max_answer, policy=policy, ca_bundle=options.ca_bundle)


def _http_caller(unix_socket: Path) -> HttpCaller:
    return HttpCaller(deadline=GreenletDeadline, unix_socket=unix_socket, max_answer=MAX_ANSWER)
