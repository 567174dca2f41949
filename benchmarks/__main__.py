"""`python -m benchmarks`: every row, one table; `--check` compares with the last committed one."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from benchmarks import report, rows
from benchmarks.measure import Line, Skipped
from benchmarks.plan import FULL, QUICK
from benchmarks.processes import BenchmarkError


def main() -> int:
    """Runs what was asked for.

    Returns:
        0; 1 where a row failed, with `--check` also where one became worse by more than a fifth.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, beside what one would use.")
    parser.add_argument("--quick", action="store_true", help="short, for trying; its figures are rough")
    parser.add_argument("--check", action="store_true", help="compare with benchmarks/last.json; keep nothing")
    parser.add_argument("--keep", action="store_true", help="write the table of a quick run, too; with --only its rows")
    parser.add_argument("--only", metavar="ROW", nargs="+", choices=list(rows.ALL), help="these rows: %(choices)s")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with us
    plan = QUICK if options.quick else FULL
    lines: list[Line] = []
    failed = False
    for name in options.only or rows.ALL:
        started = time.monotonic()
        try:
            found = rows.ALL[name](plan)
        except BenchmarkError as error:
            failed = True
            found = [Skipped(name, name, str(error).splitlines()[0])]
            print(f"{name}: {error}", file=sys.stderr)
        lines += found
        print(f"# {name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        print("\n".join(report.row(line) for line in found), flush=True)
    if options.check:
        return int(report.compare(lines)) or int(failed)
    if options.keep or not (options.quick or options.only):
        report.keep(lines, "quick" if options.quick else "full", whole=not options.only)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
