"""Speech to text and sentence embeddings in separate processes, with HTTP interfaces."""

from __future__ import annotations

UNUSABLE = "speech cannot start: "
"""The prefix of the reason on standard error, if the process cannot be set up."""
