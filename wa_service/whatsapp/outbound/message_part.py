"""The base of every model of an outbound message."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class MessagePart(BaseModel):
    """A part of a message: frozen, and open for unknown fields.

    Its JSON has the given fields and the constants (such as its `type`), without known fields that are None.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    constants: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.constants = frozenset(
            name
            for name, field in cls.model_fields.items()
            if not field.is_required() and field.get_default(call_default_factory=False) is not None
        )

    def model_post_init(self, context: Any, /) -> None:
        """Mark constants as set and known fields that are None as unset, so that the JSON depends on values only."""
        del context
        absent = {name for name in type(self).model_fields if getattr(self, name) is None}
        self.__pydantic_fields_set__.update(self.constants)
        self.__pydantic_fields_set__.difference_update(absent)

    def as_json(self) -> dict[str, Any]:
        """Return the part in Meta's form: plain dicts, lists, strings and numbers."""
        return self.model_dump(mode="json", exclude_unset=True)
