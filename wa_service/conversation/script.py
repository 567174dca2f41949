"""The script file (`WA_SCRIPT_FILE`): intents, what to say to each, and what to say when something is wrong.

`intents` (each with `examples`, `ids` of buttons and list rows, or `on` a kind of message), `fallback`, and
`problems` (what to say to what could not be understood, by `ConversationProblem`). A file that cannot
be used raises `ScriptError` with the line and the reason: no customer finds a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError
from jinja2.exceptions import TemplateError

from wa_service.conversation.reply_check import RESERVED, UnusableReplyError, checked_reply
from wa_service.conversation.templating import Budget, TemplateTooCostlyError, TextTemplate
from wa_service.conversation.yaml_lines import Lines, Place, ScriptError, read

__all__ = ["HOTEL_DESK", "ConversationProblem", "Intent", "ReplyTemplate", "Script", "ScriptError", "load_script"]

HOTEL_DESK = Path(__file__).with_name("hotel_desk.yaml")
"""The packaged example."""
_PACKAGED_PROBLEMS = Path(__file__).with_name("problems.yaml")

KINDS = frozenset(
    {
        "image",
        "video",
        "document",
        "sticker",
        "location",
        "contacts",
        "order",
        "flow",
        "welcome",
        "unsupported",
    }
)
"""What `on:` may name: kinds of message that carry no words to understand."""
MAX_REPLIES = 10
"""Messages in one answer."""
_MAX_INTENTS = 500
_MAX_EXAMPLES = 5_000


class ConversationProblem(StrEnum):
    """Why a message got no answer of its own; each has a scripted reply under `problems`."""

    UNCLEAR = "unclear"
    SILENCE = "silence"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"
    MEDIA_GONE = "media_gone"
    SPEECH_OFF = "speech_off"
    NOT_WORDS = "not_words"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReplyTemplate:
    """One message to send: a Meta message object whose texts are templates."""

    body: Mapping[str, Any]

    def render(self, variables: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
        """The message object (without `to`), filled in. Raises jinja2.TemplateError."""
        rendered: dict[str, Any] = _render(self.body, variables, budget)
        return rendered


def _render(part: Any, variables: Mapping[str, Any], budget: Budget) -> Any:
    if isinstance(part, TextTemplate):
        return part.render(variables, budget)
    if isinstance(part, Mapping):
        return {key: _render(value, variables, budget) for key, value in part.items()}
    if isinstance(part, tuple):
        return [_render(value, variables, budget) for value in part]
    return part


@dataclass(frozen=True, slots=True)
class Intent:
    """Something a customer may want, how it is recognised, and the answer."""

    name: str
    examples: tuple[str, ...]
    ids: tuple[str, ...]
    on: tuple[str, ...]
    reply: tuple[ReplyTemplate, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A checked script file."""

    intents: tuple[Intent, ...]
    fallback: tuple[ReplyTemplate, ...]
    problems: Mapping[ConversationProblem, tuple[ReplyTemplate, ...]]
    threshold: float | None
    """How sure (0 to 1) an intent must be; None: what suits the way of understanding."""

    def intent(self, name: str) -> Intent | None:
        """The intent of that name."""
        return next((intent for intent in self.intents if intent.name == name), None)


def load_script(path: Path) -> Script:
    """Read and check a script file. Raises ScriptError."""
    data, lines = read(path)
    packaged, packaged_lines = read(_PACKAGED_PROBLEMS)
    defaults = _Loader(packaged_lines).problems(packaged, ())
    return _Loader(lines).script(data, defaults)


