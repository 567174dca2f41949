"""A script file's YAML as plain data, with the line of each part for error messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import (
    YAML,
    AliasToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
)
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import FoldedScalarString, LiteralScalarString

MAX_BYTES = 1_000_000
_MAX_DEPTH = 50
_OPENING = (BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)


class ScriptError(Exception):
    """A script file that cannot be used: which file, which line (from 1; 0: the whole file), and why."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        self.path, self.line, self.reason = path, line, reason
        super().__init__(f"{path}, line {line}: {reason}" if line else f"{path}: {reason}")


class ScriptFile:
    """One file: `data` (mappings, lists, texts, numbers) and the lines of its parts.

    Duplicate keys, aliases (which could expand without bound) and files over 1 MB are refused. Raises ScriptError.
    """

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        text = self._read(path)
        try:
            self._refuse_aliases_and_depth(text)
            self._tree = YAML().load(text)
            self.data = _plain(self._tree)
        except RecursionError as error:
            raise ScriptError(self.path, 0, "it is nested too deeply") from error
        except DuplicateKeyError as error:
            key = re.search(r'duplicate key "([^"]*)"', str(error.problem))
            reason = f"'{key[1] if key else 'a key'}' is a duplicate key"
            raise ScriptError(self.path, _line(error), reason) from error
        except MarkedYAMLError as error:
            raise ScriptError(self.path, _line(error), f"not valid YAML: {error.problem}") from error
        except (YAMLError, ValueError) as error:
            raise ScriptError(self.path, 0, f"not valid YAML: {type(error).__name__}") from error
        if self.data is None:
            raise ScriptError(self.path, 0, "it is empty")

    def error(self, place: Sequence[str | int], reason: str, inner: int = 1) -> ScriptError:
        """Return an error at a place (keys and positions), on the `inner`-th line of the text there.

        If the place does not exist, the error is at the nearest part that contains it.
        """
        node: Any = self._tree  # its types have `lc`, the lines and columns
        line = 1
        for step in place:
            try:
                places = node.lc
                line = (places.item(step) if isinstance(step, int) else places.key(step))[0] + 1
                node = node[step]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        # A block's text begins on the line below its key.
        below = inner if isinstance(node, (LiteralScalarString, FoldedScalarString)) else inner - 1
        return ScriptError(self.path, line + below, reason)

    def _refuse_aliases_and_depth(self, text: str) -> None:
        """Raise ScriptError for aliases and deep nesting, before the file is parsed."""
        depth = 0
        for token in YAML().scan(text):
            line = token.start_mark.line + 1
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if depth > _MAX_DEPTH:
                raise ScriptError(self.path, line, "it is nested too deeply")
            if isinstance(token, AliasToken):
                raise ScriptError(self.path, line, "aliases (*name) cannot be used: write it out")

    def _read(self, path: Path) -> str:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ScriptError(self.path, 0, f"it cannot be read: {error.strerror}") from error
        if len(raw) > MAX_BYTES:
            raise ScriptError(self.path, 0, f"the file is larger than {MAX_BYTES} bytes")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ScriptError(self.path, line, "it is not UTF-8 text") from error


def _line(error: MarkedYAMLError) -> int:
    mark = error.problem_mark
    return mark.line + 1 if mark else 0


def _plain(node: Any) -> Any:
    """Return a parsed value without ruamel.yaml's types; values that JSON lacks stay, and fail validation."""
    if isinstance(node, dict):
        return {str(key) if isinstance(key, str) else key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool):
        return bool(node)
    for kind in (str, int, float):
        if isinstance(node, kind):
            return kind(node)
    return node
