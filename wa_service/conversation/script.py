"""The script file (`WA_SCRIPT_FILE`): intents with replies, and replies to problems.

A file that cannot be used raises `ScriptError` with the line and the reason, so that mistakes are found at the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from jinja2 import TemplateSyntaxError
from jinja2.exceptions import TemplateError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wa_service.conversation.reply_check import RESERVED, UnusableReplyError, checked_reply
from wa_service.conversation.script_yaml import ScriptFile
from wa_service.conversation.templating import TemplateTooLongError, TextTemplate

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
        "reaction",
        "unsupported",
    }
)
"""The kinds that `on:` may name: messages without text."""
MAX_TITLE = 20
"""Most characters of a reply button (reference 2.5)."""
MAX_REPLIES = 10
"""Most messages in one answer."""
_MAX_INTENTS = 500
_MAX_EXAMPLES = 5_000


class ConversationProblem(StrEnum):
    """Why a message could not be answered as usual; each has a reply under `problems`."""

    UNCLEAR = "unclear"
    OTHER_LANGUAGE = "other_language"
    SILENCE = "silence"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"
    MEDIA_GONE = "media_gone"
    NOT_RECEIVED = "not_received"
    SPEECH_OFF = "speech_off"
    NOT_WORDS = "not_words"
    HANDOVER = "handover"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReplyTemplate:
    """One message to send: a Meta message object whose texts are templates."""

    body: Mapping[str, Any]

    def render(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the rendered message object (without `to`). Raises jinja2.TemplateError."""
        rendered: dict[str, Any] = _render(self.body, variables)
        return rendered


