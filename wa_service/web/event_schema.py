"""The schema of `GET /v1/events`: one for each kind of event, each with an example.

The events are written by the store's steps and by `push/event_form.py`. A test creates one of each kind and validates
it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import models_json_schema

from wa_service.store.stops import StopSource
from wa_service.web.message_schema import REF, Schema

At = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
MetaObject = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
"""As Meta sent it."""


class _Data(BaseModel):
    """A later version may add fields."""

    model_config = ConfigDict(extra="allow")


class MessageEvent(_Data):
    """A message and its sender. `message` is Meta's own object, with `left_out` where large values are left out."""

    id: str
    type: str | None = None
    timestamp: At | None = Field(description="When it was written, according to Meta.")
    name: str | None = Field(description="The customer's profile name.")
    username: str | None = Field(default=None, description="The customer's WhatsApp username, if Meta names one.")
    addresses: list[str]
    message: MetaObject
    stale: Literal[True] | None = Field(default=None, description="It arrived too late to be answered.")


class TranscriptEvent(_Data):
    """A voice note was transcribed. `transcript` is "" if it has no words."""

    message_id: str
    transcript: str
    confidence: float | None = None
    understood: bool


class EventError(_Data):
    """Why a send failed: Meta's code and text, or a reason of ours; `advice` says what to do."""

    reason: str | None = Field(default=None, description="The kind of failure: `recipient`, `template`, …")
    code: int | None = None
    subcode: int | None = None
    title: str | None = None
    details: str | None = None
    advice: str | None = None
    fbtrace_id: str | None = Field(default=None, description="Meta's id of the call that failed.")
    http_status: int | None = Field(default=None, description="The HTTP status of Meta's answer.")


class SendEvent(_Data):
    """A send of this service was accepted by Meta, failed, was canceled, is unknown, or waits because Meta paused its
    template or cannot send it yet (`scheduled`, with `held`).
    """

    id: str
    status: str
    time: At
    to: str | None
    message_type: str | None = None
    tag: str | None = None
    held: str | None = Field(default=None, description="Why it waits, or why Meta holds it.")
    error: EventError | None = None
    biz_opaque_callback_data: str | None = None


class StatusEvent(SendEvent):
    """Meta reported a send's status, or with `type` that of the payment or call that belongs to it."""

    wamid: str | None = None
    pricing: Any = None
    conversation: Any = Field(default=None, description="Meta's conversation, up to webhook version v23.0.")
    type: str | None = None
    participant: str | None = Field(default=None, description="In a group: whose status it is.")


class ForeignStatusEvent(_Data):
    """Meta reported the status of a message that another system sent from the number; it has no record here."""

    status: str
    time: At
    to: str | None
    error: EventError | None = None
    wamid: str | None = None
    pricing: Any = None
    conversation: Any = Field(default=None, description="Meta's conversation, up to webhook version v23.0.")
    biz_opaque_callback_data: str | None = Field(default=None, description="What the other system sent with it.")
    type: str | None = Field(default=None, description="As in `status`: `payment` or `call`.")
    participant: str | None = Field(default=None, description="In a group: whose status it is.")


class ManagementEventData(_Data):
    """Meta reported a change of an account, a number or a template; `field` is Meta's."""

    field: str
    waba_id: str | None = None
    phone_number_id: str | None = None
    timestamp: At | None = None
    contact: Any = Field(default=None, description="Meta's contact of the customer, if it names one (`user_action`).")
    value: Any


class HistoryEvent(_Data):
    """Earlier messages of a thread, as Meta sends them."""

    thread: str
    metadata: Any = None
    messages: list[Any]


class ErasedEvent(_Data):
    """A person was erased: erase your copy, too. `addresses` are SHA-256 digests, as hex."""

    addresses: list[str]


class PauseEvent(_Data):
    """The responder is paused in this conversation."""

    reason: str = Field(description="`handover`, `responder` or `reply-limit`.")
    until: At
    note: str | None = None


class StopEvent(_Data):
    """A customer wants no marketing, or wants it again."""

    marketing: Literal["stopped", "started"]
    by: StopSource = Field(description="`words` of a message, Meta's menu, a refused send (131050), REST or an import.")
    time: At


class BatchEvent(_Data):
    """A batch was paused, resumed or canceled, or is done."""

    id: str
    state: str
    reason: str | None = None
    tag: str | None = None
    total: int


class PushEvent(_Data):
    """A subscription was paused, because it failed for five days or answered 410."""

    subscription: str
    state: Literal["paused"]
    reason: Literal["failing", "gone"]
    last_answer: str


class ConsoleEvent(_Data):
    """Somebody changed something in the console; `key` is the API key's name."""

    key: str | None = None
    action: str


class UnreadableEvent(_Data):
    """Stored by another version in a format that this one cannot read."""


