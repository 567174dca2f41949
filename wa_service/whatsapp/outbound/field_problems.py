"""What pydantic finds wrong with a message, as a path in Meta's JSON and a sentence each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails


class MessageProblem(NamedTuple):
    """One thing wrong with a message: `path` such as `interactive.action.buttons.0`, and a sentence."""

    path: str
    sentence: str


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "This field is required.",
    "string_type": lambda _: "This must be a text.",
    "string_too_long": lambda ctx: f"At most {ctx['max_length']} characters are allowed.",
    "string_too_short": lambda ctx: f"At least {ctx['min_length']} character(s) are needed.",
    "too_long": lambda ctx: f"At most {ctx['max_length']} items are allowed.",
    "too_short": lambda ctx: f"At least {ctx['min_length']} item(s) are needed.",
    "model_type": lambda _: "This must be an object.",
    "model_attributes_type": lambda _: "This must be an object.",
    "dict_type": lambda _: "This must be an object.",
    "tuple_type": lambda _: "This must be a list.",
    "bool_type": lambda _: "This must be true or false.",
    "int_type": lambda _: "This must be a whole number.",
    "string_pattern_mismatch": lambda ctx: f"This must have the form {ctx['pattern']}.",
    "literal_error": lambda ctx: f"This must be {ctx['expected']}.",
}


def problems(error: ValidationError) -> list[MessageProblem]:
    """Read what `parse_message` found: a path and a sentence for each problem, without the values given."""
    found = [(path_of(item), item) for item in error.errors(include_url=False, include_input=False)]
    return [
        MessageProblem(path, _sentence(item))
        for path, item in found
        # pydantic counts only items without problems, so such a list also looks too short.
        if item["type"] != "too_short" or not any(other.startswith(f"{path}.") for other, _ in found)
    ]


def path_of(item: ErrorDetails) -> str:
    """Where it is, in Meta's JSON; the names of our unions (`<button>`) are left out."""
    return ".".join(str(step) for step in item["loc"] if not str(step).startswith("<"))


def _sentence(item: ErrorDetails) -> str:
    known = _SENTENCES.get(item["type"])
    if known is not None:
        return known(item.get("ctx", {}))
    text = item["msg"].removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."
