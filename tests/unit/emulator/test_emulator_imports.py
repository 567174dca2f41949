"""The emulator's imports have no cycles."""

from __future__ import annotations

import ast
from collections.abc import Collection
from graphlib import TopologicalSorter
from pathlib import Path

import meta_emulator

PACKAGE = meta_emulator.__name__
ROOT = Path(next(iter(meta_emulator.__path__)))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join((PACKAGE, *(part for part in parts if part != "__init__")))


def imports(path: Path, modules: Collection[str]) -> set[str]:
    """Return the emulator's modules that a module imports, including type-only imports."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            named = (f"{origin}.{alias.name}" for alias in node.names)
            found |= {name if name in modules else origin for name in named}
    return found & set(modules)


def test_no_module_of_the_emulator_imports_one_that_imports_it() -> None:
    modules = {name_of(path): path for path in ROOT.rglob("*.py")}
    graph = {name: imports(path, modules) for name, path in modules.items()}
    assert graph[f"{PACKAGE}.world"] >= {f"{PACKAGE}.records", f"{PACKAGE}.webhooks"}
    TopologicalSorter(graph).prepare()
