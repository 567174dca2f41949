"""Parse events about the account: every webhook field except `messages` (reference 5.10)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from wa_service.whatsapp.webhooks.identity import KnownContacts, address_of
from wa_service.whatsapp.webhooks.json_fields import JsonObject, items_of, seconds_of, text_of

UNLIMITED: Final = 0
"""The daily limit 0 means unlimited."""

HIGH_THROUGHPUT: Final = 1000
"""Messages a second after a THROUGHPUT_UPGRADE (7.1)."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,11}")

_ADDRESSES: Final = ("wa_id", "user_id", "parent_user_id")

_NO_DIGIT: Final = re.compile(r"[^0-9]+")

_TIERS: Final = {
    "TIER_50": 50,
    "TIER_250": 250,
    "TIER_1K": 1_000,
    "TIER_2K": 2_000,
    "TIER_10K": 10_000,
    "TIER_100K": 100_000,
    "TIER_UNLIMITED": UNLIMITED,
}


def tier_limit(value: object) -> int | None:
    """Return customers a day from a tier's name or number; `UNLIMITED` for -1, None if it is unknown (7.4)."""
    if isinstance(value, str):
        if value.upper() in _TIERS:
            return _TIERS[value.upper()]
        value = int(value) if _INTEGER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    if value == -1:
        return UNLIMITED
    return value if value > 0 else None


def digits_only(number: str) -> str:
    """Return the digits of a display number (`+1 555-000-1111`), for comparison; at most 32."""
    return _NO_DIGIT.sub("", number)[:32]


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """A change of a template. `language` has the form `en_US`, as for sends (Meta also uses `en-US`)."""

    id: str
    name: str
    language: str
    status: str
    category: str
    quality: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preference:
    """A customer chose `stop`, `resume` or `signup` for a category of messages."""

    addresses: tuple[str, ...]
    category: str
    value: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ManagementEvent:
    """One change of a management field; `raw` is its value, unchanged.

    `daily_limit`: customers that may be opened by template in 24 h (`UNLIMITED`: any). `messages_per_second`: the
    number's new throughput. `template`: the template that changed. `preferences`: customers' choices about marketing.
    Each is None or empty if the field does not contain it.
    """

    kind: ClassVar[str] = "management"

    field: str
    waba_id: str
    phone_number_id: str
    timestamp: int
    raw: dict[str, Any]
    daily_limit: int | None = None
    messages_per_second: int | None = None
    template: TemplateChange | None = None
    preferences: tuple[Preference, ...] = ()

    @property
    def event(self) -> str:
        """Meta's name of the event (`event`, else `decision`), "" if there is none."""
        return text_of(self.raw, "event") or text_of(self.raw, "decision")

    @property
    def display_phone_number(self) -> str:
        """The digits of the number it is about, "" if it is about the account."""
        metadata = self.raw.get("metadata")
        inner = text_of(metadata, "display_phone_number") if isinstance(metadata, Mapping) else ""
        return digits_only(text_of(self.raw, "display_phone_number") or inner)


def read_management(
    field: str, waba_id: str, phone_number_id: str, timestamp: int, value: dict[str, Any]
) -> ManagementEvent:
    """Read a field's value; that of an unknown field is kept unchanged."""
    reader = MANAGEMENT_FIELDS.get(field, _label_only)
    return ManagementEvent(field, waba_id, phone_number_id, timestamp, value, **reader(value))


def _label_only(value: JsonObject) -> dict[str, Any]:
    del value
    return {}


def _capability(value: JsonObject) -> dict[str, Any]:
    found = map(
        tier_limit, map(value.get, ("max_daily_conversations_per_business", "max_daily_conversation_per_phone"))
    )
    return {"daily_limit": next((limit for limit in found if limit is not None), None)}


def _number_quality(value: JsonObject) -> dict[str, Any]:
    upgraded = text_of(value, "event") == "THROUGHPUT_UPGRADE"
    limit = _capability(value)["daily_limit"]
    return {
        "daily_limit": tier_limit(value.get("current_limit")) if limit is None else limit,
        "messages_per_second": HIGH_THROUGHPUT if upgraded else None,
    }


def _template(value: JsonObject) -> dict[str, Any]:
    id_ = value.get("message_template_id")
    template = TemplateChange(
        id=str(id_) if isinstance(id_, int | str) else "",
        name=text_of(value, "message_template_name"),
        language=text_of(value, "message_template_language").replace("-", "_"),
        status=text_of(value, "event"),
        category=text_of(value, "new_category") or text_of(value, "message_template_category"),
        quality=text_of(value, "new_quality_score"),
        reason=text_of(value, "reason"),
    )
    return {"template": template}


def _preferences(value: JsonObject) -> dict[str, Any]:
    items = [item for item in items_of(value.get("user_preferences")) if isinstance(item, Mapping)]
    known = KnownContacts(value.get("contacts"))
    return {"preferences": tuple(_preference(item, known, len(items)) for item in items)}


def _preference(item: Mapping[str, Any], known: KnownContacts, count: int) -> Preference:
    contact = known.of(address_of(item.get("wa_id")), text_of(item, "user_id")) or {}
    if len(known.listed) == count == 1 and not any(map(item.get, _ADDRESSES)):
        contact = known.listed[0]
    found = [who.get(name) for name in _ADDRESSES for who in (item, contact)]
    return Preference(
        addresses=tuple(dict.fromkeys(address for value in found if (address := address_of(value)))),
        category=text_of(item, "category"),
        value=text_of(item, "value"),
        timestamp=seconds_of(item.get("timestamp")),
    )


MANAGEMENT_FIELDS: Final[Mapping[str, Callable[[JsonObject], dict[str, Any]]]] = MappingProxyType(
    {
        "account_alerts": _label_only,
        "account_review_update": _label_only,
        "account_update": _label_only,
        "automatic_events": _label_only,
        "business_capability_update": _capability,
        "business_username_update": _label_only,
        "calls": _label_only,
        "flows": _label_only,
        "group_lifecycle_update": _label_only,
        "group_participant_update": _label_only,
        "group_participants_update": _label_only,
        "group_settings_update": _label_only,
        "group_status_update": _label_only,
        "history": _label_only,
        "message_echoes": _label_only,
        "message_template_components_update": _template,
        "message_template_quality_update": _template,
        "message_template_status_update": _template,
        "messaging_handovers": _label_only,
        "partner_solutions": _label_only,
        "payment_configuration_update": _label_only,
        "phone_number_name_update": _label_only,
        "phone_number_quality_update": _number_quality,
        "phone_number_username_update": _label_only,
        "security": _label_only,
        "smb_app_state_sync": _label_only,
        "smb_message_echoes": _label_only,
        "standby": _label_only,
        "template_category_update": _template,
        "tracking_events": _label_only,
        "user_preferences": _preferences,
    }
)
"""The known fields with their readers, which also bound the values of metric labels."""
