"""The base of every model of an outbound message."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class MessagePart(BaseModel):
    """A part of a message: frozen, and open for the fields that Meta adds tomorrow.

    Written as JSON it has exactly what was given, what is constant (such as its `type`), and no known field that is
    None.
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
        """Let what is written depend on values alone: constants always, known fields that are None never."""
        del context
        absent = {name for name in type(self).model_fields if getattr(self, name) is None}
        self.__pydantic_fields_set__.update(self.constants)
        self.__pydantic_fields_set__.difference_update(absent)

    def as_json(self) -> dict[str, Any]:
        """The part as Meta takes it: plain dicts, lists, texts and numbers."""
        return self.model_dump(mode="json", exclude_unset=True)