def _render(part: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(part, TextTemplate):
        return part.render(variables)
    if isinstance(part, Mapping):
        return {key: _render(value, variables) for key, value in part.items()}
    if isinstance(part, tuple):
        return [_render(value, variables) for value in part]
    return part


def _wrong(reason: str, *place: str | int, inner: int = 1) -> PydanticCustomError:
    """Return an error of the validated value, at `place` inside it, on the `inner`-th line of its text."""
    return PydanticCustomError("script", "{reason}", {"reason": reason, "place": place, "inner": inner})


def _texts(value: Any, info: ValidationInfo) -> tuple[str, ...]:
    """One text or a list of them."""
    listed = value if isinstance(value, list) else [value]
    for index, item in enumerate(listed):
        if not isinstance(item, str) or not item.strip():
            shown = str(item).lower() if isinstance(item, bool) else item
            empty = item is None or item == ""
            reason = "is empty" if empty else f"holds texts: put quotes around {shown}"
            raise _wrong(f"'{info.field_name}' {reason}", *([index] if isinstance(value, list) else []))
    return tuple(listed)


def _kinds(value: Any, info: ValidationInfo) -> tuple[str, ...]:
    kinds = _texts(value, info)
    for kind in kinds:
        if kind not in KINDS:
            raise _wrong(f"'on' knows no '{kind}' (known: {', '.join(sorted(KINDS))})")
    return kinds


def _name(value: Any, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 100:
        raise _wrong(f"'{info.field_name}' must be a text of 1 to 100 characters")
    return value


def _title(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TITLE:
        raise _wrong(f"'title' must be a text of 1 to {MAX_TITLE} characters, as a button has room for")
    return value


def _question(value: Any) -> TextTemplate:
    """Compile the text that goes above the buttons."""
    if not isinstance(value, str) or not value.strip():
        raise _wrong("the text is empty")
    template: TextTemplate = _compiled(value, ())
    button = {"type": "reply", "reply": {"id": "intent", "title": "Title"}}
    content = {"type": "button", "body": {"text": value}, "action": {"buttons": [button]}}
    _reply({"type": "interactive", "interactive": content}, 0)
    return template


def _threshold(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise _wrong("'threshold' must be a number from 0 to 1")
    return float(value)


def _replies(value: Any) -> tuple[ReplyTemplate, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_REPLIES:
        raise _wrong(f"'reply' must be a list of 1 to {MAX_REPLIES} messages")
    return tuple(_reply(item, index) for index, item in enumerate(value))


def _reply(data: Any, index: int) -> ReplyTemplate:
    """Compile one message, and render it with a sample to find mistakes now."""
    if not isinstance(data, dict):
        raise _wrong('a message is written `- text: "…"`, or as Meta\'s message object', index)
    for key in RESERVED:
        if key in data:
            raise _wrong(f"'{key}' is filled in by the service: leave it out", index, key)
    written = data
    if isinstance(data.get("text"), str) and "type" not in data:
        if not data["text"].strip():
            raise _wrong("the text is empty", index, "text")
        written = {**data, "type": "text", "text": {"body": data["text"]}}
    reply = ReplyTemplate(_compiled(written, (index,)))
    # With the sample some values are empty, and an unrendered placeholder may be longer than its value: the reply
    # passes if either form is valid.
    forms = [written]
    try:
        forms.insert(0, reply.render(_SAMPLE))
    except TemplateTooLongError as error:
        raise _wrong(f"template: {error.message}", index) from error
    except TemplateError:
        pass  # it needs data of a real message
    refusals = [reason for reason in map(_refusal, forms) if reason]
    if len(refusals) == len(forms):
        raise _wrong(f"Meta would refuse this message: {refusals[0]}", index)
    return reply


def _compiled(part: Any, place: tuple[str | int, ...]) -> Any:
    if isinstance(part, dict):
        return {key: _compiled(value, (*place, key)) for key, value in part.items()}
    if isinstance(part, list):
        return tuple(_compiled(value, (*place, index)) for index, value in enumerate(part))
    if not isinstance(part, str):
        return part
    try:
        return TextTemplate(part)
    except TemplateSyntaxError as error:
        raise _wrong(f"template: {error.message or 'it is none'}", *place, inner=error.lineno) from error


def _refusal(message: Mapping[str, Any]) -> str:
    try:
        checked_reply(message)
    except UnusableReplyError as error:
        return str(error)
    return ""


Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Replies: TypeAlias = Annotated[tuple[InstanceOf[ReplyTemplate], ...], BeforeValidator(_replies)]


class _Part(BaseModel):
    """A mapping in the file."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, data: Any) -> Any:
        known = {field.alias or name: field for name, field in cls.model_fields.items()}
        listed = ", ".join(sorted(known))
        if not isinstance(data, dict):
            raise _wrong(f"this must be a mapping with {listed}")
        for key in data:
            if key not in known:
                raise _wrong(f"unknown key '{key}' (known: {listed})", key)
        for key in sorted(known):
            if known[key].is_required() and key not in data:
                raise _wrong(f"'{key}' is missing")
        return {key: value for key, value in data.items() if value is not None or known[key].is_required()}


class ScriptedAnswer(_Part):
    """A reply."""

    reply: Replies


class Clarify(_Part):
    """The question when several intents match about equally well; their titles are on buttons."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    text: Annotated[InstanceOf[TextTemplate], BeforeValidator(_question)]


class Intent(_Part):
    """An intent, how it is recognised, and its reply. `title`: its name on a button."""

    name: Annotated[str, BeforeValidator(_name)]
    examples: Texts = ()
    ids: Texts = ()
    on: Annotated[tuple[str, ...], BeforeValidator(_kinds)] = ()
    title: Annotated[str, BeforeValidator(_title)] = ""
    reply: Replies

    @model_validator(mode="after")
    def _recognised(self) -> Intent:
        if not (self.examples or self.ids or self.on):
            raise _wrong(f"intent '{self.name}' needs 'examples', 'ids' or 'on': how is it recognised?")
        return self

    def marks(self) -> Iterator[tuple[str, str]]:
        """Yield (key, value) of everything that must be unique among intents."""
        yield "name", self.name
        if self.title:
            yield "title", self.title
        yield from (("ids", value) for value in self.ids)
        yield from (("on", value) for value in self.on)
        yield from (("examples", value.strip().casefold()) for value in self.examples)


def _intents(value: Any) -> Any:
    if not isinstance(value, list) or len(value) > _MAX_INTENTS:
        raise _wrong(f"'intents' must be a list of at most {_MAX_INTENTS}")
    return value


def _problems(value: Any) -> Any:
    known = ", ".join(sorted(ConversationProblem))
    if not isinstance(value, dict):
        raise _wrong(f"this must be a mapping with {known}")
    for key in value:
        if key not in list(ConversationProblem):
            raise _wrong(f"unknown key '{key}' (known: {known})", key)
    return value


Problems: TypeAlias = Annotated[dict[ConversationProblem, ScriptedAnswer], BeforeValidator(_problems)]


class _Packaged(_Part):
    """The packaged replies to problems, STOP and START; a script replaces them one by one."""

    problems: Problems
    stopped: ScriptedAnswer
    started: ScriptedAnswer


class Script(_Part):
    """A checked script file. `threshold`: the least score (0 to 1) of a match; None: the matcher's default."""

    intents: Annotated[tuple[Intent, ...], BeforeValidator(_intents)] = ()
    fallback: ScriptedAnswer
    clarify: Clarify | None = None
    problems: Problems = Field(default_factory=dict)
    stopped: ScriptedAnswer | None = None
    started: ScriptedAnswer | None = None
    threshold: Annotated[float | None, BeforeValidator(_threshold)] = None

    @model_validator(mode="after")
    def _no_doubles(self) -> Script:
        if sum(len(intent.examples) for intent in self.intents) > _MAX_EXAMPLES:
            raise _wrong(f"more than {_MAX_EXAMPLES} examples", "intents")
        seen: dict[tuple[str, str], int] = {}
        for index, intent in enumerate(self.intents):
            for key, value in intent.marks():
                first = seen.setdefault((key, value), index)
                if first != index:
                    reason = f"{key} '{value}' is already used by intent '{self.intents[first].name}'"
                    raise _wrong(reason, "intents", index, key)
        return self

    def intent(self, name: str) -> Intent | None:
        """Return the intent of that name."""
        return next((intent for intent in self.intents if intent.name == name), None)


def load_script(path: Path) -> Script:
    """Read and check a script file. Raises ScriptError."""
    packaged = _packaged()
    script = _validated(Script, ScriptFile(path))
    replies = {"stopped": script.stopped or packaged.stopped, "started": script.started or packaged.started}
    return script.model_copy(update={"problems": {**packaged.problems, **script.problems}, **replies})


@cache
def _packaged() -> _Packaged:
    """Return the packaged replies; the file is read once in a process."""
    return _validated(_Packaged, ScriptFile(_PACKAGED_PROBLEMS))


_Model = TypeVar("_Model", bound=BaseModel)


def _validated(model: type[_Model], file: ScriptFile) -> _Model:
    try:
        return model.model_validate(file.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place, context = first["loc"], first.get("ctx", {})
        reason = str(context.get("reason", first["msg"]))
        if reason.startswith("this ") and place and isinstance(place[-1], str):
            reason = f"'{place[-1]}' {reason.removeprefix('this ')}"
        place = (*place, *context.get("place", ()))
        raise file.error(place, reason, inner=context.get("inner", 1)) from None


_SAMPLE: Mapping[str, Any] = {
    "text": "hello",
    "name": "Ana",
    "intent": "sample",
    "contact": {},
    "message": {"id": "sample", "type": "text", "text": {"body": "hello"}},
    "messages": [],
    "only_language": "",
}
