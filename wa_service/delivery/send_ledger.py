"""Which sends of a process may have left: a file in memory that outlives the process, for its successor.

A process that is killed leaves claims behind. Those whose first byte was never written are sent again at once; the rest
are unknown. The mark is made right before the first byte and stands until the outcome is stored; it costs a system
call, not a round trip to the store, and is as true: only a process that is gone for certain has a successor.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial

from wa_service.store.grants import Grant
from wa_service.whatsapp.http.adapter import before_bytes

_SLOT_BYTES = 96


def read_ledger(descriptor: int) -> set[str]:
    """Return "<record id>:<token>" of every send that may have left and whose outcome was not stored."""
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0)
    slots = (content[i : i + _SLOT_BYTES].strip(b" \0") for i in range(0, size, _SLOT_BYTES))
    return {slot.decode() for slot in slots if slot}


class SendLedger:
    """One process's ledger; without a descriptor nobody will read it, and nothing is written."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._taken: dict[str, int] = {}
        self._free: list[int] = []

    def sending(self, grant: Grant) -> contextlib.AbstractContextManager[None]:
        """Mark the grant right before the first byte that is written in the block; `settle` takes the mark away."""
        if self._descriptor is None:
            return contextlib.nullcontext()
        return before_bytes(partial(self._mark, _name(grant), self._descriptor))

    def settle(self, grant: Grant) -> None:
        """Take the mark away, if there is one: the outcome is stored."""
        slot = self._taken.pop(_name(grant), None)
        if slot is not None and self._descriptor is not None:
            os.pwrite(self._descriptor, b" " * _SLOT_BYTES, slot * _SLOT_BYTES)
            self._free.append(slot)

    def _mark(self, name: str, descriptor: int) -> None:
        if name not in self._taken:
            self._taken[name] = slot = self._free.pop() if self._free else len(self._taken)
            os.pwrite(descriptor, name.encode().ljust(_SLOT_BYTES), slot * _SLOT_BYTES)


def _name(grant: Grant) -> str:
    return f"{grant.id}:{grant.token}"
