"""Nodes of numbers, business account and app: registration, profile, blocking, tokens (reference 8)."""

from __future__ import annotations

import re
from typing import Any

from meta_emulator import addresses
from meta_emulator.errors import GraphError, parameter
from meta_emulator.graph.analytics import pricing_analytics
from meta_emulator.graph.call import Call, JsonObject
from meta_emulator.graph.node_fields import account_node, number_node
from meta_emulator.graph.selection import filtered, page, parse_fields, select
from meta_emulator.graph.subscriptions import configure_number
from meta_emulator.graph.templates import listed_templates

_NUMBER_TYPE = "WhatsAppBusinessPhoneNumber"
_NUMBER_DEFAULTS = (
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
    "webhook_configuration",
)
_LISTED = (*_NUMBER_DEFAULTS[:-1], "status")
_FILTERED = ("account_mode", "messaging_limit_tier", "is_official_business_account")
_ACCOUNT_DEFAULTS = ("name", "currency", "timezone_id", "message_template_namespace")
_PROFILE = {
    "about": 139,
    "address": 256,
    "description": 512,
    "email": 128,
    "vertical": 40,
    "profile_picture_url": 2000,
}
_PROFILE_FIELDS = (*_PROFILE, "websites")
_VERTICALS = (
    *("ALCOHOL", "APPAREL", "AUTO", "BEAUTY", "EDU", "ENTERTAIN", "EVENT_PLAN", "FINANCE", "GOVT", "GROCERY", "HEALTH"),
    *("HOTEL", "NONPROFIT", "ONLINE_GAMBLING", "OTC_DRUGS", "OTHER", "PHYSICAL_GAMBLING", "PROF_SERVICES"),
    *("RESTAURANT", "RETAIL", "TRAVEL"),
    *("NOT_A_BIZ", "UNDEFINED"),  # Only SDKs have these (observed).
)
_PIN = re.compile(r"[0-9]{6}")


def get_number(call: Call) -> JsonObject:
    """``GET /{number}``."""
    return select(number_node(call, call.number), call.text("fields"), _NUMBER_DEFAULTS, _NUMBER_TYPE)


def post_number(call: Call) -> JsonObject:
    """``POST /{number}``: two-step PIN, or the number's callback override."""
    if (configuration := call.nested("webhook_configuration")) is not None:
        configure_number(call, configuration)
    elif "pin" in call.params:
        call.number.pin = _pin(call)
    elif "new_display_name" in call.params:
        call.number.verified_name = call.text("new_display_name")
    else:
        raise parameter("Nothing to change.")
    return {"success": True}


def list_numbers(call: Call) -> JsonObject:
    """``GET /{waba}/phone_numbers``."""
    return page(call, _numbers(call, call.text("fields")))


def _numbers(call: Call, fields: str) -> list[JsonObject]:
    nodes = filtered(call, [number_node(call, number) for number in call.world.numbers.values()], _FILTERED)
    return [select(node, fields, _LISTED, _NUMBER_TYPE) for node in nodes]


def register(call: Call) -> JsonObject:
    """``POST /{number}/register`` with the two-step PIN."""
    if call.params.get("messaging_product") != "whatsapp":
        raise parameter("The parameter messaging_product is required.")
    pin = _pin(call)
    if call.number.pin and pin != call.number.pin:
        raise GraphError(133005, "The two-step verification PIN is not the one that was set.")
    call.number.pin = pin
    call.number.registered = True
    return {"success": True}


def deregister(call: Call) -> JsonObject:
    """``POST /{number}/deregister``."""
    call.number.registered = False
    return {"success": True}


def get_profile(call: Call) -> JsonObject:
    """``GET /{number}/whatsapp_business_profile``: the requested fields, by default all, that have a value."""
    wanted = [name.strip() for name in call.text("fields").split(",") if name.strip()] or _PROFILE_FIELDS
    for name in wanted:
        if name not in (*_PROFILE_FIELDS, "messaging_product"):
            raise GraphError(
                100,
                message=f"(#100) Tried accessing nonexistent field ({name}) on node type (WhatsAppBusinessProfile)",
            )
    shown = {name: call.number.profile[name] for name in wanted if call.number.profile.get(name)}
    return {"data": [{**shown, "messaging_product": "whatsapp"}]}


def post_profile(call: Call) -> JsonObject:
    """``POST /{number}/whatsapp_business_profile``: all of the changes, or none if one is refused."""
    if call.params.get("messaging_product") != "whatsapp":
        raise parameter("The parameter messaging_product is required.")
    changes: JsonObject = {}
    for name, maximum in _PROFILE.items():
        if name in call.params:
            value = call.params[name]
            if not isinstance(value, str) or len(value) > maximum:
                raise parameter(f"Param {name} must be at most {maximum} characters long.")
            changes[name] = value
    if changes.get("vertical") and changes["vertical"] not in _VERTICALS:
        raise parameter(f"Param vertical must be one of {{{', '.join(_VERTICALS)}}}.")
    websites = call.nested("websites")
    if websites is not None:
        if not isinstance(websites, list) or len(websites) > 2:
            raise parameter("Param websites must have at most 2 elements.")
        changes["websites"] = websites
    if handle := call.text("profile_picture_handle"):
        changes["profile_picture_url"] = f"https://pps.whatsapp.net/v/{handle[-16:]}.jpg"
    call.number.profile.update(changes)
    return {"success": True}


