"""Check replies against Meta's rules: when a script is read, a template is rendered, or a tool answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from wa_service.whatsapp.outbound.messages import parse_reply, problems

RESERVED = ("to", "recipient", "recipient_type", "from", "biz_opaque_callback_data")
"""Fields of a message that the service sets."""


class UnusableReplyError(Exception):
    """A reply that Meta would refuse; the text says why and quotes no values."""


def checked_reply(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message object ready to send, with short forms expanded, without a recipient.

    Raises UnusableReplyError.
    """
    for key in RESERVED:
        if key in message:
            raise UnusableReplyError(f"'{key}' is filled in by the service: leave it out")
    try:
        payload = parse_reply(message).payload()
    except ValidationError as error:
        first = problems(error)[0]
        where = f"{first.path}: " if first.path else ""
        raise UnusableReplyError(f"{where}{first.sentence}") from None
    # Defaults of the model must not override the recipient that the worker sets.
    return {key: value for key, value in payload.items() if key != "messaging_product" and key not in RESERVED}
