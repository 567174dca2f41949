"""Requests and answers of OpenAI-compatible `/v1/chat/completions`, streamed or not.

Answers are cleaned: reasoning between `<think>` tags and tool calls are taken out of the text, Markdown becomes
WhatsApp's formatting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from wa_service.conversation.reply_check import UnusableReplyError
from wa_service.conversation.utterance import Turn
from wa_service.resilience.http import HttpAnswer
from wa_service.whatsapp.webhooks import tolerant_json

HANDOVER = "handover"
MAX_TOKENS = 1_024
"""About four thousand characters, the limit of a text message."""
_MAX_REASON = 500
_PATH = "/chat/completions"
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_WRITTEN_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
"""A tool call as Qwen and Hermes write it, which some servers leave in the text."""
_MOST_READ = 16_384
"""Most characters of a text that are formatted, four times the limit of a message."""
# A match ends at the next opening mark, so that a text with only opening marks is not searched in quadratic time.
# A URL is matched too, so that no marks are found in it.
_BOLD_OR_URL = re.compile(
    r"\*\*(?=\S)((?:(?!\*\*).)+)(?<=\S)\*\*|(?<!\w)__(?=\S)((?:(?!__).)+)(?<=\S)__(?!\w)|https?://\S+"
)
_HEADING = re.compile(r"^#{1,6} +(\S.*)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\[\]\n]+)\]\((https?://[^\s)]{1,2000})\)")
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": HANDOVER,
            "description": (
                "Hand the conversation over to a person of the business, who then answers in place of you. Call this "
                "where the customer asks for a person, is upset, or needs what you cannot do or do not know."
            ),
            "parameters": {
                "type": "object",
                "properties": {
                    "reason": {"type": "string", "description": "What the person should know, in a sentence."}
                },
                "required": ["reason"],
            },
        },
    }
]


@dataclass(frozen=True, slots=True)
class Completion:
    """The model's answer. `handover`: why a person is to take over, None if none is."""

    text: str
    handover: str | None = None


def completions_url(url: str) -> str:
    """Return the address of `/chat/completions` for a server's address, with or without that path or `/v1`."""
    path = urlsplit(url).path.rstrip("/")
    url = url.rstrip("/")
    if path.endswith(_PATH):
        return url
    return url + (_PATH if path.endswith("/v1") else f"/v1{_PATH}")


def write_request(model: str, prompt: str, turns: Sequence[Turn], *, limit: str, tools: bool) -> bytes:
    """Return the request for the next turn, after the given ones, of which the last is the customer's.

    `limit`: the server's parameter for the most tokens of an answer; `tools`: whether it supports tools.
    """
    messages = [{"role": "system", "content": prompt}, *({"role": t.role, "content": t.text} for t in turns)]
    request: dict[str, Any] = {"messages": messages, "stream": False, limit: MAX_TOKENS}
    if model:
        request["model"] = model
    if tools:
        request["tools"] = _TOOLS
    return orjson.dumps(request)


def read_completion(answer: HttpAnswer) -> Completion:
    """Read an answer.

    Raises:
        UnusableReplyError: it is not a completion, or is empty.
    """
    if answer.status != 200:
        raise UnusableReplyError(f"HTTP {answer.status}")
    body = answer.body.lstrip()
    streamed = body.startswith((b"data:", b"event:", b":"))
    text, calls = _joined(_streamed(body)) if streamed else _whole(_parsed(body))
    text = _without_reasoning(text)
    calls += [_written_call(found[1]) for found in _WRITTEN_CALL.finditer(text)]
    text = _WRITTEN_CALL.sub("", text)
    handover = next((_reason(arguments) for name, arguments in calls if name == HANDOVER), None)
    formatted = _for_whatsapp(text)
    if not formatted and handover is None:
        raise UnusableReplyError("the answer has no text")
    return Completion(formatted, handover)


def _whole(content: Any) -> tuple[str, list[tuple[str, str]]]:
    message = _choice(content).get("message")
    if not isinstance(message, Mapping):
        raise UnusableReplyError("the answer has no message")
    calls = [function for call in _list(message.get("tool_calls")) if (function := _object(call.get("function")))]
    named = [(_name(function), _argument(function.get("arguments"))) for function in calls]
    return _text(message.get("content")), named


