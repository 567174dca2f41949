"""Statuses of accepted messages: sent, delivered, read, played or failed (reference 5.7, 7.5)."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from meta_emulator.envelopes import status_update, webhook_error
from meta_emulator.limits import SERVICE_WINDOW
from meta_emulator.records import BusinessNumber, Message, Phone
from meta_emulator.thread_control import enqueue_for_owner
from meta_emulator.world import World

_RANK = {"accepted": 0, "sent": 1, "delivered": 2, "read": 3, "played": 4, "failed": 5}

_LINKED_BYTES = 16 * 1024 * 1024

Failure = tuple[int, str]


def start_delivery(world: World, phone: Phone, message: Message, failure: Failure | None) -> None:
    """Schedule the statuses of an accepted message; only ``failed`` if ``failure`` is given."""
    delay = world.behaviour.status_delay
    if failure is not None:
        run_after(world, delay, lambda: fail(world, message, failure))
        return
    if world.behaviour.fetch_links and (link := _link_of(message)):
        gevent.spawn(_fetch, world, phone, message, link)
    else:
        _schedule_statuses(world, phone, message, delay)


def _schedule_statuses(world: World, phone: Phone, message: Message, delay: float) -> None:
    steps = ["sent"]
    if message.type != "reaction":  # Reactions of the business have no further status.
        if phone.auto_deliver:
            if not (phone.auto_read and phone.read_receipts and world.behaviour.skip_delivered):
                steps.append("delivered")
        else:
            phone.waiting.append(message.id)
        if phone.auto_deliver and phone.auto_read and phone.read_receipts:
            steps.append("read")
    if world.behaviour.shuffle_statuses:
        world.random.shuffle(steps)
    for position, step in enumerate(steps, 1):
        run_after(world, delay * position, lambda step=step: advance(world, message, step))  # type: ignore[misc]


def advance(world: World, message: Message, status: str) -> None:
    """Set a status of a message and queue its webhook; a repeated status does nothing."""
    number, phone = world.numbers.get(message.number_id), world.phones.get(message.wa_id)
    if number is None or phone is None or status in message.status_times or message.status == "failed":
        return
    now = world.clock.now()
    message.status_times[status] = now
    if _RANK[status] > _RANK[message.status]:
        message.status = status
    enqueue_for_owner(world, phone, status_update(world.behaviour, number, phone, message, status, now))
    world.publish_message(message)


def fail(world: World, message: Message, failure: Failure) -> None:
    """Set ``failed`` with its error and queue the webhook."""
    code, details = failure
    message.errors = [webhook_error(code, details)]
    number, phone = world.numbers.get(message.number_id), world.phones.get(message.wa_id)
    if number is None or phone is None or message.status == "failed":
        return
    message.status = "failed"
    message.status_times["failed"] = world.clock.now()
    enqueue_for_owner(world, phone, status_update(world.behaviour, number, phone, message, "failed", world.clock.now()))
    world.publish_message(message)


def deliver_waiting(world: World, phone: Phone) -> None:
    """Deliver the messages that waited while the phone was off."""
    waiting, phone.waiting = phone.waiting, []
    for wamid in waiting:
        if message := world.messages.get(wamid):
            advance(world, message, "delivered")
            if phone.auto_read and phone.read_receipts:
                advance(world, message, "read")


def mark_read(world: World, phone: Phone, message: Message) -> None:
    """Mark a message of the business as read on the phone; no webhook if read receipts are off."""
    if message.direction != "in" or message.status == "failed" or message.type == "reaction":
        return
    if not world.behaviour.skip_delivered:
        advance(world, message, "delivered")
    if phone.read_receipts:
        advance(world, message, "read")


def delivery_failure(world: World, number: BusinessNumber, phone: Phone, message: Message) -> Failure | None:
    """Return why an accepted message will fail, or None (reference 6.4, 6.5)."""
    if not phone.on_whatsapp:
        return 131026, "Message Undeliverable."
    if phone.wa_id in number.blocked:
        return 130403, "The message was refused."
    if message.identity_hash and message.identity_hash != phone.identity_hash:
        return 137000, "The recipient's identity key hash does not match."
    if message.category != "service":
        return _template_failure(world, number, phone, message)
    if not world.limits.window_open(phone.window_opened.get(number.id)):
        return WINDOW_CLOSED
    return None


WINDOW_CLOSED: Failure = (
    131047,
    "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
)


def _link_of(message: Message) -> str:
    content = message.content
    is_media = message.type in ("image", "audio", "video", "document", "sticker")
    return str(content.get("link", "")) if is_media and isinstance(content, dict) else ""


def _fetch(world: World, phone: Phone, message: Message, link: str) -> None:
    """Fetch a linked file, then send the message; 131053 if that fails (reference 2.3)."""
    found = world.webhooks.client.request("GET", link, timeout=10.0, headers={"Accept": "*/*"}, limit=_LINKED_BYTES)
    number = world.numbers.get(message.number_id)
    if found.status != 200 or number is None:
        fail(world, message, (131053, "The media behind the link could not be fetched."))
        return
    mime_type = found.content_type.partition(";")[0] or "application/octet-stream"
    message.media_id = world.media_store.add(number, found.body, mime_type).id
    _schedule_statuses(world, phone, message, world.behaviour.status_delay)


def _template_failure(world: World, number: BusinessNumber, phone: Phone, message: Message) -> Failure | None:
    if message.category == "marketing" and not phone.marketing:
        return 131050, "The user has stopped marketing messages from this business."
    opened = phone.window_opened.get(number.id)
    inside = opened is not None and world.clock.now() - opened < SERVICE_WINDOW
    if not inside and not world.limits.take_daily(phone.wa_id):
        return 131048, "Message failed to send because the messaging limit is reached."
    return None


def run_after(world: World, delay: float, action: Callable[[], None]) -> None:
    """Run the action after this many seconds of the world's clock, at once for 0."""
    if delay > 0:
        world.timers.call_later(delay, action)
    else:
        action()
