"""Files in outbound messages: by Meta's id or by a public link (reference 2.3)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from wa_service.whatsapp.outbound.graph_values import Flag, Id
from wa_service.whatsapp.outbound.message_part import MessagePart

Caption = Annotated[str, Field(max_length=1024)]
Link = Annotated[str, Field(pattern=r"^[hH][tT][tT][pP][sS]?://\S+$")]


class MediaObject(MessagePart):
    """A file by Meta's `id` or by a public `link`, exactly one of them (2.3)."""

    id: Id | None = None
    link: Link | None = None

    @model_validator(mode="after")
    def _one_source(self) -> MediaObject:
        if (self.id is None) == (self.link is None):
            raise ValueError("Give exactly one of id and link.")
        return self


class CaptionedMedia(MediaObject):
    """An image or video with a caption."""

    caption: Caption | None = None


class DocumentMedia(CaptionedMedia):
    """A document; its `filename` determines the icon."""

    filename: str | None = Field(default=None, min_length=1, max_length=240)

    @field_validator("filename", mode="before")
    @classmethod
    def _one_name(cls, value: object) -> object:
        """Remove folders and control characters, which the customer's phone would show or refuse.

        If nothing is left, return None.
        """
        if not isinstance(value, str):
            return value
        name = value.replace("\\", "/").rpartition("/")[2]
        return "".join(mark for mark in name if mark.isprintable()).strip() or None


class AudioMedia(MediaObject):
    """Audio; `voice` makes it a voice note, which must be OGG with OPUS, mono."""

    voice: Flag | None = None
