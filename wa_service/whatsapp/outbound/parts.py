"""What the models of outbound messages share: how they are written, media, how problems are told."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator
from pydantic_core import ErrorDetails


class Part(BaseModel):
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


Caption = Annotated[str, Field(max_length=1024)]
Link = Annotated[str, Field(pattern=r"^https?://\S+$")]


class MediaObject(Part):
    """A file by Meta's `id` or by a public `link`, exactly one of them (2.3)."""

    id: str | None = Field(default=None, min_length=1)
    link: Link | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "MediaObject":
        if (self.id is None) == (self.link is None):
            raise ValueError("Give exactly one of id and link.")
        return self


class CaptionedMedia(MediaObject):
    """A picture or film with a caption."""

    caption: Caption | None = None


class DocumentMedia(CaptionedMedia):
    """A document; its `filename` drives the icon."""

    filename: str | None = Field(default=None, min_length=1, max_length=240)


class AudioMedia(MediaObject):
    """A sound; `voice` makes it a voice note and needs OGG with OPUS, mono."""

    voice: StrictBool | None = None


class Problem(NamedTuple):
    """One thing wrong with a message: `path` such as `interactive.action.buttons.0`, and a sentence."""

    path: str
    sentence: str


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "This field is required.",
    "string_type": lambda _: "This must be a text.",
    "string_too_long": lambda ctx: f"At most {ctx['max_length']} characters are allowed.",
    "string_too_short": lambda ctx: f"At least {ctx['min_length']} character(s) are needed.",
    "too_long": lambda ctx: f"At most {ctx['max_length']} items are allowed.",
    "too_short": lambda ctx: f"At least {ctx['min_length']} item(s) are needed.",
    "model_type": lambda _: "This must be an object.",
    "model_attributes_type": lambda _: "This must be an object.",
    "dict_type": lambda _: "This must be an object.",
    "tuple_type": lambda _: "This must be a list.",
    "bool_type": lambda _: "This must be true or false.",
    "int_type": lambda _: "This must be a whole number.",
    "string_pattern_mismatch": lambda ctx: f"This must have the form {ctx['pattern']}.",
    "literal_error": lambda ctx: f"This must be {ctx['expected']}.",
}


def problems(error: ValidationError) -> list[Problem]:
    """Read what `parse_message` found: a path and a sentence for each problem, without the values given."""
    found = [(path_of(item), item) for item in error.errors(include_url=False, include_input=False)]
    return [
        Problem(path, _sentence(item))
        for path, item in found
        # pydantic counts only items without problems, so such a list also looks too short.
        if item["type"] != "too_short" or not any(other.startswith(f"{path}.") for other, _ in found)
    ]


def path_of(item: ErrorDetails) -> str:
    """Where it is, in Meta's JSON; the names of our unions (`<button>`) are left out."""
    return ".".join(str(step) for step in item["loc"] if not str(step).startswith("<"))


def _sentence(item: ErrorDetails) -> str:
    known = _SENTENCES.get(item["type"])
    if known is not None:
        return known(item.get("ctx", {}))
    text = item["msg"].removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."
