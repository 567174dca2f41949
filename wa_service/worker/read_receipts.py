"""Read receipts and typing indicators: best effort, and only while a fifth of the throughput is free."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import gevent
from gevent.event import Event
from gevent.pool import Pool

from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.outbox import Outbox
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.webhooks.events import InboundMessage

# Meta shows typing for 25 s, or until we send (reference 2.8).
TYPING_REPEAT_SECONDS = 20.0
# An indicator that arrives after the reply is shown for 25 s, so the reply waits for it a moment.
MAX_WAIT_FOR_INDICATOR = 1.0
# Most waiting bursts whose indicator is remembered.
MOST_SHOWN = 1_024
MOST_ON_THEIR_WAY = 32
"""Typing indicators in flight for waiting bursts; more are skipped."""


class Receipt:
    """Whether one message is to be marked as read."""

    def __init__(self) -> None:
        self.mark_read = True

    def leave_unread(self) -> None:
        """Leave the message unread, unless typing was shown already."""
        self.mark_read = False


class ReadReceipts:
    """Mark messages as read, with a typing indicator while they are handled. `enabled` is WA_MARK_READ."""

    def __init__(
        self,
        clients: Mapping[str, WhatsAppMetaClient],
        outbox: Outbox,
        *,
        enabled: bool,
        repeat: float = TYPING_REPEAT_SECONDS,
    ) -> None:
        self._clients = clients
        self._outbox = outbox
        self._enabled = enabled
        self._repeat = repeat
        self._shown: dict[str, float] = {}
        self._in_flight = Pool(MOST_ON_THEIR_WAY)
        self._log = log.get_logger()

    @contextmanager
    def typing(self, event: InboundMessage, *, after: float = 0.0) -> Iterator[Receipt]:
        """Mark the message as read and show typing while the block runs, from `after` seconds on.

        A block that raises before the indicator is sent, or that calls `leave_unread`, leaves the message unread.
        """
        receipt = Receipt()
        if not self._enabled or event.group_id:
            yield receipt
            return
        done, began = Event(), Event()
        since = self._shown.pop(event.id, None)
        if since is None:
            indicator = gevent.spawn(self._show_typing, event, receipt, after, done, began)
        else:
            indicator = gevent.spawn(self._go_on_typing, event, since, done, began)
        answered = False
        try:
            yield receipt
            answered = receipt.mark_read
        finally:
            done.set()
            if began.is_set():
                indicator.join(timeout=MAX_WAIT_FOR_INDICATOR)
            elif not answered:
                indicator.kill(block=False)

    def begin_typing(self, number: str, message_id: str) -> None:
        """Mark a message as read and show typing, for 25 s or until we send; in the background."""
        if self._enabled and self._in_flight.free_count():
            self._in_flight.spawn(self._show, number, message_id)

    def kill(self) -> None:
        """Stop the background work of `begin_typing`."""
        self._in_flight.kill(timeout=2)

    def _show(self, number: str, message_id: str) -> None:
        if self._mark(number, message_id, typing=True):
            while len(self._shown) >= MOST_SHOWN:
                self._shown.pop(next(iter(self._shown)))
            self._shown[message_id] = time.monotonic()

    def _go_on_typing(self, event: InboundMessage, since: float, done: Event, began: Event) -> None:
        """Repeat an indicator that was shown already, once it expires."""
        rest = since + self._repeat - time.monotonic()
        if not done.wait(max(0.0, rest)):
            self._keep_typing(event, done, began)

    def _show_typing(self, event: InboundMessage, receipt: Receipt, after: float, done: Event, began: Event) -> None:
        if done.wait(after) if after else done.is_set():
            # Answered before this greenlet ran: mark as read, without typing.
            if receipt.mark_read:
                self._mark_read(event, typing=False)
            return
        self._keep_typing(event, done, began)

    def _keep_typing(self, event: InboundMessage, done: Event, began: Event) -> None:
        began.set()
        while not done.is_set():
            self._mark_read(event, typing=True)
            done.wait(self._repeat)

    def _mark_read(self, event: InboundMessage, *, typing: bool) -> None:
        self._mark(event.phone_number_id, event.id, typing=typing)

    def _mark(self, number: str, message_id: str, *, typing: bool) -> bool:
        try:
            if self._outbox.reserve_spare(number):
                self._clients[number].mark_as_read(message_id, typing=typing)
                return True
        except (WhatsAppError, StoreUnavailableError, KeyError) as error:
            self._log.debug("whatsapp.message.mark_read_failed", reason=type(error).__name__)
        return False
