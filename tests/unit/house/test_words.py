"""One name for one thing: classes, functions, modules, and the glossary's terms in the store."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from wa_service.store import keys

ROOT = Path(__file__).parents[3]
MODULES = [path for path in (ROOT / "wa_service").rglob("*.py") if path.name != "__init__.py"]
# Entry points, which are always used with the name of their module: `settings.load`, `runtime.build`.
ENTRIES = {"add_to", "build", "command", "configure", "create", "load", "main", "register", "run", "start", "stop"}
# A module of a command may have the name of its subject.
COMMANDS = ROOT / "wa_service/cli"


def repeated(named: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    places = defaultdict(list)
    for name, path in named:
        places[name].append(str(path.relative_to(ROOT)))
    return {name: found for name, found in places.items() if len(found) > 1}


def names_defined_by(node: ast.stmt) -> list[str]:
    """Return the classes, functions and types (`Name = Literal[…]`; no type variables) that a statement defines."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return [name]
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))):
            return []
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name] if name[0].isupper() and not name.isupper() else []
    return []


def test_no_public_class_function_or_type_is_defined_in_two_modules() -> None:
    defined = [
        (name, path)
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in names_defined_by(node)
        if not name.startswith("_") and name not in ENTRIES
    ]
    assert repeated(defined) == {}


# Module names that have the same meaning in every package.
SAME_MEANING = {
    "__main__",
    "app",
    "batches",
    "client",
    "costs",
    "deadline",
    "events",
    "messages",
    "server",
    "subscriptions",
    "types",
}


def test_no_two_modules_with_one_name_mean_different_things() -> None:
    named = ((path.stem, path) for path in MODULES if path.parent != COMMANDS)
    assert repeated(named).keys() - SAME_MEANING == set()


def glossary() -> dict[str, list[str]]:
    """Return the names of the keys and steps of each term."""
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \*\*(.+?)\*\* \|.*\| *([^|]*) \|$", page, re.MULTILINE)
    return {word: re.findall(r"`([a-z_]+)`", names) for word, names in rows}


def test_the_glossary_has_its_words_once_and_in_order() -> None:
    words = list(glossary())
    assert len(words) > 40
    assert words == sorted(words, key=str.lower)


def test_the_glossary_s_names_of_keys_and_steps_exist() -> None:
    families = {family.name.partition(":")[0] for family in keys.FAMILIES}
    steps = {path.stem for path in (ROOT / "wa_service/store/steps").glob("*.lua")}
    named = {name for names in glossary().values() for name in names}
    assert named - families - steps == set()
