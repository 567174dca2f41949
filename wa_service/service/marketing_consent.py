"""STOP and START from customers' messages and from WhatsApp's own menu, as writes for the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from wa_service.observability import log, metrics
from wa_service.service.account_events import PendingWrite, unexpected_result
from wa_service.store.stops import Stops, StopSource
from wa_service.whatsapp.phone_numbers import is_number
from wa_service.whatsapp.stop_words import StopWords
from wa_service.whatsapp.webhooks.events import ManagementEvent, Piece, parse_piece
from wa_service.whatsapp.webhooks.identity import Identity, address_of, identity_of_message
from wa_service.whatsapp.webhooks.thread_events import is_outbound

PREFERENCES_FIELD: Final = "user_preferences"
_MARKETING: Final = "marketing_messages"
_MEANINGS: Final = {"stop": True, "resume": False, "signup": False}


class ConsentWrites(NamedTuple):
    """Writes before the message's own (a contact with a STOP exists already), and after it."""

    first: Sequence[PendingWrite] = ()
    then: Sequence[PendingWrite] = ()


class MarketingConsent:
    """Find STOP and START in deliveries; `words`: the stop and start words."""

    def __init__(self, stops: Stops, words: StopWords) -> None:
        self._stops = stops
        self._words = words

    def of_message(self, piece: Piece) -> ConsentWrites:
        """Return the writes for a customer's message, if it is one of the words."""
        meaning = self._words.meaning_of(piece.raw)
        if meaning is None:
            return ConsentWrites()
        who, at_ms = identity_of_message(piece.raw, piece.contact), piece.timestamp * 1000
        writes = self._writes(piece, who, stop=meaning == "stop", by="words", at_ms=at_ms)
        return ConsentWrites(then=writes) if meaning == "stop" else ConsentWrites(first=writes)

    def of_thread_event(self, piece: Piece) -> list[PendingWrite]:
        """Return the writes for a customer's message while another application owns the thread."""
        if piece.kind != "standby" or is_outbound(piece.raw):
            return []
        return [write for writes in self.of_message(piece) for write in writes]

    def of_preferences(self, piece: Piece) -> list[PendingWrite]:
        """Return the writes for customers' choices in WhatsApp (the management field `user_preferences`)."""
        event = parse_piece(piece)
        number = piece.phone_number_id
        if not isinstance(event, ManagementEvent) or (number and number not in self._stops.numbers):
            return []  # a choice about a number that is not ours
        writes: list[PendingWrite] = []
        for preference in event.preferences:
            stop = _MEANINGS.get(preference.value)
            if stop is not None and preference.category == _MARKETING:
                who, at_ms = _identity(preference.addresses), preference.timestamp * 1000
                writes += self._writes(piece, who, stop=stop, by="meta", at_ms=at_ms)
        return writes

    def _writes(self, piece: Piece, who: Identity, *, stop: bool, by: StopSource, at_ms: int) -> list[PendingWrite]:
        if not (who.numbers or who.user_ids):
            return []
        commands = self._stops.commands(who, stop=stop, by=by, at_ms=at_ms)
        return [PendingWrite(command, piece, partial(_on_written, by, stop=stop)) for command in commands]


def _identity(addresses: Iterable[str]) -> Identity:
    known = [address_of(address) for address in addresses]
    return Identity(numbers=tuple(filter(is_number, known)), user_ids=tuple(one for one in known if "." in one))


def _on_written(by: str, _: Piece, result: Any, *, stop: bool) -> None:
    if result not in (0, 1):
        raise unexpected_result(result)
    if result:
        metrics.marketing_chosen("stop" if stop else "start", by)
        log.get_logger().info("whatsapp.contact.marketing", word="stop" if stop else "start", by=by)
