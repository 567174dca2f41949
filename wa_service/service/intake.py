"""What a delivery of Meta's becomes in the store: every event and status of it in one coalesced round trip."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from wa_service.observability import log, metrics
from wa_service.runtime import Runtime
from wa_service.service.account_events import LARGEST_KEPT_ASIDE, AccountEvents, Asked, kept, unexpected
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.outbox import foreign_status
from wa_service.store.size_limits import bounded
from wa_service.web.metrics_buffer import WebhookTally
from wa_service.whatsapp.webhooks.events import Piece


class Intake:
    """Stores the pieces of deliveries; counts and logs what became of them."""

    def __init__(self, runtime: Runtime, tally: WebhookTally) -> None:
        self._tally = tally
        self._store = runtime.store
        self._inbox = runtime.inbox
        self._outbox = runtime.outbox
        self._events = runtime.events
        self._dead_letters = runtime.dead_letters
        self._memory = runtime.memory
        self._ours = frozenset(runtime.numbers)
        self._account = AccountEvents(runtime)
        self._log = log.get_logger()
        self._debug = runtime.settings.log_level == "debug"
        self._refused = False

    def announce_start(self) -> None:
        """Tells the store that a web process started: it may have missed webhooks. With the store away the first
        delivery says so.
        """
        self.refused()
        try:
            self.take(())
        except StoreUnavailableError:
            return

    def refused(self) -> None:
        """A webhook is answered 5xx: the next round trip tells the store, for Meta's silence proves less since then."""
        self._refused = True

    def take(self, pieces: Iterable[Piece]) -> bool:
        """Stores every piece; returns whether each as what it is (one that cannot be is a dead letter).

        Raises:
            StoreUnavailableError: not everything is stored; Meta must deliver it again.
        """
        telling, self._refused = self._refused, False
        try:
            return self._run(pieces, telling)
        except BaseException:
            self._refused = self._refused or telling
            self._account.start_anew()
            raise

    def _run(self, pieces: Iterable[Piece], telling: bool) -> bool:
        if self._memory.full():
            raise StoreUnavailableError("the store is nearly full")
        received_ms = int(time.time() * 1000)
        asked: list[Asked] = []
        unstorable = False
        for piece in pieces:
            self._tally.seen(piece.label)
            try:
                asked += self._asked(piece, received_ms)
            except Exception as defect:  # noqa: BLE001 - whatever is the matter with it, its siblings go on
                asked.append(self._unstorable(piece, received_ms, defect))
                unstorable = True
        commands = [command for command, _, _ in asked]
        if telling:
            commands.append(self._outbox.webhook_rejected())
        # The results are in order, and what was appended last is nobody's.
        for (_, piece, told), result in zip(asked, self._store.run(commands), strict=False):
            told(piece, result)
        return not unstorable

    def _unstorable(self, piece: Piece, received_ms: int, defect: Exception) -> Asked:
        malformed = replace(piece, kind="malformed", reason=f"it cannot be stored: {type(defect).__name__}")
        return self._dead_letters.add(malformed, received_ms), malformed, self._buried

    def _asked(self, piece: Piece, received_ms: int) -> list[Asked]:
        kind = piece.kind
        number = piece.phone_number_id
        if kind == "malformed":
            return [(self._dead_letters.add(piece, received_ms), piece, self._buried)]
        if kind == "management":
            return self._account.asked(piece)
        if number not in self._ours:
            stray = {"n": number, "w": piece.waba_id, "k": kind, "m": _stray_form(piece, received_ms)}
            return [(self._events.stray(stray), piece, _stray)]
        if kind == "message":
            asked: Asked = (self._inbox.admit(piece, received_ms), piece, self._admitted)
        elif kind == "status":
            at = _at(piece, received_ms)
            asked = (self._outbox.status(number, piece.id, piece.raw["status"], at, piece.raw), piece, self._applied)
        else:
            asked = self._account.notice(piece)
        if number in self._account.unseen:
            return [asked, *self._account.seen_as(piece)]
        return [asked]

    def _admitted(self, piece: Piece, result: Any) -> None:
        match result:
            case b"new":
                if piece.timestamp:
                    self._tally.lagged(time.time() - piece.timestamp)
            case b"duplicate":
                metrics.duplicate_seen()
            case b"flood":
                self._log.warning("whatsapp.webhook.dead_lettered", number=piece.phone_number_id, kind="flood")
            case _:
                raise unexpected(result)

    def _applied(self, piece: Piece, result: Any) -> None:
        word, record_id, milliseconds, _ = result
        match word:
            case b"applied":
                status = piece.raw["status"]
                metrics.status_applied(status)
                if milliseconds >= 0:
                    metrics.delivery_took(status, milliseconds / 1000)
                if status == "failed":
                    self._log.warning("whatsapp.status", id=record_id.decode(), status=status, code=_code(piece))
                elif self._debug:
                    self._log.debug("whatsapp.status", id=record_id.decode(), status=status, ms=milliseconds)
            case b"duplicate":
                metrics.duplicate_seen()
            case b"foreign":
                metrics.event_seen("foreign")
            case b"late" | b"told":
                pass
            case _:
                raise unexpected(word)

    def _buried(self, piece: Piece, result: Any) -> None:
        if result == b"dead":
            self._log.warning(
                "whatsapp.webhook.dead_lettered", number=piece.phone_number_id, kind="malformed", reason=piece.reason
            )
        elif result == b"duplicate":
            metrics.duplicate_seen()
        else:
            raise unexpected(result)


def _stray(piece: Piece, result: Any) -> None:
    kept(piece, result)
    metrics.event_seen("stray")


def _at(status: Piece, received_ms: int) -> int:
    return status.timestamp * 1000 or received_ms


def _stray_form(piece: Piece, received_ms: int) -> Any:
    """What is kept of something for a number that is not ours."""
    if piece.kind != "status":
        return bounded(piece.raw, LARGEST_KEPT_ASIDE)
    at = _at(piece, received_ms)
    return foreign_status(piece.phone_number_id, piece.id, piece.raw["status"], at, _code(piece))


def _code(piece: Piece) -> int | None:
    errors = piece.raw.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    return code if type(code) is int else None
