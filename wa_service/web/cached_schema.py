"""Models that can be asked for their JSON Schema with every request: flask-openapi3 does, for each parameter."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from pydantic import BaseModel


class Described(BaseModel):
    """A model whose JSON Schema is worked out once."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As pydantic's, remembered."""
        return deepcopy(_schema(cls, args, tuple(sorted(kwargs.items()))))


@cache
def _schema(model: type[Described], args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    schema: dict[str, Any] = super(Described, model).model_json_schema(*args, **dict(kwargs))
    return schema
