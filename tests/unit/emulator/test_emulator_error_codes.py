"""The table of error codes against sections 6.2 to 6.9 of docs/meta-cloud-api.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from meta_emulator.errors import http_status_of, title_of

_REFERENCE = Path(__file__).parents[3] / "docs" / "meta-cloud-api.md"
_SECTIONS = re.compile(r"^### 6\.([2-68-9]) .*?(?=^### )", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| ([0-9][^|]*) \| ([^|]*) \|", re.MULTILINE)
_CODES = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_STATUS = re.compile(r"\b[2-5][0-9]{2}\b")
_UNKNOWN = title_of(999)


def documented() -> Iterator[tuple[int, set[int]]]:
    """Yield every code with the HTTP statuses that the reference allows for it."""
    for section in _SECTIONS.finditer(_REFERENCE.read_text(encoding="utf-8")):
        for codes, status in _ROW.findall(section[0]):
            statuses = {int(found) for found in _STATUS.findall(status)} or {400}
            for first, last in _CODES.findall(codes.partition(" (")[0]):
                yield from ((code, statuses) for code in range(int(first), int(last or first) + 1))


DOCUMENTED = list(documented())


def test_the_reference_is_read() -> None:
    assert len({code for code, _ in DOCUMENTED}) > 220
    assert (131057, {500}) in DOCUMENTED


def test_every_documented_code_has_a_title() -> None:
    assert {code for code, _ in DOCUMENTED if title_of(code) == _UNKNOWN} == {131000}


def test_every_documented_code_has_a_documented_status() -> None:
    wrong = {code: http_status_of(code) for code, allowed in DOCUMENTED if http_status_of(code) not in allowed}
    assert wrong == {}


@pytest.mark.parametrize(
    ("code", "title"),
    [
        (131041, "Group unknown"),
        (132001, "Template name does not exist in the translation"),
        (136025, "Verify code error"),
    ],
)
def test_a_title_is_metas(code: int, title: str) -> None:
    assert title_of(code) == title
