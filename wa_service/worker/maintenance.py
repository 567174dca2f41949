"""Periodic work of every worker process for the lanes, once a second."""

from __future__ import annotations

from collections.abc import Callable

from wa_service.observability import log
from wa_service.store.events import Events
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.inbox import Inbox
from wa_service.store.memory import CROWDED_SHARE, MemoryWatch
from wa_service.store.outbox import Outbox
from wa_service.store.records import Records


class Maintenance:
    """Heartbeat, leases, expired claims, unknown sends, short memory.

    Every worker process runs it; the store's steps are idempotent.
    """

    def __init__(
        self,
        outbox: Outbox,
        inbox: Inbox,
        events: Events,
        consumer: str,
        renew_leases: Callable[[], None],
        write_stops: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox = outbox
        self._inbox = inbox
        self._events = events
        self._consumer = consumer
        self._renew_leases = renew_leases
        self._write_stops = write_stops
        self._records = Records(outbox.store)
        self._memory = MemoryWatch(outbox.store, CROWDED_SHARE)
        self._log = log.get_logger()

    def run_once(self) -> None:
        """Do one round; if the store is unavailable, the next round continues."""
        try:
            self._inbox.heartbeat(self._consumer)
            self._renew_leases()
            for record_id in self._outbox.reap():
                self._log.warning("whatsapp.send.unknown", id=record_id, reason="claim_ran_out")
            for record_id, verdict in self._outbox.settle():
                if verdict == "resent":
                    self._log.warning("whatsapp.send.resent", id=record_id, reason="no_word_from_meta")
                else:
                    self._log.error("whatsapp.send.failed", id=record_id, reason="no_word_from_meta")
            self._write_stops()
            if self._memory.full():
                self._make_room()
        except StoreUnavailableError:
            return

    def _make_room(self) -> None:
        """Delete some of the oldest history each second, to make room for intake."""
        events, sends = self._events.make_room(), self._records.make_room()
        if events or sends:
            self._log.warning("whatsapp.store.history_trimmed", events=events, sends=sends)
