"""The WhatsApp Business app on a coexistence number: echoes, chat history, address book (reference 5.10)."""

from __future__ import annotations

from typing import Any

from meta_emulator.envelopes import Update, metadata_of
from meta_emulator.phone_actions import edited_content
from meta_emulator.records import BusinessNumber, Message, Phone
from meta_emulator.world import World

_COMMON = {"id", "from", "to", "to_user_id", "timestamp", "type"}


def write_echo(world: World, number: BusinessNumber, phone: Phone, body: dict[str, Any]) -> Message:
    """Write to a customer from the Business app: the phone gets the message, the service ``smb_message_echoes``.

    ``body`` is Meta's message object; ``edit`` and ``revoke`` change a message that the app wrote before.
    """
    kind = str(body.get("type", "text"))
    now = world.clock.now()
    message = Message(
        id=str(body.get("id") or world.ids.wamid(phone.wa_id, from_customer=False)),
        direction="in",
        number_id=number.id,
        wa_id=phone.wa_id,
        type=kind,
        content=body.get(kind, {}),
        timestamp=now,
        status="delivered",
        status_times={"sent": now, "delivered": now},
    )
    if kind in ("edit", "revoke"):
        _change_original(world, message)
    else:
        world.add_message(message)
    echo: dict[str, Any] = {"from": number.digits}
    if not phone.number_hidden:
        echo["to"] = phone.wa_id
    if phone.number_hidden or world.behaviour.user_ids:
        echo["to_user_id"] = phone.user_id
    echo |= {"id": message.id, "timestamp": str(int(now)), "type": kind, kind: message.content}
    echo |= {name: value for name, value in body.items() if name not in _COMMON and name != kind}
    _enqueue(world, number, "smb_message_echoes", {"message_echoes": [echo]}, customer=phone.lane)
    return message


def send_history(
    world: World,
    number: BusinessNumber,
    threads: dict[str, list[dict[str, Any]]],
    *,
    phase: int = 0,
    chunk_order: int = 1,
    progress: int = 100,
) -> int:
    """Send one ``history`` chunk; return how many messages it has.

    threads: wa_id → Meta's message objects; missing ``from``, ``to``, ``id`` and ``timestamp`` are added, messages
    without ``from`` come alternately from the customer and from the business. Media are sent as
    ``media_placeholder``, then with their content in a second webhook.
    """
    media: list[dict[str, Any]] = []
    shown = []
    for wa_id, messages in threads.items():
        complete = [_historic(world, number, wa_id, place, item) for place, item in enumerate(messages)]
        media += [item for item in complete if _is_media(item)]
        shown.append({"id": wa_id, "messages": [_without_media(item) for item in complete]})
    chunk = {"phase": phase, "chunk_order": chunk_order, "progress": progress}
    _enqueue(world, number, "history", {"history": [{"metadata": chunk, "threads": shown}]})
    if media:
        bare = [{name: value for name, value in item.items() if name != "history_context"} for item in media]
        _enqueue(world, number, "history", {"messages": bare})
    return sum(len(messages) for messages in threads.values())


def decline_history(world: World, number: BusinessNumber) -> None:
    """Send the error of a business that does not share its chat history (2593109)."""
    error = {
        "code": 2593109,
        "title": "History sync is turned off by the business from the WhatsApp Business App",
        "message": "History sharing is turned off by the business from the WhatsApp Business App",
        "error_data": {"details": "History sharing is turned off by the business"},
    }
    _enqueue(world, number, "history", {"history": [{"errors": [error]}]})


def send_address_book(world: World, number: BusinessNumber, phones: list[Phone], *, action: str = "add") -> None:
    """Send ``smb_app_state_sync`` with these phones as contacts; ``action`` is ``add`` or ``remove``."""
    now = str(int(world.clock.now()))
    items = []
    for phone in phones:
        contact = {"phone_number": phone.wa_id}
        if action == "add":
            contact = {"full_name": phone.name, "first_name": (phone.name.split() or [phone.name])[0], **contact}
        items.append({"type": "contact", "contact": contact, "action": action, "metadata": {"timestamp": now}})
    _enqueue(world, number, "smb_app_state_sync", {"state_sync": items})


def _enqueue(world: World, number: BusinessNumber, field: str, parts: dict[str, Any], customer: str = "") -> None:
    value = {"messaging_product": "whatsapp", "metadata": metadata_of(number), **parts}
    world.webhooks.enqueue(Update(number.account_id, field, value, number_id=number.id, customer=customer))


def _change_original(world: World, change: Message) -> None:
    content = change.content if isinstance(change.content, dict) else {}
    original = world.messages.get(str(content.get("original_message_id", "")))
    if original is None:
        return
    if change.type == "revoke":
        original.revoked = True
    else:
        original.content = edited_content(original, content)
        original.edited = True
    world.publish_message(original)


def _historic(world: World, number: BusinessNumber, wa_id: str, place: int, item: dict[str, Any]) -> dict[str, Any]:
    from_customer = item.get("from", wa_id if place % 2 == 0 else number.digits) == wa_id
    ends = {"from": wa_id} if from_customer else {"from": number.digits, "to": wa_id}
    return {
        **ends,
        "id": world.ids.wamid(wa_id, from_customer=from_customer),
        "timestamp": str(int(world.clock.now()) - 86_400 + place),
        "type": "text",
        **item,
        "history_context": item.get("history_context", {"status": "READ"}),
    }


def _is_media(item: dict[str, Any]) -> bool:
    return item["type"] in ("image", "audio", "video", "document", "sticker")


def _without_media(item: dict[str, Any]) -> dict[str, Any]:
    if not _is_media(item):
        return item
    return {name: value for name, value in item.items() if name != item["type"]} | {"type": "media_placeholder"}
