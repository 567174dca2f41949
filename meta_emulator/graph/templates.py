"""Template management: create, list, read, edit, delete (reference 3.2 to 3.4)."""

from __future__ import annotations

from typing import Any

from meta_emulator import template_review
from meta_emulator.errors import parameter, unsupported_request
from meta_emulator.graph.call import Call, JsonObject
from meta_emulator.graph.node_fields import health
from meta_emulator.graph.selection import page, select
from meta_emulator.graph.template_rules import (
    CATEGORIES,
    check_language,
    check_name,
    normalize_components,
    template_error,
    variables_of,
)
from meta_emulator.records import Template

_TYPE = "WhatsAppMessageTemplate"
_DEFAULTS = ("name", "parameter_format", "components", "language", "status", "category", "sub_category")
_BLOCKED_SECONDS = 30 * 86400.0
_DAY = 86400.0
_LIMIT = 250


def create_template(call: Call) -> JsonObject:
    """``POST /{waba}/message_templates``: validate and start the review."""
    world = call.world
    name, language = call.text("name"), call.text("language")
    category = call.text("category").upper()
    if not name:
        raise parameter("The parameter name is required.")
    check_name(name)
    check_language(language)
    if category not in CATEGORIES:
        raise parameter(f"Param category must be one of {{{', '.join(CATEGORIES)}}}.")
    style = call.text("parameter_format", "POSITIONAL").upper()
    if style not in ("POSITIONAL", "NAMED"):
        raise parameter("Param parameter_format must be one of {POSITIONAL, NAMED}.")
    components = normalize_components(call.nested("components"), category)
    if style == "POSITIONAL" and not all(name.isdigit() for name in variables_of(components)):
        raise parameter("Param parameter_format must be NAMED where variables have names.")
    if world.find_template(name, language) is not None:
        raise template_error(
            2388024,
            "Content in this language already exists",
            "There is already content in this language for this name.",
        )
    deleted = world.deleted_templates.get((name, language))
    if deleted is not None and world.clock.now() - deleted < _BLOCKED_SECONDS:
        raise template_error(
            2388023, "Language is being deleted", "New content cannot be added while it is being deleted."
        )
    template = Template(
        id=world.ids.object_id(),
        name=name,
        language=language,
        category=category,
        status="PENDING",
        components=components,
        parameter_format=style,
        ttl_seconds=_lifetime(call),
        created=world.clock.now(),
    )
    world.add_template(template)
    template_review.start_review(world, template)
    return {"id": template.id, "status": template.status, "category": template.category}


def list_templates(call: Call) -> JsonObject:
    """``GET /{waba}/message_templates`` with filters, ``fields`` and paging."""
    found = listed_templates(call, call.text("fields"))
    answer = page(call, found)
    if wanted := call.text("summary"):
        summary = {
            "total_count": len(found),
            "message_template_count": len(call.world.templates),
            "message_template_limit": _LIMIT,
            "are_translations_complete": True,
        }
        answer["summary"] = {name: summary[name] for name in wanted.split(",") if name in summary}
    return answer


def listed_templates(call: Call, fields: str) -> list[JsonObject]:
    """Return the templates that pass the query's filters, with these fields."""
    found = [template for template in call.world.templates.values() if _matches(call, template)]
    return [select(_node(call, item), fields, _DEFAULTS, _TYPE) for item in found]


def get_template(call: Call) -> JsonObject:
    """``GET /{template}``."""
    template = call.world.templates[call.object_id]
    return select(_node(call, template), call.text("fields"), _DEFAULTS, _TYPE)


