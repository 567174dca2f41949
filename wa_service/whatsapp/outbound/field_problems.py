"""Turn pydantic's validation errors into paths in Meta's JSON and sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MOST_PROBLEMS: Final = 20
LONGEST_PATH: Final = 256


class MessageProblem(NamedTuple):
    """A problem of a message: its path, such as `interactive.action.buttons.0`, and a sentence."""

    path: str
    sentence: str


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "This field is required.",
    "string_type": lambda _: "This must be a string.",
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
    "int_from_float": lambda _: "This must be a whole number.",
    "string_pattern_mismatch": lambda ctx: f"This must have the form {ctx['pattern']}.",
    "extra_forbidden": lambda _: "This field is unknown.",
    "literal_error": lambda ctx: f"This must be {ctx['expected']}.",
}


def problems(error: ValidationError) -> list[MessageProblem]:
    """Return a path and a sentence for each problem that `parse_message` found, without the given values.

    At most `MOST_PROBLEMS` are listed, followed by one that counts the rest.
    """
    items = error.errors(include_url=False, include_input=False)
    inner = {step for item in items for step in _proper_prefixes(item["loc"])}
    # pydantic counts only valid items, so a list with invalid items is also reported as too short.
    named = [item for item in items if item["type"] != "too_short" or item["loc"] not in inner]
    found = [MessageProblem(path_of(item)[:LONGEST_PATH], _sentence(item)) for item in named[:MOST_PROBLEMS]]
    if len(named) > MOST_PROBLEMS:
        found.append(MessageProblem("", f"There are {len(named) - MOST_PROBLEMS} more problems."))
    return found


def _proper_prefixes(path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    for length in range(len(path)):
        yield path[:length]


def path_of(item: ErrorDetails) -> str:
    """Return a problem's path in Meta's JSON, without the tags of our unions (`<button>`)."""
    return ".".join(str(step) for step in item["loc"] if not str(step).startswith("<"))


def _sentence(item: ErrorDetails) -> str:
    known = _SENTENCES.get(item["type"])
    if known is not None:
        return known(item.get("ctx", {}))
    text = item["msg"].removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."