_WAMID: Final = "wamid.HBgMNDQ3NzAwOTAwMTIz"
_AT: Final = "2026-11-28T09:30:00.000Z"
_TEXT: Final = {
    "id": _WAMID,
    "type": "text",
    "timestamp": _AT,
    "name": "Ana",
    "addresses": ["447700900123"],
    "message": {"id": _WAMID, "from": "447700900123", "type": "text", "text": {"body": "Is breakfast included?"}},
}
_SENT: Final = {
    "id": "1f0c",
    "status": "accepted",
    "time": _AT,
    "to": "447700900123",
    "message_type": "template",
    "tag": "may-offer",
    "error": None,
    "biz_opaque_callback_data": None,
}
_FAILED: Final = {
    "reason": "recipient",
    "code": 131026,
    "subcode": None,
    "title": "Message undeliverable",
    "details": None,
    "advice": "Reach the customer another way.",
}

EVENT_KINDS: Final[dict[str, tuple[type[_Data], dict[str, Any]]]] = {
    "message": (MessageEvent, _TEXT),
    "transcript": (
        TranscriptEvent,
        {"message_id": _WAMID, "transcript": "what time is breakfast", "confidence": 0.91, "understood": True},
    ),
    "send": (SendEvent, _SENT),
    "status": (
        StatusEvent,
        _SENT | {"status": "failed", "error": _FAILED, "wamid": _WAMID, "pricing": {"category": "marketing"}},
    ),
    "foreign_status": (
        ForeignStatusEvent,
        {"status": "failed", "time": _AT, "to": "447700900123", "error": _FAILED, "wamid": _WAMID, "pricing": None},
    ),
    "management": (
        ManagementEventData,
        {
            "field": "message_template_status_update",
            "waba_id": "200000000000001",
            "phone_number_id": "",
            "timestamp": _AT,
            "value": {"event": "PAUSED", "message_template_name": "may_offer"},
        },
    ),
    "echo": (MessageEvent, _TEXT),
    "standby": (MessageEvent, _TEXT),
    "handover": (MessageEvent, _TEXT | {"id": "", "type": None}),
    "history": (HistoryEvent, {"thread": "447700900123", "metadata": {"phase": 0}, "messages": [{"id": _WAMID}]}),
    "erased": (ErasedEvent, {"addresses": ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]}),
    "pause": (PauseEvent, {"reason": "handover", "until": _AT, "note": "wants to complain"}),
    "stop": (StopEvent, {"marketing": "stopped", "by": "words", "time": _AT}),
    "batch": (BatchEvent, {"id": "b7", "state": "done", "reason": None, "tag": "may-offer", "total": 200}),
    "push": (
        PushEvent,
        {"subscription": "sub_4f0c8a1b2d3e4f50", "state": "paused", "reason": "gone", "last_answer": "410"},
    ),
    "console": (ConsoleEvent, {"key": "ana", "action": "reply"}),
    "unreadable": (UnreadableEvent, {}),
}
"""The model of each kind's `data`, and an example."""


def event_schemas() -> dict[str, Schema]:
    """Return the components: `EventItem` as one of the kinds, and the kinds' `data`."""
    models = list(dict.fromkeys(model for model, _ in EVENT_KINDS.values()))
    _, generated = models_json_schema([(model, "serialization") for model in models], ref_template=REF)
    schemas: dict[str, Schema] = generated["$defs"]
    variants: dict[str, str] = {}
    for kind, (model, example) in EVENT_KINDS.items():
        name = item_name(kind)
        variants[kind] = REF.format(model=name)
        schemas[name] = _item(kind, model, example)
    schemas["EventItem"] = {
        "title": "EventItem",
        "description": "One event; `kind` says what `data` holds.",
        "oneOf": [{"$ref": reference} for reference in variants.values()],
        "discriminator": {"propertyName": "kind", "mapping": variants},
    }
    return schemas


def item_name(kind: str) -> str:
    """Return the name of a kind's component."""
    return f"{kind.title().replace('_', '')}Item"


def _item(kind: str, model: type[BaseModel], example: dict[str, Any]) -> Schema:
    has_no_customer = kind in {"management", "erased", "batch", "push", "unreadable", "console"}
    contact = None if has_no_customer else "447700900123"
    return {
        "title": item_name(kind),
        "description": (model.__doc__ or "").strip(),
        "type": "object",
        "properties": {
            "cursor": {"type": "string", "description": "The event's position: give it as `after`."},
            "kind": {"const": kind},
            "time": {"type": "string", "format": "date-time", "description": "When it was stored."},
            "phone_number_id": {"type": ["string", "null"], "description": "Our number."},
            "contact": {"type": ["string", "null"], "description": "The customer's current address."},
            "data": {"$ref": REF.format(model=model.__name__)},
        },
        "required": ["cursor", "kind", "time", "phone_number_id", "contact", "data"],
        "examples": [
            {
                "cursor": "1795858200000-0",
                "kind": kind,
                "time": _AT,
                "phone_number_id": None if has_no_customer else "100000000000001",
                "contact": contact,
                "data": example,
            }
        ],
    }
