"""Groups: one status per participant (reference 2.7, 5.7, 5.10)."""

from __future__ import annotations

from functools import partial
from typing import Any

from meta_emulator.envelopes import Update, group_status_update, metadata_of, webhook_error
from meta_emulator.message_status import Failure, run_after
from meta_emulator.records import BusinessNumber, Group, Message
from meta_emulator.world import StateError, World


def create_group(world: World, number: BusinessNumber, subject: str, participants: list[str], group_id: str) -> Group:
    """Add a group of phones (wa_ids) and send ``group_lifecycle_update``."""
    group = Group(group_id or world.ids.group_id(number.digits), number.id, subject, participants)
    world.groups[group.id] = group
    value = {
        "messaging_product": "whatsapp",
        "metadata": metadata_of(number),
        "groups": [
            {
                "timestamp": str(int(world.clock.now())),
                "group_id": group.id,
                "type": "group_create",
                "request_id": world.ids.hexadecimal(16),
                "subject": subject,
                "invite_link": f"https://chat.whatsapp.com/{world.ids.hexadecimal(22)}",
            }
        ],
    }
    world.webhooks.enqueue(Update(number.account_id, "group_lifecycle_update", value, number_id=number.id))
    return group


def start_group_delivery(world: World, group: Group, message: Message, failure: Failure | None = None) -> None:
    """Schedule the statuses of every participant according to the phones' properties; ``failure`` fails them all."""
    delay = world.behaviour.status_delay
    if failure is not None:
        message.status, message.errors = "failed", [webhook_error(*failure)]
    for wa_id in group.participants:
        phone = world.phones.get(wa_id)
        if phone is None:
            continue
        if failure is not None or not phone.on_whatsapp:
            code, details = failure or (131026, "")
            failed = partial(set_group_status, world, group, message, wa_id, "failed", code=code, details=details)
            run_after(world, delay, failed)
            continue
        steps = ["sent"]
        if phone.auto_deliver:
            steps.append("delivered")
            if phone.auto_read and phone.read_receipts:
                steps.append("read")
        for position, step in enumerate(steps, 1):
            run_after(world, delay * position, partial(set_group_status, world, group, message, wa_id, step))


def set_group_status(
    world: World, group: Group, message: Message, wa_id: str, status: str, *, code: int = 131026, details: str = ""
) -> None:
    """Set one participant's status of a group message and queue its webhook."""
    number, phone = world.numbers[group.number_id], world.phones.get(wa_id)
    if phone is None or wa_id not in group.participants:
        raise StateError(f"{wa_id} is not a participant of this group")
    now = world.clock.now()
    message.participants.setdefault(wa_id, {})[status] = now
    message.status_times.setdefault(status, now)
    item: dict[str, Any] = {"errors": [webhook_error(code, details)]} if status == "failed" else {}
    if world.behaviour.send_statuses:
        world.webhooks.enqueue(group_status_update(world.behaviour, number, phone, message, status, now, item))
    world.publish_message(message)
