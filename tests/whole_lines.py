"""Read a log file that is still being written."""

from __future__ import annotations

from pathlib import Path


def whole_lines(log: Path, start: int = 0) -> bytes:
    """Return the complete lines from byte `start` on, or b"" if there are none."""
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(start)
        said = file.read()
    return said[: said.rfind(b"\n") + 1]
