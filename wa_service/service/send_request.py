"""The body of `POST /v1/messages` as a send: Meta's message object with our additional fields."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import orjson
from pydantic import ValidationError

from wa_service.service.refusals import InvalidRequestError, ScheduledTooFarError
from wa_service.store.keys import template_key
from wa_service.store.outbox import Priority, Send
from wa_service.whatsapp.outbound.messages import NO_RECIPIENT, Message, parse_message, problems

TEMPLATE: Final = "template"
DIRECT_CATEGORIES: Final = ("utility", "authentication")
_DIRECT_LENGTHS: Final = (
    ("text", "body", 1_024),
    ("body", "text", 1_024),
    ("header", "text", 60),
    ("footer", "text", 60),
)
"""Parts of a Direct Send and their most characters: it becomes a template, with lower limits than other messages."""
DIRECT_TYPES: Final = ("text", "image", "video", "document", "interactive")
_GROUP_ID: Final = re.compile(r"[!-~]{1,256}")
_OURS: Final = ("from", "fallback_template", "ttl", "tag", "take", "send_at", "despite_stop")
LONGEST_TAG: Final = 64
SEND_AT: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
"""RFC 3339; the zone is required, because a local time is ambiguous."""
_SEND_AT: Final = re.compile(SEND_AT)
_TIME_FORM: Final = "This must be a time: RFC 3339 with its zone, or Unix seconds."


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A requested send. `templates`: its templates in Meta's form, by field of the request."""

    send: Send
    fingerprint: str
    templates: Mapping[str, Mapping[str, Any]]

    @property
    def opens(self) -> bool:
        """Whether it needs a reservation in the template quota if no service window is open."""
        return self.send.type == TEMPLATE or self.send.category is not None


def read_send(
    given: Mapping[str, Any],
    numbers: Sequence[str],
    longest_ttl: int,
    *,
    priority: Priority,
    notify: str | None,
    schedule_days: int = 35,
    caller: str | None = None,
) -> SendRequest:
    """Read and check a body; `numbers` are ours, the first is the default sender; `longest_ttl` in s; `caller` is the
    API key's name.

    Raises:
        InvalidRequestError: with the path of every invalid field.
        ScheduledTooFarError: `send_at` is more than `schedule_days` ahead.
    """
    message = _checked(
        lambda: parse_message({name: value for name, value in given.items() if name not in _OURS}),
        names_nobody=given.get("to") is None and given.get("recipient") is None,
    )
    number = _number(given.get("from"), numbers)
    ttl = _ttl(given.get("ttl"), longest_ttl)
    _check_group_id(message)
    payload, body = _written(message)
    send_at = read_send_at(given.get("send_at"), schedule_days)
    templates = {TEMPLATE: payload[TEMPLATE]} if message.type == TEMPLATE else {}
    fallback = _fallback(given.get("fallback_template"), message)
    if fallback is not None:
        templates["fallback_template"] = fallback[0][TEMPLATE]
    send = Send(
        id=uuid.uuid4().hex,
        number=number,
        type=message.type,
        body=body,
        address=message.address,
        priority=priority,
        ttl=ttl * 1000,
        opaque=message.biz_opaque_callback_data,
        tag=read_tag(given.get("tag")),
        fallback=fallback[1] if fallback else None,
        notify=None if send_at is not None and send_at > _now_ms() else notify,
        take=_flag("take", given),
        send_at=send_at,
        template=_template_key(templates.get(TEMPLATE)),
        fallback_name=_template_key(templates.get("fallback_template")),
        despite_stop=_flag("despite_stop", given),
        category=_category(given.get("category"), message, payload),
        caller=caller,
    )
    canonical = [number, ttl, payload, send.opaque, send.tag, fallback[0] if fallback else None]
    canonical += [] if send_at is None else [send_at]
    canonical += ["despite_stop"] if send.despite_stop else []
    digest = blake2b(orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS), digest_size=16)
    return SendRequest(send, digest.hexdigest(), templates)


def _checked(
    read: Callable[[], Message], rename: Mapping[str, str] | None = None, *, names_nobody: bool = False
) -> Message:
    try:
        return read()
    except ValidationError as error:
        found = [(_renamed(path, rename or {}), sentence) for path, sentence in problems(error)]
        # The check of the recipient comes after that of the content: report both at once.
        if names_nobody and all(path != "to" for path, _ in found):
            found.insert(0, ("to", NO_RECIPIENT))
        raise InvalidRequestError("The message is not valid.", found) from None
    except RecursionError:
        raise InvalidRequestError("The message is nested too deeply.") from None


