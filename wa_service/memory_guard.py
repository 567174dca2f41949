"""Protect a process's memory (an access token, voice notes) from other processes of the same user."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def protect_memory() -> None:
    """Refuse `ptrace` and `process_vm_readv` on this process and those it forks, and write no core file.

    A confined speech process runs as the same user. Linux only; does nothing elsewhere.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
