"""Direct Send: a message with a ``category`` instead of a template, which Meta creates itself (unconfirmed)."""

from __future__ import annotations

from typing import Any

from meta_emulator.errors import GraphError, parameter
from meta_emulator.graph.call import Call
from meta_emulator.records import Template

AUTO_GENERATED = "AUTO_GENERATED"
_CATEGORIES = ("authentication", "utility")
_KINDS = ("text", "image", "video", "document", "interactive")
_INTERACTIVE = ("button", "cta_url", "voice_call")
_LONGEST_BODY = 1024


def direct_category(call: Call, kind: str, content: Any, *, to_user_id: bool) -> str:
    """Return a message's category, "" without one; raise Meta's error if it is not eligible."""
    category = call.params.get("category")
    if category is None:
        return ""
    if category not in _CATEGORIES:
        raise parameter(f"Param category must be one of {{{', '.join(_CATEGORIES)}}}.")
    if kind not in _KINDS or (kind == "interactive" and content.get("type") not in _INTERACTIVE):
        raise parameter("This message is not eligible for Direct Send.")
    if category == "authentication" and to_user_id:
        raise GraphError(131062, "Authentication messages cannot be sent to a business-scoped user id.")
    if len(_body_of(kind, content)) > _LONGEST_BODY:
        raise parameter(f"The body must be at most {_LONGEST_BODY} characters long.")
    return str(category)


def remember_template(call: Call, category: str, kind: str) -> None:
    """Create the template of an accepted message, one for each category and kind."""
    name, world = f"auto_generated_{category}_{kind}", call.world
    if world.find_template(name, "en_US") is None:
        body = {"type": "BODY", "text": "{{1}}"}
        template = Template(world.ids.object_id(), name, "en_US", category.upper(), "APPROVED", [body])
        template.source, template.created = AUTO_GENERATED, world.clock.now()
        world.add_template(template)


def _body_of(kind: str, content: Any) -> str:
    found = content.get("caption") if kind != "interactive" else (content.get("body") or {}).get("text")
    return str(content["body"] if kind == "text" else found or "")
