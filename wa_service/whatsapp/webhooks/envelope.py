"""Split a webhook delivery into events without parsing their contents, fast enough for the hot path.

A delivery has entries, each with changes; a change of the field `messages` has messages, statuses, errors and user
actions, any other change is one management event (reference 5.4). `walk` yields each event as a `Piece` with the
addresses it concerns. It never raises: an invalid part becomes a piece of kind `malformed`, without effect on others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from wa_service.whatsapp.webhooks.history import HISTORY_FIELD, threads, without_threads
from wa_service.whatsapp.webhooks.identity import KnownContacts, address_of, group_of_status
from wa_service.whatsapp.webhooks.json_fields import FRAME_KEYS, id_of, items_of, seconds_of, text_of
from wa_service.whatsapp.webhooks.management_events import MANAGEMENT_FIELDS
from wa_service.whatsapp.webhooks.thread_events import (
    ECHO_FIELDS,
    HANDOVER_FIELD,
    STANDBY_FIELD,
    beside_messages,
    identity_in_thread,
    thread_items,
)

PieceKind: TypeAlias = Literal[
    "message", "status", "error", "user_action", "management", "echo", "standby", "handover", "history", "malformed"
]

OBJECT: Final = "whatsapp_business_account"

MESSAGE_TYPES: Final = frozenset(
    [
        "text",
        "image",
        "audio",
        "video",
        "document",
        "sticker",
        "location",
        "contacts",
        "reaction",
        "button",
        "interactive",
        "order",
        "system",
        "edit",
        "revoke",
        "unsupported",
        "unknown",
        "request_welcome",
    ]
)
"""The types of reference 5.6."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One event of a delivery, not yet parsed.

    `id`: message id or a status's wamid. `timestamp`, `entry_time`: Unix seconds, 0 unknown. `phone_number_id`: ours,
    "" unknown; `display_phone_number`: as customers see it. `addresses`: whom it concerns, best first (see
    `message_addresses`). `contact`: Meta's contact that belongs to it. `raw`: Meta's own object, unchanged (any value
    if malformed, with the `reason`).
    """

    kind: PieceKind
    field: str
    waba_id: str
    phone_number_id: str
    id: str
    timestamp: int
    addresses: tuple[str, ...]
    contact: dict[str, Any] | None
    raw: Any
    reason: str
    entry_time: int
    display_phone_number: str = ""

    @classmethod
    def restore(cls, fields: Mapping[str, Any]) -> Piece:
        """Return the piece whose fields were stored as JSON by `orjson.dumps(piece)`."""
        return cls(**{**fields, "addresses": tuple(fields["addresses"])})

    @property
    def label(self) -> str:
        """A metric label from a bounded set: a message type, a management field or the kind."""
        if self.kind == "message":
            type_ = self.raw.get("type")
            return type_ if isinstance(type_, str) and type_ in MESSAGE_TYPES else "unsupported"
        if self.kind == "management":
            return self.field if self.field in MANAGEMENT_FIELDS else "other"
        return self.kind


def is_delivery(obj: object) -> bool:
    """Whether this is the envelope of a WhatsApp webhook (5.4), and not of another product of Meta."""
    return isinstance(obj, dict) and obj.get("object") == OBJECT and isinstance(obj.get("entry"), list)


def walk(delivery: object) -> Iterator[Piece]:
    """Yield every event of a delivery in order; invalid parts do not affect others. Never raises."""
    entries = delivery.get("entry") if isinstance(delivery, dict) else None
    if not isinstance(entries, list):
        return
    for entry in entries:
        if not isinstance(entry, dict):
            yield _malformed(_Origin("", "", "", 0), entry, "the entry is not an object")
            continue
        waba_id, entry_time = id_of(entry, "id"), seconds_of(entry.get("time"))
        changes = entry.get("changes")
        if not isinstance(changes, list):
            yield _malformed(_Origin("", waba_id, "", entry_time), entry, "changes is not a list")
            continue
        for change in changes:
            yield from _walk_change(change, waba_id, entry_time)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where in the delivery an event was found."""

    field: str
    waba_id: str
    phone_number_id: str
    entry_time: int
    display_phone_number: str = ""


