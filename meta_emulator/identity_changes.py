"""Customers that change their number or business-scoped user id (reference 2.9, 5.6)."""

from __future__ import annotations

from typing import Any, Literal

from meta_emulator import addresses
from meta_emulator.envelopes import Update, message_update
from meta_emulator.records import BusinessNumber, Phone
from meta_emulator.world import World

Announcement = Literal["system", "legacy", "user_id_update", "none"]


def change_number(
    world: World,
    number: BusinessNumber,
    phone: Phone,
    wa_id: str,
    *,
    user_id: str = "",
    announce: Announcement = "system",
    include_from: bool = True,
) -> None:
    """Give the phone another number and a new user id; the old number is free for another phone.

    announce: ``system`` sends ``user_changed_number``, ``legacy`` ``customer_changed_number``. include_from: the
    system message names the old number in ``from``. Raises StateError if the number or the id belongs to another
    phone.
    """
    old, previous, previous_parent = phone.wa_id, phone.user_id, phone.parent_user_id
    world.check_address(wa_id, phone)
    world.check_address(user_id, phone)
    world.rename_phone(phone, wa_id, user_id or world.ids.business_scoped_user_id(addresses.country(wa_id)))
    body = f"User {phone.name} changed from {old} to {wa_id}"
    if announce == "legacy":
        system: dict[str, Any] = {"type": "customer_changed_number", "body": body, "customer": old, "new_wa_id": wa_id}
    else:
        system = {"type": "user_changed_number", "body": body, "wa_id": wa_id}
        if world.behaviour.user_ids:
            system |= _changed_ids(phone, previous, previous_parent)
    if announce in ("system", "legacy"):
        _enqueue_system(world, number, phone, system, sender=old if include_from else "")


def change_user_id(
    world: World,
    number: BusinessNumber,
    phone: Phone,
    user_id: str = "",
    *,
    parent_user_id: str = "",
    announce: Announcement = "system",
) -> None:
    """Give the phone another user id, announced as a system message or as field ``user_id_update``.

    Raises StateError if the id belongs to another phone.
    """
    previous, previous_parent = phone.user_id, phone.parent_user_id
    world.check_address(user_id, phone)
    world.check_address(parent_user_id, phone)
    if parent_user_id:
        phone.parent_user_id = parent_user_id
    world.rename_phone(phone, phone.wa_id, user_id or world.ids.business_scoped_user_id(addresses.country(phone.wa_id)))
    if announce == "system":
        system: dict[str, Any] = {"type": "user_changed_user_id", "body": f"User {phone.name} changed"}
        system |= _changed_ids(phone, previous, previous_parent)
        _enqueue_system(world, number, phone, system, sender="" if phone.number_hidden else phone.wa_id)
    elif announce == "user_id_update":
        item: dict[str, Any] = {
            "wa_id": phone.wa_id,
            "user_id": {"previous": previous, "current": phone.user_id},
            "timestamp": str(int(world.clock.now())),
        }
        if phone.parent_user_id:
            item["parent_user_id"] = {"previous": previous_parent, "current": phone.parent_user_id}
        value = {"user_id_update": [item]}
        world.webhooks.enqueue(Update(number.account_id, announce, value, number_id=number.id, customer=phone.lane))


def _changed_ids(phone: Phone, previous: str, previous_parent: str) -> dict[str, str]:
    ids = {"user_id": phone.user_id, "previous_user_id": previous}
    if phone.parent_user_id:
        ids |= {"parent_user_id": phone.parent_user_id, "previous_parent_user_id": previous_parent}
    return ids


def _enqueue_system(world: World, number: BusinessNumber, phone: Phone, system: dict[str, Any], *, sender: str) -> None:
    message: dict[str, Any] = {"from": sender} if sender else {}
    message |= {
        "id": world.ids.wamid(sender or phone.wa_id, from_customer=True),
        "timestamp": str(int(world.clock.now())),
        "type": "system",
        "system": system,
    }
    world.webhooks.enqueue(message_update(world.behaviour, number, phone, message))
