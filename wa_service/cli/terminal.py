"""Terminal output: results on standard output, problems on standard error."""

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
    """A command cannot do its task; the text is one sentence."""


def say(text: str = "") -> None:
    """Write a line of a command's result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write a sentence about a problem."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as text in aligned columns."""
    lines = [tuple(row) for row in rows]
    widths = [max((len(cell) for cell in column), default=0) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows a growing count on standard error, if that is a terminal and the count is large."""
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
    """Yield the items, with a progress bar on standard error if that is a terminal and there are many."""
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
