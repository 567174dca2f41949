"""Submit scheduled sends."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.leaks import SPOKEN
from tests.e2e.stack import Stack


def schedule_all(stack: Stack, wanted: Mapping[str, float]) -> list[str]:
    """Schedule a send to each customer and return the records' ids in the same order."""

    def schedule(wa_id: str) -> str:
        answer = stack.api("POST", "/v1/messages", json={"to": wa_id, "text": SPOKEN, "send_at": wanted[wa_id]})
        assert (answer.status_code, answer.json()["status"]) == (202, "scheduled")
        return str(answer.json()["id"])

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(schedule, wanted))
