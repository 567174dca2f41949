"""Thread events: messages of staff in the app, and threads that another application owns.

`smb_message_echoes`: messages of staff from the WhatsApp Business app (5.10). `standby`: events while another
application owns the thread, nested; statuses in it may be of our own sends. `messaging_handovers`: a thread was passed
to us, or taken from us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from wa_service.whatsapp.webhooks.identity import Identity, address_of, identity_of_message

ThreadKind: TypeAlias = Literal["echo", "standby", "handover"]
Owner: TypeAlias = Literal["us", "other", ""]

ECHO_FIELDS: Final = frozenset({"smb_message_echoes", "message_echoes"})
STANDBY_FIELD: Final = "standby"
HANDOVER_FIELD: Final = "messaging_handovers"
THREAD_KINDS: Final = frozenset({"echo", "standby", "handover"})


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
        yield from (ThreadItem("echo", echo) for echo in _list(value.get("message_echoes")))
    else:
        nested = value.get(STANDBY_FIELD)
        inside = nested if isinstance(nested, dict) else {}
        contacts = [contact for contact in _list(inside.get("contacts")) if isinstance(contact, dict)]
        messages = _list(inside.get("messages"))
        only = contacts[0] if len(contacts) == len(messages) == 1 else None
        yield from (ThreadItem("standby", message, only) for message in messages)
        yield from (ThreadItem("standby", echo) for echo in _list(inside.get("message_echoes")))


def standby_statuses(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statuses of a standby value and their contacts, in the form of a `messages` value."""
    nested = value.get(STANDBY_FIELD)
    if not isinstance(nested, dict) or "statuses" not in nested:
        return {}
    return {name: nested[name] for name in ("statuses", "contacts") if name in nested}


def identity_in_thread(kind: str, raw: Mapping[str, Any], contact: Mapping[str, Any] | None) -> Identity:
    """Return the customer of a thread's event."""
    if kind == "handover":
        sender = raw.get("sender")
        found = sender if isinstance(sender, dict) else {}
        return _identity(found.get("phone_number") or found.get("wa_id"), found.get("user_id"))
    if "to" in raw or "to_user_id" in raw:
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


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []
