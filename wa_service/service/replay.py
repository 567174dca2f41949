"""Replay a dead letter: append it to its mailbox, or parse it again if it could not be read when it arrived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from wa_service.service.intake import Intake
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.stored_event import UnreadableEventError, read_event
from wa_service.whatsapp.webhooks.envelope import OBJECT
from wa_service.whatsapp.webhooks.events import Malformed, Piece, parse_piece, walk

_LISTS: Final = frozenset({"messages", "statuses", "errors", "user_actions"})


class NotReplayableError(Exception):
    """The letter still cannot be handled; the text is the reason."""


class MailboxFullError(NotReplayableError):
    """The mailbox of the letter's customer is full."""

    def __init__(self) -> None:
        super().__init__("Too many messages of its customer wait: replay it when they have been handled.")


class ReplayService:
    """Replay dead letters."""

    def __init__(self, dead_letters: DeadLetters, intake: Intake) -> None:
        self._dead_letters = dead_letters
        self._intake = intake

    def replay(self, letter_id: str) -> None:
        """Append a letter to its mailbox.

        Raises:
            LookupError: there is no such letter.
            MailboxFullError: the mailbox is full.
            NotReplayableError: it still cannot be read, or belongs to no conversation.
            StoreUnavailableError: it may or may not be back in its mailbox.
        """
        letter = self._dead_letters.get(letter_id)
        if letter is None:
            raise LookupError(letter_id)
        try:
            piece = read_event(letter.event).piece
        except UnreadableEventError as error:
            raise NotReplayableError(str(error)) from error
        if piece.kind == "malformed":
            if not self._intake.take(_read_again(piece)):
                raise NotReplayableError("It still cannot be stored.")
            self._dead_letters.drop(letter_id)
            return
        event = parse_piece(piece)
        if isinstance(event, Malformed):
            raise NotReplayableError(event.reason)
        match self._dead_letters.replay(letter_id, piece):
            case "unknown":
                raise LookupError(letter_id)
            case "no_conversation":
                raise NotReplayableError("It belongs to no conversation.")
            case "full":
                raise MailboxFullError


def _read_again(malformed: Piece) -> list[Piece]:
    """Return the pieces that this version can read from a malformed one."""
    pieces = [piece for entry in _entries(malformed) for piece in walk({"object": OBJECT, "entry": [entry]})]
    for piece in pieces:
        event = parse_piece(piece)
        if isinstance(event, Malformed):
            raise NotReplayableError(event.reason)
    if not pieces:
        raise NotReplayableError(malformed.reason)
    return pieces


def _entries(malformed: Piece) -> Iterator[dict[str, Any]]:
    """Yield envelopes with the piece's raw object at its original level."""
    raw = malformed.raw
    if not isinstance(raw, dict):
        return
    entry = {"id": malformed.waba_id, "time": malformed.entry_time}
    if "changes" in raw:
        yield raw
    elif "value" in raw:
        yield entry | {"changes": [raw]}
    elif raw.keys() & _LISTS or malformed.field != "messages":
        yield entry | {"changes": [{"field": malformed.field, "value": raw}]}
    else:
        kind = "statuses" if "status" in raw else "messages"
        value = {"metadata": {"phone_number_id": malformed.phone_number_id}, kind: [raw]}
        yield entry | {"changes": [{"field": malformed.field, "value": value}]}
