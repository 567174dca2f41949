"""Queries and forms of the control API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from meta_emulator.phone_actions import MediaType
from meta_emulator.property_check import ObjectId, Seconds

_Flag = Literal["0", "1"]
_Count = Annotated[int, Field(ge=0, le=10**9)]


class Query(BaseModel):
    """Parameters of a query, or fields of a form; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore")


class ConversationsQuery(Query):
    """How many conversations."""

    limit: _Count = 200


class MessagesQuery(Query):
    """The cursor after which messages are wanted, and how long to wait for one."""

    after: _Count | None = None
    wait: Seconds = 0.0


class SeenQuery(Query):
    """Which sends are wanted."""

    wa_id: str = ""
    after: _Count = 0
    limit: _Count = 1000
    outcome: str = ""


class ExchangesQuery(Query):
    """Which exchanges are wanted, and whether with headers and bodies."""

    message: str = ""
    kind: str = ""
    full: _Flag = "0"


class SettlingQuery(Query):
    """How long to wait at most, and how long all must have been quiet."""

    timeout: Seconds | None = None
    quiet: Seconds | None = None


class RecordingQuery(Query):
    """Whether texts stay as they are."""

    texts: _Flag = "0"


class UploadForm(Query):
    """A file for the media of a number."""

    phone_number_id: ObjectId | None = None


class FileForm(UploadForm):
    """A file that a phone sends; ``context`` is the id of the message that it quotes."""

    type: MediaType | None = None
    caption: str = ""
    voice: Literal["true", "false"] = "false"
    context: str = ""
