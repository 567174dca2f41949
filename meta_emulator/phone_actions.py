"""Actions of a customer's phone; each queues a webhook (reference 5.6)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, get_args

from meta_emulator import message_status
from meta_emulator.envelopes import message_update, webhook_error
from meta_emulator.records import BusinessNumber, Message, Phone
from meta_emulator.thread_control import enqueue_for_owner
from meta_emulator.world import StateError, World

MediaType = Literal["image", "audio", "video", "document", "sticker"]
MEDIA_TYPES = get_args(MediaType)
_KEEPS_WINDOW = ("reaction", "edit", "revoke", "system")
_COMMON = {"id", "from", "from_user_id", "timestamp", "type", "context"}


def write(world: World, phone: Phone, number: BusinessNumber, body: dict[str, Any]) -> Message:
    """Send Meta's inbound message object (without ``from``, ``id``, ``timestamp``) to a business number.

    Media refer to an ``id`` of the media store. ``id`` and ``timestamp`` may be given, for example to repeat a
    message. Unknown types are passed on unchanged. Raises ValueError for a type with the name of a message property.
    """
    kind: str = body.get("type", "text")
    if kind in Message.__slots__:
        raise ValueError(f"{kind} is a property of messages, not a type")
    content = _media_content(world, number, kind, body.get(kind)) if kind in MEDIA_TYPES else body.get(kind)
    now = world.clock.now()
    wamid = str(body.get("id") or world.ids.wamid(phone.wa_id, from_customer=True))
    payload: dict[str, Any] = {}
    if isinstance(context := body.get("context"), dict):
        payload["context"] = _context(number, context)
    if not phone.number_hidden:
        payload["from"] = phone.wa_id
    if phone.number_hidden or world.behaviour.user_ids:
        payload["from_user_id"] = phone.user_id
        if phone.parent_user_id:
            payload["from_parent_user_id"] = phone.parent_user_id
    payload |= {"id": wamid, "timestamp": str(body.get("timestamp") or int(now)), "type": kind}
    if content is not None:
        payload[kind] = content
    payload |= {name: value for name, value in body.items() if name not in _COMMON and name != kind}
    message = Message(
        id=wamid,
        direction="out",
        number_id=number.id,
        wa_id=phone.wa_id,
        type=kind,
        content=content if content is not None else {},
        timestamp=now,
        status="sent",
        context=payload.get("context"),
        status_times={"sent": now},
        media_id=str(content.get("id", "")) if kind in MEDIA_TYPES and content else "",
        group_id=str(body.get("group_id", "")),
    )
    _apply_to_target(world, phone, message)
    world.limits.received(number.id)
    if kind not in _KEEPS_WINDOW:
        phone.window_opened[number.id] = now
    world.add_message(message)
    if phone.wa_id not in number.blocked:
        delivered = partial(_advance_own, world, message, "delivered")
        enqueue_for_owner(world, phone, message_update(world.behaviour, number, phone, payload, delivered=delivered))
    return message


def write_unavailable(world: World, phone: Phone, number: BusinessNumber) -> Message:
    """Write a message that Meta cannot show yet: ``unsupported`` with 131060; its content may follow later.

    Writing a message with the same ``id`` sends the content.
    """
    details = "This message is currently unavailable. Please ask the customer to resend it."
    error = webhook_error(131060, details, "This message is currently unavailable.")
    content = {"type": "media_placeholder"}
    return write(world, phone, number, {"type": "unsupported", "unsupported": content, "errors": [error]})


def edit(world: World, phone: Phone, message: Message, text: str) -> Message:
    """Replace the text (or caption) of a message that the phone wrote."""
    content = {"body": text} if message.type == "text" else {**_content_of(message), "caption": text}
    changed = {"type": message.type, message.type: content}
    if message.context:
        changed["context"] = message.context
    edited = {"original_message_id": message.id, "message": changed}
    return write(world, phone, _number_of(world, message), {"type": "edit", "edit": edited})


def revoke(world: World, phone: Phone, message: Message) -> Message:
    """Delete a message that the phone wrote, for everyone."""
    content = {"original_message_id": message.id}
    return write(world, phone, _number_of(world, message), {"type": "revoke", "revoke": content})


def press(world: World, phone: Phone, message: Message, button: str | int) -> Message:
    """Press a reply button of an interactive message or a quick reply of a template.

    ``button``: its position from 0 (a template's cards follow its own buttons), its id or payload, or its text.
    """
    number = _number_of(world, message)
    if message.type == "template":
        for position, (text, payload) in enumerate(quick_replies(message)):
            if button in (position, text, payload):
                return _write_choice(world, phone, number, message, "button", {"payload": payload, "text": text})
        raise StateError("this template has no such quick reply")
    for position, item in enumerate(_objects(_content_of(message).get("action"), "buttons")):
        reply = item.get("reply")
        if isinstance(reply, dict) and button in (position, reply.get("id"), reply.get("title")):
            chosen = {"id": reply.get("id"), "title": reply.get("title")}
            content = {"type": "button_reply", "button_reply": chosen}
            return _write_choice(world, phone, number, message, "interactive", content)
    raise StateError("this message has no such button")


def pick(world: World, phone: Phone, message: Message, row_id: str) -> Message:
    """Pick a row of a list message by its id or title."""
    for section in _objects(_content_of(message).get("action"), "sections"):
        for row in _objects(section, "rows"):
            if row_id in (row.get("id"), row.get("title")):
                chosen = {name: row[name] for name in ("id", "title", "description") if name in row}
                content = {"type": "list_reply", "list_reply": chosen}
                return _write_choice(world, phone, _number_of(world, message), message, "interactive", content)
    raise StateError("this message has no such row")


def react(world: World, phone: Phone, message: Message, emoji: str) -> Message:
    """React to a message; an empty emoji removes the reaction."""
    content = {"message_id": message.id, "emoji": emoji}
    return write(world, phone, _number_of(world, message), {"type": "reaction", "reaction": content})


def read_messages(world: World, phone: Phone, message_ids: list[str] | None = None) -> int:
    """Mark messages of the business as read, all unread ones by default; return how many."""
    wanted = world.messages_of(phone)
    if message_ids is not None:
        wanted = [message for message in wanted if message.id in message_ids]
    unread = [item for item in wanted if item.direction == "in" and "read" not in item.status_times]
    for message in unread:
        message_status.mark_read(world, phone, message)
    return len(unread)


def play(world: World, phone: Phone, message: Message) -> None:
    """Play a voice note from the business for the first time."""
    if message.direction != "in" or message.type != "audio":
        raise StateError("only a voice note of the business can be played")
    message_status.mark_read(world, phone, message)
    message_status.advance(world, message, "played")


def apply_business_read(world: World, message: Message) -> None:
    """Mark the phone's message and the earlier ones as read by the business (reference 2.8)."""
    phone = world.phones.get(message.wa_id)
    if phone is None:
        return
    for earlier in world.messages_of(phone):
        if earlier.direction == "out" and earlier.number_id == message.number_id:
            _advance_own(world, earlier, "delivered")
            _advance_own(world, earlier, "read")
        if earlier is message:
            break


def quick_replies(message: Message) -> list[tuple[str, str]]:
    """Return text and payload of a template's quick replies, then of its cards'; the payload defaults to the text."""
    shown = message.rendered or {}
    return [
        (button["text"], button.get("payload") or button["text"])
        for part in (shown, *shown.get("cards", ()))
        for button in part.get("buttons", ())
        if button.get("type") == "QUICK_REPLY"
    ]


def _write_choice(
    world: World, phone: Phone, number: BusinessNumber, message: Message, kind: str, content: dict[str, Any]
) -> Message:
    return write(world, phone, number, {"type": kind, kind: content, "context": {"id": message.id}})


def _objects(container: Any, name: str) -> list[dict[str, Any]]:
    """Return the objects of a list in an object, of which echoes may have any other value."""
    items = container.get(name) if isinstance(container, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _content_of(message: Message) -> dict[str, Any]:
    return message.content if isinstance(message.content, dict) else {}


def _number_of(world: World, message: Message) -> BusinessNumber:
    number = world.numbers.get(message.number_id)
    if number is None:
        raise StateError("the number of this message is gone")
    return number


def _context(number: BusinessNumber, context: dict[str, Any]) -> dict[str, Any]:
    """Return ``context`` with the business's number as the quoted author."""
    if "id" in context and "from" not in context:
        return {"from": number.digits, **context}
    return dict(context)


def _media_content(world: World, number: BusinessNumber, kind: str, content: Any) -> dict[str, Any] | None:
    if not isinstance(content, dict) or "id" not in content or "sha256" in content:
        return content if isinstance(content, dict) else None
    return world.media_store.webhook_object(number, kind, content)


def _apply_to_target(world: World, phone: Phone, message: Message) -> None:
    """Apply a reaction, edit or revocation to its target."""
    content = message.content if isinstance(message.content, dict) else {}
    if message.type == "reaction":
        target = world.messages.get(str(content.get("message_id", "")))
        if target is not None:
            if content.get("emoji"):
                target.reactions[phone.wa_id] = content["emoji"]
            else:
                target.reactions.pop(phone.wa_id, None)
            world.publish_message(target)
    elif message.type in ("edit", "revoke"):
        target = world.messages.get(str(content.get("original_message_id", "")))
        if target is None or target.wa_id != phone.wa_id:
            return
        if message.type == "revoke":
            target.revoked = True
        else:
            target.content = edited_content(target, content)
            target.edited = True
        world.publish_message(target)


def edited_content(message: Message, edit: dict[str, Any]) -> Any:
    """Return a message's content after an edit; an edit of another type changes nothing."""
    changed = edit.get("message")
    return changed.get(message.type, message.content) if isinstance(changed, dict) else message.content


def _advance_own(world: World, message: Message, status: str) -> None:
    """Advance the status of a message that the phone sent; it never goes back."""
    order = ("sent", "delivered", "read")
    if status in message.status_times or order.index(status) <= order.index(message.status):
        return
    message.status_times[status] = world.clock.now()
    message.status = status
    world.publish_message(message)
