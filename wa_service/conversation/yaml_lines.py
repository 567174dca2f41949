"""YAML as plain data, with the line each part stands on, so that an error can point at it."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""Where a value stands: the keys and positions that lead to it, e.g. ("intents", 0, "name")."""

MAX_BYTES = 1_000_000
_MAX_NODES = 100_000


class ScriptError(Exception):
    """A script file that cannot be used: which file, which line (from 1; 0: the whole file), and why."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        self.path, self.line, self.reason = path, line, reason
        super().__init__(f"{path}, line {line}: {reason}" if line else f"{path}: {reason}")


class Lines:
    """The line of each place in one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lines: dict[Place, int] = {}
        self._blocks: set[Place] = set()

    def note(self, place: Place, line: int) -> None:
        """Remember that `place` begins on `line`."""
        self._lines[place] = line

    def note_block(self, place: Place) -> None:
        """Remember that the text of `place` begins on the line below (YAML's `|` and `>`)."""
        self._blocks.add(place)

    def line(self, place: Place) -> int:
        """The line of the place, or of the nearest place around it."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def error(self, place: Place, reason: str, inner: int = 1) -> ScriptError:
        """An error that points at the place, or at the `inner`-th line (from 1) of the text there."""
        below = inner if place in self._blocks else inner - 1
        return ScriptError(self.path, self.line(place) + below, reason)


def read(path: Path) -> tuple[Any, Lines]:
    """The file's data (mappings, lists, words, numbers) and the lines of its parts.

    Refused besides what YAML refuses: a key twice, aliases (a small file could grow without bound), more than
    1 MB. Raises ScriptError.
    """
    name = str(path)
    lines = Lines(name)
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise ScriptError(name, 0, f"the file is larger than {MAX_BYTES} bytes")
        root = yaml.compose(raw.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ScriptError(name, 0, f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScriptError(name, raw.count(b"\n", 0, error.start) + 1, "it is not UTF-8 text") from error
    except RecursionError as error:
        raise ScriptError(name, 0, "it is nested too deeply") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "it is not YAML"
        raise ScriptError(name, mark.line + 1 if mark else 0, f"not valid YAML: {reason}") from error
    if root is None:
        raise ScriptError(name, 0, "it is empty")
    try:
        return _Reader(lines).value(root, ()), lines
    except RecursionError as error:
        raise ScriptError(name, 0, "it is nested too deeply") from error


class _Reader:
    """Turns YAML's nodes into data."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._seen: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node, place: Place) -> Any:
        self._lines.note(place, node.start_mark.line + 1)
        if id(node) in self._seen:
            raise self._lines.error(place, "aliases (*name) cannot be used here: write it out")
        self._seen.add(id(node))
        if len(self._seen) > _MAX_NODES:
            raise self._lines.error(place, "the file has too many parts")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            self._lines.note_block(place)
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node, place)
            # YAML 1.1 reads the bare word `on` as true; here it is a key's name.
            key = key_node.value if key is True else key
            if not isinstance(key, str):
                raise self._at(key_node, f"a key must be a word, not {key_node.value!r}")
            if key in result:
                raise self._at(key_node, f"'{key}' stands here twice")
            result[key] = self.value(value_node, (*place, key))
            self._lines.note((*place, key), key_node.start_mark.line + 1)
        return result

    def _scalar(self, node: yaml.Node, place: Place) -> Hashable:
        if not isinstance(node, yaml.ScalarNode):
            raise self._at(node, "a key must be a word")
        if node.tag in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}:
            return str(node.value)
        try:
            value: Hashable = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise self._lines.error(place, f"{node.tag} cannot be used here") from error
        if value is not None and not isinstance(value, (str, int, float, bool)):
            raise self._at(node, f"{node.tag} cannot be used here")
        return value

    def _at(self, node: yaml.Node, reason: str) -> ScriptError:
        return ScriptError(self._lines.path, node.start_mark.line + 1, reason)
