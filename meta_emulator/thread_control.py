"""Which responder owns a conversation: standby webhooks and handovers (Meta's Conversation Routing)."""

from __future__ import annotations

from meta_emulator.envelopes import Update, handover_update, standby_update
from meta_emulator.records import BusinessNumber, Phone
from meta_emulator.world import World

ROLES = ("primary", "escalation", "standby", "ai_agent")


def enqueue_for_owner(world: World, phone: Phone, update: Update) -> None:
    """Queue an update of field ``messages``, or of ``standby`` while another responder owns the conversation."""
    if "statuses" in update.value and not world.behaviour.send_statuses:
        return
    if update.number_id in phone.owned_by_other:
        update = standby_update(update)
    world.webhooks.enqueue(update)


def pass_control(
    world: World, number: BusinessNumber, phone: Phone, *, previous_role: str = "ai_agent", new_role: str = "escalation"
) -> None:
    """Make the service the owner: ``control_passed`` goes to it."""
    phone.owned_by_other.discard(number.id)
    _announce(world, number, phone, "control_passed", previous_role, new_role)


def take_control(
    world: World, number: BusinessNumber, phone: Phone, *, previous_role: str = "escalation", new_role: str = "ai_agent"
) -> None:
    """Make another responder the owner: ``control_taken`` goes to the service, the previous owner."""
    phone.owned_by_other.add(number.id)
    _announce(world, number, phone, "control_taken", previous_role, new_role)


def _announce(world: World, number: BusinessNumber, phone: Phone, kind: str, previous_role: str, new_role: str) -> None:
    world.webhooks.enqueue(handover_update(number, phone, kind, previous_role, new_role, world.clock.now()))
    world.publish_phone(phone)
