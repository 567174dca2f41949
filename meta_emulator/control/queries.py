"""Query parameters and forms of the control API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from meta_emulator.phone_actions import MediaType
from meta_emulator.property_check import ObjectId, Seconds

_Flag = Literal["0", "1"]
_Count = Annotated[int, Field(ge=0, le=10**9)]


class Query(BaseModel):
    """Query parameters or form fields; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore")


class ConversationsQuery(Query):
    """How many conversations."""

    limit: _Count = 200


class MessagesQuery(Query):
    """The cursor after which to return messages, and how long to wait for one."""

    after: _Count | None = None
    wait: Seconds = 0.0


class SeenQuery(Query):
    """Which sends to return."""

    wa_id: str = ""
    after: _Count = 0
    limit: _Count = 1000
    outcome: str = ""


class ExchangesQuery(Query):
    """Which exchanges to return, and whether with headers and bodies."""

    message: str = ""
    kind: str = ""
    full: _Flag = "0"


class SettlingQuery(Query):
    """The maximum wait, and how long everything must have been quiet."""

    timeout: Seconds | None = None
    quiet: Seconds | None = None


class RecordingQuery(Query):
    """Whether to keep texts."""

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
