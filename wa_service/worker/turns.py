"""Earlier turns of a conversation, for a responder with memory, read from the thread.

The thread has its retention and is erased with the person, so no separate history is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from wa_service.conversation.utterance import Turn
from wa_service.service.conversation_view import ConversationView, ThreadMessage
from wa_service.worker.burst import Burst

MAX_TURN = 4_096
# Thread entries read for each turn: many are notes, transcripts or events.
_PLACES_PER_TURN = 6
_NOT_SAID = frozenset({"failed", "canceled"})


class Turns:
    """Read the last `count` turns before a message."""

    def __init__(self, view: ConversationView, count: int) -> None:
        self._view = view
        self._count = count

    def before(self, burst: Burst) -> tuple[Turn, ...]:
        """Return the turns before a burst, oldest first; none in a group, which has several people."""
        if not self._count or burst.event.group_id:
            return ()
        page = self._view.page(burst.work.conversation, count=min(1_000, (self._count + 20) * _PLACES_PER_TURN))
        return tuple(turns_of(page.messages, {message.event.id for message in burst.messages})[-self._count :])


def turns_of(messages: Sequence[ThreadMessage], asked: Iterable[str]) -> list[Turn]:
    """Return a thread's messages before the first of `asked`, with the answers to them, as turns.

    One side's consecutive messages are one turn.
    """
    changed = {original for message in messages if (original := _original(message))}
    turns: list[Turn] = []
    for message in _before(messages, frozenset(asked)):
        words = "" if message.id in changed else _words(message)
        if not words:
            continue
        role: Literal["user", "assistant"] = "user" if message.direction == "in" else "assistant"
        if turns and turns[-1].role == role:
            words = f"{turns.pop().text}\n{words}"
        turns.append(Turn(role, words[-MAX_TURN:]))
    return turns


def _before(messages: Sequence[ThreadMessage], asked: Collection[str]) -> list[ThreadMessage]:
    """Return the messages before the first of `asked`; those answered after its arrival are followed by the answer."""
    arrived = (at for at, message in enumerate(messages) if message.direction == "in" and message.id in asked)
    first = next(arrived, len(messages))
    before = list(messages[:first])
    for answer in messages[first:]:
        if answer.direction == "out" and answer.answers:
            places = [at for at, message in enumerate(before, 1) if answer.answers == _head(message)]
            if places:
                before.insert(places[-1], answer)
    return before


def _head(message: ThreadMessage) -> str:
    """Return the reference that answers to a message have, its own or its burst's; for an answer, what it answers."""
    heads = (str(note["m"]) for note in message.notes if message.reference in note.get("with", ()))
    return message.answers or next(heads, message.reference)


def _original(message: ThreadMessage) -> str:
    """Return the id of the message that this one edits or revokes, "" for none."""
    if message.content.type not in {"edit", "revoke"}:
        return ""
    change = message.raw.get(message.content.type)
    return str(change.get("original_message_id") or "") if isinstance(change, dict) else ""


def _words(message: ThreadMessage) -> str:
    """Return the words of a message, "" for one that is not part of a turn."""
    if message.kind not in {"message", "send", "echo"} or message.status in _NOT_SAID:
        return ""
    match message.content.type:
        case "edit":
            return _edited(message)
        case "revoke" | "reaction" | "system":
            return ""
    was_understood = all(note.get("understood") is not False for note in message.notes)
    words = (message.transcript if was_understood else None) or message.content.text
    lines = " ".join(line for line in message.content.lines if message.content.type == "interactive")
    return " ".join(part for part in (words, lines) if part).strip() or f"[{message.content.type}]"


def _edited(message: ThreadMessage) -> str:
    change = message.raw.get("edit")
    new = change.get("message") if isinstance(change, dict) else None
    content = new.get(str(new.get("type"))) if isinstance(new, dict) else None
    if not isinstance(content, dict):
        return ""
    return str(content.get("body") or content.get("caption") or "")
