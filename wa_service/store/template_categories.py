"""The category of each template, from Meta; the sending steps read whether one is marketing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wa_service.store.client import Store, fields
from wa_service.store.flusher import Command
from wa_service.store.keys import template_key


@dataclass(frozen=True, slots=True)
class TemplateCategories:
    """The categories of a business account's templates."""

    store: Store
    waba: str

    def note(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        """Store the categories of a template list, as far as they changed.

        Raises:
            StoreUnavailableError: they may or may not be stored.
        """
        key = self.store.keys.categories(self.waba)
        known = fields(self.store.do("HGETALL", key))
        categories = {
            template_key(item["name"], item["language"]): item["category"]
            for item in definitions
            if all(isinstance(item.get(name), str) for name in ("name", "language", "category"))
        }
        changed = {name: category for name, category in categories.items() if known.get(name) != category}
        if changed:
            self.store.do("HSET", key, *(part for pair in changed.items() for part in pair))

    def change(self, name: str, language: str, category: str) -> Command:
        """Return the command that stores one template's new category."""
        return ("HSET", self.store.keys.categories(self.waba), template_key(name, language), category)
