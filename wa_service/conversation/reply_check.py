"""Whether Meta would take a reply: asked when a script is read, when a template is filled, when a tool answers."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from wa_service.whatsapp.messages import parse_reply, problems


def refusal(message: Mapping[str, Any]) -> str:
    """Why Meta would refuse this message object (without `to`); "" where it would not. Quotes no values."""
    try:
        parse_reply(message)
    except ValidationError as error:
        first = problems(error)[0]
        return f"{first.path}: {first.sentence}" if first.path else first.sentence
    return ""
