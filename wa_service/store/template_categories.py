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

    def note(self, definitions: Iterable[Mapping[str, Any]], *, at: int = 0) -> None:
        """Store the categories of a template list that Meta was asked for at a Unix time (0: now), as far as they
        changed; a later event of Meta's prevails.

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
            flat = tuple(part for pair in changed.items() for part in pair)
            self.store.call("list_categories", waba=self.waba, at=at * 1000, categories=flat)

    def change(self, name: str, language: str, category: str, *, at: int = 0) -> Command:
        """Return the command that stores one template's new category as of a Unix time (0: now), unless a later one is
        stored. Result: 1 or 0.
        """
        template = template_key(name, language)
        return self.store.step("change_category", waba=self.waba, template=template, category=category, at=at * 1000)
