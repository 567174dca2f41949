"""``POST /{number}/messages`` (reference 2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from meta_emulator import addresses, message_status, phone_actions
from meta_emulator.errors import GraphError, invalid, missing, parameter
from meta_emulator.faults import Fault
from meta_emulator.graph.call import Call, JsonObject
from meta_emulator.graph.content import CheckedContent, check_content, check_pin
from meta_emulator.graph.direct_send import direct_category, remember_template
from meta_emulator.groups import start_group_delivery
from meta_emulator.limits import SERVICE_WINDOW
from meta_emulator.records import Message, Phone, SendAttempt

_OPAQUE_LENGTH = 512
_REACTION_SECONDS = 30 * 86400.0
_FALLBACK, _STRICT = "CLOUD_API_FALLBACK", "STRICT"
_STATUSES_FIRST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Recipient:
    """The phone a message is for, and its item of ``contacts`` in the response."""

    phone: Phone
    contact: dict[str, Any]


def send_message(call: Call) -> JsonObject:
    """Accept a message, or mark one as read; record every attempt."""
    if "status" in call.params:
        return _mark_read(call)
    attempt = _attempt(call)
    try:
        message, answer = _send(call, attempt)
    except GraphError as error:
        attempt.outcome, attempt.http_status, attempt.code = "refused", error.http_status, error.code
        call.world.record_attempt(attempt)
        raise
    attempt.wamid = message.id
    if call.fault is not None and call.fault.kind in ("answer_lost", "cut"):
        attempt.outcome = "answer_lost"
        attempt.http_status = 0
        attempt.fault = call.fault.kind
    call.world.record_attempt(attempt)
    if call.world.behaviour.statuses_before_answer:
        call.world.webhooks.wait_until_delivered(_STATUSES_FIRST_SECONDS)
    return answer


def send_marketing_message(call: Call) -> JsonObject:
    """``POST /{number}/marketing_messages``: only marketing templates (reference 2.10)."""
    if call.params.get("type") != "template":
        raise GraphError(131055, "Only marketing template messages are supported")
    if call.params.get("recipient_type", "individual") != "individual":
        raise parameter("Param recipient_type must be one of {INDIVIDUAL}.")
    content = call.nested("template")
    language = content.get("language") if isinstance(content, dict) else None
    code = language.get("code") if isinstance(language, dict) else None
    template = call.world.find_template(str(content.get("name")), str(code)) if isinstance(content, dict) else None
    if template is not None and template.category != "MARKETING":
        raise GraphError(134100, "Only marketing template messages are supported")
    policy = call.params.get("product_policy", _FALLBACK)
    if policy not in (_FALLBACK, _STRICT):
        raise parameter(f"Param product_policy must be one of {{{_FALLBACK}, {_STRICT}}}.")
    if call.text("message_activity_sharing", "false") not in ("true", "false"):
        raise parameter("Param message_activity_sharing must be a boolean.")
    if policy == _STRICT and not call.world.behaviour.marketing_messages:
        raise GraphError(134102, "The Marketing Messages API is not available to this template.")
    return send_message(call)


def record_fault(call: Call, fault: Fault, status: int) -> None:
    """Record an attempt that a planned failure refused."""
    attempt = _attempt(call)
    attempt.outcome, attempt.fault = "fault", fault.kind
    attempt.http_status = 0 if fault.kind == "reset" else status
    attempt.code = fault.code if fault.kind == "error" else None
    call.world.record_attempt(attempt)


def _attempt(call: Call) -> SendAttempt:
    to = call.params.get("to") or call.params.get("recipient") or ""
    opaque = call.params.get("biz_opaque_callback_data")
    digits = addresses.digits(to) if isinstance(to, str) else None
    known = call.world.find_phone(digits or to) if isinstance(to, str) else None
    return SendAttempt(
        n=call.world.next_attempt(),
        at=call.world.clock.now(),
        number_id=call.object_id,
        to=to if isinstance(to, str) else "",
        wa_id=known.wa_id if known else addresses.wa_id(digits) if digits else "",
        type=str(call.params.get("type", "text")),
        outcome="accepted",
        http_status=200,
        opaque=opaque if isinstance(opaque, str) else None,
        content=call.params.get(str(call.params.get("type", "text"))),
        digest=hashlib.sha256(call.body).hexdigest()[:16],
    )


def _send(call: Call, attempt: SendAttempt) -> tuple[Message, JsonObject]:
    world, number, params = call.world, call.number, call.params
    _check_envelope(call)
    if params.get("recipient_type") == "group":
        return _send_to_group(call, attempt)
    recipient = _recipient(call)
    attempt.wa_id = recipient.phone.wa_id
    kind = params.get("type", "text")
    context = _context(call, kind)
    checked = check_content(call, kind)
    _check_marketing(call, checked)
    to_user_id = "wa_id" not in recipient.contact
    if checked.category == "authentication" and to_user_id:
        raise GraphError(131062, "Authentication templates cannot be sent to a business-scoped user id.")
    direct = direct_category(call, kind, checked.content, to_user_id=to_user_id)
    _check_limits(call, recipient.phone)
    message = _message(call, attempt, checked, context)
    message.category = direct or checked.category
    message.conversation_id = world.ids.hexadecimal() if world.behaviour.has_conversation else ""
    message.identity_hash = call.params.get("recipient_identity_key_hash") or ""
    message.free = _is_free(call, recipient.phone, message.category)
    failure = _failure(call, recipient.phone, message)
    if kind == "reaction" and failure is None:
        _react(call, message)
    call.message_ids.append(message.id)
    world.add_message(message)
    if direct:
        remember_template(call, direct, kind)
    if message.category == "service":
        # A service message of this app takes the conversation from the other responder.
        recipient.phone.owned_by_other.discard(number.id)
    message_status.start_delivery(world, recipient.phone, message, failure)
    return message, _accepted(message, recipient.contact)


def _send_to_group(call: Call, attempt: SendAttempt) -> tuple[Message, JsonObject]:
    """Accept a message to a group: text, media and templates (reference 2.7)."""
    world, group_id, kind = call.world, call.text("to"), call.params.get("type", "text")
    group = world.groups.get(group_id)
    if group is None or group.number_id != call.number.id:
        raise GraphError(131041, "There is no such group.")
    if kind not in ("text", "template", "pin", *phone_actions.MEDIA_TYPES):
        raise GraphError(131051, "Message type is not supported in groups.")
    attempt.wa_id = group_id
    context = _context(call, kind)
    checked = check_pin(call) if kind == "pin" else check_content(call, kind)
    if checked.rendered and (checked.rendered["buttons"] or "cards" in checked.rendered):
        raise GraphError(131051, "Templates with buttons or cards are not supported in groups.")
    _check_marketing(call, checked)
    _check_throughput(call)
    message = _message(call, attempt, checked, context)
    message.group_id = group_id
    call.message_ids.append(message.id)
    world.add_message(message)
    start_group_delivery(world, group, message, _planned_failure(call))
    return message, _accepted(message, {"input": group_id, "wa_id": group_id})


def _message(call: Call, attempt: SendAttempt, checked: CheckedContent, context: dict[str, Any] | None) -> Message:
    """Return the accepted message of an attempt."""
    kind, now = call.params.get("type", "text"), call.world.clock.now()
    return Message(
        id=call.world.ids.wamid(attempt.wa_id, from_customer=False),
        direction="in",
        number_id=call.number.id,
        wa_id=attempt.wa_id,
        type=kind,
        content=checked.content,
        timestamp=now,
        status="accepted",
        context=context,
        opaque=attempt.opaque,
        category=checked.category,
        rendered=checked.rendered,
        status_times={"accepted": now},
        media_id=str(checked.content.get("id", "")) if kind in phone_actions.MEDIA_TYPES else "",
    )


def _accepted(message: Message, contact: dict[str, Any]) -> JsonObject:
    """Return the response to an accepted message (reference 2.2)."""
    sent: dict[str, Any] = {"id": message.id}
    if message.type == "template":
        sent["message_status"] = "accepted"
    if message.group_id:
        sent["group_id"] = message.group_id
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [sent]}


def _check_envelope(call: Call) -> None:
    params = call.params
    if "messaging_product" not in params:
        raise parameter("The parameter messaging_product is required.")
    if params["messaging_product"] != "whatsapp":
        raise parameter("Param messaging_product must be one of {WHATSAPP}.")
    if params.get("recipient_type", "individual") not in ("individual", "group"):
        raise parameter("Param recipient_type must be one of {INDIVIDUAL, GROUP}.")
    opaque = params.get("biz_opaque_callback_data")
    if opaque is not None and (not isinstance(opaque, str) or len(opaque) > _OPAQUE_LENGTH):
        raise parameter(f"Param biz_opaque_callback_data must be a string of at most {_OPAQUE_LENGTH} characters.")
    if not isinstance(params.get("recipient_identity_key_hash") or "", str):
        raise parameter("Param recipient_identity_key_hash must be a string.")
    number = call.number
    if not number.registered:
        raise GraphError(133010)


def _recipient(call: Call) -> _Recipient:
    """Resolve ``to``, or without it ``recipient`` (reference 2.1, 2.9)."""
    params, world = call.params, call.world
    to = params.get("to")
    if to is None or to == "":
        user_id = params.get("recipient")
        if not isinstance(user_id, str) or not user_id:
            raise parameter("The parameter to is required.")
        phone = world.find_phone(user_id) if addresses.is_bsuid(user_id) else None
        if phone is None:
            raise invalid("The recipient is not a known business-scoped user id.")
        return _Recipient(phone, {"input": user_id, "user_id": phone.user_id})
    if isinstance(to, int) and not isinstance(to, bool):
        to = str(to)
    if not isinstance(to, str):
        raise parameter("Param to must be a string.")
    digits = addresses.digits(to)
    if digits is None:
        raise invalid("The phone number is malformed.")
    if digits == call.number.digits:
        raise GraphError(131021, "The recipient is the sender's own number.")
    phone = world.phone_for(digits)
    return _Recipient(phone, {"input": to, "wa_id": phone.wa_id})


def _context(call: Call, kind: str) -> dict[str, Any] | None:
    context = call.nested("context")
    if context is None:
        return None
    if not isinstance(context, dict) or not isinstance(context.get("message_id"), str):
        raise missing("context: the parameter message_id is required.")
    if kind == "reaction":
        raise invalid("A reaction cannot quote a message.")
    return {"id": context["message_id"]}


def _check_limits(call: Call, phone: Phone) -> None:
    world, number = call.world, call.number
    allowed = number.test_recipients
    if world.limits.settings.test_numbers and allowed is not None and phone.wa_id not in allowed:
        raise GraphError(
            131030,
            "Recipient phone number not in allowed list: Add recipient phone number to recipient list and try again.",
        )
    _check_throughput(call)
    if not world.limits.take_pair(number.id, phone.wa_id):
        raise GraphError(
            131056,
            "Message failed to send because there were too many messages sent from this phone number "
            "to the same phone number in a short period of time.",
        )
    if (
        call.params.get("type", "text") != "template"
        and not call.params.get("category")
        and world.behaviour.window_error == "now"
        and not world.limits.window_open(phone.window_opened.get(number.id))
    ):
        code, details = message_status.WINDOW_CLOSED
        raise GraphError(code, details)


def _check_throughput(call: Call) -> None:
    if not call.world.limits.take_throughput(call.number.id, call.number.messages_per_second):
        raise GraphError(
            130429,
            "Message failed to send because there were too many messages sent from this phone number "
            "in a short period of time",
        )


def _check_marketing(call: Call, checked: CheckedContent) -> None:
    """Raise 131063 for a marketing template that the account does not send by the Cloud API."""
    by_cloud_api = call.edge == "messages" or not call.world.behaviour.marketing_messages
    if checked.category == "marketing" and by_cloud_api and call.world.marketing_off_cloud:
        raise GraphError(131063, "Marketing templates are disabled on Cloud API. Use Marketing Messages API.")


def _planned_failure(call: Call) -> message_status.Failure | None:
    fault = call.fault
    if fault is None or fault.kind != "failed_status":
        return None
    return fault.code, fault.details or "The emulator was asked to fail this message."


def _failure(call: Call, phone: Phone, message: Message) -> message_status.Failure | None:
    if (planned := _planned_failure(call)) is not None:
        return planned
    failure = message_status.delivery_failure(call.world, call.number, phone, message)
    if failure is None and message.type == "reaction" and not _can_react(call, message):
        return 131009, "The reaction's message is unknown, of another chat, a reaction, or older than 30 days."
    return failure


def _can_react(call: Call, message: Message) -> bool:
    """Whether the reaction's target is a message of this chat that can have one (reference 2.3)."""
    target = call.world.messages.get(message.content["message_id"])
    return (
        target is not None
        and (target.wa_id, target.number_id, target.group_id) == (message.wa_id, message.number_id, "")
        and target.type != "reaction"
        and message.timestamp - target.timestamp < _REACTION_SECONDS
    )


