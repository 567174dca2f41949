"""How a web process hears that a record's caller can be answered: one list, one waiting loop for each process."""

from __future__ import annotations

import threading
import time
import uuid

from wa_service.store import keys
from wa_service.store.client import Store
from wa_service.store.flusher import StoreAwayError


class Answers:
    """Waits for records on behalf of many requests; the loop runs only while somebody waits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.name = keys.answers(uuid.uuid4().hex)
        self._waiting: dict[str, threading.Event] = {}
        self._mutex = threading.Lock()
        self._running = False

    def expect(self, record_id: str) -> threading.Event:
        """Call before the record is put; then `wait`. The event is set when the record was answered."""
        event = threading.Event()
        with self._mutex:
            self._waiting[record_id] = event
            start = not self._running
            self._running = True
        if start:
            threading.Thread(target=self._listen, name="answers", daemon=True).start()
        return event

    def wait(self, record_id: str, event: threading.Event, seconds: float) -> bool:
        """Waits at most `seconds` for the answer; in any case nobody waits for this record afterwards."""
        try:
            return event.wait(seconds)
        finally:
            self.forget(record_id)

    def forget(self, record_id: str) -> None:
        """Nobody waits for this record any more."""
        with self._mutex:
            self._waiting.pop(record_id, None)

    def _listen(self) -> None:
        while True:
            with self._mutex:
                if not self._waiting:
                    self._running = False
                    return
            try:
                answered = self._store.wait_for(self.name, 1.0)
            except StoreAwayError:
                time.sleep(0.2)
                continue
            if answered is not None:
                with self._mutex:
                    event = self._waiting.get(answered.decode())
                if event is not None:
                    event.set()
