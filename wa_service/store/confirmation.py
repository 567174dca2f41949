"""Wait until enough replicas have a write, before it is acknowledged.

`WAIT` covers the last write of its own connection. A repeated request writes nothing ("duplicate", "replayed"), so its
`WAIT` would return at once, although the mark that it relies on, written by another connection, may be on no replica.
So each confirmation writes a tick first: replication is in order, and a replica with the tick has all writes before it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command

PATIENCE_MS = 1000
# While too few replicas answer, one caller checks for LOOK_MS every LOOK_SECONDS; the others fail at once.
LOOK_MS = 100
LOOK_SECONDS = 0.2


class Confirmation:
    """The commands that end a round trip, and the meaning of their answers. `tick`: a packed command that writes.

    `replicas`: how many must have the writes within `patience_ms`; with `fsync` on disk, and so must the primary, which
    needs `appendfsync always` on each of them.
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
        """Whether too few replicas had the last writes."""
        return self._behind

    @property
    def is_hopeless(self) -> bool:
        """Whether too few replicas answered a moment ago, so that it is not worth waiting now."""
        return self._behind and time.monotonic() < self._look_at

    def commands(self, milliseconds: int | None = None) -> list[bytes]:
        """Return the packed commands; `milliseconds`: how long to wait for replicas, by default `patience_ms`."""
        wait = self._patience_ms if milliseconds is None else milliseconds
        commands = [self._tick, _packed("WAIT", self._replicas, wait)]
        if self._fsync:
            # A replica that gets the writes and the request for its position together answers with the position on its
            # disk before these writes, and reports again only after a second. So ask again once it has them.
            commands.append(_packed("WAITAOF", 1, self._replicas, wait // 2))
        return commands

    def read(self, results: Sequence[Any]) -> bool:
        """Whether the answers to `commands` say that enough replicas have the writes."""
        tick, *_, count = results
        if isinstance(count, list):
            local, count = count
            count = count if local else 0
        confirmed = not isinstance(tick, Exception) and isinstance(count, int) and count >= self._replicas
        self._behind = not confirmed
        self._look_at = time.monotonic() + LOOK_SECONDS
        return confirmed


def _packed(*command: str | int) -> bytes:
    return bytes(pack_command(command))  # type: ignore[arg-type]  # its stub says a 1-tuple
