"""Validate values from callers and seed files against a type, with sentences for problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from meta_emulator import addresses

_Checked = TypeVar("_Checked")

_LONGEST = 10**9
_LARGEST = 10**18


class WrongPropertyError(ValueError):
    """A value has an unknown property, lacks one, or has an invalid one."""


class Properties(BaseModel):
    """Properties by name, without unknown ones and without type conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def given(self) -> dict[str, Any]:
        """Return the properties that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def check(adapter: TypeAdapter[_Checked], value: Any) -> _Checked:
    """Return the value in its type; raise WrongPropertyError."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise WrongPropertyError("; ".join(map(_sentence, error.errors(include_url=False)[:3]))) from None


def _sentence(problem: ErrorDetails) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown property: {name}"
    if problem["type"] == "missing":
        return f"{name} is missing"
    text = problem["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
    if not name:
        return text
    return f"{name} {text}" if text.startswith("must") else f"{name}: {text}"


def _whole(value: Any) -> Any:
    """Return 2 for 2.0, which is an integer in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@dataclass(frozen=True)
class Between:
    """Annotate an integer with its minimum and maximum."""

    least: int = -_LARGEST
    most: int = _LARGEST

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the number."""
        number = core_schema.int_schema(ge=self.least, le=self.most, strict=True)
        return core_schema.no_info_before_validator_function(_whole, number)


@dataclass(frozen=True)
class TextOrWhole:
    """Annotate a string that may be given as an integer, since YAML reads unquoted digits as one.

    pattern: the string's. least: the smallest number. description: of the value, for errors.
    """

    pattern: str
    least: int
    description: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the string, or of the number that is converted to one."""
        text = core_schema.str_schema(pattern=self.pattern, strict=True)
        number = Between(self.least).__get_pydantic_core_schema__(source, handler)
        as_text = core_schema.no_info_after_validator_function(str, number)
        return core_schema.union_schema(
            [text, as_text], custom_error_type="text_or_whole", custom_error_message=f"must be {self.description}"
        )


def _digits(value: str) -> str:
    found = addresses.digits(value)
    if found is None:
        raise ValueError("a number is 5 to 20 digits")
    return found


PHONE_NUMBER_PATTERN: Final = r"^[-+() \u00a0.]*(?:[0-9][-+() \u00a0.]*){5,20}$"
_USER_ID = r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}"
PHONE_PATTERN: Final = rf"{PHONE_NUMBER_PATTERN}|^{_USER_ID}$"
"""A number in any spelling, or a business-scoped user id."""

PhoneNumber = Annotated[
    str, TextOrWhole(PHONE_NUMBER_PATTERN, 10_000, "a number of 5 to 20 digits"), AfterValidator(_digits)
]
ObjectId = Annotated[str, TextOrWhole("^[0-9]{1,20}$", 0, "an id of digits")]
UserId = Annotated[str, Field(pattern=rf"^(?:{_USER_ID})?$")]
"""A business-scoped user id; empty for none."""
Seconds = Annotated[float, Field(ge=0, le=_LONGEST)]
