"""Sends what may be sent: one puller for each number in each process asks, greenlets do not poll."""

from __future__ import annotations

import gevent
from gevent.pool import Pool

from wa_service.delivery.sender import Sender
from wa_service.observability import log
from wa_service.store.flusher import StoreAwayError
from wa_service.store.outbox import Grant, Outbox

MOST_AT_ONCE = 16
# A wait that is over soon is slept; during a longer one the bell may ring for somebody else's message.
SHORT_SECONDS = 0.05


class OutboundWorker:
    """Takes records of one number when Meta's limits allow, only as many as greenlets are free."""

    def __init__(self, number: str, outbox: Outbox, sender: Sender, *, puller: str, concurrency: int) -> None:
        self._number = number
        self._outbox = outbox
        self._sender = sender
        self._puller = puller
        self._pool = Pool(concurrency)
        self._log = log.get_logger(number=number)
        self._stopping = False

    def pull(self) -> None:
        """Asks for records and sends them until told to stop; the loop of one greenlet."""
        counter = 0
        while not self._stopping:
            self._pool.wait_available()
            try:
                count = min(self._pool.free_count(), MOST_AT_ONCE)
                answer = self._outbox.next(self._number, self._puller, counter, count)
                counter += 1
                for grant in answer.grants:
                    self._pool.spawn(self._send, grant)
                for record_id in answer.expired:
                    self._log.warning("whatsapp.send.failed", id=record_id, reason="expired")
                if answer.wait and not self._stopping:
                    self._wait(answer.wait, answer.why)
            except StoreAwayError:
                gevent.sleep(0.2)  # the same counter again: a lost answer strands nothing

    def stop(self) -> None:
        """Takes nothing more."""
        self._stopping = True

    def join(self, seconds: float) -> bool:
        """Waits for running sends; returns whether all ended."""
        return bool(self._pool.join(timeout=seconds))

    def _wait(self, seconds: float, why: str) -> None:
        if why in {"pause", "throughput"} or seconds <= SHORT_SECONDS:
            gevent.sleep(min(seconds, 1.0))
        else:
            self._outbox.wait_for_work(self._number, min(seconds, 1.0))

    def _send(self, grant: Grant) -> None:
        try:
            self._sender.send(grant)
        except Exception as error:  # noqa: BLE001 - a defect: the claim runs out and the send becomes unknown
            self._log.error("whatsapp.send.crashed", id=grant.id, reason=type(error).__name__)
