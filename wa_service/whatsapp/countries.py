"""Which country an address belongs to, as ISO 3166 writes it."""

from __future__ import annotations

import phonenumbers

from wa_service.whatsapp.addresses import is_user_id
from wa_service.whatsapp.phone_numbers import is_number


def country_of(address: str) -> str:
    """Return the country of a customer's address, "" where none can be told: a group's, for example."""
    if is_user_id(address):
        return address[:2]
    if not is_number(address):
        return ""
    try:
        parsed = phonenumbers.parse(f"+{address}")
    except phonenumbers.NumberParseException:
        return ""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(parsed.country_code or 0, ())
    region = regions[0] if len(regions) == 1 else phonenumbers.region_code_for_number(parsed)
    region = region or next(iter(regions), "")
    return "" if region == "001" else str(region)
