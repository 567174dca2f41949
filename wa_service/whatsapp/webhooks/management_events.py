"""What Meta tells about the account: every webhook field but `messages` (reference 5.10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

UNLIMITED: Final = 0
"""A daily limit of 0 means: none."""

HIGH_THROUGHPUT: Final = 1000
"""Messages a second after a THROUGHPUT_UPGRADE (7.1)."""

MANAGEMENT_FIELDS: Final = frozenset(
    [
        "account_alerts",
        "account_review_update",
        "account_update",
        "automatic_events",
        "business_capability_update",
        "business_username_update",
        "calls",
        "flows",
        "group_lifecycle_update",
        "group_participant_update",
        "group_participants_update",
        "group_settings_update",
        "group_status_update",
        "history",
        "message_echoes",
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "messaging_handovers",
        "partner_solutions",
        "payment_configuration_update",
        "phone_number_name_update",
        "phone_number_quality_update",
        "phone_number_username_update",
        "security",
        "smb_app_state_sync",
        "smb_message_echoes",
        "standby",
        "template_category_update",
        "tracking_events",
        "user_preferences",
    ]
)
"""The known fields, so that labels made of them stay bounded."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,11}")

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

_TEMPLATE_FIELDS: Final = frozenset(
    {
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
    }
)


def tier_limit(value: object) -> int | None:
    """Customers a day from a tier's name or number; `UNLIMITED` for -1, None where it says nothing (7.4)."""
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
    """A number as customers see it (`+1 555-000-1111`) as bare digits, so that two spellings compare; at most 32."""
    return _NO_DIGIT.sub("", number)[:32]


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """What became of a template. `language` is written `en_US`, as sends need it (Meta also says `en-US`)."""

    id: str
    name: str
    language: str
    status: str
    category: str
    quality: str
    reason: str


@dataclass(frozen=True, slots=True)
class Preference:
    """A customer said `stop`, `resume` or `signup` to a category of messages."""

    addresses: tuple[str, ...]
    category: str
    value: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ManagementEvent:
    """One change of a management field; `raw` is its value, unchanged."""

    kind: ClassVar[str] = "management"

    field: str
    waba_id: str
    phone_number_id: str
    timestamp: int
    raw: dict[str, Any]

    @property
    def event(self) -> str:
        """Meta's name of what happened (`event`, else `decision`), "" where there is none."""
        return _text(self.raw, "event") or _text(self.raw, "decision")

    @property
    def display_phone_number(self) -> str:
        """The number it is about, digits only, "" where it is about the account."""
        metadata = self.raw.get("metadata")
        inner = _text(metadata, "display_phone_number") if isinstance(metadata, Mapping) else ""
        return digits_only(_text(self.raw, "display_phone_number") or inner)

    @property
    def daily_limit(self) -> int | None:
        """Customers that may be opened by template in 24 h (`UNLIMITED`: any); None where it does not say."""
        if self.field not in ("business_capability_update", "phone_number_quality_update"):
            return None
        for key in ("max_daily_conversations_per_business", "max_daily_conversation_per_phone", "current_limit"):
            limit = tier_limit(self.raw.get(key))
            if limit is not None:
                return limit
        return None

    @property
    def messages_per_second(self) -> int | None:
        """The number's new throughput after an upgrade; None where it does not say."""
        upgraded = self.field == "phone_number_quality_update" and self.event == "THROUGHPUT_UPGRADE"
        return HIGH_THROUGHPUT if upgraded else None

    @property
    def template(self) -> TemplateChange | None:
        """The template that changed, for the four template fields."""
        if self.field not in _TEMPLATE_FIELDS:
            return None
        raw = self.raw
        id_ = raw.get("message_template_id")
        return TemplateChange(
            id=str(id_) if isinstance(id_, int | str) else "",
            name=_text(raw, "message_template_name"),
            language=_text(raw, "message_template_language").replace("-", "_"),
            status=_text(raw, "event"),
            category=_text(raw, "new_category") or _text(raw, "message_template_category"),
            quality=_text(raw, "new_quality_score"),
            reason=_text(raw, "reason"),
        )

    @property
    def preferences(self) -> tuple[Preference, ...]:
        """What customers said about marketing (`user_preferences`)."""
        items = self.raw.get("user_preferences")
        if self.field != "user_preferences" or not isinstance(items, list):
            return ()
        return tuple(_preference(item) for item in items if isinstance(item, Mapping))


def _preference(item: Mapping[str, Any]) -> Preference:
    stamp = item.get("timestamp")
    addresses = (_text(item, "wa_id"), _text(item, "user_id"), _text(item, "parent_user_id"))
    return Preference(
        addresses=tuple(address for address in addresses if address),
        category=_text(item, "category"),
        value=_text(item, "value"),
        timestamp=stamp if isinstance(stamp, int) and not isinstance(stamp, bool) else 0,
    )


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
