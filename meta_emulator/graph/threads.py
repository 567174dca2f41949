"""Conversation Routing and coexistence: thread control and data sync (reference 8.1; partly unconfirmed)."""

from __future__ import annotations

from meta_emulator import addresses, business_app
from meta_emulator.errors import GraphError, invalid, parameter
from meta_emulator.graph.call import Call, JsonObject


def control_thread(call: Call) -> JsonObject:
    """``POST /{number}/thread_control``: ``action`` is ``pass``, ``release`` or ``take``."""
    if call.params.get("messaging_product") != "whatsapp":
        raise parameter("The parameter messaging_product is required.")
    to = call.text("to") or call.text("recipient")
    phone = call.world.find_phone(addresses.digits(to) or to)
    if phone is None:
        raise invalid("There is no conversation with this user.")
    action = call.text("action")
    if action == "take":
        phone.owned_by_other.discard(call.number.id)
    elif action in ("pass", "release"):
        if call.number.id in phone.owned_by_other:
            raise GraphError(2494191, message="(#2494191) This app does not own the thread", http_status=400)
        phone.owned_by_other.add(call.number.id)
    else:
        raise parameter("Param action must be one of {PASS, RELEASE, TAKE}.")
    call.world.publish_phone(phone)
    return {"success": True}


def sync_app_data(call: Call) -> JsonObject:
    """``POST /{number}/smb_app_data``: send the address book or the chat history again."""
    kind, world, number = call.text("sync_type"), call.world, call.number
    if kind == "smb_app_state_sync":
        business_app.send_address_book(world, number, list(world.phones.values()))
    elif kind == "history":
        business_app.send_history(world, number, {})
    else:
        raise parameter("Param sync_type must be one of {SMB_APP_STATE_SYNC, HISTORY}.")
    return {"messaging_product": "whatsapp", "request_id": world.ids.hexadecimal(16)}
