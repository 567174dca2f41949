"""Signed webhooks that are not for us: each is counted, and each kind is logged once a minute."""

from __future__ import annotations

from typing import Final, Literal

from wa_service.observability import log, metrics
from wa_service.observability.log_throttle import LogThrottle
from wa_service.whatsapp.webhooks.events import Piece

OddWebhook = Literal["other_object", "empty", "foreign_number", "test_button"]

_MEANING: Final[dict[OddWebhook, str]] = {
    "other_object": "The app delivers webhooks of another product of Meta's here; they are refused.",
    "empty": "A delivery without entries or changes was acknowledged.",
    "foreign_number": "Events of a number that WHATSAPP_PHONE_NUMBER_ID does not name are stored, not answered.",
    "test_button": "The dashboard's test button reaches this webhook; its event is stored, not answered.",
}
# The ids that the test button of Meta's dashboard always sends (reference 5.9).
_TEST_NUMBER: Final = ("123456123", "16505551111")


class OddWebhooks:
    """Count and log odd webhooks."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._throttle = LogThrottle(seconds)
        self._log = log.get_logger()

    def seen(self, kind: OddWebhook, number: str = "") -> None:
        """Count one; log it at most once a minute."""
        metrics.odd_webhook_seen(kind)
        if count := self._throttle.count(kind):
            named = {"number": number[:64]} if number else {}
            self._log.warning("whatsapp.webhook.odd", kind=kind, count=count, meaning=_MEANING[kind], **named)

    def stray(self, piece: Piece) -> None:
        """Count an event of a number that is not ours."""
        is_test = (piece.phone_number_id, piece.display_phone_number) == _TEST_NUMBER
        self.seen("test_button" if is_test else "foreign_number", piece.phone_number_id)
