"""Declare a setting: its variable, description and default, and whether it is a secret."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def variable(
    name: str, sentence: str, default: Any = ..., *, secret: bool = False, shown: str | None = None, empty: str = ""
) -> Any:
    """Return the field of a setting.

    `shown` is the default in words for the table of settings; `empty` is what an empty value stands for ("": not set).
    """
    extra: dict[str, Any] = {"secret": secret, "shown": shown, "empty": empty}
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(validation_alias=name, description=sentence, json_schema_extra=extra, **given)
