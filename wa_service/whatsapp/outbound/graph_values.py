"""Values that the Graph API accepts in two types: ids as numbers, booleans as strings, integers as strings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag


def _number_or_text(value: Any) -> str:
    return "<number>" if isinstance(value, int | float) and not isinstance(value, bool) else "<text>"


def _word_or_flag(value: Any) -> str:
    return "<word>" if isinstance(value, str) else "<flag>"


Id = Annotated[
    Annotated[Annotated[str, Field(min_length=1)], Tag("<text>")]
    | Annotated[Annotated[int, Field(ge=0)], Tag("<number>")],
    Discriminator(_number_or_text),
]
"""An id of Meta or of a catalogue; it is sent unchanged."""

Flag = Annotated[
    Annotated[Literal["true", "false"], Tag("<word>")] | Annotated[StrictBool, Tag("<flag>")],
    Discriminator(_word_or_flag),
]
"""A boolean, also as a string."""

DecimalNumber = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[float, Tag("<number>")],
    Discriminator(_number_or_text),
]
"""A number, also as a string."""

WholeNumber = Annotated[
    Annotated[Annotated[str, Field(pattern=r"^-?[0-9]{1,18}$")], Tag("<text>")] | Annotated[int, Tag("<number>")],
    Discriminator(_number_or_text),
]
"""An integer, also as a string."""
