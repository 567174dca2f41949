"""Publish and subscribe for the world's events, with a bounded history."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from gevent.queue import Empty, Full, Queue

# A function defers the work: a load test publishes thousands of exchanges that nobody reads.
EventData = dict[str, Any] | Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class WorldEvent:
    """An event; ids are consecutive, ``kind`` names the shape of ``data``."""

    id: int
    kind: str
    content: EventData

    @property
    def data(self) -> dict[str, Any]:
        """Content of the event; a function is called."""
        return self.content() if callable(self.content) else self.content


class EventHub:
    """Publish to every subscriber; replay history after a given event id.

    A subscriber with a full queue is dropped: its stream ends, and the browser reconnects with its last id.
    """

    def __init__(self, kept: int) -> None:
        self._history: deque[WorldEvent] = deque(maxlen=kept)
        self._kept = kept
        self._last = 0
        self._subscribers: set[Queue] = set()

    @property
    def last_id(self) -> int:
        """Id of the newest event; 0 before the first."""
        return self._last

    @property
    def subscribers(self) -> int:
        """Number of open streams."""
        return len(self._subscribers)

    def publish(self, kind: str, data: EventData) -> WorldEvent:
        """Send an event to every subscriber and keep it for replay."""
        self._last += 1
        event = WorldEvent(self._last, kind, data)
        self._history.append(event)
        for queue in tuple(self._subscribers):
            try:
                queue.put_nowait(event)
            except Full:
                self._subscribers.discard(queue)
        return event

    def continue_after(self, event_id: int) -> None:
        """Continue the ids after this one, as after a restart."""
        self._last = max(self._last, event_id)

    def clear(self) -> None:
        """Clear the history and publish ``reset``; ids keep growing."""
        self._history.clear()
        self.publish("reset", {})

    def stream(self, after: int, idle: float) -> Generator[WorldEvent | None, None, None]:
        """Yield events after id ``after``; None after ``idle`` seconds without one.

        A ``reset`` event (read the state again) comes first if the history does not reach back to ``after``.
        """
        queue: Queue = Queue(maxsize=2 * self._kept)
        self._subscribers.add(queue)
        try:
            oldest = self._history[0].id if self._history else self._last + 1
            replay = [event for event in self._history if event.id > after]
            starts_over = bool(replay) and replay[0].kind == "reset"
            if (after > self._last or after + 1 < oldest) and not starts_over:
                yield WorldEvent(oldest - 1, "reset", {})
            yield from replay
            while queue in self._subscribers or not queue.empty():
                try:
                    yield queue.get(timeout=idle)
                except Empty:
                    yield None
        finally:
            self._subscribers.discard(queue)
