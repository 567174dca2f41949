"""Readable conversations: messages of the customer, replies, messages of staff, and the outcome of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import orjson

from wa_service.push.event_form import event_item
from wa_service.service.message_content import MessageContent, content_of
from wa_service.store.contacts import Contact, Contacts
from wa_service.store.records import Record
from wa_service.store.stored_event import reference
from wa_service.store.threads import ThreadPlace, Threads
from wa_service.whatsapp.webhooks.thread_events import is_outbound

Direction = Literal["in", "out", "echo", "event"]
_WRITTEN: Final = frozenset({"message", "echo", "standby"})


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """One message or event of a conversation; times in ms since 1970.

    `direction`: `in` from the customer, `out` from us, `echo` from staff or another application, `event` otherwise.
    `reference` is an inbound message's id in logs, `answers` that of the message which a send answers. `notes` say how
    it was handled (see worker/thread_notes.py, steps/done.lua), `quiet` why there was no automatic reply, `stale`
    whether it was too old for one when it arrived.
    """

    place: str
    direction: Direction
    at: int
    kind: str
    content: MessageContent
    raw: Mapping[str, Any]
    id: str
    status: str | None = None
    history: tuple[tuple[str, int], ...] = ()
    error: Mapping[str, Any] | None = None
    record: Record | None = None
    reference: str = ""
    answers: str = ""
    written_at: int | None = None
    transcript: str | None = None
    heard_at: int | None = None
    notes: tuple[Mapping[str, Any], ...] = ()
    stale: bool = False

    def _noted(self, name: str) -> str | None:
        return next((str(note[name]) for note in reversed(self.notes) if name in note), None)

    def _noted_last(self, name: str) -> str | None:
        """A fact of the last note: what became of the message after a replay counts, not what did before."""
        return str(self.notes[-1][name]) if self.notes and name in self.notes[-1] else None

    @property
    def intent(self) -> str | None:
        """The matched intent."""
        return self._noted("intent")

    @property
    def score(self) -> float | None:
        """The intent's score, 0 to 1."""
        found = self._noted("score")
        return None if found is None else float(found)

    @property
    def quiet(self) -> str | None:
        """Why there was no automatic reply: `paused`, `reply_limit`, `other_application`, `group`, `stale`, `flood`."""
        if self.direction == "in" and self.kind == "standby":
            return "other_application"
        return self._noted_last("quiet") or ("stale" if self.stale else None)

    @property
    def letter(self) -> str | None:
        """The id of the dead letter that it is, None once it was replayed."""
        return self._noted_last("letter")


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """A page of a conversation, oldest first; `older`: the place for the next page, None at the beginning.

    `later`: some messages after the page, which may answer its own.
    """

    contact: Contact
    messages: tuple[ThreadMessage, ...]
    later: tuple[ThreadMessage, ...]
    older: str | None


class ConversationView:
    """Read conversations by address, or by the place of a message. Raises `StoreUnavailableError`."""

    def __init__(self, threads: Threads, contacts: Contacts) -> None:
        self._threads = threads
        self._contacts = contacts

    def at(self, place: str, before: str = "", count: int = 100) -> ConversationPage | None:
        """Return a page of the conversation of a place; None where it has expired. Raise LookupError like `page`."""
        conversation = self._threads.conversation_of(place)
        return None if conversation is None else self.page(conversation, before, count)

    def of_address(self, address: str, number: str | None, before: str, count: int) -> ConversationPage | None:
        """Return a page of a customer's conversation with one of our numbers (None: the one they wrote to last).

        None for an unknown customer. Raise LookupError like `page`.
        """
        found = [contact for contact in self._contacts.find(address) if number in {None, contact.number}]
        if not found:
            return None
        return self.page(max(found, key=lambda contact: contact.last_in or 0).conversation, before, count)

    def conversation_of(self, place: str) -> str | None:
        """Return the conversation of a place; None where it has expired."""
        return self._threads.conversation_of(place)

    def number_of(self, place: str) -> str | None:
        """Return our number in the conversation of a place; None where it has expired."""
        conversation = self._threads.conversation_of(place)
        return None if conversation is None else conversation.partition(":")[0]

    def page(self, conversation: str, before: str = "", count: int = 100) -> ConversationPage:
        """Return a page of a conversation: the newest messages, or those before a place.

        Raises:
            LookupError: the conversation does not have this place, or no longer.
        """
        part = self._threads.page(conversation, before, count)
        contact = self._contacts.of_conversation(conversation)
        messages = read_thread([*part.items, *part.later])
        own = {item.place for item in part.items}
        return ConversationPage(
            contact,
            tuple(message for message in messages if message.place in own),
            tuple(message for message in messages if message.place not in own),
            part.older,
        )

    def around(self, place: str, count: int = 100) -> tuple[ThreadMessage, Sequence[ThreadMessage]] | None:
        """Return the message at a place, and the messages around it; None where it has expired."""
        near = read_thread(self._threads.around(place, count))
        found = next((message for message in near if message.place == place), None)
        return None if found is None else (found, near)


