"""Handlers by object, edge and method (reference 8)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from meta_emulator.errors import GraphError, unknown_path, unsupported_request
from meta_emulator.graph import media, messages, nodes, subscriptions, templates, threads
from meta_emulator.graph.call import Call, JsonObject

Handler = Callable[[Call], "JsonObject | Response"]

HANDLERS: dict[str, dict[tuple[str, str], Handler]] = {
    "number": {
        ("GET", ""): nodes.get_number,
        ("POST", ""): nodes.post_number,
        ("POST", "messages"): messages.send_message,
        ("POST", "marketing_messages"): messages.send_marketing_message,
        ("POST", "media"): media.upload_media,
        ("POST", "thread_control"): threads.control_thread,
        ("POST", "smb_app_data"): threads.sync_app_data,
        ("POST", "register"): nodes.register,
        ("POST", "deregister"): nodes.deregister,
        ("GET", "whatsapp_business_profile"): nodes.get_profile,
        ("POST", "whatsapp_business_profile"): nodes.post_profile,
        ("GET", "block_users"): nodes.list_blocked,
        ("POST", "block_users"): nodes.block,
        ("DELETE", "block_users"): nodes.unblock,
    },
    "account": {
        ("GET", ""): nodes.get_account,
        ("POST", ""): nodes.post_account,
        ("GET", "phone_numbers"): nodes.list_numbers,
        ("GET", "message_templates"): templates.list_templates,
        ("POST", "message_templates"): templates.create_template,
        ("DELETE", "message_templates"): templates.delete_templates,
        ("GET", "subscribed_apps"): subscriptions.list_subscribed,
        ("POST", "subscribed_apps"): subscriptions.subscribe,
        ("DELETE", "subscribed_apps"): subscriptions.unsubscribe,
    },
    "app": {
        ("GET", ""): nodes.get_app,
        ("POST", "subscriptions"): subscriptions.save_app_callback,
        ("POST", "uploads"): media.start_upload,
    },
    "template": {
        ("GET", ""): templates.get_template,
        ("POST", ""): templates.edit_template,
        ("POST", "unpause"): templates.unpause_template,
    },
    "media": {("GET", ""): media.get_media, ("DELETE", ""): media.delete_media},
    "upload": {("GET", ""): media.resume_upload, ("POST", ""): media.continue_upload},
    "debug_token": {("GET", ""): nodes.debug_token},
    "oauth": {("GET", "access_token"): nodes.app_token},
    "download": {("GET", "attachments"): media.download_media},
}
_FIXED = {"debug_token": "debug_token", "oauth": "oauth", "whatsapp_business": "download"}
_ENDPOINTS = {
    ("media", "GET"): "media_url",
    ("media", "DELETE"): "media_delete",
    ("download", "GET"): "media_download",
}


def node_type_of(call: Call) -> str:
    """Return the node type of the first path component; empty for an unknown object."""
    world, object_id = call.world, call.object_id
    if fixed := _FIXED.get(object_id):
        return fixed
    if object_id in world.numbers:
        return "number"
    if object_id == world.config.business_account_id:
        return "account"
    if object_id == world.config.app_id:
        return "app"
    if object_id in world.templates:
        return "template"
    if object_id.startswith("upload:"):
        return "upload"
    return "media" if world.media_store.get(object_id) else ""


def find_handler(call: Call) -> Handler | GraphError:
    """Return the handler, or Meta's error if there is none."""
    table = HANDLERS.get(node_type_of(call))
    if table is None:
        return unsupported_request(call.method, call.object_id)
    handler = table.get((call.method, call.edge))
    if handler is not None:
        return handler
    if call.edge and not any(edge == call.edge for _, edge in table):
        return unknown_path(call.edge)
    return unsupported_request(call.method, call.object_id)


def endpoint_of(call: Call) -> str:
    """Return the endpoint name that faults use for this call."""
    kind = node_type_of(call)
    if kind == "number" and call.edge in ("messages", "marketing_messages"):
        return "read" if call.params.get("status") == "read" else "messages"
    if kind == "number" and call.edge == "media":
        return "media_upload"
    if kind == "template" or call.edge == "message_templates":
        return "templates"
    return _ENDPOINTS.get((kind, call.method), "nodes")
