"""Models that cache their JSON Schema: flask-openapi3 asks for it at every request, for each parameter."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from pydantic import BaseModel


class CachedSchemaModel(BaseModel):
    """A pydantic model that caches its JSON Schema."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return pydantic's schema, a copy each time."""
        return deepcopy(_schema(cls, args, tuple(sorted(kwargs.items()))))


@cache
def _schema(
    model: type[CachedSchemaModel], args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    schema: dict[str, Any] = super(CachedSchemaModel, model).model_json_schema(*args, **dict(kwargs))
    return schema