def _renamed(path: str, rename: Mapping[str, str]) -> str:
    head, dot, rest = path.partition(".")
    return rename.get(head, head) + dot + rest


def _written(message: Message) -> tuple[dict[str, Any], bytes]:
    """Meta's payload without the caller's biz_opaque_callback_data, which the sender replaces by our id."""
    try:
        payload = message.payload()
        payload.pop("biz_opaque_callback_data", None)
        return payload, orjson.dumps(payload)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequestError("The message is nested too deeply, or is not valid JSON.") from None


def _fallback(given: Any, message: Message) -> tuple[dict[str, Any], bytes] | None:
    if given is None:
        return None
    if message.type == TEMPLATE:
        raise _wrong("fallback_template", "A template cannot have a fallback template.")
    if not isinstance(given, Mapping):
        raise _wrong("fallback_template", "This must be an object.")
    whom = {"to": message.to, "recipient": message.recipient, "recipient_type": message.recipient_type}
    template = {name: value for name, value in whom.items() if value is not None} | {"type": TEMPLATE, TEMPLATE: given}
    return _written(_checked(lambda: parse_message(template), {TEMPLATE: "fallback_template"}))


def _category(given: Any, message: Message, payload: Mapping[str, Any]) -> str | None:
    """Return the category of a Direct Send, and check its limits, which are those of a template."""
    if given is None:
        return None
    if given not in DIRECT_CATEGORIES:
        raise _wrong("category", f"This must be one of {', '.join(DIRECT_CATEGORIES)}.")
    if message.type not in DIRECT_TYPES or message.recipient_type == "group":
        raise _wrong("category", "Only a text, an image, video or document, or an interactive message to one customer.")
    if given == "authentication" and message.to is None:
        raise _wrong("category", "An authentication message goes to a number, not to a user id.")
    inside = f"{message.type}." if message.type == "interactive" else ""
    parts = payload.get(message.type, {}) if inside else payload
    for part, name, most in _DIRECT_LENGTHS:
        content = parts.get(part)
        if isinstance(content, Mapping) and len(str(content.get(name) or "")) > most:
            raise _wrong(f"{inside}{part}.{name}", f"With Direct Send it may have at most {most:,} characters.")
    return str(given)


def _number(given: Any, numbers: Sequence[str]) -> str:
    if given is None:
        return numbers[0]
    if given not in numbers:
        raise _wrong("from", "This must be the phone number id of one of this service's numbers.")
    return str(given)


def _ttl(given: Any, longest: int) -> int:
    if given is None:
        return longest
    whole = isinstance(given, int | float) and not isinstance(given, bool) and given == given // 1  # 60.0 is whole
    if not whole or not 1 <= given <= longest:
        raise _wrong("ttl", f"This must be a whole number of seconds from 1 to {longest}.")
    return int(given)


def _flag(name: str, given: Mapping[str, Any]) -> bool:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, "This must be true or false.")
    return value is True


def _template_key(template: Mapping[str, Any] | None) -> str | None:
    return template_key(str(template["name"]), str(template["language"]["code"])) if template else None


def read_send_at(given: Any, most_days: int) -> int | None:
    """Return the earliest time of sending (ms since 1970); a past time means now."""
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 1e11:
        at = int(given * 1000)
    elif isinstance(given, str) and _SEND_AT.fullmatch(given):
        try:
            at = int(datetime.fromisoformat(given.upper()).timestamp() * 1000)
        except (ValueError, OverflowError):
            raise _wrong("send_at", _TIME_FORM) from None
    else:
        raise _wrong("send_at", _TIME_FORM)
    if at > _now_ms() + most_days * 86_400_000:
        raise ScheduledTooFarError(most_days)
    return at


def _now_ms() -> int:
    return int(time.time() * 1000)


def read_tag(given: Any) -> str | None:
    """Return the tag, None if there is none; raise `InvalidRequestError`."""
    if given is None:
        return None
    if not isinstance(given, str) or not 1 <= len(given) <= LONGEST_TAG or not given.isprintable():
        raise _wrong("tag", f"This must be a text of 1 to {LONGEST_TAG} printable characters.")
    return given


def _check_group_id(message: Message) -> None:
    if message.recipient_type == "group" and message.to is not None and not _GROUP_ID.fullmatch(message.to):
        raise _wrong("to", "A group's id has at most 256 characters and no spaces.")


def _wrong(field: str, sentence: str) -> InvalidRequestError:
    return InvalidRequestError("The message is not valid.", [(field, sentence)])