def edit_template(call: Call) -> JsonObject:
    """``POST /{template}``: change components, category or time to live and review again."""
    world, template = call.world, call.world.templates[call.object_id]
    if template.source:
        raise template_error(2388318, "Cannot be edited", "Direct Send made this template.")
    if template.status not in ("APPROVED", "REJECTED", "PAUSED"):
        raise template_error(2388039, "Cannot be edited", f"A template that is {template.status} cannot be edited.")
    now = world.clock.now()
    category = call.text("category", template.category).upper()
    if category not in CATEGORIES:
        raise parameter(f"Param category must be one of {{{', '.join(CATEGORIES)}}}.")
    if template.status == "APPROVED":
        if category != template.category:
            raise template_error(2388039, "Cannot be edited", "The category of an approved template is fixed.")
        recent = [at for at in template.edited_at if now - at < 30 * _DAY]
        if len(recent) >= 10 or any(now - at < _DAY for at in recent):
            raise template_error(2388039, "Cannot be edited", "An approved template: once a day, 10 times in 30 days.")
    given, lifetime = call.nested("components"), _lifetime(call)
    if given is not None:
        template.components = normalize_components(given, category)
    if lifetime is not None:
        template.ttl_seconds = lifetime
    template.category = category
    template.edited_at.append(now)
    template.status = "PENDING"
    template_review.start_review(world, template)
    return {"success": True, "id": template.id, "name": template.name, "category": template.category}


def delete_templates(call: Call) -> JsonObject:
    """``DELETE /{waba}/message_templates``: all languages of a name, or one by ``hsm_id`` and ``name``."""
    world, name, template_id = call.world, call.text("name"), call.text("hsm_id")
    if not name and not template_id:
        raise parameter("The parameter name is required.")
    found = [
        template
        for template in world.templates.values()
        if (not template_id or template.id == template_id) and (not name or template.name == name)
    ]
    if not found:
        raise unsupported_request(call.method, template_id or name)
    if any(template.source for template in found):
        raise template_error(2388330, "Cannot be deleted", "Direct Send made this template.")
    for template in found:
        world.remove_template(template)
        template_review.send_status_webhook(world, template, "DELETED")
    return {"success": True}


def unpause_template(call: Call) -> JsonObject:
    """``POST /{template}/unpause``."""
    template = call.world.templates[call.object_id]
    if template.status != "PAUSED":
        return {"success": False, "reason": "The template is not paused."}
    template_review.set_status(call.world, template, "APPROVED")
    return {"success": True}


def _matches(call: Call, template: Template) -> bool:
    """Return whether the template passes every filter of the query."""
    exact = {
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "quality_score": template.quality,
    }
    for name, value in exact.items():
        wanted = call.text(name)
        if wanted and value.lower() not in [item.strip(' "[]').lower() for item in wanted.split(",")]:
            return False
    if call.text("source").upper() != template.source:
        return False
    texts = " ".join(str(item.get("text", "")) for item in template.components)
    contained = {
        "name": template.name,
        "content": texts,
        "name_or_content": f"{template.name} {texts}",
    }
    return all(call.text(name).lower() in value.lower() for name, value in contained.items())


def _node(call: Call, template: Template) -> dict[str, Any]:
    state: JsonObject = {"entity_type": "MESSAGE_TEMPLATE", "id": template.id, "can_send_message": "AVAILABLE"}
    if template.status != "APPROVED":
        state["can_send_message"] = "BLOCKED"
        state["errors"] = [
            {
                "error_code": 141002,
                "error_description": "The template is not approved.",
                "possible_solution": "Edit the template, or appeal.",
            }
        ]
    return {
        "id": template.id,
        "name": template.name,
        "parameter_format": template.parameter_format,
        "components": template.components,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "sub_category": "CUSTOM",
        "previous_category": template.previous_category or None,
        "correct_category": None,
        "rejected_reason": template.rejected_reason,
        "quality_score": {"score": template.quality, "date": int(template.created)},
        "message_send_ttl_seconds": template.ttl_seconds,
        "library_template_name": None,
        "cta_url_link_tracking_opted_out": False,
        "last_updated_time": None,
        "degrees_of_freedom_spec": None,
        "health_status": health(call, None, state),
    }


def _lifetime(call: Call) -> int | None:
    return call.integer("message_send_ttl_seconds", 0) or None
