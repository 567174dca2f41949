"""Values as the Graph API takes them: an id also as a number, yes and no also as words, an amount also as a text."""

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
"""An id of Meta's or of a catalogue; it is sent as it was given."""

Flag = Annotated[
    Annotated[Literal["true", "false"], Tag("<word>")] | Annotated[StrictBool, Tag("<flag>")],
    Discriminator(_word_or_flag),
]
"""Yes or no."""

WholeNumber = Annotated[
    Annotated[Annotated[str, Field(pattern=r"^-?[0-9]{1,18}$")], Tag("<text>")] | Annotated[int, Tag("<number>")],
    Discriminator(_number_or_text),
]
"""A whole number, also as a text."""
