"""The chat history and address book of a number that is shared with the WhatsApp Business app (5.10)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from wa_service.whatsapp.webhooks.identity import address_of
from wa_service.whatsapp.webhooks.json_fields import FRAME_KEYS, items_of

HISTORY_FIELD: Final = "history"
ADDRESS_BOOK_FIELD: Final = "smb_app_state_sync"
_WITH_MESSAGES: Final = frozenset({"history", "messages"})


class Thread(NamedTuple):
    """Messages of one customer, as from Meta; `metadata`: phase and progress, None for media that arrive later."""

    customer: str
    metadata: dict[str, Any] | None
    messages: list[Any]


def threads(value: Mapping[str, Any], our_number: str = "") -> Iterator[Thread]:
    """Yield the threads in a `history` value; `our_number`: as customers see it."""
    for chunk in items_of(value.get("history")):
        metadata = chunk.get("metadata") if isinstance(chunk, dict) else None
        for thread in _threads_of(chunk):
            if messages := _messages_of(thread):
                known = metadata if isinstance(metadata, dict) else {}
                customer = address_of(thread.get("id")) or _customer_among(messages, address_of(our_number))
                yield Thread(customer, known, messages)
    for message in items_of(value.get("messages")):
        yield Thread(_customer_of(message, address_of(our_number)), None, [message])


def without_threads(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rest of a `history` value, such as that sharing was declined; {} if there is none."""
    rest = {name: part for name, part in value.items() if name not in _WITH_MESSAGES and part is not None}
    chunks = [left for chunk in items_of(value.get("history")) if (left := _without_messages(chunk)) is not None]
    if chunks:
        rest["history"] = chunks
    return rest if rest.keys() - FRAME_KEYS else {}


def _without_messages(chunk: Any) -> Any:
    """Return what a chunk has beside threads with messages, None if that is nothing."""
    if not _threads_of(chunk):
        return chunk
    rest = {name: part for name, part in chunk.items() if name != "threads"}
    if left := [left for thread in _threads_of(chunk) if (left := _thread_without_messages(thread)) is not None]:
        rest["threads"] = left
    return rest if rest.keys() - {"metadata"} else None


def _thread_without_messages(thread: Any) -> Any:
    if not _messages_of(thread):
        return thread
    rest = {name: part for name, part in thread.items() if name != "messages"}
    return rest if rest.keys() - {"id"} else None


def _customer_among(messages: list[Any], our_number: str) -> str:
    """Return the customer of a thread that does not name them, "" if its messages do not either."""
    found = (_customer_of(message, our_number) for message in messages)
    return next((customer for customer in found if customer not in {"", our_number}), "")


def _customer_of(message: Any, our_number: str) -> str:
    """Return the customer of a message from the history: the recipient, if the business sent it."""
    if not isinstance(message, dict):
        return ""
    sender = address_of(message.get("from")) or address_of(message.get("from_user_id"))
    if sender and sender != our_number:
        return sender
    return address_of(message.get("to")) or address_of(message.get("to_user_id")) or sender


def _threads_of(chunk: Any) -> list[Any]:
    return items_of(chunk.get("threads")) if isinstance(chunk, dict) else []


def _messages_of(thread: Any) -> list[Any]:
    return items_of(thread.get("messages")) if isinstance(thread, dict) else []


def named_contacts(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (number, name) of each new or changed contact in the address book."""
    for change in items_of(value.get("state_sync")):
        contact = change.get("contact") if isinstance(change, dict) else None
        if isinstance(contact, dict) and change.get("action") != "remove":
            number, name = address_of(contact.get("phone_number")), contact.get("full_name")
            if number and isinstance(name, str) and name:
                yield number, name
