"""A ledger of the sends of a process that may have left: a file in memory, which its successor reads.

A killed process leaves claims behind. Sends whose first byte was never written are sent again at once; the others are
unknown. A send is marked right before its first byte, until its outcome is stored. A mark costs a system call instead
of a round trip to the store, and is as reliable: a successor starts only after the process has ended.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial

from wa_service.store.grants import Grant
from wa_service.whatsapp.http.adapter import before_bytes

_SLOT_BYTES = 96


def read_ledger(descriptor: int) -> set[str]:
    """Return "<record id>:<token>" of every send that may have left and whose outcome is not stored."""
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0)
    slots = (content[i : i + _SLOT_BYTES].strip(b" \0") for i in range(0, size, _SLOT_BYTES))
    return {slot.decode() for slot in slots if slot}


class SendLedger:
    """One process's ledger; without a descriptor, nothing is written."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._taken: dict[str, int] = {}
        self._free: list[int] = []

    def sending(self, grant: Grant) -> contextlib.AbstractContextManager[None]:
        """Mark the grant right before the first byte is written in the block; `settle` removes the mark."""
        if self._descriptor is None:
            return contextlib.nullcontext()
        return before_bytes(partial(self._mark, _name(grant), self._descriptor))

    def settle(self, grant: Grant) -> None:
        """Remove the grant's mark, if there is one, after the outcome is stored."""
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
