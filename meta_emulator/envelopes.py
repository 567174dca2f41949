"""Webhook payloads: inbound messages, statuses, management fields (reference 5.4 to 5.10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from meta_emulator.behaviour import Behaviour
from meta_emulator.errors import ERROR_PAGE, title_of
from meta_emulator.records import BusinessNumber, Message, Phone


@dataclass(slots=True)
class Update:
    """One webhook change: ``value`` of ``field``; updates of the same ``customer`` keep their order.

    entry_time: Unix seconds for management fields, None for ``messages``. delivered: called after a 200.
    """

    account_id: str
    field: str
    value: dict[str, Any]
    number_id: str = ""
    customer: str = ""
    entry_time: int | None = None
    delivered: Callable[[], None] | None = None


def envelope(updates: list[Update]) -> dict[str, Any]:
    """Return a POST's payload: one entry per account; adjacent updates of a number share one value."""
    entries: dict[tuple[str, int | None], dict[str, Any]] = {}
    for update in updates:
        key = (update.account_id, update.entry_time)
        entry = entries.get(key)
        if entry is None:
            entry = {"id": update.account_id, "changes": []}
            if update.entry_time is not None:
                entry["time"] = update.entry_time
            entries[key] = entry
        changes: list[dict[str, Any]] = entry["changes"]
        if not (changes and _merged(changes[-1], update)):
            changes.append({"field": update.field, "value": dict(update.value)})
    return {"object": "whatsapp_business_account", "entry": list(entries.values())}


def _merged(change: dict[str, Any], update: Update) -> bool:
    """Add the update to a change of the same number and kind; return False if it needs its own change."""
    if change["field"] != "messages" or update.field != "messages":
        return False
    value = change["value"]
    if value.get("metadata") != update.value.get("metadata"):
        return False
    for part in ("messages", "statuses"):
        if part in value and part in update.value:
            value[part] = value[part] + update.value[part]
            contacts = value.get("contacts", [])
            added = [item for item in update.value.get("contacts", []) if item not in contacts]
            if contacts or added:
                value["contacts"] = contacts + added
            return True
    return False


def contact_of(behaviour: Behaviour, number: BusinessNumber, phone: Phone) -> dict[str, Any]:
    """Return an item of ``contacts``: profile, number unless hidden, identity if it is checked (reference 5.4)."""
    contact: dict[str, Any] = {"profile": {"name": phone.name}}
    if phone.username:
        contact["profile"]["username"] = phone.username
    if not phone.number_hidden:
        contact["wa_id"] = phone.wa_id
    if phone.number_hidden or behaviour.user_ids:
        contact["user_id"] = phone.user_id
        if phone.parent_user_id:
            contact["parent_user_id"] = phone.parent_user_id
    if number.identity_check:
        contact["identity_key_hash"] = phone.identity_hash
    return contact


def message_update(
    behaviour: Behaviour,
    number: BusinessNumber,
    phone: Phone,
    message: dict[str, Any],
    *,
    delivered: Callable[[], None] | None = None,
) -> Update:
    """Return the update of an inbound message; system messages have no ``contacts`` (reference 5.6)."""
    value: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": metadata_of(number)}
    if message.get("type") != "system":
        value["contacts"] = [contact_of(behaviour, number, phone)]
    value["messages"] = [message]
    return Update(number.account_id, "messages", value, number_id=number.id, customer=phone.lane, delivered=delivered)


def status_update(
    behaviour: Behaviour, number: BusinessNumber, phone: Phone, message: Message, status: str, at: float
) -> Update:
    """Return the update of a message status (reference 5.7)."""
    item: dict[str, Any] = {"id": message.id, "status": status, "timestamp": str(int(at))}
    if not phone.number_hidden:
        item["recipient_id"] = phone.wa_id
    if phone.number_hidden or behaviour.user_ids:
        item["recipient_user_id"] = phone.user_id
    if message.identity_hash:
        item["recipient_identity_key_hash"] = message.identity_hash
    if message.opaque is not None:
        item["biz_opaque_callback_data"] = message.opaque
    if status == "failed":
        item["errors"] = message.errors
    elif status in ("sent", "delivered", "read"):
        if behaviour.has_conversation:
            item["conversation"] = _conversation(message, status, at)
        if _carries_pricing(message, status):
            item["pricing"] = _pricing(message)
    value = _status_value(behaviour, number, phone, item)
    return Update(number.account_id, "messages", value, number_id=number.id, customer=phone.lane)


