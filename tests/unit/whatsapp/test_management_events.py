"""Parsing events about the account, and the limits that they set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wa_service.whatsapp.webhooks.events import UNLIMITED, ManagementEvent, Preference, parse
from wa_service.whatsapp.webhooks.management_events import MANAGEMENT_FIELDS, read_management, tier_limit

SAMPLES = [
    *("template_status", "template_quality", "template_category", "template_components", "number_quality"),
    *("number_name", "capability", "security", "account_alert", "account_review", "account_update", "flows"),
    *("user_preferences", "app_state", "calls", "payment_configuration"),
    *("partner_solutions", "automatic_events", "group_lifecycle", "username"),
]


def read(delivery: Any) -> ManagementEvent:
    (event,) = parse(delivery)
    assert isinstance(event, ManagementEvent)
    return event


@pytest.mark.parametrize("name", SAMPLES)
def test_each_management_field_is_read_and_known(inbound: Callable[[str], Any], name: str) -> None:
    assert read(inbound(name)).field in MANAGEMENT_FIELDS


def test_a_field_of_tomorrow_is_a_management_event_too(inbound: Callable[[str], Any]) -> None:
    event = read(inbound("unknown_field"))
    assert (event.field, event.event) == ("a_field_of_tomorrow", "SOMETHING_NEW")


def test_a_capability_update_sets_the_daily_limit(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("capability")).daily_limit == 2000


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        (250, 250),
        ("TIER_50", 50),
        ("TIER_250", 250),
        ("TIER_1K", 1000),
        ("TIER_2K", 2000),
        ("tier_10k", 10_000),
        ("TIER_100K", 100_000),
        ("TIER_UNLIMITED", UNLIMITED),
        (-1, UNLIMITED),
        ("-1", UNLIMITED),
        ("2000", 2000),
    ],
)
def test_a_limit_may_be_a_number_or_a_tier(said: Any, limit: Any) -> None:
    assert tier_limit(said) == limit


@pytest.mark.parametrize("said", [None, "", "TIER_NOT_SET", "TIER_9", True, 0, -2, 1.5, [], {}, "--1", "1" * 40])
def test_what_is_no_limit_changes_none(said: Any) -> None:
    assert tier_limit(said) is None


def test_the_old_name_of_the_limit_is_read_too(inbound: Callable[[str], Any]) -> None:
    delivery = inbound("capability")
    delivery["entry"][0]["changes"][0]["value"] = {"max_daily_conversation_per_phone": 250}
    assert read(delivery).daily_limit == 250


def test_a_throughput_upgrade_gives_a_thousand_a_second_and_its_tier(inbound: Callable[[str], Any]) -> None:
    event = read(inbound("number_quality"))
    assert (event.messages_per_second, event.daily_limit) == (1000, UNLIMITED)


def test_other_events_set_no_limits(inbound: Callable[[str], Any]) -> None:
    event = read(inbound("account_update"))
    assert (event.messages_per_second, event.daily_limit) == (None, None)


def test_a_rejected_template_says_which_and_why(inbound: Callable[[str], Any]) -> None:
    template = read(inbound("template_status")).template
    assert (template.id, template.name, template.status, template.reason) == (
        "1689000000000042",
        "late_checkout",
        "REJECTED",
        "INVALID_FORMAT",
    )


def test_a_template_s_language_is_written_as_sends_need_it(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("template_status")).template.language == "en_US"


def test_a_quality_update_says_the_new_score(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("template_quality")).template.quality == "YELLOW"


def test_a_category_update_says_the_new_category(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("template_category")).template.category == "MARKETING"


def test_other_fields_have_no_template(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("security")).template is None


def test_a_customer_who_stops_marketing_is_named(inbound: Callable[[str], Any]) -> None:
    assert read(inbound("user_preferences")).preferences == (
        Preference(("351912345001",), "marketing_messages", "stop", 1790001705),
    )


@pytest.mark.parametrize(
    ("name", "event"),
    [("account_review", "APPROVED"), ("number_name", "REJECTED"), ("security", "PIN_CHANGED"), ("capability", "")],
)
def test_the_name_of_what_happened(inbound: Callable[[str], Any], name: str, event: Any) -> None:
    assert read(inbound(name)).event == event


@pytest.mark.parametrize("name", ["security", "user_preferences"])
def test_the_number_it_is_about(inbound: Callable[[str], Any], name: str) -> None:
    assert read(inbound(name)).display_phone_number == "351210005000"


@pytest.mark.parametrize("chosen", [{"wa_id": "447700900101"}, {}])
def test_a_preference_has_the_addresses_of_its_contact(chosen: dict[str, str]) -> None:
    contact = {"wa_id": "447700900101", "user_id": "GB.1", "parent_user_id": "GB.ENT.1"}
    value = {"user_preferences": {"value": "stop", "category": "marketing_messages"} | chosen, "contacts": [contact]}
    (preference,) = read_management("user_preferences", "w", "1", 7, value).preferences
    assert preference.addresses == ("447700900101", "GB.1", "GB.ENT.1")


def test_a_preference_of_another_person_has_not() -> None:
    value = {"user_preferences": [{"wa_id": "447700900202", "value": "stop"}], "contacts": [{"wa_id": "447700900101"}]}
    assert read_management("user_preferences", "w", "1", 7, value).preferences[0].addresses == ("447700900202",)
