"""Calls from customers, signalling only (reference 5.10, 8.1)."""

from __future__ import annotations

from typing import Any

from meta_emulator.envelopes import Update, contact_of, metadata_of
from meta_emulator.records import BusinessNumber, Phone
from meta_emulator.world import World

_OFFER = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
)


def start_call(world: World, number: BusinessNumber, phone: Phone) -> str:
    """Call the business: send ``calls`` with ``connect``; return the call's id."""
    call_id = f"wacid.{world.ids.hexadecimal(40)}"
    world.calls[call_id] = (number.id, phone.wa_id, world.clock.now())
    session = {"sdp_type": "offer", "sdp": _OFFER}
    _send(world, number, phone, {"id": call_id, "event": "connect", "session": session})
    return call_id


def end_call(world: World, call_id: str, *, seconds: float = 0.0, status: str = "COMPLETED") -> bool:
    """End a call: send ``calls`` with ``terminate``; return False for an unknown call."""
    found = world.calls.pop(call_id, None)
    if found is None:
        return False
    number_id, wa_id, started = found
    number, phone = world.numbers.get(number_id), world.phones.get(wa_id)
    if number is None or phone is None:
        return False
    ended: dict[str, Any] = {"id": call_id, "event": "terminate", "status": status}
    if seconds:
        ended |= {"start_time": str(int(started)), "end_time": str(int(started + seconds)), "duration": int(seconds)}
    _send(world, number, phone, ended)
    return True


def send_preference(world: World, number: BusinessNumber, phone: Phone, value: str) -> None:
    """Stop or resume marketing messages: send ``user_preferences`` (reference 5.10)."""
    phone.marketing = value == "resume"
    preference: dict[str, Any] = {} if phone.number_hidden else {"wa_id": phone.wa_id}
    if phone.number_hidden or world.behaviour.user_ids:
        preference["user_id"] = phone.user_id
    preference |= {
        "detail": f"User requested to {value} marketing messages",
        "category": "marketing_messages",
        "value": value,
        "timestamp": int(world.clock.now()),
    }
    _enqueue(world, number, phone, "user_preferences", {"user_preferences": [preference]})
    world.publish_phone(phone)


def _send(world: World, number: BusinessNumber, phone: Phone, call: dict[str, Any]) -> None:
    ends: dict[str, Any] = {"from_user_id": phone.user_id} if phone.number_hidden else {"from": phone.wa_id}
    timestamp = str(int(world.clock.now()))
    item = {**ends, "to": number.digits, "timestamp": timestamp, "direction": "USER_INITIATED", **call}
    _enqueue(world, number, phone, "calls", {"calls": [item]})


def _enqueue(world: World, number: BusinessNumber, phone: Phone, field: str, parts: dict[str, Any]) -> None:
    value = {
        "messaging_product": "whatsapp",
        "metadata": metadata_of(number),
        "contacts": [contact_of(world.behaviour, number, phone)],
        **parts,
    }
    world.webhooks.enqueue(Update(number.account_id, field, value, number_id=number.id, customer=phone.lane))
