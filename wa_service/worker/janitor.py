"""What has to be looked at once a second: leases, claims that ran out, sends whose outcome nobody knows.

And once a minute: what is over its time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from wa_service.observability import log
from wa_service.store.events import Events
from wa_service.store.flusher import StoreAwayError
from wa_service.store.inbox import Inbox
from wa_service.store.outbox import Outbox
from wa_service.worker.inbound import InboundWorker

TIDY_SECONDS = 60.0


class Janitor:
    """One round of tidying; every worker process does it, the steps see to it that each thing happens once."""

    def __init__(
        self, outbox: Outbox, inbox: Inbox, events: Events, puller: str, inbound: Sequence[InboundWorker]
    ) -> None:
        self._outbox = outbox
        self._inbox = inbox
        self._events = events
        self._tidy_at = 0.0
        self._puller = puller
        self._inbound = inbound
        self._log = log.get_logger()

    def round(self) -> None:
        """Say that we work; renew, reap, settle; tidy, now and then. A store that is away is met by the next round."""
        try:
            self._inbox.alive(self._puller)
            for worker in self._inbound:
                worker.renew()
            for record_id in self._outbox.reap():
                self._log.warning("whatsapp.send.unknown", id=record_id, reason="claim_ran_out")
            for record_id, verdict in self._outbox.settle():
                if verdict == "resent":
                    self._log.warning("whatsapp.send.resent", id=record_id, reason="no_word_from_meta")
                else:
                    self._log.error("whatsapp.send.failed", id=record_id, reason="no_word_from_meta")
            if time.monotonic() >= self._tidy_at:
                self._events.tidy()
                self._tidy_at = time.monotonic() + TIDY_SECONDS
        except StoreAwayError:
            return
