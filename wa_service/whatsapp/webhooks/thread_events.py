"""Thread events: messages of staff in the app, and threads that another application owns.

`smb_message_echoes`: messages of staff from the WhatsApp Business app (5.10). `standby`: events while another
application owns the thread, nested; statuses in it may be of our own sends. `messaging_handovers`: a thread was passed
to us, or taken from us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from wa_service.whatsapp.webhooks.identity import Identity, KnownContacts, address_of, identity_of_message
from wa_service.whatsapp.webhooks.json_fields import FRAME_KEYS, id_of, items_of

ThreadKind: TypeAlias = Literal["echo", "standby", "handover"]
Owner: TypeAlias = Literal["us", "other", ""]

ECHO_FIELDS: Final = frozenset({"smb_message_echoes", "message_echoes"})
STANDBY_FIELD: Final = "standby"
HANDOVER_FIELD: Final = "messaging_handovers"
THREAD_KINDS: Final = frozenset({"echo", "standby", "handover"})


_ECHOES: Final = "message_echoes"
_MESSAGES: Final = frozenset({"messages", _ECHOES})
_RECIPIENT: Final = ("to", "to_user_id", "to_parent_user_id")


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
        contacts = KnownContacts(value.get("contacts"))
        for echo in items_of(value.get(_ECHOES)):
            yield ThreadItem("echo", echo, _contact_of(echo, contacts, "to"))
    else:
        nested = value.get(STANDBY_FIELD)
        inside = nested if isinstance(nested, dict) else {}
        contacts = KnownContacts(inside.get("contacts"))
        messages = items_of(inside.get("messages"))
        events = len(messages) + len(items_of(inside.get("statuses")))
        only = contacts.listed[0] if len(contacts.listed) == events == 1 else None
        for message in messages:
            yield ThreadItem("standby", message, only or _contact_of(message, contacts, "from"))
        for echo in items_of(inside.get(_ECHOES)):
            yield ThreadItem("standby", echo, _contact_of(echo, contacts, "to"))


def is_outbound(message: Mapping[str, Any]) -> bool:
    """Return whether the business wrote a message of a thread: only such a message names its recipient."""
    return any(message.get(name) for name in _RECIPIENT)


def beside_messages(field: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a value has beside the messages of its threads, as a `messages` value; {} if there is nothing."""
    nested = value.get(STANDBY_FIELD)
    inside, messages = value, frozenset({_ECHOES})
    if field == STANDBY_FIELD and isinstance(nested, dict):
        inside = {**value, STANDBY_FIELD: None, **nested}
        messages = _MESSAGES
    taken = {name for name in messages if items_of(inside.get(name)) or not inside.get(name)}
    rest = {name: part for name, part in inside.items() if name not in taken and part is not None}
    return rest if rest.keys() - FRAME_KEYS else {}


def identity_in_thread(kind: str, raw: Mapping[str, Any], contact: Mapping[str, Any] | None) -> Identity:
    """Return the customer of a thread's event."""
    if kind == "handover":
        sender = raw.get("sender")
        found = sender if isinstance(sender, dict) else {}
        return _identity(found.get("phone_number") or found.get("wa_id"), found.get("user_id"))
    if kind == "echo" or is_outbound(raw):
        return _identity(*map(raw.get, _RECIPIENT))
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


def _contact_of(message: object, contacts: KnownContacts, name: str) -> dict[str, Any] | None:
    """Return the contact of a message's sender or recipient; `name`: of the field that has their number."""
    if not isinstance(message, dict):
        return None
    return contacts.of(address_of(message.get(name)), id_of(message, f"{name}_user_id"))
