"""What the REST API's routes take in path, query and small bodies."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool

from wa_service.web.cached_schema import Described
from wa_service.web.event_feed import LONGEST_POLL

Number = Annotated[
    str | None, Field(alias="from", max_length=64, description="Our phone number id; the first one where left out.")
]


class MessagePath(Described):
    """Which message."""

    id: str = Field(max_length=1024, description="Our id of the message, or Meta's (`wamid.…`).")


class WamidPath(Described):
    """Which message of a customer's."""

    wamid: str = Field(pattern=r"^wamid\.[A-Za-z0-9+/=_-]{1,512}$", description="Meta's id of a customer's message.")


class MediaPath(Described):
    """Which file."""

    id: str = Field(max_length=256, description="Meta's media id.")


class ContactPath(Described):
    """Which customer."""

    id: str = Field(max_length=256, description="A phone number, a business-scoped user id or a group's id.")


class LetterPath(Described):
    """Which dead letter."""

    id: str = Field(max_length=256, description="The dead letter's id.")


class NumberQuery(Described):
    """Through which of our numbers."""

    from_: Number = None


class EventQuery(Described):
    """Which events."""

    after: str = Field(
        default="",
        pattern=r"^([0-9]{1,19}-[0-9]{1,19}|0|latest)?$",
        description="The `next` of the page before; left out: from the oldest; `latest`: only what is to come.",
    )
    wait: float = Field(
        default=0.0, ge=0, le=LONGEST_POLL, allow_inf_nan=False, description="Seconds to wait for the first event."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="At most so many.")


class LetterQuery(Described):
    """Which page of dead letters."""

    after: str = Field(
        default="", pattern=r"^([0-9]{1,15}-[0-9a-f]{1,64})?$", description="The `next` of the page before."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="At most so many.")


class ReadMark(Described):
    """How to mark a customer's message as read."""

    model_config = ConfigDict(extra="forbid")

    typing: StrictBool = Field(default=False, description="Show that an answer is coming, for up to 25 s.")
    from_: Number = None
