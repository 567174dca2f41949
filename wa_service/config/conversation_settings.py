"""Settings of the conversation: responder, script and speech."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from wa_service.config.machine import intents_here, speech_here
from wa_service.config.types import HttpUrl, RateOrNone, ResponderSecret, Share, SpeechSeconds, Token
from wa_service.config.variable import variable


class ConversationSettings(BaseModel):
    """Settings of the conversation: responder, script and speech."""

    # Conversation
    responder: Literal["script", "http", "llm", "none"] = variable(
        "WA_RESPONDER", "Who answers customers: script, http, llm or none.", "script"
    )
    script_file: Path | None = variable(
        "WA_SCRIPT_FILE", "YAML file of intents and replies.", None, shown="the packaged example"
    )
    intents: Literal["fuzzy", "semantic"] = variable(
        "WA_INTENTS",
        "How a text is matched with the script's examples: fuzzy or semantic.",
        intents_here,
        shown="semantic where installed, else fuzzy",
    )
    responder_url: HttpUrl | None = variable("WA_RESPONDER_URL", "URL of the http responder.", None)
    responder_secret: ResponderSecret | None = variable(
        "WA_RESPONDER_SECRET", "Signs calls to the http responder (Standard Webhooks: whsec_…).", None, secret=True
    )
    llm_url: HttpUrl | None = variable(
        "WA_LLM_URL", "Base URL of a server with an OpenAI-compatible /v1/chat/completions.", None
    )
    llm_api_key: Token | None = variable("WA_LLM_API_KEY", "Its bearer key.", None, secret=True)
    llm_model: str | None = variable("WA_LLM_MODEL", "The model's name on that server.", None, shown="the server's own")
    llm_prompt_file: Path | None = variable(
        "WA_LLM_PROMPT_FILE", "Text file of the system prompt.", None, shown="the packaged one"
    )
    llm_turns: NonNegativeInt = variable(
        "WA_LLM_TURNS", "Turns of the conversation, of both sides, that the model gets as context.", 12
    )
    llm_timeout: PositiveFloat = variable(
        "WA_LLM_TIMEOUT", "Seconds to wait for the model's answer; less than WA_HANDLE_TIMEOUT.", 30.0
    )
    answer_max_age: NonNegativeInt = variable(
        "WA_ANSWER_MAX_AGE",
        "Seconds after which, by Meta's time, a message is stored but no longer answered; 0: always answered.",
        86_400,
    )
    staff_pause: NonNegativeInt = variable(
        "WA_STAFF_PAUSE",
        "Seconds for which the responder is paused in a conversation after staff wrote there; 0: it is never paused.",
        1_800,
    )
    debounce: NonNegativeFloat = variable(
        "WA_DEBOUNCE",
        "Seconds without a new message before a customer's messages are answered as one; 0: each is answered alone.",
        0.0,
    )
    debounce_most: PositiveFloat = variable(
        "WA_DEBOUNCE_MOST", "Seconds after the first of them at which they are answered in any case.", 15.0
    )
    reply_limit: RateOrNone = variable(
        "WA_REPLY_LIMIT",
        "Answers of the responder in one conversation, beyond which it is paused there for 30 minutes; 0: no limit.",
        "30/10minutes",
    )
    groups: Literal["quiet", "answer"] = variable(
        "WA_GROUPS", "Whether messages to a group are answered: quiet or answer.", "quiet"
    )
    mark_read: bool = variable(
        "WA_MARK_READ", "Mark a message as read, with a typing indicator, while it is handled.", True
    )
    handle_timeout: PositiveFloat = variable(
        "WA_HANDLE_TIMEOUT",
        "Seconds after which the handling of a message, without a voice note's transcription, is aborted and retried.",
        60.0,
    )
    worker_concurrency: PositiveInt = variable(
        "WA_WORKER_CONCURRENCY", "Conversations that one worker handles concurrently.", 64
    )

    # Speech
    speech: Literal["local", "http", "none"] = variable(
        "WA_SPEECH",
        "What transcribes voice notes: local, http or none.",
        speech_here,
        shown="local where installed, else none",
    )
    speech_model: Path | None = variable(
        "WA_SPEECH_MODEL",
        "Directory of a faster-whisper model, or multilingual (the extra).",
        None,
        shown="the installed tiny.en",
    )
    speech_url: HttpUrl | None = variable(
        "WA_SPEECH_URL", "Base URL of a service with an OpenAI-compatible /v1/audio/transcriptions.", None
    )
    speech_api_key: Token | None = variable("WA_SPEECH_API_KEY", "Its bearer key.", None, secret=True)
    speech_timeout: SpeechSeconds = variable("WA_SPEECH_TIMEOUT", "Seconds to transcribe one voice note.", 30.0)
    speech_processes: PositiveInt = variable("WA_SPEECH_PROCESSES", "Speech processes per worker.", 1)
    speech_confidence: Share = variable(
        "WA_SPEECH_CONFIDENCE", "Below this confidence (0 to 1) the customer is asked to type.", 0.60
    )