def _walk_change(change: object, waba_id: str, entry_time: int) -> Iterator[Piece]:
    field = change.get("field") if isinstance(change, dict) else None
    if not isinstance(change, dict) or not isinstance(field, str) or not field:
        yield _malformed(_Origin("", waba_id, "", entry_time), change, "the change has no field")
        return
    value = change.get("value")
    if not isinstance(value, dict):
        yield _malformed(_Origin(field, waba_id, "", entry_time), change, "value is not an object")
        return
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    phone_number_id, shown = id_of(metadata, "phone_number_id"), id_of(metadata, "display_phone_number")
    origin = _Origin(field, waba_id, phone_number_id, entry_time, shown)
    if field == "messages":
        yield from _walk_value(value, origin)
    elif field in ECHO_FIELDS or field in (STANDBY_FIELD, HANDOVER_FIELD):
        yield from _walk_thread(value, origin)
    elif field == HISTORY_FIELD:
        yield from _walk_history(value, origin)
    else:
        yield _piece("management", origin, raw=value, timestamp=entry_time)


def _walk_history(value: dict[str, Any], origin: _Origin) -> Iterator[Piece]:
    found = list(threads(value, origin.display_phone_number))
    for customer, metadata, messages in found:
        raw = {"thread": customer, "metadata": metadata, "messages": messages}
        yield _piece("history", origin, raw=raw, timestamp=origin.entry_time, addresses=_distinct([customer]))
    if rest := without_threads(value) if found else value:
        yield _piece("management", origin, raw=rest, timestamp=origin.entry_time)


def _walk_thread(value: dict[str, Any], origin: _Origin) -> Iterator[Piece]:
    items = list(thread_items(origin.field, value))
    beside = beside_messages(origin.field, value) if origin.field != HANDOVER_FIELD else {}
    if beside:
        yield from _walk_value(beside, origin, messages_beside=len(items))
    if origin.field == HANDOVER_FIELD and not origin.phone_number_id and isinstance(value.get("recipient"), dict):
        origin = replace(origin, phone_number_id=id_of(value["recipient"], "phone_number_id"))
    for kind, raw, contact in items:
        identity = identity_in_thread(kind, raw, contact) if isinstance(raw, dict) else None
        addresses = (*identity.numbers, *identity.user_ids) if identity else ()
        if identity and identity.group_id:
            addresses = (identity.group_id,)
        if not addresses:
            yield _malformed(origin, raw, "the event of a thread names no customer")
            continue
        yield _piece(
            kind,
            origin,
            raw=raw,
            id_=id_of(raw, "id"),
            timestamp=seconds_of(raw.get("timestamp")),
            addresses=addresses,
            contact=contact,
        )
    if not items and not beside:
        yield _piece("management", origin, raw=value, timestamp=origin.entry_time)


def _walk_value(value: dict[str, Any], origin: _Origin, *, messages_beside: int = 0) -> Iterator[Piece]:
    """Yield the events of a value; `messages_beside`: how many messages have been taken out of it."""
    known = KnownContacts(value.get("contacts"))
    lists = [(key, read, items_of(value[key])) for key, read in _LISTS if value.get(key) is not None]
    # A single contact belongs to a single event even if their numbers differ (5.4: Brazil, Mexico).
    of_persons = messages_beside + sum(len(items) for key, _, items in lists if key != "errors")
    only = known.listed[0] if len(known.listed) == of_persons == 1 else None
    for key, read, items in lists:
        if not isinstance(value[key], list | dict):
            yield _malformed(origin, {key: value[key]}, f"{key} is not a list")
            continue
        for item in items:
            if isinstance(item, dict):
                yield read(item, known, only, origin)
            else:
                yield _malformed(origin, item, f"an item of {key} is not an object")
    # An action does not name its customer: of several contacts it is not known whose it is.
    has_open_contacts = len(known.listed) > 1 and bool(items_of(value.get("user_actions")))
    if value.keys() - _KNOWN_KEYS or not lists or has_open_contacts:  # unknown: pass it on as it is
        rest = {key: part for key, part in value.items() if key not in _LIST_KEYS or part is None}
        yield _piece("management", origin, raw=rest, timestamp=origin.entry_time)


_Contact: TypeAlias = dict[str, Any] | None


def _message(item: dict[str, Any], known: KnownContacts, only: _Contact, origin: _Origin) -> Piece:
    contact = only or known.of(address_of(item.get("from")), id_of(item, "from_user_id"))
    addresses = message_addresses(item, contact)
    id_ = id_of(item, "id")
    if not id_:
        return _malformed(origin, item, "the message has no id", addresses=addresses)
    if not addresses:
        return _malformed(origin, item, "the message has no sender", id_=id_)
    return Piece(
        "message",
        origin.field,
        origin.waba_id,
        origin.phone_number_id,
        id_,
        seconds_of(item.get("timestamp")),
        addresses,
        contact,
        item,
        "",
        origin.entry_time,
        origin.display_phone_number,
    )


