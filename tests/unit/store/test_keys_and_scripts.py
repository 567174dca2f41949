"""The scripts write the keys' names out: what they write and what `keys.py` says are held together here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wa_service.store import keys
from wa_service.store.client import load_scripts

FOLDER = Path("wa_service/store/steps")
STEPS = sorted(path.stem for path in FOLDER.glob("*.lua"))


def names_in(source: str) -> set[str]:
    """The first part of each key that a script writes out."""
    return {name.rstrip(":") for name in re.findall(r"'wa:([a-z_]+):?", source)}


def test_every_key_of_the_scripts_is_in_the_table() -> None:
    table = keys.__doc__ or ""
    written = set().union(*(names_in(source) for source in load_scripts().values())) - {"none"}
    assert [name for name in sorted(written) if name not in table] == []


@pytest.mark.parametrize("step", STEPS)
def test_every_step_says_what_it_takes(step: str) -> None:
    head = [line for line in (FOLDER / f"{step}.lua").read_text("utf-8").splitlines()[:12] if line.startswith("--")]
    assert any("ARGV" in line for line in head), step


@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_asked_for_somewhere(step: str) -> None:
    code = "".join(path.read_text("utf-8") for path in Path("wa_service/store").glob("*.py"))
    assert f'"{step}"' in code


def test_a_mark_does_not_tell_the_number() -> None:
    assert b"1555" not in keys.mark("106540352242922", "wamid.HBgLMTU1NTEyMzAwMDE=")
    assert len(keys.mark("1", "2")) == 12
