"""Reading a log that somebody is writing."""

from __future__ import annotations

from pathlib import Path


def whole_lines(log: Path, start: int = 0) -> bytes:
    """What stands in it from byte `start` on, without the line that is being written; b"" where there is none."""
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(start)
        said = file.read()
    return said[: said.rfind(b"\n") + 1]
