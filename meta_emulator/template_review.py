"""Template review and its webhooks (reference 3.4, 5.10)."""

from __future__ import annotations

import re
from typing import Any, Literal

from meta_emulator.envelopes import management_update
from meta_emulator.records import Template
from meta_emulator.world import World

TemplateStatus = Literal["APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED", "FLAGGED", "IN_APPEAL", "ARCHIVED"]
_SIDE_BY_SIDE = re.compile(r"\}\}\s*\{\{")


def start_review(world: World, template: Template) -> None:
    """Review a created or edited template after ``behaviour.template_review`` seconds; never if negative."""
    delay = world.behaviour.template_review
    if delay == 0:
        review(world, template)
    elif delay > 0:
        world.timers.call_later(delay, lambda: review(world, template))


def review(world: World, template: Template) -> None:
    """Approve or reject a pending template."""
    if template.status != "PENDING" or template.id not in world.templates:
        return
    texts = (str(item.get("text", "")) for item in template.components)
    reason = "INVALID_FORMAT" if any(map(_SIDE_BY_SIDE.search, texts)) else ""
    set_status(world, template, "REJECTED" if reason else "APPROVED", reason or "NONE")


def set_status(world: World, template: Template, status: TemplateStatus, reason: str = "NONE") -> None:
    """Set a template's status and queue its webhook."""
    template.status = status
    template.rejected_reason = reason
    send_status_webhook(world, template, status, reason)


def send_status_webhook(world: World, template: Template, event: str, reason: str = "NONE") -> None:
    """Queue the webhook ``message_template_status_update``."""
    value: dict[str, Any] = {
        "event": event,
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "message_template_category": template.category,
        "reason": reason,
    }
    if event == "REJECTED" and reason == "INVALID_FORMAT":
        value["rejection_info"] = {
            "reason": "Two variables stand next to each other.",
            "recommendation": "Put text between them.",
        }
    elif event == "PAUSED":
        value["other_info"] = {"title": "FIRST_PAUSE", "description": "The template is paused for 3 hours."}
    elif event == "DISABLED":
        value["disable_info"] = {"disable_date": int(world.clock.now())}
    account_id, field = world.config.business_account_id, "message_template_status_update"
    world.webhooks.enqueue(management_update(account_id, field, value, world.clock.now()))
