"""`WA_RESPONDER=llm`: replies from a language model at any OpenAI-compatible `/v1/chat/completions`.

The model gets the operator's prompt and the last turns of the conversation. Its tool call `handover` hands over to a
person: it appends an event, and pauses automatic replies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from wa_service.conversation.chat_completion import Completion, completions_url, read_completion, write_request
from wa_service.conversation.outside_responder import OutsideResponder
from wa_service.conversation.responder import MAX_TEXT, ResponderAnswer, ScriptResponder
from wa_service.conversation.script import ConversationProblem
from wa_service.conversation.utterance import Turn, Utterance
from wa_service.observability import log
from wa_service.resilience.breaker import CircuitBreaker
from wa_service.resilience.http import HttpAnswer, HttpCaller

PACKAGED_PROMPT = Path(__file__).with_name("assistant_prompt.md")
HANDOVER_SECONDS = 1_800.0
_MAX_QUESTION = 8_000
_BEGINNING = Turn("user", "[the conversation so far:]")
"""Comes before a first turn of the business, such as a template, or an answer to a message that is no longer sent."""
_REFUSALS = frozenset({400, 404, 422, 500, 501})
"""Statuses with which servers refuse a feature: llama.cpp uses 500, OpenRouter 404."""


@dataclass(frozen=True, slots=True)
class _Features:
    """Features of a request that some servers refuse, as `write_request` takes them."""

    limit: str = "max_tokens"
    tools: bool = True

    def without_refused(self, refusal: bytes) -> _Features | None:
        """Return the features without the one that a refusal names; None for another refusal."""
        reason = refusal.lower()
        if b"max_completion_tokens" in reason and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        return replace(self, tools=False) if b"tool" in reason and self.tools else None


class LlmResponder:
    """Ask the model; while it fails, the script's fallback answers.

    `seconds`: for all attempts of one message together. `handover_seconds`: the pause of automatic replies after a
    handover. `api_key`: "" for none.
    """

    def __init__(
        self,
        url: str,
        model: str,
        prompt: str,
        scripted: ScriptResponder,
        *,
        api_key: str = "",
        seconds: float = 30.0,
        pause_seconds: float = 0.5,
        handover_seconds: float = HANDOVER_SECONDS,
        service: CircuitBreaker | None = None,
        caller: HttpCaller | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = completions_url(url)
        self._model = model
        self._prompt = prompt
        self._scripted = scripted
        self._headers = {"Content-Type": "application/json", "User-Agent": "wa-service"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._handover_seconds = handover_seconds
        self._outside = OutsideResponder(
            scripted, service or CircuitBreaker("the language model"), seconds=seconds, pause_seconds=pause_seconds
        )
        self._caller = caller or HttpCaller()
        self._clock = clock
        self._log = log.get_logger()
        self._features = _Features()

    def respond(self, utterance: Utterance) -> ResponderAnswer:
        """Return the model's answer, or the script's fallback where it failed. Raises Unavailable."""
        if utterance.kind == "revoke":
            return ResponderAnswer()
        if utterance.kind == "unsupported":
            return self._scripted.respond(utterance)
        turns = _with_question(utterance.turns, question_of(utterance))
        return self._outside.answer(
            utterance, lambda seconds: self._ask(turns, seconds), lambda answer: self._read(answer, utterance)
        )

    def _ask(self, turns: list[Turn], seconds: float) -> HttpAnswer:
        until = time.monotonic() + seconds
        features, is_lasting = self._features, True
        answer = self._post(turns, features, seconds)
        while (
            answer.status in _REFUSALS
            and (fewer := features.without_refused(answer.body)) is not None
            and time.monotonic() < until
        ):
            # Servers report a tool call that they could not read in the same way, as one that failed.
            features, is_lasting = fewer, is_lasting and b"failed" not in answer.body.lower()
            answer = self._post(turns, features, until - time.monotonic())
        # A refusal may name a feature for another reason, such as a request that is too long.
        if answer.status == 200 and is_lasting and features != self._features:
            if self._features.tools and not features.tools:
                self._log.warning("whatsapp.conversation.llm_takes_no_tools")
            self._features = features
        return answer

    def _post(self, turns: list[Turn], features: _Features, seconds: float) -> HttpAnswer:
        now = datetime.fromtimestamp(self._clock(), UTC)
        prompt = f"{self._prompt}\n\nIt is {now:%A, %-d %B %Y, %H:%M} UTC."
        body = write_request(self._model, prompt, turns, limit=features.limit, tools=features.tools)
        return self._caller.post(self._url, seconds=seconds, headers=self._headers, data=body)

    def _read(self, answer: HttpAnswer, utterance: Utterance) -> ResponderAnswer:
        completion = read_completion(answer)
        replies: tuple[dict[str, Any], ...] = (_text_message(completion.text),) if completion.text else ()
        if completion.handover is None:
            return ResponderAnswer(replies)
        replies = replies or self._scripted.problem(ConversationProblem.HANDOVER, utterance)
        return ResponderAnswer(replies, self._handover_seconds, _note(completion))


class PromptError(Exception):
    """The file of the system prompt is unusable; the text is one sentence."""


def read_prompt(path: Path | None) -> str:
    """Return the system prompt: the operator's file, else the packaged one. Raises PromptError."""
    try:
        prompt = (path or PACKAGED_PROMPT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"WA_LLM_PROMPT_FILE cannot be read ({type(error).__name__}).") from None
    if not prompt:
        raise PromptError("WA_LLM_PROMPT_FILE is empty.")
    return prompt


