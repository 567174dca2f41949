"""The leak detector, with which the end-to-end tests check every log line, finds each kind of leak."""

from __future__ import annotations

import pytest

from tests.e2e.leaks import SPOKEN, leaks
from tests.e2e.phones import APP_SECRET, TOKEN, customer, wamid


@pytest.mark.parametrize(
    "line",
    [
        f'{{"to":"{customer(1)}"}}',
        f"id {wamid(customer(1))}",
        f"id={wamid(customer(1)).removeprefix('wamid.')}",
        f"x{wamid(customer(1)).removeprefix('wamid.').rstrip('=')}",
        f"Authorization: Bearer {TOKEN}",
        f"signed with {APP_SECRET}",
        f"they said {SPOKEN}",
    ],
)
def test_a_line_that_tells_is_found(line: str) -> None:
    assert list(leaks(line))


def test_a_masked_line_tells_nothing() -> None:
    assert (
        list(leaks('{"to":"447******01","id":"3f1c0d7a9b5e4f62a1d8c0b7e6f5a4d3","wamid":"wamid#3f1c0d7a9b5e"}')) == []
    )
