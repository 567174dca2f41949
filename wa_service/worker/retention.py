"""Delete what is past its retention, and continue interrupted erasures, once a minute."""

from __future__ import annotations

from wa_service.observability import log
from wa_service.store.contacts import Contacts
from wa_service.store.customer_names import CustomerNames
from wa_service.store.events import Events
from wa_service.store.tag_numbers import TagNumbers
from wa_service.worker.periodic import PeriodicWorker

ROUND_SECONDS = 60.0


class RetentionWorker(PeriodicWorker):
    """Delete old data. Every worker process runs it; the store's steps are idempotent.

    Once a day one of them copies the events stream, which takes half a minute for a million events: meanwhile
    `Maintenance` renews leases.
    """

    retry_wait = 1.0

    def __init__(self, events: Events, names: CustomerNames, tag_numbers: TagNumbers, contacts: Contacts) -> None:
        super().__init__()
        self._events = events
        self._names = names
        self._tag_numbers = tag_numbers
        self._contacts = contacts

    def run_once(self) -> float:
        """Delete what is past its retention now, and continue an interrupted erasure."""
        self._events.trim()
        self._names.sweep()
        for record_id in self._tag_numbers.expire_former():
            log.get_logger().warning("whatsapp.send.failed", id=record_id, reason="expired")
        if continued := self._contacts.continue_erasure():
            digest, erased = continued
            logger = log.get_logger(digest=digest)
            if erased is None:
                logger.error("whatsapp.erasure.interrupted")
            else:
                logger.warning("whatsapp.erasure.continued", erased=erased)
        return ROUND_SECONDS
