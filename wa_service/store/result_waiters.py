"""Wait in a web process until a record has its result: one list and one waiting loop for each process."""

from __future__ import annotations

import threading
import time
import uuid

from wa_service.observability import log
from wa_service.store.client import Store
from wa_service.store.flusher import StoreUnavailableError

_RETRY_SECONDS = 0.2


class ResultWaiters:
    """Wait for records on behalf of many requests; the loop runs only while there are waiters."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name = store.keys.results(uuid.uuid4().hex)
        self._waiting: dict[str, threading.Event] = {}
        self._mutex = threading.Lock()
        self._running = False

    def register(self, record_id: str) -> threading.Event:
        """Register a waiter, before the record is put. The event is set when the record has its result."""
        event = threading.Event()
        with self._mutex:
            self._waiting[record_id] = event
            start = not self._running
            self._running = True
        if start:
            threading.Thread(target=self._listen, name="result-waiters", daemon=True).start()
        return event

    def wait(self, record_id: str, event: threading.Event, seconds: float) -> bool:
        """Wait at most `seconds` for the result, then cancel; return whether it arrived."""
        try:
            return event.wait(seconds)
        finally:
            self.cancel(record_id)

    def cancel(self, record_id: str) -> None:
        """Stop waiting for this record."""
        with self._mutex:
            self._waiting.pop(record_id, None)

    def _listen(self) -> None:
        while True:
            with self._mutex:
                if not self._waiting:
                    self._running = False
                    return
            try:
                self._set_next()
            except StoreUnavailableError:
                time.sleep(_RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - without this loop, every caller would wait for its whole time
                log.get_logger().error("whatsapp.web.result_not_read", exc_info=error)
                time.sleep(_RETRY_SECONDS)

    def _set_next(self) -> None:
        """Wait a moment for a result, and set its event."""
        notified = self._store.wait_for(self.name, 1.0)
        if notified is not None:
            with self._mutex:
                event = self._waiting.get(notified.decode())
            if event is not None:
                event.set()
