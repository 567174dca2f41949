"""What commands say to people: results on standard output, problems on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def say(text: str = "") -> None:
    """Write a line of a command's result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write a sentence about what is wrong."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows in aligned columns, the last one ragged."""
    lines = [tuple(row) for row in rows]
    widths = [max((len(cell) for cell in column), default=0) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
