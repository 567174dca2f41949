"""What Meta says about the token and the numbers; for a page, fetched in the background, so that it need not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from wa_service.service.diagnosis import NUMBER_FIELDS, Finding, of_number, of_token
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError

FRESH_SECONDS: Final = 300.0
FIRST_WAIT_SECONDS: Final = 0.15


class MetaFacts:
    """The findings of `ask`, at most five minutes old, fetched only on demand."""

    def __init__(self, ask: Callable[[], Sequence[Finding]]) -> None:
        self._ask = ask
        self._mutex = threading.Lock()
        self._findings: Sequence[Finding] = ()
        self._asked_at = float("-inf")
        self._answered = threading.Event()

    def known(self) -> Sequence[Finding]:
        """Return the known findings; the first call waits a moment for them."""
        with self._mutex:
            if time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._asked_at = time.monotonic()
                threading.Thread(target=self._fetch, name="meta facts", daemon=True).start()
        self._answered.wait(FIRST_WAIT_SECONDS)
        return self._findings

    def _fetch(self) -> None:
        self._findings = self._ask()
        self._answered.set()


def ask_meta(clients: Mapping[str, WhatsAppMetaClient], token: str) -> list[Finding]:
    """Ask Meta about the token and each number."""
    first = next(iter(clients.values()))
    found = findings_or_error("token", lambda: of_token(first.debug_token(token), datetime.now(UTC)))
    for number, client in clients.items():
        found += findings_or_error(f"number {number}", partial(_of_number, number, client))
    return found


def findings_or_error(name: str, ask: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return the findings of a call to Meta; if the call fails, that is the finding."""
    try:
        return list(ask())
    except WhatsAppError as error:
        return [Finding(name, "wrong", f"Meta refused or failed ({name}): {error}", error.advice)]


def _of_number(number: str, client: WhatsAppMetaClient) -> Iterable[Finding]:
    return of_number(number, client.get_phone_number(fields=NUMBER_FIELDS))
