"""Build the conversation pipeline from the settings, for worker processes."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import SecretStr

from wa_service.config.settings import Settings
from wa_service.conversation.assembly import ConversationOptions, make_pipeline
from wa_service.conversation.pipeline import Pipeline


def build_pipeline(settings: Settings) -> Pipeline:
    """Return the pipeline that the settings describe; `start()` it before the first message.

    Raises:
        ScriptError: the script file is invalid; the text has the line and the reason.
        ValueError: the responder's secret is invalid; the text is a sentence.
    """
    options = ConversationOptions(
        script_file=settings.script_file,
        responder=settings.responder,
        responder_url=settings.responder_url or "",
        responder_secret=_plain(settings.responder_secret),
        llm_url=settings.llm_url or "",
        llm_api_key=_plain(settings.llm_api_key),
        llm_model=settings.llm_model or "",
        llm_prompt_file=settings.llm_prompt_file,
        llm_timeout=settings.llm_timeout,
        staff_pause=settings.staff_pause,
        intents=settings.intents,
        speech=settings.speech,
        speech_model=settings.speech_model,
        speech_url=settings.speech_url or "",
        speech_api_key=_plain(settings.speech_api_key),
        speech_timeout=settings.speech_timeout,
        speech_processes=settings.speech_processes,
        speech_confidence=settings.speech_confidence,
        stop_words=settings.stop_words,
        start_words=settings.start_words,
        ca_bundle=settings.ca_bundle,
        push_allow=tuple(ip_network(network) for network in settings.push_allow),
        # Half, so that many voice notes do not block text messages.
        speech_at_once=max(1, settings.worker_concurrency // 2),
    )
    return make_pipeline(options)


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
