"""Replace personal details in webhooks and Graph calls: the same detail always gets the same replacement."""

from __future__ import annotations

import re
from typing import Any

from meta_emulator import addresses

_NUMBERS = {
    "from",
    "to",
    "wa_id",
    "recipient_id",
    "recipient",
    "input",
    "customer",
    "new_wa_id",
    "phone_number",
    "user",
}
_NUMBERS |= {"recipient_participant_id", "phone"}
_USER_IDS = {"user_id", "from_user_id", "to_user_id", "recipient_user_id", "parent_user_id", "from_parent_user_id"}
_USER_IDS |= {"previous_user_id", "previous_parent_user_id", "recipient_participant_user_id"}
_NAMES = {"name", "formatted_name", "first_name", "last_name", "full_name", "middle_name", "username", "company"}
_NAMES |= {"department", "prefix", "suffix"}
_TEXTS = {"body", "caption", "text", "description", "title", "address", "filename", "emoji", "headline", "payload"}
_TEXTS |= {"subject"}
_SECRETS = {"identity", "identity_key_hash", "recipient_identity_key_hash", "sdp", "biz_opaque_callback_data"}
_SECRETS |= {"birthday", "source_url", "media_url", "image_url", "video_url", "thumbnail_url"}
_SECRETS |= {"sha256", "url", "link", "hash", "ctwa_clid", "flow_token", "response_json", "email", "vcard", "street"}
_PLACES = {"latitude", "longitude"}
_DIGITS = re.compile(r"\+?\d(?:[\s()./\u2010-\u2015-]*\d){5,}")
_FIRST_NUMBER = 15_550_000_000


class Anonymizer:
    """Replaces numbers, ids, names and texts; texts keep their shape (letters become ``x``, digits ``0``).

    keep_texts: replace only numbers in texts. placeholders: replacements for the business's own ids.
    """

    def __init__(self, *, keep_texts: bool = False, placeholders: dict[str, str] | None = None) -> None:
        self._keep_texts = keep_texts
        self._placeholders = placeholders or {}
        self._replaced: dict[tuple[str, str], str] = {}

    def replace(self, value: Any, name: str = "") -> Any:
        """Return ``value`` without personal details; ``name`` is its property."""
        if isinstance(value, dict):
            return {key: self.replace(item, self._name_of(name, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.replace(item, name) for item in value]
        if name in _PLACES and not isinstance(value, bool):
            return 0.0
        if name in _NUMBERS and isinstance(value, int) and not isinstance(value, bool):
            return int(self._number(str(value)))
        return self._text(value, name) if isinstance(value, str) else value

    def _name_of(self, parent: str, key: str) -> str:
        """Return the name that says what a property holds, which some do only with that of their parent."""
        if parent == "template" and key == "name":
            return "template_name"  # not personal
        if parent == "threads" and key == "id":
            return "customer"
        if parent in _USER_IDS and key in ("previous", "current"):
            return parent
        if parent == "addresses" and key != "type":
            return "street"
        return key

    def _text(self, text: str, name: str) -> str:
        if text in self._placeholders:
            return self._placeholders[text]
        if name in _NUMBERS and (_is_number(text) or (name == "phone" and any(map(str.isdigit, text)))):
            return self._number(text)
        if text and (name in _USER_IDS or (name in _NUMBERS and addresses.is_bsuid(text))):
            return self._numbered("user", text, f"{text[:2]}.{{:020d}}")
        if text.startswith("wamid.") or (name in ("id", "message_id") and len(text) > 20):
            return self._numbered("wamid", text, "wamid.{}")
        if name in _NAMES and text:
            return self._numbered("name", text, "Name {}")
        if name in _SECRETS:
            return "x"
        if name in _TEXTS and text:
            return _DIGITS.sub("0000000", text) if self._keep_texts else _shape(text)
        return text

    def _number(self, text: str) -> str:
        digits = re.sub(r"\D", "", text)
        known = self._replaced.setdefault(("number", digits), str(_FIRST_NUMBER + self._count("number") + 1))
        return f"+{known}" if text.startswith("+") else known

    def _numbered(self, kind: str, text: str, form: str) -> str:
        return self._replaced.setdefault((kind, text), form.format(self._count(kind) + 1))

    def _count(self, kind: str) -> int:
        return sum(known == kind for known, _ in self._replaced)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\+?[\d\s()./\u2010-\u2015-]{5,}", text) is not None


def _shape(text: str) -> str:
    return "".join("0" if one.isdigit() else ("X" if one.isupper() else "x") if one.isalpha() else one for one in text)
