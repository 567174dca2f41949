"""What is handled together: one message, or what a customer wrote within a moment."""

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
    """A message under a lease. `member`: as it is stored, byte for byte."""

    member: bytes
    stored: StoredEvent
    event: InboundMessage


@dataclass(frozen=True, slots=True)
class Burst:
    """The head of a mailbox and what is handled with it, in their order."""

    work: Work
    messages: tuple[TakenMessage, ...]

    @property
    def stored(self) -> StoredEvent:
        """The head: what its failures are counted for, and what its answer is known by."""
        return self.messages[0].stored

    @property
    def event(self) -> InboundMessage:
        """The head's message."""
        return self.messages[0].event

    @property
    def last(self) -> InboundMessage:
        """The latest message: to mark it as read marks those before it."""
        return self.messages[-1].event

    @property
    def behind(self) -> list[bytes]:
        """What leaves the mailbox together with the head."""
        return [message.member for message in self.messages[1:]]

    @property
    def heard(self) -> InboundMessage:
        """The message that a transcript is of."""
        return next((one.event for one in self.messages if isinstance(one.event, Audio)), self.event)

    def utterance(self, messages: tuple[TakenMessage, ...]) -> Utterance:
        """Return what these of its messages say together."""
        contact = self.work.contact
        return read_utterance(
            [message.event for message in messages],
            conversation=self.work.conversation,
            name=contact.get("name", ""),
            contact=contact_facts(contact),
            unsupported_answered_at=stored_seconds(contact.get(UNSUPPORTED_ANSWERED_AT)),
        )


def burst_of(work: Work, stored: StoredEvent, event: InboundMessage) -> Burst:
    """Return the head with what can be read of its burst; the rest stays for later."""
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
    """Return what a responder is told of a contact."""
    return {
        "name": contact.get("name", ""),
        "addresses": contact.get("addresses", "").split(),
        "window_end": stored_seconds(contact.get("window_end")),
        "stopped": stored_seconds(contact.get("stopped_at")),
        "started": stored_seconds(contact.get("started_at")),
    }


def stored_seconds(ms: str | None) -> float | None:
    """Return a stored time in Unix seconds; None where it is none."""
    return float(ms) / 1000 if ms else None