def _is_free(call: Call, phone: Phone, category: str) -> bool:
    """Return whether the message is free: replies, and utility templates inside a service window (reference 7.5)."""
    opened = phone.window_opened.get(call.object_id)
    inside = opened is not None and call.world.clock.now() - opened < SERVICE_WINDOW
    return category == "service" or (category == "utility" and inside)


def _react(call: Call, message: Message) -> None:
    target = call.world.messages[message.content["message_id"]]
    if message.content.get("emoji"):
        target.reactions[call.object_id] = message.content["emoji"]
    else:
        target.reactions.pop(call.object_id, None)
    call.world.publish_message(target)


def _mark_read(call: Call) -> JsonObject:
    """Mark an inbound message as read, with or without the typing indicator (reference 2.8)."""
    if call.params.get("messaging_product") != "whatsapp":
        raise parameter("The parameter messaging_product is required.")
    if call.params["status"] != "read":
        raise parameter("Param status must be one of {READ}.")
    wamid = call.params.get("message_id")
    if not isinstance(wamid, str) or not wamid:
        raise parameter("The parameter message_id is required.")
    message = call.world.messages.get(wamid)
    if message is None or message.direction != "out" or message.number_id != call.object_id:
        raise invalid("The message id is not one that this number received.")
    typing = call.nested("typing_indicator")
    if typing is not None:
        if not isinstance(typing, dict) or typing.get("type") != "text":
            raise parameter("Param typing_indicator['type'] must be one of {TEXT}.")
        until = call.world.clock.now() + 25
        call.world.hub.publish("typing", {"wa_id": message.wa_id, "number_id": message.number_id, "until": until})
    call.message_ids.append(wamid)
    phone_actions.apply_business_read(call.world, message)
    return {"success": True}
