"""Choose the endpoint of a marketing template: the Cloud API, or the Marketing Messages API ("road")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from wa_service.observability import log
from wa_service.store.grants import Grant
from wa_service.whatsapp.client import Sent
from wa_service.whatsapp.errors import WhatsAppError

MarketingRoad = Literal["cloud", "mm", "mm-strict"]
Road = Literal["messages", "marketing"]
SWITCHED_OFF: Final = 131063
"""Meta's code: marketing templates of this account are disabled on the Cloud API."""
_POLICIES: Final = {"mm": "CLOUD_API_FALLBACK", "mm-strict": "STRICT"}
_MOST_NAMES: Final = 1_000

PostMessage = Callable[[dict[str, Any]], Sent]


class Roads:
    """The two endpoints of one number; both share the number's pace and breaker."""

    def __init__(
        self, number: str, post: PostMessage, post_marketing: PostMessage | None, setting: MarketingRoad
    ) -> None:
        self._post = post
        self._post_marketing = post_marketing
        self._setting = setting
        self._refused: set[str] = set()
        self._log = log.get_logger(number=number)

    def post(self, grant: Grant, payload: dict[str, Any]) -> tuple[Sent, Road]:
        """Send one payload, once, and return the road used; raise `WhatsAppError`."""
        if self._post_marketing is None or not self._is_for_marketing(grant, payload):
            return self._post(payload), "messages"
        policy = _POLICIES.get(self._setting, _POLICIES["mm"])
        return self._post_marketing({"product_policy": policy} | payload), "marketing"

    def has_switched(self, grant: Grant, payload: Mapping[str, Any], error: WhatsAppError) -> bool:
        """Whether Meta has disabled marketing on the road that was used, so that it may be retried on the other."""
        name = _template(payload)
        if error.code != SWITCHED_OFF or not name or self._post_marketing is None or _is_to_group(payload):
            return False
        if self._is_for_marketing(grant, payload) or len(self._refused) >= _MOST_NAMES:
            return False
        if self._setting == "cloud":
            self._setting = "mm"
            self._log.warning("whatsapp.marketing.road_switched", code=SWITCHED_OFF)
        self._refused.add(name)
        return True

    def _is_for_marketing(self, grant: Grant, payload: Mapping[str, Any]) -> bool:
        if self._setting == "cloud" or _is_to_group(payload):
            return False
        return grant.marketing or _template(payload) in self._refused


def _is_to_group(payload: Mapping[str, Any]) -> bool:
    """Whether it goes to a group, to which only the Cloud API sends."""
    return payload.get("recipient_type") == "group"


def _template(payload: Mapping[str, Any]) -> str:
    template = payload.get("template")
    return str(template.get("name", "")) if isinstance(template, Mapping) else ""
