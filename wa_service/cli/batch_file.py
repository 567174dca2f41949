"""Read a CSV file of customers, one per row, as spreadsheets write it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Final

from wa_service.cli.terminal import CommandError

_SEPARATORS: Final = ",;\t|"
_LINES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """One customer: the values by column, and the line of the file where the row begins."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """A file's column names in order, and its rows without empty ones."""

    names: tuple[str, ...]
    rows: Sequence[CustomerRow]

    def repeated(self) -> list[str]:
        """Return the numbers that occur in more than one row, in any spelling."""
        counted = Counter("".join(each for each in row.values["to"] if each.isdigit()) for row in self.rows)
        return [number for number, count in counted.items() if number and count > 1]


def read_customers(path: Path) -> CustomerFile:
    """Read a UTF-8 file whose first line holds the column names; the separator is detected from that line.

    Raises:
        CommandError: it is not such a file, or a row has values without a column name.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not in UTF-8: save it as “CSV UTF-8”.") from None
    first = text.lstrip("\r\n").partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    try:
        lines = list(_lines(text, separator))
    except csv.Error as error:
        raise CommandError(f"{path} is not a CSV file: {error}.") from None
    names = tuple(name.strip() for name in lines[0][1]) if lines else ()
    _check(path, names, lines[1:])
    rows = [CustomerRow(line, dict(zip(names, values + [""] * len(names), strict=False))) for line, values in lines[1:]]
    for row in rows:
        row.values.pop("", None)
        row.values["to"] = row.values["to"].strip()
    return CustomerFile(tuple(name for name in names if name), rows)


def _lines(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty, with its first line: a quoted value may contain line breaks."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    begins = 1
    for values in reader:
        if any(value.strip() for value in values):
            yield begins, values
        begins = reader.line_num + 1


def _check(path: Path, names: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> None:
    if "to" not in names:
        found = f"; it has: {', '.join(name for name in names if name)}" if any(names) else ""
        raise CommandError(f"{path} needs a first line with column names, `to` among them{found}.")
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise CommandError(f"{path} has two columns with the name {twice[0]}.")
    if not lines:
        raise CommandError(f"{path} has no customers after the line of column names.")
    width = len(names)
    too_long = [line for line, values in lines if any(value.strip() for value in values[width:])]
    if too_long:
        shown = ", ".join(str(line) for line in too_long[:_LINES_SHOWN])
        more = f" and {len(too_long) - _LINES_SHOWN:,} more" if len(too_long) > _LINES_SHOWN else ""
        raise CommandError(
            f"{path} has more values than columns in line {shown}{more}: put quotes around a value that contains “,”."
        )
