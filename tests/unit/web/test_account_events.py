"""What Meta tells about accounts and numbers: logged, and believed where it is about ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.web.conftest import Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER, WABA, delivery, status_of, value_of

QUALITY = "phone_number_quality_update"


def told(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "event"} for line in lines if line["event"] == name]


@pytest.mark.parametrize(("tier", "limit"), [("TIER_10K", 10_000), ("TIER_2K", 2_000)])
def test_a_new_tier_sets_the_daily_limit(web: Web, lines: list[dict[str, Any]], tier: str, limit: int) -> None:
    value = {"display_phone_number": "15550001111", "event": "ONBOARDING", "current_limit": tier}

    web.webhook(delivery(value, field=QUALITY))

    assert web.runtime.observer.overview().daily_limit == limit
    assert told(lines, "whatsapp.limit") == [{"log_level": "info", "outcome": "told", "daily": limit}]


def test_a_management_event_is_one_line_without_its_value(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    web.webhook(delivery({"event": "PIN_CHANGED", "requester": CUSTOMER}, field="security"))

    assert told(lines, "whatsapp.management") == [
        {"log_level": "info", "field": "security", "name": "PIN_CHANGED", "waba_id": WABA}
    ]
    assert len(lines) == 1


def test_an_error_notice_is_one_warning_with_its_code(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    web.webhook(delivery(value_of(errors=[{"code": 130429, "title": f"Rate limit hit by {CUSTOMER}"}])))

    assert told(lines, "whatsapp.management") == [
        {"log_level": "warning", "field": "error", "code": 130429, "waba_id": WABA, "number": NUMBER}
    ]
    assert CUSTOMER not in str(lines)


def test_a_customer_s_click_is_no_line(web: Web, lines: list[dict[str, Any]]) -> None:
    lines.clear()

    web.webhook(delivery(value_of(user_actions=[{"action_type": "marketing_messages_link_click"}])))
    web.webhook(delivery(value_of(statuses=[status_of("wamid.HBgLX", "read")])))

    assert lines == []
