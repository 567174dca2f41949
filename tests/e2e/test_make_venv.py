"""`tools/make_venv` picks a Python that works, or says in one sentence what to do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

MAKE_VENV = Path(__file__).parents[2] / "tools/make_venv"
WORKS = '#!/bin/sh\nif [ "$1" = -m ]; then mkdir -p "$3/bin"; echo "$0" >"$3/made-by"; fi\n'
BROKEN_SHIM = '#!/bin/sh\necho "command not found" >&2\nexit 127\n'
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "path"
    directory.mkdir()
    return directory


def program(path: Path, name: str, script: str) -> None:
    (path / name).write_text(script)
    (path / name).chmod(0o755)


def make_venv(path: Path, venv: Path, python: str = "") -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{path}{os.pathsep}/bin", "PYTHON": python}
    # Only the test's candidates may be found: /bin may be /usr/bin, which has real ones.
    script = MAKE_VENV.read_text().replace('"$candidate"', f'"{path}/$candidate"')
    return subprocess.run(["/bin/sh", "-c", script, "sh", venv], env=env, capture_output=True, text=True, check=False)


def test_a_shim_that_does_not_run_is_passed_over(path: Path, tmp_path: Path) -> None:
    program(path, "python3.13", BROKEN_SHIM)
    program(path, "python3.12", WITHOUT_VENV)
    program(path, "python3.11", WORKS)
    assert make_venv(path, tmp_path / "venv").returncode == 0
    assert (tmp_path / "venv/made-by").read_text() == f"{path}/python3.11\n"


def test_the_newest_that_works_is_taken(path: Path, tmp_path: Path) -> None:
    for name in ("python3.11", "python3.13"):
        program(path, name, WORKS)
    make_venv(path, tmp_path / "venv")
    assert (tmp_path / "venv/made-by").read_text() == f"{path}/python3.13\n"


def test_python_names_another_one(path: Path, tmp_path: Path) -> None:
    program(path, "python3.13", WORKS)
    program(path, "mine", WORKS)
    make_venv(path, tmp_path / "venv", python="mine")
    assert (tmp_path / "venv/made-by").read_text() == f"{path}/mine\n"


@pytest.mark.parametrize(
    ("programs", "python", "sentence"),
    [
        ({}, "", "No Python 3.11 or newer found: install one, or set PYTHON=…\n"),
        ({"python3.13": BROKEN_SHIM}, "", "No Python 3.11 or newer found: install one, or set PYTHON=…\n"),
        ({"mine": BROKEN_SHIM}, "mine", "PYTHON=mine is not a working Python 3.11 or newer.\n"),
        (
            {"python3.11": WITHOUT_VENV},
            "",
            "python3.11 has no venv module: on Debian and Ubuntu, run `apt install python3-venv`.\n",
        ),
    ],
)
def test_without_one_there_is_a_sentence_and_no_venv(
    path: Path, tmp_path: Path, programs: dict[str, str], python: str, sentence: str
) -> None:
    for name, script in programs.items():
        program(path, name, script)
    told = make_venv(path, tmp_path / "venv", python)
    assert (told.returncode, told.stderr) == (1, sentence)
    assert not (tmp_path / "venv").exists()


def test_no_old_setuptools_stays(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run(["sh", str(MAKE_VENV), str(venv)], env={"PATH": os.environ["PATH"]}, check=True)
    assert (venv / "bin/pip").exists()
    assert list(venv.glob("lib/python*/site-packages/setuptools")) == []