def list_blocked(call: Call) -> JsonObject:
    """``GET /{number}/block_users``."""
    rows = [
        {"messaging_product": "whatsapp", "input": wa_id, "wa_id": wa_id, "id": wa_id}
        for wa_id in sorted(call.number.blocked)
    ]
    answer = page(call, rows)
    answer["data"] = [{name: row[name] for name in ("messaging_product", "input", "wa_id")} for row in answer["data"]]
    return answer


def block(call: Call) -> JsonObject:
    """``POST /{number}/block_users``."""
    return _block(call, "added_users", call.number.blocked.add)


def unblock(call: Call) -> JsonObject:
    """``DELETE /{number}/block_users``."""
    return _block(call, "removed_users", call.number.blocked.discard)


def get_account(call: Call) -> JsonObject:
    """``GET /{waba}``."""
    node, asked = account_node(call), dict(parse_fields(call.text("fields")))
    if "pricing_analytics" in asked:
        node["pricing_analytics"] = pricing_analytics(call.world, call.text("fields"))
    if "phone_numbers" in asked:
        node["phone_numbers"] = {"data": _numbers(call, asked["phone_numbers"])}
    if "message_templates" in asked:
        node["message_templates"] = {"data": listed_templates(call, asked["message_templates"])}
    return select(node, call.text("fields"), _ACCOUNT_DEFAULTS, "WhatsAppBusinessAccount")


def post_account(call: Call) -> JsonObject:
    """``POST /{waba}``: its name, and whether marketing is disabled on the Cloud API."""
    if "disable_marketing_messages_on_cloud_api" in call.params:
        call.world.marketing_off_cloud = str(call.params["disable_marketing_messages_on_cloud_api"]).lower() == "true"
    if name := call.text("name"):
        call.world.account_name = name
    return {"success": True}


def get_app(call: Call) -> JsonObject:
    """``GET /{app}``."""
    node = {"id": call.world.config.app_id, "name": "Emulated app", "link": "https://www.facebook.com/games/"}
    return select(node, call.text("fields"), ("name", "link"), "Application")


def debug_token(call: Call) -> JsonObject:
    """``GET /debug_token?input_token=``: the scopes of a token (reference 8.2)."""
    config = call.world.config
    asked = call.text("input_token")
    if not asked:
        raise parameter("The parameter input_token is required.")
    if asked != call.world.credentials.access_token:
        error = {"code": 190, "message": "Invalid OAuth access token."}
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    scopes = ["whatsapp_business_management", "whatsapp_business_messaging"]
    return {
        "data": {
            "app_id": config.app_id,
            "type": "SYSTEM_USER",
            "application": "Emulated app",
            "expires_at": 0,
            "data_access_expires_at": 0,
            "issued_at": 1_700_000_000,
            "is_valid": call.world.token_error is None,
            "scopes": scopes,
            "granular_scopes": [{"scope": scope, "target_ids": [config.business_account_id]} for scope in scopes],
            "user_id": "404040404040404",
        }
    }


def app_token(call: Call) -> JsonObject:
    """``GET /oauth/access_token?grant_type=client_credentials``."""
    config = call.world.config
    if call.text("client_id") != config.app_id or call.text("client_secret") != call.world.credentials.app_secret:
        raise GraphError(1, message="Error validating client secret.", http_status=400)
    return {"access_token": call.world.credentials.app_token, "token_type": "bearer"}


def _pin(call: Call) -> str:
    pin = str(call.params.get("pin", ""))
    if not _PIN.fullmatch(pin):
        raise parameter("Param pin must be a string of 6 digits.")
    return pin


def _block(call: Call, outcome: str, apply: Any) -> JsonObject:
    if call.params.get("messaging_product") != "whatsapp":
        raise parameter("The parameter messaging_product is required.")
    users = call.nested("block_users")
    if not isinstance(users, list) or not users:
        raise parameter("The parameter block_users is required.")
    if not all(isinstance(item, dict) for item in users):
        raise parameter("Param block_users must be an array of objects.")
    done, failed = [], []
    for item in users:
        sent = str(item.get("user") or item.get("user_id") or "")
        digits = addresses.digits(sent)
        phone = call.world.find_phone(digits or sent)
        wa_id = phone.wa_id if phone else addresses.wa_id(digits) if digits else None
        if wa_id is None:
            error = {"code": 131009, "message": "(#131009) Parameter value is not valid"}
            details = {"details": "The phone number is malformed, or the user id is unknown."}
            failed.append({"input": sent, "wa_id": "", "errors": [{**error, "error_data": details}]})
        else:
            apply(wa_id)
            # As in the response to a send, a user id does not reveal the number.
            done.append({"input": sent, **({"wa_id": wa_id} if digits else {"user_id": sent})})
    answer: JsonObject = {"messaging_product": "whatsapp", "block_users": {outcome: done}}
    if failed:
        answer["block_users"]["failed_users"] = failed
        raise GraphError(139100, f"{len(failed)} of {len(users)} operations failed.", beside=answer)
    return answer
