"""Speech to text and sentence meaning, in processes of their own; they are asked by HTTP."""

from __future__ import annotations

UNUSABLE = "speech cannot start: "
"""What stands before the reason, on standard error, where the process cannot be set up."""