def message_addresses(message: Mapping[str, Any], contact: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the addresses under which an inbound message's conversation may be known, best first.

    For a group message only the group. Else the number (`from`, then the contact's `wa_id`), the business-scoped user
    ids, new ones after a change, and last the parent ids (2.9, 5.6).
    """
    group_id = address_of(message.get("group_id"))
    if group_id:
        return (group_id,)
    beside = contact or {}
    found: list[object] = [message.get("from"), beside.get("wa_id"), message.get("from_user_id"), beside.get("user_id")]
    parents: list[object] = [message.get("from_parent_user_id"), beside.get("parent_user_id")]
    system = message.get("system")
    if isinstance(system, dict) and message.get("type") == "system":
        found += [system.get("customer"), system.get("wa_id"), system.get("new_wa_id"), system.get("user_id")]
        found.append(system.get("previous_user_id"))
        parents += [system.get("parent_user_id"), system.get("previous_parent_user_id")]
    return _distinct([*found, *parents])


def _status(item: dict[str, Any], known: KnownContacts, only: _Contact, origin: _Origin) -> Piece:
    id_ = id_of(item, "id")
    contact = (
        only
        or known.of(address_of(item.get("recipient_id")), id_of(item, "recipient_user_id"))
        or known.of(address_of(item.get("recipient_participant_id")), id_of(item, "recipient_participant_user_id"))
    )
    if not id_ or not text_of(item, "status"):
        return _malformed(origin, item, "the status has no id or no status", id_=id_)
    return _piece(
        "status",
        origin,
        raw=item,
        id_=id_,
        timestamp=seconds_of(item.get("timestamp")),
        contact=contact,
        addresses=_status_addresses(item, contact),
    )


def _status_addresses(item: Mapping[str, Any], contact: Mapping[str, Any] | None) -> tuple[str, ...]:
    if group := group_of_status(item):
        return (group,)
    beside = contact or {}
    return _distinct(
        [
            item.get("recipient_id"),
            beside.get("wa_id"),
            item.get("recipient_user_id"),
            beside.get("user_id"),
            # Meta's page and the SDKs disagree on this name (5.7).
            item.get("parent_recipient_user_id"),
            item.get("recipient_parent_user_id"),
            beside.get("parent_user_id"),
        ]
    )


def _error(item: dict[str, Any], known: KnownContacts, only: _Contact, origin: _Origin) -> Piece:
    del known
    return _piece("error", origin, raw=item, timestamp=origin.entry_time, contact=only)


def _user_action(item: dict[str, Any], known: KnownContacts, only: _Contact, origin: _Origin) -> Piece:
    contact = only or (known.listed[0] if len(known.listed) == 1 else None)
    beside = contact or {}
    return _piece(
        "user_action",
        origin,
        raw=item,
        timestamp=seconds_of(item.get("timestamp")),
        contact=contact,
        addresses=_distinct([beside.get("wa_id"), beside.get("user_id"), beside.get("parent_user_id")]),
    )


_Reader: TypeAlias = Callable[[dict[str, Any], KnownContacts, _Contact, _Origin], Piece]

_LISTS: Final[tuple[tuple[str, _Reader], ...]] = (
    ("messages", _message),
    ("statuses", _status),
    ("errors", _error),
    ("user_actions", _user_action),
)
_LIST_KEYS: Final = frozenset(key for key, _ in _LISTS)
_KNOWN_KEYS: Final = _LIST_KEYS | FRAME_KEYS


def _piece(
    kind: PieceKind,
    origin: _Origin,
    *,
    raw: object,
    id_: str = "",
    timestamp: int = 0,
    addresses: tuple[str, ...] = (),
    contact: _Contact = None,
    reason: str = "",
) -> Piece:
    return Piece(
        kind,
        origin.field,
        origin.waba_id,
        origin.phone_number_id,
        id_,
        timestamp,
        addresses,
        contact,
        raw,
        reason,
        origin.entry_time,
        origin.display_phone_number,
    )


def _malformed(origin: _Origin, raw: object, reason: str, *, id_: str = "", addresses: tuple[str, ...] = ()) -> Piece:
    return _piece("malformed", origin, raw=raw, id_=id_, addresses=addresses, reason=reason)


def _distinct(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for value in values if (address := address_of(value))))
