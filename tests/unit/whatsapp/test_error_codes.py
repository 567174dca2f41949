"""The table of Meta's error codes is complete; each code has a class, a group and a sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from wa_service.whatsapp import errors
from wa_service.whatsapp.codes import ROWS, SUBCODE_ROWS, Group
from wa_service.whatsapp.errors import CODES, SUBCODES, WhatsAppError, classify

REFERENCE = Path(__file__).parents[3] / "docs" / "meta-cloud-api.md"


def codes_of(*sections: str) -> set[int]:
    """Return the codes in the first column of the tables in these sections of the reference."""
    text = REFERENCE.read_text(encoding="utf-8")
    found: set[int] = set()
    for section in sections:
        part = re.split(r"^##+ ", text.split(f"### {section} ", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
        for row in re.findall(r"^\| *([\d ,/()-][^|]*)\|", part, flags=re.MULTILINE):
            for first, last in re.findall(r"(\d+)(?:-(\d+))?", re.sub(r"\([^)]*\)", "", row)):
                found.update(range(int(first), int(last or first) + 1))
    return found


def test_every_code_of_the_reference_has_a_row() -> None:
    wanted = codes_of("6.2", "6.3", "6.4", "6.5", "6.6", "6.8", "6.9")
    assert len(wanted) > 200
    assert wanted - CODES.keys() == set()


def test_every_subcode_of_the_reference_has_a_row() -> None:
    wanted = codes_of("6.7")
    assert len(wanted) >= 14
    assert wanted - SUBCODES.keys() == set()


def test_no_code_has_two_rows() -> None:
    for rows in (ROWS, SUBCODE_ROWS):
        codes = [row.code for row in rows]
        assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("info", {**CODES, **SUBCODES}.values(), ids={**CODES, **SUBCODES}.keys())
def test_each_code_has_class_group_and_a_sentence(info: Any) -> None:
    assert issubclass(info.error, WhatsAppError)
    assert info.error is not WhatsAppError
    assert info.group in get_args(Group)
    assert re.fullmatch(r"[A-Z].{10,}\.", info.advice)
    assert info.wait is None or info.retryable


EXPECTED = {
    "WhatsAppServerError": [131000, 131016, 131057, 1, 2],
    "WhatsAppRateLimitError": [4, 80007, 130429, 131048, 131056, 133016],
    "WhatsAppAuthError": [0, 3, 10, 190, 200, 250, 299, 368, 131005, 131031, 131042, 131045, 133010],
    "WhatsAppRequestError": [100, 131008, 131009, 131051],
    "WhatsAppRecipientError": [131021, 131026, 131030, 131047, 131049, 131050, 130472, 130497, 130403],
    "WhatsAppMediaError": [131052, 131053],
    "WhatsAppTemplateError": [132000, 132001, 132005, 132007, 132012, 132015, 132016, 132068, 132069],
}


@pytest.mark.parametrize(("name", "code"), [(name, code) for name, codes in EXPECTED.items() for code in codes])
def test_the_usual_codes_have_the_class_of_the_design(name: str, code: Any) -> None:
    error = classify(400, {"error": {"code": code, "message": "said Meta", "fbtrace_id": "Ax"}})
    assert type(error) is getattr(errors, name)


GROUPS = {
    "transient": [131016, 133004],
    "few": [1, 2, 131000],
    "maintenance": [131057],
    "throttled": [130429, 80007, 4],
    "pair": [131056],
    "account": [0, 10, 190, 200, 299, 368, 131031, 131042, 131045, 131048, 133010],
    "recipient": [130403, 131021, 131026, 131030, 131047, 131049, 131050, 130472, 130497, 138009, 138012],
    "request": [100, 131008, 131009, 131051, 135000, 131044],
    "media": [131052, 131053],
    "template": [132000, 132001, 132012, 132015],
}


@pytest.mark.parametrize(("group", "code"), [(group, code) for group, codes in GROUPS.items() for code in codes])
def test_delivery_decides_by_one_field(group: Any, code: Any) -> None:
    assert CODES[code].group == group