class _Loader:
    """Turns plain data into a Script, pointing at the line of what is wrong."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def script(self, data: Any, defaults: Mapping[ConversationProblem, tuple[ReplyTemplate, ...]]) -> Script:
        self._keys(data, (), required={"fallback"}, allowed={"intents", "fallback", "problems", "threshold"})
        listed = data.get("intents") or []
        if not isinstance(listed, list) or len(listed) > _MAX_INTENTS:
            raise self._lines.error(("intents",), f"'intents' must be a list of at most {_MAX_INTENTS}")
        intents = tuple(self._intent(item, ("intents", index)) for index, item in enumerate(listed))
        self._no_doubles(intents)
        threshold = data.get("threshold")
        if threshold is not None and not (
            isinstance(threshold, (int, float)) and not isinstance(threshold, bool) and 0 <= threshold <= 1
        ):
            raise self._lines.error(("threshold",), "'threshold' must be a number from 0 to 1")
        return Script(
            intents=intents,
            fallback=self._answer(data["fallback"], ("fallback",)),
            problems={**defaults, **self.problems(data.get("problems") or {}, ("problems",))},
            threshold=threshold,
        )

    def problems(self, data: Any, place: Place) -> dict[ConversationProblem, tuple[ReplyTemplate, ...]]:
        self._keys(data, place, required=set(), allowed={str(problem) for problem in ConversationProblem})
        return {ConversationProblem(name): self._answer(value, (*place, name)) for name, value in data.items()}

    def _intent(self, data: Any, place: Place) -> Intent:
        self._keys(data, place, required={"name", "reply"}, allowed={"name", "examples", "ids", "on", "reply"})
        name = data["name"]
        if not isinstance(name, str) or not name.strip() or len(name) > 100:
            raise self._lines.error((*place, "name"), "'name' must be a text of 1 to 100 characters")
        intent = Intent(
            name=name,
            examples=self._texts(data, "examples", place),
            ids=self._texts(data, "ids", place),
            on=self._texts(data, "on", place),
            reply=self._replies(data["reply"], (*place, "reply")),
        )
        if not (intent.examples or intent.ids or intent.on):
            raise self._lines.error(place, f"intent '{name}' needs 'examples', 'ids' or 'on': how is it recognised?")
        for kind in intent.on:
            if kind not in KINDS:
                known = ", ".join(sorted(KINDS))
                raise self._lines.error((*place, "on"), f"'on' knows no '{kind}' (known: {known})")
        return intent

    def _texts(self, data: Mapping[str, Any], key: str, place: Place) -> tuple[str, ...]:
        value = data.get(key, [])
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(item, str) or not item.strip():
                shown = str(item).lower() if isinstance(item, bool) else item
                empty = item is None or item == ""
                reason = f"'{key}' is empty" if empty else f"'{key}' holds texts: put quotes around {shown}"
                raise self._lines.error((*place, key, index), reason)
        return tuple(value) if isinstance(value, list) else (value,)

    def _answer(self, data: Any, place: Place) -> tuple[ReplyTemplate, ...]:
        self._keys(data, place, required={"reply"}, allowed={"reply"})
        return self._replies(data["reply"], (*place, "reply"))

    def _replies(self, data: Any, place: Place) -> tuple[ReplyTemplate, ...]:
        if not isinstance(data, list) or not 1 <= len(data) <= MAX_REPLIES:
            raise self._lines.error(place, f"'reply' must be a list of 1 to {MAX_REPLIES} messages")
        return tuple(self._reply(item, (*place, index)) for index, item in enumerate(data))

    def _reply(self, data: Any, place: Place) -> ReplyTemplate:
        if not isinstance(data, dict):
            raise self._lines.error(place, 'a message is written `- text: "…"`, or as Meta\'s message object')
        if isinstance(data.get("text"), str):
            if len(data) > 1:
                raise self._lines.error(place, "the short form has 'text' only; else write Meta's message object")
            if not data["text"].strip():
                raise self._lines.error((*place, "text"), "the text is empty")
            body = {"type": "text", "text": {"body": self._compiled(data["text"], (*place, "text"))}}
            written = {"type": "text", "text": {"body": data["text"]}}
        else:
            for key in RESERVED:
                if key in data:
                    raise self._lines.error((*place, key), f"'{key}' is filled in by the service: leave it out")
            if not isinstance(data.get("type"), str):
                raise self._lines.error(place, "a message object needs its 'type'")
            body, written = self._compiled(data, place), data
        reply = ReplyTemplate(body)
        self._try(reply, written, place)
        return reply

    def _compiled(self, part: Any, place: Place) -> Any:
        if isinstance(part, dict):
            return {key: self._compiled(value, (*place, key)) for key, value in part.items()}
        if isinstance(part, list):
            return tuple(self._compiled(value, (*place, index)) for index, value in enumerate(part))
        if not isinstance(part, str):
            return part
        try:
            return TextTemplate(part)
        except TemplateSyntaxError as error:
            reason = error.message or "it is not a template"
            raise self._lines.error(place, f"template: {reason}", inner=error.lineno) from error

    def _try(self, reply: ReplyTemplate, written: Mapping[str, Any], place: Place) -> None:
        """Render with a sample and check, so that a mistake is found here and not by a customer.

        What only a real message fills in is empty in the sample, and a placeholder may be longer than what it
        stands for: a reply passes when it is right either way.
        """
        forms = [written]
        try:
            forms.insert(0, reply.render(_SAMPLE, Budget()))
        except TemplateTooCostlyError as error:
            raise self._lines.error(place, f"template: {error.message}") from error
        except TemplateError:
            # It works on data of a message that the sample has not.
            pass
        refusals = [reason for reason in map(_refusal, forms) if reason]
        if refusals and len(refusals) == len(forms):
            raise self._lines.error(place, f"Meta would refuse this message: {refusals[0]}")

    def _no_doubles(self, intents: tuple[Intent, ...]) -> None:
        if sum(len(intent.examples) for intent in intents) > _MAX_EXAMPLES:
            raise self._lines.error(("intents",), f"more than {_MAX_EXAMPLES} examples")
        seen: dict[tuple[str, str], int] = {}
        for index, intent in enumerate(intents):
            for key, value in _marks(intent):
                first = seen.setdefault((key, value), index)
                if first != index:
                    reason = f"{key} '{value}' is already used by intent '{intents[first].name}'"
                    raise self._lines.error(("intents", index, key), reason)

    def _keys(self, data: Any, place: Place, required: set[str], allowed: set[str]) -> None:
        where = f"'{place[-1]}'" if place and isinstance(place[-1], str) else "this"
        if not isinstance(data, dict):
            known = ", ".join(sorted(allowed))
            raise self._lines.error(place, f"{where} must be a mapping with {known}")
        for key in data:
            if key not in allowed:
                known = ", ".join(sorted(allowed))
                raise self._lines.error((*place, key), f"unknown key '{key}' (known: {known})")
        for key in sorted(required - data.keys()):
            raise self._lines.error(place, f"'{key}' is missing")


def _refusal(message: Mapping[str, Any]) -> str:
    try:
        checked_reply(message)
    except UnusableReplyError as error:
        return str(error)
    return ""


def _marks(intent: Intent) -> Iterator[tuple[str, str]]:
    """What may belong to one intent only."""
    yield "name", intent.name
    yield from (("ids", value) for value in intent.ids)
    yield from (("on", value) for value in intent.on)
    yield from (("examples", value.strip().casefold()) for value in intent.examples)


_SAMPLE: Mapping[str, Any] = {
    "text": "hello",
    "name": "Ana",
    "intent": "sample",
    "contact": {},
    "message": {"id": "sample", "type": "text", "text": {"body": "hello"}},
}
