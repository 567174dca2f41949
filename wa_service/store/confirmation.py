"""Waiting until enough replicas have what was written: acknowledged means that so many servers have it.

`WAIT` covers its own connection's last write. What repeats an earlier request writes nothing ("duplicate", "replayed"),
so its `WAIT` would return at once although the mark that it leans on, written by another connection, may be on no
replica. So each confirmation writes a tick first: replication is in order, and who has the tick has all before it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command

PATIENCE_MS = 1000
# While too few replicas answer, one caller looks for so long, so often; the others fail at once.
LOOK_MS = 100
LOOK_SECONDS = 0.2


class Confirmation:
    """What a round trip ends with, and what its answer says. `tick`: a packed command that writes something.

    `replicas`: how many must have it within `patience_ms`; with `fsync` they must have it on disk, as must the primary.
    """

    def __init__(self, replicas: int, tick: bytes, *, fsync: bool = False, patience_ms: int = PATIENCE_MS) -> None:
        self._replicas = replicas
        self._tick = tick
        self._fsync = fsync
        self._patience_ms = patience_ms
        self._behind = False
        self._look_at = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether too few replicas had it the last time."""
        return self._behind

    @property
    def is_hopeless(self) -> bool:
        """Whether too few replicas had it a moment ago, so that nobody need wait for it now."""
        return self._behind and time.monotonic() < self._look_at

    def commands(self, milliseconds: int | None = None) -> list[bytes]:
        """Return the packed commands; `milliseconds`: to wait for replicas, where not as long as ever."""
        which = ["WAITAOF", 1] if self._fsync else ["WAIT"]
        wait = pack_command((*which, self._replicas, self._patience_ms if milliseconds is None else milliseconds))
        return [self._tick, wait]

    def read(self, results: Sequence[Any]) -> bool:
        """Whether the answers to `commands` say that enough replicas have it."""
        tick, count = results
        if isinstance(count, list):
            local, count = count
            count = count if local else 0
        confirmed = not isinstance(tick, Exception) and isinstance(count, int) and count >= self._replicas
        self._behind = not confirmed
        self._look_at = time.monotonic() + LOOK_SECONDS
        return confirmed
