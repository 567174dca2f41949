"""The live hub: what happens in the world is published once, kept for a while, and replayed to latecomers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gevent.queue import Empty, Full, Queue


@dataclass(frozen=True, slots=True)
class WorldEvent:
    """One thing that happened: ``id`` grows by one, ``kind`` names the shape of ``data``."""

    id: int
    kind: str
    data: dict[str, Any]


class EventHub:
    """Publish to every subscriber; history replay from a given event id.

    A subscriber that does not read loses its subscription instead of filling memory: its stream ends, the
    browser reconnects with its last id and gets what it missed.
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
        """How many streams are open."""
        return len(self._subscribers)

    def publish(self, kind: str, data: dict[str, Any]) -> WorldEvent:
        """Hand ``data`` to every subscriber and keep it for replay."""
        self._last += 1
        event = WorldEvent(self._last, kind, data)
        self._history.append(event)
        for queue in tuple(self._subscribers):
            try:
                queue.put_nowait(event)
            except Full:
                self._subscribers.discard(queue)
        return event

    def clear(self) -> None:
        """Forget history (ids go on growing) and tell everyone to start over."""
        self._history.clear()
        self.publish("reset", {})

    def stream(self, after: int, idle: float) -> Iterator[WorldEvent | None]:
        """Events after id ``after``, for ever; None when nothing happened for ``idle`` seconds.

        Where the history no longer reaches back to ``after``, a ``reset`` event comes first: read the state anew.
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
