"""Webhook subscriptions: callback of the app, overrides of account and number (reference 5.1, 5.5)."""

from __future__ import annotations

from typing import Any

from meta_emulator.errors import GraphError, parameter
from meta_emulator.graph.call import Call, JsonObject
from meta_emulator.records import BusinessNumber
from meta_emulator.world import World

_LONGEST = 200


def subscribe(call: Call) -> JsonObject:
    """``POST /{waba}/subscribed_apps``: without a body it also clears the override."""
    world = call.world
    override = call.text("override_callback_uri")
    if override:
        _verify(call, override, call.text("verify_token"))
    world.account_override = override
    world.subscribed = True
    return {"success": True}


def list_subscribed(call: Call) -> JsonObject:
    """``GET /{waba}/subscribed_apps``."""
    world = call.world
    if not world.subscribed:
        return {"data": []}
    app_id = world.config.app_id
    app: JsonObject = {
        "whatsapp_business_api_data": {
            "id": app_id,
            "link": f"https://www.facebook.com/games/?app_id={app_id}",
            "name": "Emulated app",
        }
    }
    if world.account_override:
        app["override_callback_uri"] = world.account_override
    return {"data": [app]}


def unsubscribe(call: Call) -> JsonObject:
    """``DELETE /{waba}/subscribed_apps``: end the subscription."""
    call.world.subscribed = False
    call.world.account_override = ""
    return {"success": True}


def save_app_callback(call: Call) -> JsonObject:
    """``POST /{app}/subscriptions``: the app's callback; needs the app token."""
    if call.token != call.world.credentials.app_token:
        raise GraphError(15, message="(#15) This method must be called with an app access_token.", http_status=400)
    if call.text("object") != "whatsapp_business_account":
        raise parameter("Param object must be one of {WHATSAPP_BUSINESS_ACCOUNT}.")
    url = call.text("callback_url")
    _verify(call, url, call.text("verify_token"))
    call.world.callback_url = url
    call.world.subscribed = True
    return {"success": True}


def configure_number(call: Call, configuration: Any) -> None:
    """Set or, with an empty URI, remove the number's override."""
    if not isinstance(configuration, dict):
        raise parameter("Param webhook_configuration must be an object.")
    override = str(configuration.get("override_callback_uri", ""))
    if override:
        _verify(call, override, str(configuration.get("verify_token", "")))
    call.number.callback_override = override


def number_callbacks(world: World, number: BusinessNumber) -> JsonObject:
    """Return ``webhook_configuration`` of a number: the URL of each level, None for those without one."""
    levels = {
        "phone_number": number.callback_override,
        "whatsapp_business_account": world.account_override,
        "application": world.callback_url,
    }
    return {level: url or None for level, url in levels.items()}


def _verify(call: Call, url: str, verify_token: str) -> None:
    """Verify the callback; raise error 2200 if that fails."""
    if not url.startswith(("http://", "https://")) or len(url) > _LONGEST:
        raise parameter(f"The callback URL must be http or https with at most {_LONGEST} characters.")
    if not verify_token:
        raise parameter("The parameter verify_token is required.")
    answer = call.world.webhooks.handshake(url, verify_token)
    if answer.error:
        raise GraphError(
            2200,
            message=f"(#2200) Callback verification failed with the following errors: {answer.error}",
            http_status=400,
        )
