"""Thread events: messages of staff in the app, and threads that another application owns.

`smb_message_echoes`: messages of staff from the WhatsApp Business app (5.10). `standby`: events while another
application owns the thread, nested; statuses in it may be of our own sends. `messaging_handovers`: a thread was passed
to us, or taken from us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from wa_service.whatsapp.webhooks.identity import Identity, address_of, contact_of, identity_of_message
from wa_service.whatsapp.webhooks.json_fields import FRAME_KEYS, id_of, items_of

ThreadKind: TypeAlias = Literal["echo", "standby", "handover"]
Owner: TypeAlias = Literal["us", "other", ""]

ECHO_FIELDS: Final = frozenset({"smb_message_echoes", "message_echoes"})
STANDBY_FIELD: Final = "standby"
HANDOVER_FIELD: Final = "messaging_handovers"
THREAD_KINDS: Final = frozenset({"echo", "standby", "handover"})


_MESSAGES: Final = frozenset({"messages", "message_echoes"})


class ThreadItem(NamedTuple):
    """One event of a thread: Meta's object, and the contact that belongs to it."""

    kind: ThreadKind
    raw: Any
    contact: dict[str, Any] | None = None


def thread_items(field: str, value: Mapping[str, Any]) -> Iterator[ThreadItem]:
    """Yield the events in a change of one of these fields, without statuses."""
    if field == HANDOVER_FIELD:
        yield ThreadItem("handover", value)
    elif field in ECHO_FIELDS:
        yield from (ThreadItem("echo", echo) for echo in items_of(value.get("message_echoes")))
    else:
        nested = value.get(STANDBY_FIELD)
        inside = nested if isinstance(nested, dict) else {}
        contacts = [contact for contact in items_of(inside.get("contacts")) if isinstance(contact, dict)]
        messages = items_of(inside.get("messages"))
        events = len(messages) + len(items_of(inside.get("statuses")))
        only = contacts[0] if len(contacts) == events == 1 else None
        yield from (ThreadItem("standby", message, only or _contact_of(message, contacts)) for message in messages)
        yield from (ThreadItem("standby", echo) for echo in items_of(inside.get("message_echoes")))


def is_outbound(message: Mapping[str, Any]) -> bool:
    """Return whether the business wrote a message of a thread: only such a message names its recipient."""
    return "to" in message or "to_user_id" in message


def beside_messages(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a standby value has beside messages, in the form of a `messages` value; {} if there is nothing."""
    nested = value.get(STANDBY_FIELD)
    if not isinstance(nested, dict):
        return {}
    rest = {name: part for name, part in nested.items() if name not in _MESSAGES and part is not None}
    return rest if rest.keys() - FRAME_KEYS else {}


def identity_in_thread(kind: str, raw: Mapping[str, Any], contact: Mapping[str, Any] | None) -> Identity:
    """Return the customer of a thread's event."""
    if kind == "handover":
        sender = raw.get("sender")
        found = sender if isinstance(sender, dict) else {}
        return _identity(found.get("phone_number") or found.get("wa_id"), found.get("user_id"))
    if is_outbound(raw):
        return _identity(raw.get("to"), raw.get("to_user_id"), raw.get("to_parent_user_id"))
    return identity_of_message(raw, contact)


def owner_after(kind: str, raw: Mapping[str, Any]) -> Owner:
    """Return who owns the thread after an event, "" if the event does not tell."""
    if kind == "standby":
        return "other"
    if kind == "handover":
        # Meta notifies the new owner of a passed thread, and the previous owner of a taken one.
        return {"control_passed": "us", "control_taken": "other"}.get(str(raw.get("type")), "")  # type: ignore[return-value]
    return ""


def _identity(number: object, *user_ids: object) -> Identity:
    return Identity(
        numbers=tuple(filter(None, [address_of(number)])),
        user_ids=tuple(address for user_id in user_ids if (address := address_of(user_id))),
    )


def _contact_of(message: object, contacts: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not isinstance(message, dict):
        return None
    found: dict[str, Any] | None = contact_of(contacts, address_of(message.get("from")), id_of(message, "from_user_id"))
    return found
