"""Run commands of the CLI in the test's own process, because starting Python takes longer than most commands."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from prometheus_client import values

from wa_service.cli.commands import main
from wa_service.observability import multiprocess


@dataclass(frozen=True)
class Completed:
    """The exit status and output of a command."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Standard output, then standard error."""
        return self.stdout + self.stderr


def run_command(*arguments: str, environment: Mapping[str, str], typed: str = "") -> Completed:
    """Run `python -m wa_service …` in the given environment and restore the global state that it configures."""
    logging, counters, shared = structlog.get_config(), values.ValueClass, dict(vars(multiprocess))
    with _streams(typed) as (out, err), _environment(environment):
        try:
            status = main(arguments)
        finally:
            structlog.configure(**logging)
            # The command configured its metrics to be shared with the service's processes.
            values.ValueClass = counters
            vars(multiprocess).update(shared)
    return Completed(status, out.getvalue(), err.getvalue())


@contextmanager
def _streams(typed: str) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    before = sys.stdin, sys.stdout, sys.stderr
    out, err = io.StringIO(), io.StringIO()
    typed_bytes = io.BytesIO(typed.encode(errors="surrogateescape"))
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(typed_bytes, "utf-8"), out, err
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
