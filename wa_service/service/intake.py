"""Store a delivery from Meta: all its events and statuses in one coalesced round trip."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from wa_service.observability import log, metrics
from wa_service.observability.metrics_buffer import MetricsBuffer
from wa_service.service.account_events import (
    AccountEvents,
    PendingWrite,
    check_kept,
    check_linked,
    unexpected_result,
)
from wa_service.service.marketing_consent import PREFERENCES_FIELD, MarketingConsent
from wa_service.service.odd_webhooks import OddWebhooks
from wa_service.store.client import Store
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.events import LARGEST_QUARANTINED, Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.inbox import Inbox
from wa_service.store.memory import MemoryWatch
from wa_service.store.outbox import Outbox
from wa_service.store.size_limits import bounded
from wa_service.store.status_forms import foreign_status
from wa_service.whatsapp.webhooks.events import Piece
from wa_service.whatsapp.webhooks.identity import identity_of_recipient
from wa_service.whatsapp.webhooks.status import errors_of, parse_status
from wa_service.whatsapp.webhooks.thread_events import THREAD_KINDS


class Intake:
    """Store the pieces of deliveries; count and log the results.

    `numbers` are our phone number ids; with `debug` each status has a log line.
    """

    def __init__(
        self,
        *,
        store: Store,
        inbox: Inbox,
        outbox: Outbox,
        events: Events,
        dead_letters: DeadLetters,
        memory: MemoryWatch,
        account: AccountEvents,
        consent: MarketingConsent,
        numbers: Sequence[str],
        metrics_buffer: MetricsBuffer,
        debug: bool = False,
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._outbox = outbox
        self._events = events
        self._dead_letters = dead_letters
        self._memory = memory
        self._account = account
        self._consent = consent
        self._our_numbers = frozenset(numbers)
        self._metrics = metrics_buffer
        self._debug = debug
        self._log = log.get_logger()
        self._rejection_pending = False
        self.odd = OddWebhooks()

    def announce_start(self) -> None:
        """Note in the store that a web process starts, because webhooks may have been missed.

        If the store is unavailable, the next delivery notes it.
        """
        self.webhook_rejected()
        try:
            self.take(())
        except StoreUnavailableError:
            return

    def webhook_rejected(self) -> None:
        """Note that a webhook is answered 5xx, so that statuses may be missed; the next delivery stores the note."""
        self._rejection_pending = True

    def take(self, pieces: Iterable[Piece]) -> bool:
        """Store every piece; return False if one could only be stored as a dead letter.

        Raises:
            StoreUnavailableError: not everything is stored; Meta must redeliver it.
        """
        note_rejection, self._rejection_pending = self._rejection_pending, False
        try:
            return self._store_pieces(pieces, note_rejection)
        except BaseException:
            self._rejection_pending = self._rejection_pending or note_rejection
            self._account.store_display_numbers_again()
            raise

    def _store_pieces(self, pieces: Iterable[Piece], note_rejection: bool) -> bool:
        if self._memory.full():
            raise StoreUnavailableError("the store is nearly full")
        received_ms = int(time.time() * 1000)
        writes: list[PendingWrite] = []
        unstorable = False
        for piece in pieces:
            self._metrics.event_seen(piece.label)
            try:
                writes += self._writes(piece, received_ms)
            except StoreUnavailableError:
                raise
            except Exception as defect:  # noqa: BLE001 - one piece must not fail the whole delivery
                writes.append(self._unstorable(piece, received_ms, defect))
                unstorable = True
        commands = [write.command for write in writes]
        if note_rejection:
            commands.append(self._outbox.webhook_rejected())
        # Not strict: the rejection's command, the last one, has a result without a write.
        for write, result in zip(writes, self._store.run(commands, replicated=True), strict=False):
            write.on_result(write.piece, result)
        return not unstorable

    def _unstorable(self, piece: Piece, received_ms: int, defect: Exception) -> PendingWrite:
        malformed = replace(piece, kind="malformed", reason=f"it cannot be stored: {type(defect).__name__}")
        return PendingWrite(self._dead_letters.add(malformed, received_ms), malformed, self._on_dead_letter)

    def _writes(self, piece: Piece, received_ms: int) -> list[PendingWrite]:
        kind = piece.kind
        number = piece.phone_number_id
        if kind == "malformed":
            return [PendingWrite(self._dead_letters.add(piece, received_ms), piece, self._on_dead_letter)]
        if kind == "management":
            consent = self._consent.of_preferences(piece) if piece.field == PREFERENCES_FIELD else []
            return [*self._account.management(piece), *consent]
        if number not in self._our_numbers:
            stray = {"n": number, "w": piece.waba_id, "k": kind, "m": _stray_form(piece, received_ms)}
            return [PendingWrite(self._events.stray(stray), piece, self._on_stray)]
        if kind == "message":
            return self._message_writes(piece, received_ms)
        if kind in THREAD_KINDS:
            event = PendingWrite(self._inbox.tell_thread_event(piece, received_ms), piece, _on_thread_event)
            return [event, *self._consent.of_thread_event(piece)]
        if kind == "history":
            writes = [PendingWrite(self._events.history(piece), piece, _on_thread_event)]
        elif kind == "status":
            writes = self._status_writes(piece, received_ms)
        else:
            writes = [self._account.notice(piece)]
        return [*writes, *self._account.display_number(piece)]

    def _message_writes(self, piece: Piece, received_ms: int) -> list[PendingWrite]:
        """Return a message's writes; a START comes first, so that the reply sees its effect."""
        consent = self._consent.of_message(piece)
        admit = PendingWrite(self._inbox.admit(piece, received_ms), piece, self._on_admitted)
        return [*consent.first, admit, *consent.then, *self._account.display_number(piece)]

    def _status_writes(self, piece: Piece, received_ms: int) -> list[PendingWrite]:
        """Return a status's writes; the first one of a send also links the recipient's number and user id."""
        command = self._outbox.apply_status(parse_status(piece), _status_time(piece, received_ms))
        writes = [PendingWrite(command, piece, self._on_status)]
        if piece.raw["status"] == "sent":
            recipient = identity_of_recipient(piece.raw, piece.contact)
            if recipient.numbers and recipient.user_ids:
                link = self._inbox.link(piece.phone_number_id, recipient, piece.timestamp, moves=False)
                writes.append(PendingWrite(link, piece, check_linked))
        return writes

    def _on_admitted(self, piece: Piece, result: Any) -> None:
        match result:
            case b"new":
                if piece.timestamp:
                    self._metrics.webhook_lagged(time.time() - piece.timestamp)
            case b"duplicate":
                metrics.duplicate_seen()
            case b"flood":
                self._log.warning("whatsapp.webhook.dead_lettered", number=piece.phone_number_id, kind="flood")
            case _:
                raise unexpected_result(result)

    def _on_status(self, piece: Piece, result: Any) -> None:
        outcome, record_id, milliseconds, counted = result
        if counted:
            category, _, kind = counted.decode().partition("\t")
            metrics.price_reported(category, kind)
        match outcome:
            case b"applied":
                status = piece.raw["status"]
                metrics.status_applied(status)
                if milliseconds >= 0:
                    metrics.delivery_took(status, milliseconds / 1000)
                if status == "failed":
                    metrics.send_failed(_error_code(piece))
                    self._log.warning("whatsapp.status", id=record_id.decode(), status=status, **_failure(piece))
                elif self._debug:
                    self._log.debug("whatsapp.status", id=record_id.decode(), status=status, ms=milliseconds)
            case b"duplicate":
                metrics.duplicate_seen()
            case b"foreign":
                metrics.event_seen("foreign")
            case b"late" | b"unranked":
                pass
            case _:
                raise unexpected_result(outcome)

    def _on_stray(self, piece: Piece, result: Any) -> None:
        check_kept(piece, result)
        metrics.event_seen("stray")
        self.odd.stray(piece)

    def _on_dead_letter(self, piece: Piece, result: Any) -> None:
        if result == b"dead":
            self._log.warning(
                "whatsapp.webhook.dead_lettered", number=piece.phone_number_id, kind="malformed", reason=piece.reason
            )
        elif result == b"duplicate":
            metrics.duplicate_seen()
        else:
            raise unexpected_result(result)


def _on_thread_event(_: Piece, result: Any) -> None:
    if result == b"duplicate":
        metrics.duplicate_seen()
    elif result not in (b"kept", b"ours"):
        raise unexpected_result(result)


def _status_time(status: Piece, received_ms: int) -> int:
    return status.timestamp * 1000 or received_ms


def _stray_form(piece: Piece, received_ms: int) -> Any:
    """Return the stored form of an event for a number that is not ours."""
    if piece.kind != "status":
        return bounded(piece.raw, LARGEST_QUARANTINED)
    at = _status_time(piece, received_ms)
    return foreign_status(parse_status(piece), at)


def _failure(piece: Piece) -> dict[str, Any]:
    """The error code of a failed status, and what to do about it."""
    errors = errors_of(piece.raw)
    return {"code": errors[0].code, "advice": errors[0].advice} if errors else {"code": None}


def _error_code(piece: Piece) -> int | None:
    errors = errors_of(piece.raw)
    return errors[0].code if errors else None