def _with_question(turns: Sequence[Turn], question: str) -> list[Turn]:
    """Return the turns with the question.

    Some models accept only turns that alternate, beginning with the user's.
    """
    if turns and turns[0].role == "assistant":
        turns = [_BEGINNING, *turns]
    if turns and turns[-1].role == "user":
        return [*turns[:-1], Turn("user", f"{turns[-1].text}\n{question}")]
    return [*turns, Turn("user", question)]


def question_of(utterance: Utterance) -> str:
    """Return a customer's message as text for the model, with descriptions in brackets of other content.

    Of a long burst, the end.
    """
    parts = [utterance.text.strip()] if utterance.text.strip() else []
    match utterance.kind:
        case "text" | "choice":
            pass
        case "audio":
            parts = parts or ["[a voice note]"]
        case "edit":
            parts = [f"[corrects an earlier message:] {' '.join(parts)}"]
        case "reaction":
            reaction = utterance.message.get("reaction")
            parts.append(f"[a reaction: {_facts(reaction.get('emoji') if isinstance(reaction, dict) else None)}]")
        case "location":
            place = utterance.message.get("location")
            parts.append(f"[a location: {_facts(place)}]")
        case "order" | "flow" | "contacts":
            parts.append(f"[{utterance.kind}: {_facts(_data(utterance))}]")
        case kind:
            parts.append(f"[a message of type {kind}]")
    if product := _product(utterance.message):
        parts.append(f"[about the product {product}]")
    return "\n".join(parts)[-_MAX_QUESTION:] or "[an empty message]"


def _data(utterance: Utterance) -> object:
    if utterance.kind == "flow":
        interactive = utterance.message.get("interactive")
        reply = interactive.get("nfm_reply") if isinstance(interactive, dict) else None
        return reply.get("response") if isinstance(reply, dict) else None
    return utterance.message.get(utterance.kind)


def _product(message: Mapping[str, Any]) -> str:
    """Return the catalogue product that a message refers to, "" for none."""
    context = message.get("context")
    product = context.get("referred_product") if isinstance(context, Mapping) else None
    return str(product.get("product_retailer_id") or "") if isinstance(product, Mapping) else ""


def _facts(value: object) -> str:
    return orjson.dumps(value, default=str).decode()[:1_000]


def _text_message(text: str) -> dict[str, Any]:
    return {"type": "text", "text": {"body": text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"}}


def _note(completion: Completion) -> str:
    return completion.handover or "The model gave no reason."
