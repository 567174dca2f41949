"""`python -m benchmarks`: measure every row and write one table; `--check` compares with the committed one."""

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
    """Run the requested rows.

    Returns:
        0; 1 if a row failed, or with `--check` if one regressed by more than 20 %.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Benchmark the service.")
    parser.add_argument("--quick", action="store_true", help="short rounds; the figures are rough")
    parser.add_argument("--check", action="store_true", help="compare with benchmarks/last.json; write nothing")
    parser.add_argument("--keep", action="store_true", help="write the table also for --quick and --only")
    parser.add_argument("--only", metavar="ROW", nargs="+", choices=list(rows.ALL), help="these rows: %(choices)s")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the child processes too
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
