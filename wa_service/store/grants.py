"""Grants: the records that the step `next` permits to send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wa_service.store.client import text
from wa_service.store.clock_reading import ClockReading


@dataclass(frozen=True, slots=True)
class Grant:
    """A record that may be sent now, and how often it was retried for each `RetryClass`.

    `marketing`: it is a marketing template.
    """

    id: str
    token: int
    conversation: str
    type: str
    body: bytes
    limited_retries: int
    pair_retries: int
    unwell_retries: int
    origin: str
    waited_ms: int
    marketing: bool = False
    requested_at: ClockReading = field(default_factory=ClockReading.now)

    @property
    def age(self) -> float:
        """Seconds since the grant was requested: the claim is no older."""
        return self.requested_at.seconds_ago


@dataclass(frozen=True, slots=True)
class GrantBatch:
    """The grants; seconds until the next call (infinity: until woken), and why.

    `failed`: records that failed instead, each with a reason.
    """

    grants: list[Grant]
    wait: float
    why: str
    failed: list[tuple[str, str]]


def read_grants(answer: Sequence[Any], requested_at: ClockReading) -> GrantBatch:
    """Read the answer of the step `next`."""
    wait, why, failed, *items = answer
    grants = [
        Grant(
            text(i),
            int(token),
            text(c),
            text(type_),
            bytes(body),
            int(limited),
            int(pair),
            int(unwell),
            text(origin),
            waited,
            marketing == 1,
            requested_at,
        )
        for i, token, c, type_, body, limited, pair, unwell, origin, waited, marketing in items
    ]
    parts = [text(part) for part in failed]
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    return GrantBatch(grants, float("inf") if wait < 0 else wait / 1000, text(why), pairs)
