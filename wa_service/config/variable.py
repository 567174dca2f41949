"""One line of the table of settings: the variable, its sentence, its default, and whether it is a secret."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def variable(name: str, sentence: str, default: Any = ..., *, secret: bool = False, shown: str | None = None) -> Any:
    """One line of the table: `shown` says the default in words where the value itself would not."""
    extra: dict[str, Any] = {"secret": secret, "shown": shown}
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(validation_alias=name, description=sentence, json_schema_extra=extra, **given)
