"""Callers that wait for the result of their send."""

from __future__ import annotations

from structlog.testing import capture_logs

from wa_service.store.client import Store
from wa_service.store.result_waiters import ResultWaiters


def test_an_entry_that_cannot_be_read_is_logged_and_holds_up_no_later_caller(store: Store) -> None:
    waiters = ResultWaiters(store)
    with capture_logs() as lines:
        event = waiters.register("r1")
        store.do("RPUSH", waiters.name, b"\xff", b"r1")

        assert waiters.wait("r1", event, 5.0)

    assert [line["event"] for line in lines] == ["whatsapp.web.result_not_read"]
