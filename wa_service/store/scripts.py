"""Load the steps' Lua sources, with named arguments.

A step is one file in `steps/`. Its header is code:

    -- args: conversation token lease_ms:number replies:json...
    -- include: clock wake

`args` names the arguments: text, `:number`, `:flag` (a boolean) or `:json` (decoded); `...` makes the last one a list
of any length. The loader writes the code that unpacks them. `include` names fragments in `steps/shared/` that are
inserted before the step, without the functions that the step does not use. `prefix` is the key prefix `KEYS[1]`, from
which all key names are built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

StepArgument = str | bytes | int | float | list[bytes] | tuple[str, ...]
"""An argument; a list or tuple only for the last one of a step with `...`."""

_FOLDER = Path(__file__).parent / "steps"
_ARGS = re.compile(r"^-- args: (.+)$", re.MULTILINE)
_INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)
# A function of a fragment: one line, or up to an `end` without indentation.
_FUNCTION = re.compile(r"^local function (\w+)\((?:[^\n]* end$|.*?^end$)", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"\w+")
_COMMENT = re.compile(r"^ *--.*$", re.MULTILINE)
_TAIL = "..."
_DECODED = {"": "{}", "number": "tonumber({})", "flag": "({} == '1')", "json": "cjson.decode({})"}


@dataclass(frozen=True, slots=True)
class Step:
    """A step's source as the server gets it, its SHA-1, and its arguments' names; `tail` is the one with `...`."""

    source: str
    sha: str
    arguments: tuple[str, ...]
    tail: str | None

    def values(self, given: Mapping[str, StepArgument]) -> list[str | bytes | int | float]:
        """Return the arguments in the script's order.

        Raises:
            TypeError: one is missing or unknown.
        """
        count = len(self.arguments) + (self.tail is not None)
        try:
            values = [given[name] for name in self.arguments]
            tail = given[self.tail] if self.tail else ()
        except KeyError as missing:
            raise TypeError(f"This step needs an argument {missing}.") from None
        if len(given) != count:
            unknown = sorted(set(given) - {*self.arguments, self.tail})
            raise TypeError(f"This step has no argument {', '.join(unknown)}.")
        return [*values, *tail]  # type: ignore[list-item, misc]  # only the tail is a list, and it is one


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a fragment: one function, or the lines between two (`function` is None); and the names it uses."""

    function: str | None
    code: str
    names: frozenset[str]


def load_scripts(folder: Path = _FOLDER) -> dict[str, Step]:
    """Load each step by name.

    Raises:
        KeyError: a step's header names an unknown fragment or argument type.
    """
    shared = {path.stem: _parts(path.read_text("utf-8")) for path in (folder / "shared").glob("*.lua")}
    return {path.stem: _load(path.read_text("utf-8"), shared) for path in sorted(folder.glob("*.lua"))}


def _load(step: str, shared: Mapping[str, Sequence[_Part]]) -> Step:
    names = _words(_ARGS, step)
    parts = [part for name in _words(_INCLUDE, step) for part in shared[name]]
    tail = names.pop().removesuffix(_TAIL) if names and names[-1].endswith(_TAIL) else None
    lines = [_unpacked(name, f"ARGV[{i}]") for i, name in enumerate(names, 1)]
    if tail is not None:
        name, _, form = tail.partition(":")
        value = _DECODED[form].format("ARGV[i]")
        lines.append(f"local {name} = {{}}\nfor i = {len(names) + 1}, #ARGV do {name}[#{name} + 1] = {value} end")
        tail = name
    own = "\n".join([*lines, step])
    source = "\n".join(["local prefix = KEYS[1]", _used_by(own, parts), own])
    sha = sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Step(source, sha, tuple(name.partition(":")[0] for name in names), tail)


def _parts(fragment: str) -> list[_Part]:
    parts, end = [], 0
    for function in _FUNCTION.finditer(fragment):
        between = fragment[end : function.start()]
        parts += [_Part(None, between, _names(between)), _Part(function[1], function[0], _names(function[0]))]
        end = function.end()
    return [*parts, _Part(None, fragment[end:], _names(fragment[end:]))]


def _used_by(step: str, parts: Sequence[_Part]) -> str:
    """Return the parts without the functions that the step does not use.

    Each call of a script creates all its functions, which took half the time of a step with many fragments. A function
    sees only the functions before it, so one pass from the end finds all that are used.
    """
    used, kept = set(_names(step)), []
    for part in reversed(parts):
        if part.function is None or part.function in used:
            kept.append(part.code)
            used |= part.names
    return "".join(reversed(kept))


def _names(code: str) -> frozenset[str]:
    return frozenset(_NAME.findall(_COMMENT.sub("", code)))


def _words(header: re.Pattern[str], step: str) -> list[str]:
    found = header.search(step)
    return found.group(1).split() if found else []


def _unpacked(argument: str, value: str) -> str:
    name, _, form = argument.partition(":")
    return f"local {name} = {_DECODED[form].format(value)}"