def standby_update(update: Update) -> Update:
    """Return the update as field ``standby``: messages and statuses of a conversation that another owns."""
    outer = ("messaging_product", "metadata")
    value = {name: update.value[name] for name in outer}
    value["standby"] = {name: part for name, part in update.value.items() if name not in outer}
    return replace(update, field="standby", value=value)


def handover_update(
    number: BusinessNumber, phone: Phone, kind: str, previous_role: str, new_role: str, at: float
) -> Update:
    """Return the update ``messaging_handovers``; ``kind`` is ``control_passed`` or ``control_taken``."""
    sender = {"user_id": phone.user_id} if phone.number_hidden else {"phone_number": phone.wa_id}
    value = {
        "messaging_product": "whatsapp",
        "timestamp": str(int(at)),
        "sender": sender,
        "recipient": {"phone_number_id": number.id, "display_phone_number": number.digits},
        "type": kind,
        kind: {"previous_owner_role": previous_role, "new_owner_role": new_role},
    }
    return Update(number.account_id, "messaging_handovers", value, number_id=number.id, customer=phone.lane)


def group_status_update(
    behaviour: Behaviour,
    number: BusinessNumber,
    phone: Phone,
    message: Message,
    status: str,
    at: float,
    more: dict[str, Any],
) -> Update:
    """Return the update of one participant's status of a group message (reference 5.7)."""
    item: dict[str, Any] = {
        "id": message.id,
        "status": status,
        "timestamp": str(int(at)),
        "recipient_id": message.group_id,
        "recipient_type": "group",
    }
    if not phone.number_hidden:
        item["recipient_participant_id"] = phone.wa_id
    if phone.number_hidden or behaviour.user_ids:
        item["recipient_participant_user_id"] = phone.user_id
    if message.opaque is not None:
        item["biz_opaque_callback_data"] = message.opaque
    value = _status_value(behaviour, number, phone, item | more)
    return Update(number.account_id, "messages", value, number_id=number.id, customer=message.group_id)


def management_update(account_id: str, field: str, value: dict[str, Any], at: float) -> Update:
    """Return the update of a field other than ``messages``, with its entry time (reference 5.10)."""
    return Update(account_id, field, value, entry_time=int(at))


def metadata_of(number: BusinessNumber) -> dict[str, str]:
    """Return ``metadata`` of a business number: digits only, no plus sign."""
    return {"display_phone_number": number.digits, "phone_number_id": number.id}


def webhook_error(code: int, details: str, title: str = "") -> dict[str, Any]:
    """Return an item of ``errors`` in a webhook (reference 5.7)."""
    text = title or title_of(code)
    return {
        "code": code,
        "title": text,
        "message": text,
        "error_data": {"details": details},
        "href": ERROR_PAGE,
    }


def _status_value(behaviour: Behaviour, number: BusinessNumber, phone: Phone, item: dict[str, Any]) -> dict[str, Any]:
    """Return the value around a status; since 2026 with ``contacts``, unless it failed (reference 5.7)."""
    value: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": metadata_of(number)}
    if behaviour.user_ids and item["status"] != "failed":
        value["contacts"] = [contact_of(behaviour, number, phone)]
    value["statuses"] = [item]
    return value


def _carries_pricing(message: Message, status: str) -> bool:
    """Return whether this status has ``pricing``: ``sent``, and the first of ``delivered`` and ``read``."""
    step = "sent" if status == "sent" else "arrived"
    if step in message.priced:
        return False
    message.priced.add(step)
    return True


def _pricing(message: Message) -> dict[str, Any]:
    return {
        "billable": not message.free,
        "pricing_model": "PMP",
        "category": message.category,
        "type": "free_customer_service" if message.free else "regular",
    }


def _conversation(message: Message, status: str, at: float) -> dict[str, Any]:
    conversation: dict[str, Any] = {"id": message.conversation_id, "origin": {"type": message.category}}
    if status == "sent":
        conversation["expiration_timestamp"] = str(int(at) + 24 * 3600)
    return conversation
