"""The chat history and address book of a number that is shared with the WhatsApp Business app (5.10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from wa_service.whatsapp.webhooks.identity import address_of

HISTORY_FIELD: Final = "history"
ADDRESS_BOOK_FIELD: Final = "smb_app_state_sync"


class Thread(NamedTuple):
    """Messages of one customer, as from Meta; `metadata`: phase and progress, None for media that arrive later."""

    customer: str
    metadata: dict[str, Any] | None
    messages: list[Any]


def threads(value: Mapping[str, Any]) -> Iterator[Thread]:
    """Yield the threads in a `history` value."""
    for chunk in _list(value.get("history")):
        if not isinstance(chunk, dict):
            continue
        metadata = chunk.get("metadata")
        for thread in _list(chunk.get("threads")):
            if isinstance(thread, dict) and (messages := _list(thread.get("messages"))):
                known = metadata if isinstance(metadata, dict) else None
                yield Thread(address_of(thread.get("id")), known, messages)
    for message in _list(value.get("messages")):
        sender = message.get("from") if isinstance(message, dict) else None
        yield Thread(address_of(sender), None, [message])


def without_threads(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rest of a `history` value, such as that sharing was declined; {} if there is none."""
    chunks = [chunk for chunk in _list(value.get("history")) if not isinstance(chunk, dict) or not chunk.get("threads")]
    return {**value, "history": chunks} if chunks or not {"history", "messages"} & value.keys() else {}


def named_contacts(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (number, name) of each new or changed contact in the address book."""
    for change in _list(value.get("state_sync")):
        contact = change.get("contact") if isinstance(change, dict) else None
        if isinstance(contact, dict) and change.get("action") != "remove":
            number, name = address_of(contact.get("phone_number")), contact.get("full_name")
            if number and isinstance(name, str) and name:
                yield number, name


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []
