"""Messages that are handled together: one, or a burst of a customer's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wa_service.conversation.utterance import Utterance, read_utterance
from wa_service.store.inbox import Work
from wa_service.store.stored_event import StoredEvent, UnreadableEventError, read_event
from wa_service.whatsapp.webhooks.events import Audio, InboundMessage, parse_piece

UNSUPPORTED_ANSWERED_AT = "unsupported_at"


@dataclass(frozen=True, slots=True)
class TakenMessage:
    """A message under a lease. `member`: the stored event, byte for byte."""

    member: bytes
    stored: StoredEvent
    event: InboundMessage


@dataclass(frozen=True, slots=True)
class Burst:
    """The head of a mailbox and the events that are handled with it, in order."""

    work: Work
    messages: tuple[TakenMessage, ...]

    @property
    def stored(self) -> StoredEvent:
        """The head, for which failures are counted and to which replies refer."""
        return self.messages[0].stored

    @property
    def event(self) -> InboundMessage:
        """The head's message."""
        return self.messages[0].event

    @property
    def last(self) -> InboundMessage:
        """The latest message: marking it as read also marks those before it."""
        return self.messages[-1].event

    @property
    def behind(self) -> list[bytes]:
        """The stored events that leave the mailbox with the head."""
        return [message.member for message in self.messages[1:]]

    @property
    def transcribed(self) -> InboundMessage:
        """The message that is transcribed."""
        return next((one.event for one in self.messages if isinstance(one.event, Audio)), self.event)

    def utterance(self, messages: tuple[TakenMessage, ...]) -> Utterance:
        """Return these messages of the burst as one utterance."""
        contact = self.work.contact
        return read_utterance(
            [message.event for message in messages],
            conversation=self.work.conversation,
            name=contact.get("name", ""),
            contact=contact_facts(contact),
            unsupported_answered_at=stored_seconds(contact.get(UNSUPPORTED_ANSWERED_AT)),
        )


def burst_of(work: Work, stored: StoredEvent, event: InboundMessage) -> Burst:
    """Return the head with the rest of its burst, up to an event that cannot be read."""
    messages = [TakenMessage(work.member, stored, event)]
    for member in work.behind:
        try:
            other = read_event(member)
        except UnreadableEventError:
            break
        parsed = parse_piece(other.piece)
        if not isinstance(parsed, InboundMessage):
            break
        messages.append(TakenMessage(member, other, parsed))
    return Burst(work, tuple(messages))


def contact_facts(contact: Mapping[str, str]) -> dict[str, Any]:
    """Return a contact as responders get it."""
    return {
        "name": contact.get("name", ""),
        "addresses": contact.get("addresses", "").split(),
        "window_end": stored_seconds(contact.get("window_end")),
        "stopped": stored_seconds(contact.get("stopped_at")),
        "started": stored_seconds(contact.get("started_at")),
    }


def stored_seconds(ms: str | None) -> float | None:
    """Return a stored time (ms) in Unix seconds, None where there is none."""
    return float(ms) / 1000 if ms else None