def _joined(pieces: Iterable[Any]) -> tuple[str, list[tuple[str, str]]]:
    """Return the whole of a streamed answer; raise UnusableReplyError if the stream ended early."""
    text, ended = "", False
    calls: list[_Call] = []
    latest: dict[int, _Call] = {}
    for piece in pieces:
        if piece is None:
            ended = True
            continue
        if _object(piece).get("error"):
            raise UnusableReplyError("the stream ended with an error")
        choices = _list(_object(piece).get("choices"))
        if not choices:
            continue  # usage, or a keep-alive
        choice = _usable(choices[0])
        delta = _object(choice.get("delta"))
        text += _text(delta.get("content"))
        for part in _list(delta.get("tool_calls")):
            function = _object(part.get("function"))
            call = _call_of(part, calls, latest)
            call.name = call.name or _name(function)
            call.arguments += _argument(function.get("arguments"))
        ended = ended or choice.get("finish_reason") is not None
    if not ended:
        raise UnusableReplyError("the stream broke off")
    return text, [(call.name, call.arguments) for call in calls]


@dataclass(slots=True)
class _Call:
    """A tool call of which parts have arrived."""

    id: Any
    name: str = ""
    arguments: str = ""


def _call_of(part: Mapping[str, Any], calls: list[_Call], latest: dict[int, _Call]) -> _Call:
    """Return the call of a streamed part; `latest`: the last call of each index.

    Some servers send each call whole, all with one index or without: another id is another call.
    """
    index, id_ = part.get("index"), part.get("id")
    index = index if isinstance(index, int) else 0
    call = latest.get(index)
    if call is None or (id_ and call.id and call.id != id_):
        call = latest[index] = _Call(id_)
        calls.append(call)
    return call


def _streamed(body: bytes) -> Iterator[Any]:
    """Yield the pieces of a stream of server-sent events, None for its end."""
    for line in body.splitlines():
        if not line.startswith(b"data:"):
            continue
        data = line.removeprefix(b"data:").strip()
        yield None if data == b"[DONE]" else _parsed(data)


def _parsed(body: bytes) -> Any:
    try:
        return tolerant_json.loads(body)
    except ValueError:
        raise UnusableReplyError("not JSON") from None


def _choice(content: Any) -> Mapping[str, Any]:
    choices = _list(_object(content).get("choices"))
    if not choices:
        raise UnusableReplyError("the answer has no choices")
    return _usable(choices[0])


def _usable(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a choice; raise UnusableReplyError if it is cut by a filter, or by an error (as OpenRouter says it)."""
    if choice.get("finish_reason") == "content_filter":
        raise UnusableReplyError("the answer was filtered")
    if choice.get("finish_reason") == "error":
        raise UnusableReplyError("the answer ended with an error")
    return choice


def _text(content: Any) -> str:
    """Return a message's text: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in _list(content)]
    return "".join(part for part in parts if isinstance(part, str))


def _name(function: Mapping[str, Any]) -> str:
    name = function.get("name")
    return name if isinstance(name, str) else ""


def _argument(arguments: Any) -> str:
    """Return a call's arguments as JSON text; some servers send an object."""
    if isinstance(arguments, str) or not arguments:
        return arguments or ""
    try:
        return orjson.dumps(arguments).decode()
    except TypeError:  # nested too deeply
        return ""


def _written_call(call: str) -> tuple[str, str]:
    """Return name and arguments of a call in the text; no name for one that cannot be read."""
    try:
        function = _object(tolerant_json.loads(call.encode()))
    except ValueError:
        return "", ""
    return _name(function), _argument(function.get("arguments"))


def _reason(arguments: str) -> str:
    try:
        reason = _object(tolerant_json.loads(arguments.encode())).get("reason")
    except ValueError:
        reason = None
    return reason.strip()[:_MAX_REASON] if isinstance(reason, str) else ""


def _without_reasoning(text: str) -> str:
    thought, ended, rest = text.partition("</think>")
    if ended and "<think>" not in thought:  # some servers leave out the first tag
        text = rest
    return _THOUGHT.sub("", text)


def _for_whatsapp(text: str) -> str:
    """Return a text in WhatsApp's formatting: *bold*, and plain URLs."""
    text = text[:_MOST_READ]
    text = _LINK.sub(lambda link: link[2] if link[1] == link[2] else f"{link[1]}: {link[2]}", text)
    text = _HEADING.sub(_bold_heading, text)
    return _BOLD_OR_URL.sub(_bold, text).strip()


def _bold(found: re.Match[str]) -> str:
    words = found[1] or found[2]
    return f"*{words}*" if words else found[0]


def _bold_heading(heading: re.Match[str]) -> str:
    words = heading[1].rstrip("# ").strip("*")
    return f"**{words}**" if words else heading[0]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
