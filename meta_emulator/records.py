"""Records of the world: numbers, phones, messages, media, templates, sends, HTTP exchanges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from meta_emulator.exchange_subject import subject_of

Direction = Literal["in", "out"]


@dataclass(slots=True)
class BusinessNumber:
    """A phone number of the business."""

    id: str
    digits: str
    display: str
    verified_name: str
    account_id: str
    messages_per_second: int = 80
    quality_rating: str = "GREEN"
    status: str = "CONNECTED"
    registered: bool = True
    pin: str = ""
    test_recipients: frozenset[str] | None = None
    callback_override: str = ""
    profile: dict[str, Any] = field(default_factory=lambda: {"vertical": "OTHER"})
    blocked: set[str] = field(default_factory=set)
    settings: dict[str, Any] = field(default_factory=dict)
    identity_check: bool = False


@dataclass(slots=True)
class Phone:
    """A customer's phone. ``wa_id`` is its key; with ``number_hidden`` webhooks show only its ``user_id``.

    owned_by_other: ids of the business numbers whose conversation another responder owns.
    lane: key of its webhooks' order; it stays when the number changes.
    """

    wa_id: str
    name: str
    user_id: str
    parent_user_id: str = ""
    username: str = ""
    number_hidden: bool = False
    on_whatsapp: bool = True
    auto_deliver: bool = True
    auto_read: bool = False
    read_receipts: bool = True
    marketing: bool = True
    identity_hash: str = ""
    window_opened: dict[str, float] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    auto_created: bool = False
    owned_by_other: set[str] = field(default_factory=set)
    lane: str = ""

    def __post_init__(self) -> None:
        """Keep the first number as the lane."""
        self.lane = self.lane or self.wa_id

    def view(self) -> dict[str, Any]:
        """Return the phone for the control API."""
        return {
            "wa_id": self.wa_id,
            "name": self.name,
            "user_id": self.user_id,
            "parent_user_id": self.parent_user_id,
            "username": self.username,
            "number_hidden": self.number_hidden,
            "on_whatsapp": self.on_whatsapp,
            "auto_deliver": self.auto_deliver,
            "auto_read": self.auto_read,
            "read_receipts": self.read_receipts,
            "marketing": self.marketing,
            "identity_hash": self.identity_hash,
            "windows": {number_id: opened + 86400 for number_id, opened in self.window_opened.items()},
            "owned_by_other": sorted(self.owned_by_other),
        }


@dataclass(slots=True)
class Group:
    """A group of a business number; ``participants`` are wa_ids."""

    id: str
    number_id: str
    subject: str
    participants: list[str]

    def view(self) -> dict[str, Any]:
        """Return all fields."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Message:
    """One message between a business number and a phone; ``direction`` from the phone's side.

    content: Meta's object of this type. rendered: a template with its variables filled in.
    identity_hash: the phone's identity that the send required, if any.
    """

    id: str
    direction: Direction
    number_id: str
    wa_id: str
    type: str
    content: Any
    timestamp: float
    status: str
    context: dict[str, Any] | None = None
    opaque: str | None = None
    errors: list[dict[str, Any]] | None = None
    status_times: dict[str, float] = field(default_factory=dict)
    reactions: dict[str, str] = field(default_factory=dict)
    category: str = "service"
    conversation_id: str = ""
    rendered: dict[str, Any] | None = None
    priced: set[str] = field(default_factory=set)
    edited: bool = False
    revoked: bool = False
    free: bool = False
    media_id: str = ""
    received_at_event: int = 0
    group_id: str = ""
    identity_hash: str = ""
    participants: dict[str, dict[str, float]] = field(default_factory=dict)

    def view(self) -> dict[str, Any]:
        """Return the message for the control API: Meta's object plus status, times and reactions."""
        shown: dict[str, Any] = {
            "id": self.id,
            "direction": self.direction,
            "number_id": self.number_id,
            "wa_id": self.wa_id,
            "timestamp": self.timestamp,
            "type": self.type,
            self.type: self.content,
            "status": self.status,
            "status_times": dict(self.status_times),
        }
        if self.context:
            shown["context"] = self.context
        if self.errors:
            shown["errors"] = self.errors
        if self.reactions:
            shown["reactions"] = dict(self.reactions)
        if self.rendered:
            shown["rendered"] = self.rendered
        if self.media_id:
            shown["media_id"] = self.media_id
        if self.group_id:
            shown["group_id"] = self.group_id
            shown["participants"] = {wa_id: dict(times) for wa_id, times in self.participants.items()}
        if self.edited:
            shown["edited"] = True
        if self.revoked:
            shown["revoked"] = True
        return shown


@dataclass(slots=True)
class Media:
    """A media file, uploaded by the business or sent by a phone (reference 4.1)."""

    id: str
    mime_type: str
    content: bytes
    sha256: str
    owner_number_id: str
    expires: float
    filename: str = ""


@dataclass(slots=True)
class Template:
    """A message template in one language (reference 3); ``source``: its origin, "" if a user created it."""

    id: str
    name: str
    language: str
    category: str
    status: str
    components: list[dict[str, Any]]
    parameter_format: str = "POSITIONAL"
    rejected_reason: str = "NONE"
    quality: str = "UNKNOWN"
    previous_category: str = ""
    ttl_seconds: int | None = None
    source: str = ""
    created: float = 0.0
    edited_at: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Upload:
    """An unfinished resumable upload (reference 4.6)."""

    id: str
    file_name: str
    file_type: str
    length: int
    content: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class SendAttempt:
    """One POST to ``/messages`` and its outcome.

    outcome: ``accepted``, ``refused`` (Meta's error), ``fault`` (a planned failure, not accepted) or
    ``answer_lost`` (accepted, but the caller got no response).
    """

    n: int
    at: float
    number_id: str
    to: str
    wa_id: str
    type: str
    outcome: str
    http_status: int
    wamid: str | None = None
    code: int | None = None
    opaque: str | None = None
    fault: str | None = None
    content: Any = None
    digest: str = ""

    def view(self) -> dict[str, Any]:
        """Return the attempt for ``GET /_emulator/seen``."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Exchange:
    """One HTTP exchange in either direction; tokens are replaced by ``$TOKEN``."""

    id: int
    kind: Literal["graph", "webhook", "handshake"]
    at: float
    method: str
    url: str
    request_headers: dict[str, str]
    request_body: str
    status: int
    response_body: str
    milliseconds: float
    message_ids: tuple[str, ...] = ()
    note: str = ""

    def view(self) -> dict[str, Any]:
        """Return all fields."""
        return {name: getattr(self, name) for name in self.__slots__}

    def summary(self) -> dict[str, Any]:
        """Return the exchange without bodies and headers, with its subject."""
        names = ("id", "kind", "at", "method", "url", "status", "milliseconds", "message_ids", "note")
        return {name: getattr(self, name) for name in names} | {"subject": subject_of(self.kind, self.request_body)}