def read_thread(items: Sequence[ThreadPlace]) -> list[ThreadMessage]:
    """Return the messages of a thread's items, each with its notes and transcript."""
    messages = [message for item in items if (message := _message(item)) is not None]
    notes: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        if item.note is not None:
            for about in (item.note.get("m") or item.note.get("r"), *(item.note.get("with") or ())):
                notes.setdefault(str(about), []).append(item.note)
    transcripts = {message_id: (words, at) for message_id, words, at in _transcripts(items)}
    nothing_heard = (None, None)

    def completed(message: ThreadMessage) -> ThreadMessage:
        words, heard_at = transcripts.get(message.id, nothing_heard)
        own = tuple(notes.get(message.reference or message.id, ()))
        return replace(message, notes=own, transcript=words, heard_at=heard_at)

    return [completed(message) if message.direction in {"in", "out"} else message for message in messages]


def _transcripts(items: Iterable[ThreadPlace]) -> Iterable[tuple[str, str, int]]:
    for item in items:
        if item.event is not None and item.event.kind == "transcript":
            yield str(item.event.data.get("message_id")), str(item.event.data.get("transcript") or ""), item.at


def _message(item: ThreadPlace) -> ThreadMessage | None:
    if item.record is not None:
        return _sent(item, item.record)
    if item.event is None or item.event.kind == "transcript":
        return None
    event = event_item(item.event)
    kind, data = event["kind"], event["data"]
    raw = data.get("message") if isinstance(data.get("message"), dict) else {}
    if kind not in _WRITTEN:
        return ThreadMessage(
            item.place, "event", item.at, kind, MessageContent(kind, _event_text(kind, data)), data, item.place
        )
    number, message_id = str(event["phone_number_id"] or ""), str(data.get("id") or "")
    return ThreadMessage(
        place=item.place,
        direction="in" if kind == "message" or (kind == "standby" and not is_outbound(raw)) else "echo",
        at=item.at,
        kind=kind,
        content=content_of(raw),
        raw=raw,
        id=message_id,
        reference=reference(number, message_id) if kind == "message" else "",
        written_at=int(data.get("timestamp") or 0) * 1000 or None,
        stale=data.get("stale") is True,
    )


def _event_text(kind: str, data: Mapping[str, Any]) -> str:
    if kind == "pause":
        return ": ".join(str(data[name]) for name in ("reason", "note") if data.get(name))
    if kind == "console":
        return f"{data.get('key')}: {data.get('action')}"
    return str(data.get("type") or "")


def _sent(item: ThreadPlace, record: Record) -> ThreadMessage:
    try:
        raw = orjson.loads(record.body or "{}")
    except ValueError:
        raw = {}
    kept = isinstance(raw, dict) and bool(raw)
    content = content_of(raw) if kept else MessageContent(record.type, "")
    return ThreadMessage(
        place=item.place,
        direction="out",
        at=item.at,
        kind="send",
        content=content,
        raw=raw if kept else {},
        id=record.id,
        status=record.status,
        history=record.history,
        error=record.error,
        record=record,
        answers=(record.origin or "").partition("@")[0],
    )
