"""Send granted records: each process has one consumer for each number, which takes grants for its greenlets."""

from __future__ import annotations

import gevent
from gevent.pool import Pool

from wa_service.delivery.sender import Sender
from wa_service.observability import log
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.grants import Grant
from wa_service.store.outbox import Outbox

BATCH_SIZE = 16
KEPT_FROM_BULK = 0.25
"""The share of concurrent sends that is closed to bulk, so that a reply does not wait for one to end."""
# A short wait is slept; a longer one ends early by a wake-up.
SHORT_WAIT = 0.05


class OutboundWorker:
    """Take grants of one number, as many as greenlets are free, and send the records."""

    def __init__(self, number: str, outbox: Outbox, sender: Sender, *, consumer: str, concurrency: int) -> None:
        self._number = number
        self._outbox = outbox
        self._sender = sender
        self._consumer = consumer
        self._pool = Pool(concurrency)
        self._kept_from_bulk = int(concurrency * KEPT_FROM_BULK)
        self._log = log.get_logger(number=number)
        self._stopping = False

    def consume(self) -> None:
        """Take records and send them until `stop`; the loop of one greenlet."""
        counter = 0
        while not self._stopping:
            self._pool.wait_available()
            try:
                free = self._pool.free_count()
                count, bulk = min(free, BATCH_SIZE), max(0, free - self._kept_from_bulk)
                answer = self._outbox.next(self._number, self._consumer, counter, count, most_bulk=bulk)
                counter += 1
                for grant in answer.grants:
                    self._pool.spawn(self._send, grant)
                for record_id, reason in answer.failed:
                    self._log.warning("whatsapp.send.failed", id=record_id, reason=reason)
                if answer.wait and not self._stopping:
                    self._wait(answer.wait, answer.why)
            except StoreUnavailableError:
                gevent.sleep(0.2)  # retry with the same counter: a lost answer is returned again

    def stop(self) -> None:
        """Take no more records."""
        self._stopping = True

    def join(self, seconds: float) -> bool:
        """Wait for running sends; return whether all ended."""
        return bool(self._pool.join(timeout=seconds))

    def _wait(self, seconds: float, why: str) -> None:
        if why in {"pause", "throughput"} or seconds <= SHORT_WAIT:
            gevent.sleep(min(seconds, 1.0))
        else:
            self._outbox.wait_for_work(self._number, min(seconds, 1.0))

    def _send(self, grant: Grant) -> None:
        try:
            self._sender.send(grant)
        except Exception as error:  # noqa: BLE001 - a bug: the claim expires and the send becomes unknown
            self._log.error("whatsapp.send.crashed", id=grant.id, reason=type(error).__name__)
