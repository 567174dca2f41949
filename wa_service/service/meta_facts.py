"""Meta's facts about the token and the numbers, fetched in the background, so that the page does not wait for Meta."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.errors import WhatsAppError

FRESH_SECONDS: Final = 300.0
FIRST_WAIT_SECONDS: Final = 0.15
_FIELDS: Final = "quality_rating,throughput,messaging_limit_tier,whatsapp_business_manager_messaging_limit"


@dataclass(frozen=True, slots=True)
class MetaFact:
    """A fact from Meta; `health`: well, caution or wrong; `advice`: what to do."""

    subject: str
    says: str
    health: str = "well"
    advice: str = ""


class MetaFacts:
    """The facts of `ask`, at most five minutes old, fetched only on demand."""

    def __init__(self, ask: Callable[[], Sequence[MetaFact]]) -> None:
        self._ask = ask
        self._mutex = threading.Lock()
        self._facts: Sequence[MetaFact] = ()
        self._asked_at = float("-inf")
        self._answered = threading.Event()

    def known(self) -> Sequence[MetaFact]:
        """Return the known facts; the first call waits a moment for them."""
        with self._mutex:
            if time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._asked_at = time.monotonic()
                threading.Thread(target=self._fetch, name="meta facts", daemon=True).start()
        self._answered.wait(FIRST_WAIT_SECONDS)
        return self._facts

    def _fetch(self) -> None:
        self._facts = self._ask()
        self._answered.set()


def ask_meta(clients: Mapping[str, WhatsAppMetaClient], token: str) -> list[MetaFact]:
    """Ask Meta about the token and each number; a failed call is reported as a fact."""
    first = next(iter(clients.values()))
    facts = [_asked("Token", lambda: _token(first.debug_token(token)))]
    return facts + [_asked(f"Number {number}", partial(_number, client)) for number, client in clients.items()]


def _asked(subject: str, ask: Callable[[], tuple[str, str, str]]) -> MetaFact:
    try:
        says, health, advice = ask()
    except WhatsAppError as error:
        return MetaFact(subject, "Meta did not say.", "caution", error.advice)
    return MetaFact(subject, says, health, advice)


def _token(node: Mapping[str, Any]) -> tuple[str, str, str]:
    if not node.get("is_valid", False):
        return "It is not valid.", "wrong", "Create a new system user token and set WHATSAPP_ACCESS_TOKEN."
    end = int(node.get("expires_at") or 0)
    if not end:
        return "Valid, does not expire.", "well", ""
    soon = end - time.time() < 60 * 86_400
    advice = "Use a system user token, which does not expire." if soon else ""
    return f"Valid until {datetime.fromtimestamp(end, UTC):%Y-%m-%d}.", "caution" if soon else "well", advice


def _number(client: WhatsAppMetaClient) -> tuple[str, str, str]:
    node = client.get_phone_number(fields=_FIELDS)
    quality = str(node.get("quality_rating") or "UNKNOWN")
    tier = node.get("whatsapp_business_manager_messaging_limit") or node.get("messaging_limit_tier") or "unknown"
    health = {"RED": "wrong", "YELLOW": "caution"}.get(quality, "well")
    advice = "Customers block or report it: send less, and only what they asked for." if health != "well" else ""
    return f"Quality {quality.lower()}, tier {str(tier).lower()}.", health, advice
