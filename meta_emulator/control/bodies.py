"""JSON bodies of the control API, for validation and for its OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from meta_emulator.faults import FaultProperties
from meta_emulator.limits import LimitSettings
from meta_emulator.property_check import Between, ObjectId, PhoneNumber, Properties, Seconds, TextOrWhole, UserId
from meta_emulator.template_review import TemplateStatus

_Text = Annotated[str, Field(min_length=1)]
_ErrorCode = Annotated[int, Between(0, 10**9)]
_Timestamp = Annotated[str, TextOrWhole("^[0-9]{0,12}$", 0, "seconds since 1970")]
_MessageType = Annotated[str, Field(pattern="^[a-z][a-z_]{0,49}$")]
_Threads = dict[str, list[dict[str, Any] | str] | Annotated[int, Between(0, 10_000)]]
_DECLINED: dict[str, Any] = {"required": ["declined"], "properties": {"declined": {"const": True}}}
_Status = Literal["sent", "delivered", "read", "played", "failed"]


class Numbered(Properties):
    """A business number, by default the first."""

    phone_number_id: ObjectId | None = None


class Advance(Properties):
    """How far to advance the clock."""

    advance: Seconds = 0


class Reset(Properties):
    """The webhook URL after a reset, empty for none; without it the URL stays."""

    callback_url: str | None = None


class TokenState(Properties):
    """The state of the access token."""

    state: Literal["valid", "expired", "revoked", "uninstalled", "malformed"] = "valid"


class Secrets(Properties):
    """Secrets to change."""

    app_secret: _Text = ""
    access_token: _Text = ""
    verify_token: _Text = ""


class LimitChanges(LimitSettings, frozen=True):
    """Limits to change; ``all`` changes every one except ``daily``."""

    all: bool = False


class Refusal(Properties):
    """How long to refuse connections."""

    seconds: Seconds = 1.0


class Settling(Properties):
    """The maximum wait, and how long everything must have been quiet."""

    timeout: Seconds = 10.0
    quiet: Seconds = 0.0


class SeveralFaults(Properties):
    """Failures to plan."""

    faults: list[FaultProperties]


class InboundMessage(Numbered):
    """Meta's message object of any type; ``from`` is left out, ``id`` and ``timestamp`` may be."""

    model_config = ConfigDict(extra="allow")

    type: _MessageType = "text"
    id: str = ""
    timestamp: _Timestamp = ""
    context: dict[str, Any] | None = None
    group_id: str = ""

    def message(self) -> dict[str, Any]:
        """Return Meta's object."""
        return self.model_dump(exclude={"phone_number_id"}, exclude_unset=True)


class About(Properties):
    """A message of the conversation."""

    message_id: str


class Edit(About):
    """The new text of a message."""

    text: str


class Press(About):
    """A button: its position from 0, its id or payload, or its text."""

    button: str | Annotated[int, Between(0)]


class Pick(About):
    """A row of a list: its id or title."""

    row: Annotated[str, TextOrWhole("", 0, "an id or a title")]


class Reaction(About):
    """An emoji, empty to remove the reaction."""

    emoji: str


class StatusChange(About):
    """A status, with the error of a failure."""

    status: _Status
    code: _ErrorCode = 131026
    details: str = "Message Undeliverable."


class GroupStatusChange(About):
    """A participant's status."""

    wa_id: PhoneNumber
    status: _Status
    code: _ErrorCode = 131026


class HangUp(Properties):
    """The end of a call."""

    call_id: str
    seconds: Seconds = 0.0
    status: _Text = "COMPLETED"


class Preference(Numbered):
    """The customer's choice about marketing messages."""

    value: Literal["stop", "resume"]


class Read(Properties):
    """Messages to mark as read, by default all."""

    message_ids: list[str] | None = None


class Ownership(Numbered):
    """Who owns the conversation."""

    owner: Literal["us", "other"]
    previous_role: str = ""
    new_role: str = ""


class History(Numbered):
    """A chunk of chat history: messages by wa_id, or how many to generate; or that sharing was declined."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["threads"]}, _DECLINED]})

    threads: Annotated[_Threads, Field(min_length=1)] = Field(default_factory=dict)
    phase: Annotated[int, Between(0, 2)] = 0
    chunk_order: Annotated[int, Between(0, 10**9)] = 1
    progress: Annotated[int, Between(0, 100)] = 100
    declined: bool = False

    @model_validator(mode="after")
    def _has_something(self) -> History:
        if not self.threads and not self.declined:
            raise ValueError("threads is missing")
        return self


class AddressBook(Numbered):
    """Phones as contacts, by default all."""

    wa_ids: list[PhoneNumber] = Field(default_factory=list)
    action: Literal["add", "remove"] = "add"


class NewGroup(Numbered):
    """A group."""

    subject: str = "Group"
    participants: list[PhoneNumber] = Field(default_factory=list)
    id: str = ""


class NumberChange(Numbered):
    """A phone's new number."""

    wa_id: PhoneNumber
    user_id: UserId = ""
    announce: Literal["system", "legacy", "none"] = "system"
    include_from: bool = True


class UserIdChange(Numbered):
    """A phone's new user id."""

    user_id: UserId = ""
    parent_user_id: UserId = ""
    announce: Literal["system", "user_id_update", "none"] = "system"


class TemplateDecision(Properties):
    """A template's new status."""

    status: TemplateStatus
    reason: str = "NONE"


class Callback(Properties):
    """The app's webhook URL, empty for none."""

    url: str = ""


class Handshake(Properties):
    """Where to send the verification request, and with which token."""

    url: str = ""
    verify_token: str | None = None


class _Post(Properties):
    signature: Literal["good", "wrong", "none"] = "good"


class PayloadPost(_Post):
    """A whole envelope."""

    payload: dict[str, Any]
    other_bytes: bool = False


class RawPost(_Post):
    """A raw body."""

    raw: str


class Change(Numbered):
    """A webhook's field and value."""

    field: str
    value: dict[str, Any]
    customer: str = ""
