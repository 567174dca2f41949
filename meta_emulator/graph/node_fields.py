"""Fields of number nodes and of the business account (reference 8.1 to 8.3)."""

from __future__ import annotations

from meta_emulator.graph.call import Call, JsonObject
from meta_emulator.graph.subscriptions import list_subscribed, number_callbacks
from meta_emulator.records import BusinessNumber

BUSINESS_ID = "303030303030303"
# Customers a day, from the largest.
_TIERS = {100_000: "TIER_100K", 10_000: "TIER_10K", 2000: "TIER_2K", 1000: "TIER_1K", 250: "TIER_250"}


def number_node(call: Call, number: BusinessNumber) -> JsonObject:
    """Return every field of a business number, None for those without a value."""
    tier = _tier(call.world.limits.settings.daily)
    return {
        "id": number.id,
        "display_phone_number": number.display,
        "verified_name": number.verified_name,
        "name_status": "APPROVED",
        "new_name_status": "NONE",
        "quality_rating": number.quality_rating,
        "quality_score": {"score": number.quality_rating},
        "code_verification_status": "VERIFIED",
        "status": number.status if number.registered else "DISCONNECTED",
        "platform_type": "CLOUD_API",
        "host_platform": "CLOUD_API",
        "unified_cert_status": "APPROVED",
        "account_mode": "SANDBOX" if number.test_recipients is not None else "LIVE",
        "throughput": {"level": "HIGH" if number.messages_per_second > 80 else "STANDARD"},
        "messaging_limit_tier": tier,
        "whatsapp_business_manager_messaging_limit": tier,
        "is_official_business_account": False,
        "is_on_biz_app": number.messages_per_second == 20,
        "is_pin_enabled": bool(number.pin),
        "is_preverified_number": False,
        "search_visibility": "NON_VISIBLE",
        "eligibility_for_api_business_global_search": "NON_ELIGIBLE_UNDEFINED_COUNTRY",
        "last_onboarded_time": "2026-01-01T00:00:00+0000",
        "country_code": "US",
        "country_dial_code": "1",
        "webhook_configuration": number_callbacks(call.world, number),
        "health_status": health(call, number),
        "certificate": None,
        "new_certificate": None,
        "conversational_automation": None,
        "username": None,
    }


def _tier(daily: int) -> str:
    """Return the highest tier that the template quota reaches; 0 is no quota (reference 7.4)."""
    if daily == 0:
        return "TIER_UNLIMITED"
    return next((tier for limit, tier in _TIERS.items() if daily >= limit), "TIER_50")


def account_node(call: Call) -> JsonObject:
    """Return every field of the business account."""
    world = call.world
    return {
        "id": world.config.business_account_id,
        "name": world.account_name,
        "currency": "EUR",
        "timezone_id": "1",
        "message_template_namespace": "5f1c8a7e_0b3d_4c2e_9a61_d7e4b8c0f123",
        "account_review_status": "APPROVED",
        "business_verification_status": "VERIFIED",
        "country": "GB",
        "ownership_type": "SELF_OWNED",
        "primary_business_location": "GB",
        "status": "ACTIVE",
        "is_enabled_for_insights": False,
        "marketing_messages_lite_api_status": "ONBOARDED",
        "marketing_messages_onboarding_status": "ONBOARDED",
        "disable_marketing_messages_on_cloud_api": world.marketing_off_cloud,
        "subscribed_apps": list_subscribed(call),
        "health_status": health(call, None),
        "owner_business_info": {"name": world.account_name, "id": BUSINESS_ID},
        "on_behalf_of_business_info": None,
    }


def health(call: Call, number: BusinessNumber | None, first: JsonObject | None = None) -> JsonObject:
    """Return ``health_status`` of a node and the nodes above it (reference 8.3)."""
    config = call.world.config
    entities: list[JsonObject] = [first] if first else []
    if number is not None:
        state: JsonObject = {"entity_type": "PHONE_NUMBER", "id": number.id, "can_send_message": "AVAILABLE"}
        if not number.registered:
            state["can_send_message"] = "BLOCKED"
            state["errors"] = [
                {
                    "error_code": 141000,
                    "error_description": "The phone number is not registered.",
                    "possible_solution": "Register the phone number.",
                }
            ]
        entities.append(state)
    for kind, object_id in (
        ("WABA", config.business_account_id),
        ("BUSINESS", BUSINESS_ID),
        ("APP", config.app_id),
    ):
        entities.append({"entity_type": kind, "id": object_id, "can_send_message": "AVAILABLE"})
    order = ("BLOCKED", "LIMITED", "AVAILABLE")
    worst = min((entity["can_send_message"] for entity in entities), key=order.index)
    return {"can_send_message": worst, "entities": entities}
