"""What commands say to people: results on standard output, problems on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
MANY = 20
_BAR = 30
_STEP = 10_000


class CommandError(Exception):
    """A command cannot do what it was asked for; the text is one sentence."""


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


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Takes a growing number; where it becomes large and somebody watches, it is shown on standard error."""
    shown = 0

    def show(count: int) -> None:
        nonlocal shown
        if count - shown >= _STEP and sys.stderr.isatty():
            shown = count
            sys.stderr.write(f"\r{count:,} {what} ")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\n")
            sys.stderr.flush()


def progress(items: Sequence[T], what: str) -> Iterator[T]:
    """The items one by one; where they are many and somebody watches, with a bar on standard error."""
    watched = len(items) > MANY and sys.stderr.isatty()
    for done, item in enumerate(items):
        if watched:
            filled = _BAR * done // len(items)
            sys.stderr.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {done} of {len(items)} {what} ")
            sys.stderr.flush()
        yield item
    if watched:
        sys.stderr.write(f"\r[{'#' * _BAR}] {len(items)} of {len(items)} {what}\n")
        sys.stderr.flush()
