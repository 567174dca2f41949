"""The table as text and as data, and the changes since the last one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks import machine
from benchmarks.measure import Figure, Line, Skipped, line_of
from benchmarks.processes import ROOT

LAST = ROOT / "benchmarks" / "last.json"
README = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- last table -->", "<!-- end of the last table -->"
TOLERANCE = 0.20


def row(line: Line) -> str:
    """Return one line of the table."""
    if isinstance(line, Skipped):
        return f"| {line.what} | – | not measured: {line.reason} | | | |"
    goal = f"{line.goal.sense} {_short(line.goal.value)}{_unit(line.unit)}" if line.goal else "–"
    mark = "" if line.goal is None else " ✓" if line.reached else " ✗"
    spread = f"{_short(line.low)} … {_short(line.high)}"
    behind = " · ".join(f"{name} {_short(value)}" for name, value in line.absolute.items())
    value = f"**{_short(line.value)}{_unit(line.unit)}**{mark}"
    return f"| {line.what} | {line.beside} | {value} | {goal} | {spread} | {behind} |"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table in Markdown, followed by the machine and the times."""
    about = machine.description()
    head = ["| what | beside | median | to reach | rounds | behind it |", "|---|---|---|---|---|---|"]
    times = sorted({f"{each['taken']} UTC ({each['form']})" for each in rows})
    taken = f"Taken {', '.join(times)} on {about['cores']} cores of {about['cpu']}, {about['python']}, "
    return "\n".join([*head, *(row(line_of(each)) for each in rows), "", f"{taken}{about['system']}."])


def keep(lines: Sequence[Line], form: str, *, whole: bool) -> None:
    """Write the table into README.md and the figures into last.json.

    Args:
        form: "full" or "quick".
        whole: every row was measured; otherwise the other rows of the last table are kept if it is from this machine.
    """
    taken = {"taken": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "form": form}
    rows = {line.name: line.as_data() | taken for line in lines}
    if not whole and LAST.is_file():
        last = json.loads(LAST.read_text(encoding="utf-8"))
        if last["machine"] == machine.description():
            rows = {each["name"]: each for each in last["rows"]} | rows
    data: dict[str, Any] = {"machine": machine.description(), "rows": list(rows.values())}
    LAST.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n\n{table(data['rows'])}\n\n{END}{after}", encoding="utf-8")


def compare(lines: Sequence[Line]) -> bool:
    """Print changes of more than 20 % since the committed table; return whether there is a regression."""
    if not LAST.is_file():
        print("There is no committed table yet: run without --check first.")
        return False
    last: dict[str, Any] = json.loads(LAST.read_text(encoding="utf-8"))
    before = {each["name"]: each for each in last["rows"] if "value" in each}
    if last["machine"] != machine.description():
        print("The committed table is from another machine: compare only ratios.")
    worse = False
    for line in lines:
        if isinstance(line, Skipped) or line.name not in before:
            print(f"new or not measured: {line.what}")
            continue
        moved = line.value / before[line.name]["value"] - 1 if before[line.name]["value"] else 0.0
        if abs(moved) <= TOLERANCE:
            continue
        bad = _is_worse(line, moved)
        worse |= bad
        was = _short(before[line.name]["value"])
        print(f"{'worse' if bad else 'better'}: {line.what}: {was} → {_short(line.value)}{_unit(line.unit)}")
    if not worse:
        print("No regression of more than 20 %.")
    return worse


def _is_worse(line: Figure, moved: float) -> bool:
    wants_more = line.goal is None or line.goal.sense == "≥"
    return moved < 0 if wants_more else moved > 0


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _unit(unit: str) -> str:
    return f" {unit}"
