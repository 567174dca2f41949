"""The alternatives, in their own virtual environment: never in our requirements or our `.venv`.

It gets the versions of Flask, gunicorn, gevent, requests, … in our lock, so that only the difference is measured.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.processes import ROOT, BenchmarkError

RIVALS = ("pywa==4.5.0", "whatsloon==3.1.0", "heyoo==0.1.2")
_SHARED = ("flask", "gevent", "greenlet", "gunicorn", "packaging", "requests", "urllib3", "werkzeug")
_HOME = ROOT / "benchmarks" / ".venv"
_STAMP = _HOME / ".installed"


def python() -> str:
    """Return its interpreter; install what is missing.

    Raises:
        BenchmarkError: the package index is unavailable or does not have them.
    """
    wanted = [*_pins(), *RIVALS]
    interpreter = _HOME / "bin" / "python"
    if _STAMP.is_file() and _STAMP.read_text().split() == wanted:
        return str(interpreter)
    print("Installing the alternatives into benchmarks/.venv …", file=sys.stderr)
    base = Path(sys.executable).resolve()  # the same interpreter, without our packages
    for command in (
        [str(base), "-m", "venv", "--clear", str(_HOME)],
        [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if done.returncode:
            raise BenchmarkError(f"the alternatives cannot be installed: {done.stderr.strip()[-500:]}")
    _STAMP.write_text("\n".join(wanted))
    return str(interpreter)


def _pins() -> list[str]:
    pins = []
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if name.lower() in _SHARED:
            pins.append(f"{name.lower()}=={version.split()[0]}")
    return pins
