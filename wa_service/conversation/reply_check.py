"""Whether Meta would take a reply: asked when a script is read, when a template is filled, when a tool answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from wa_service.whatsapp.outbound.messages import parse_reply, problems

RESERVED = ("to", "recipient", "recipient_type", "from", "biz_opaque_callback_data")
"""Parts of a message that the service fills in."""


class UnusableReplyError(Exception):
    """A reply that Meta would refuse; the text says why and quotes no values."""


def checked_reply(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message object as it can be sent, short forms written out, without an address.

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
    # What the model adds of its own must not outdo the address that the worker gives (a group's, for one).
    return {key: value for key, value in payload.items() if key != "messaging_product" and key not in RESERVED}
