"""The category of each template, as Meta tells it: the steps that send look there whether one is marketing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wa_service.store.client import Store
from wa_service.store.flusher import Command
from wa_service.store.keys import template_key


class TemplateCategories:
    """The categories of a business account's templates; what was written is not written again."""

    def __init__(self, store: Store, waba: str) -> None:
        self._store = store
        self._key = store.keys.categories(waba)
        self._written: dict[str, str] = {}

    def note(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        """Remember the categories of a template list. Raises `StoreUnavailableError`."""
        told = {
            template_key(item["name"], item["language"]): item["category"]
            for item in definitions
            if all(isinstance(item.get(name), str) for name in ("name", "language", "category"))
        }
        changed = {name: category for name, category in told.items() if self._written.get(name) != category}
        if changed:
            self._store.do("HSET", self._key, *(part for pair in changed.items() for part in pair))
            self._written |= changed

    def change(self, name: str, language: str, category: str) -> Command:
        """The command that remembers one template's new category."""
        self._written.pop(template_key(name, language), None)
        return ("HSET", self._key, template_key(name, language), category)
