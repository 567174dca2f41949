"""How faithful the emulator is to Meta: endpoints, behaviours, and what is missing (``docs/fidelity.md``).

``source`` is the section of ``docs/meta-cloud-api.md``, which names Meta's pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from meta_emulator.graph.routing import HANDLERS

Level = Literal["as Meta", "simplified", "missing"]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """One row: what it is, how faithful, source, and what differs."""

    what: str
    level: Level
    source: str
    note: str = ""


def _same(source: str) -> tuple[Level, str, str]:
    return "as Meta", source, ""


def _simpler(source: str, note: str) -> tuple[Level, str, str]:
    return "simplified", source, note


# (object, method, edge): level, source, note. A test compares it with the routes.
_ENDPOINTS: dict[tuple[str, str, str], tuple[Level, str, str]] = {
    ("number", "GET", ""): _same("8.1"),
    ("number", "POST", ""): _simpler("8.1", "PIN, callback override and display name; a name is approved at once"),
    ("number", "POST", "messages"): _same("2"),
    ("number", "POST", "marketing_messages"): _simpler(
        "2.10",
        "delivered as a Cloud API message; no `product_policy` means fallback, `STRICT` gets 134102: unconfirmed",
    ),
    ("number", "POST", "media"): _same("4.1"),
    ("number", "POST", "register"): _simpler("8.1", "no certificate, no data localisation"),
    ("number", "POST", "deregister"): _same("8.1"),
    ("number", "GET", "whatsapp_business_profile"): _same("8.1"),
    ("number", "POST", "whatsapp_business_profile"): _simpler("8.1", "a picture handle becomes an invented URL"),
    ("number", "GET", "block_users"): _same("8.1"),
    ("number", "POST", "block_users"): _simpler("8.1", "no limit of 64,000, no check of the last 24 h"),
    ("number", "DELETE", "block_users"): _same("8.1"),
    ("number", "POST", "thread_control"): _simpler("unconfirmed", "two responders, roles are names only"),
    ("number", "POST", "smb_app_data"): _simpler("8.1", "may be repeated; history comes by a control"),
    ("account", "GET", ""): _simpler("8.2", "analytics: `pricing_analytics` only, by day"),
    ("account", "POST", ""): _simpler("8.2", "the name, and marketing off the Cloud API"),
    ("account", "GET", "phone_numbers"): _same("8.1"),
    ("account", "GET", "message_templates"): _same("3.2"),
    ("account", "POST", "message_templates"): _simpler(
        "3.3", "review finds adjacent variables only; no library templates"
    ),
    ("account", "DELETE", "message_templates"): _same("3.2"),
    ("account", "GET", "subscribed_apps"): _same("5.5"),
    ("account", "POST", "subscribed_apps"): _simpler("5.5", "one app per account"),
    ("account", "DELETE", "subscribed_apps"): _same("5.5"),
    ("app", "GET", ""): _simpler("8.2", "id, name, link"),
    ("app", "POST", "subscriptions"): _simpler("5.1", "every field is subscribed"),
    ("app", "POST", "uploads"): _same("4.6"),
    ("template", "GET", ""): _same("3.2"),
    ("template", "POST", ""): _same("3.2"),
    ("template", "POST", "unpause"): _same("3.4"),
    ("media", "GET", ""): _same("4.2"),
    ("media", "DELETE", ""): _same("4.4"),
    ("upload", "GET", ""): _same("4.6"),
    ("upload", "POST", ""): _same("4.6"),
    ("debug_token", "GET", ""): _simpler("8.2", "one system user with both scopes"),
    ("oauth", "GET", "access_token"): _simpler("8.2", "client credentials only"),
    ("download", "GET", "attachments"): _simpler("4.3", "on the emulator's host; ranges are not served"),
}

BEHAVIOURS: tuple[Fidelity, ...] = (
    Fidelity(
        "error envelope, codes, titles, HTTP statuses", "as Meta", "1.4, 6", "titles that no source gives are our own"
    ),
    Fidelity("versions v18.0 to v26.0; an expired one is served by the oldest usable", "as Meta", "1.2"),
    Fidelity("`fields=`, paging with cursors", "as Meta", "1.7", "arguments of an expansion are ignored"),
    Fidelity("token errors, `appsecret_proof`", "as Meta", "1.3, 1.6"),
    Fidelity("rate headers", "simplified", "1.5", "constant values"),
    Fidelity(
        "validation of text, media, location, contacts, reaction, interactive",
        "as Meta",
        "2.3 to 2.5",
        "quick replies of carousel cards have the form of SDKs and cannot be pressed: unconfirmed",
    ),
    Fidelity(
        "template parameters against the definition", "as Meta", "3.1, 6.6", "`tap_target_configuration` is not checked"
    ),
    Fidelity("statuses `sent`, `delivered`, `read`, `played`, `failed` with pricing", "as Meta", "5.7"),
    Fidelity("80 messages a second per number", "as Meta", "7.1", "received ones count, none is refused"),
    Fidelity("1 message in 6 s per pair, burst 45", "as Meta", "7.2"),
    Fidelity(
        "Direct Send (`category` without a template)",
        "simplified",
        "unconfirmed",
        "the accepted messages; one template per category and type, listed by `source=AUTO_GENERATED`",
    ),
    Fidelity("24 h service window, 131047 as a status", "as Meta", "7.5"),
    Fidelity("template quota per 24 h", "simplified", "7.4", "off by default"),
    Fidelity("several business accounts", "simplified", "8.2", "each has its own app, phones and clock"),
    Fidelity("webhook bytes and signatures", "as Meta", "5.2"),
    Fidelity("webhook retries for seven days", "simplified", "5.3", "the steps are assumed, divided by `time_factor`"),
    Fidelity("batches, duplicates, disorder", "simplified", "5.3", "on request: Meta does it under load"),
    Fidelity("verification request", "as Meta", "5.1"),
    Fidelity(
        "BSUIDs and usernames", "as Meta", "2.9", "no parent id in statuses: sources disagree on the property's name"
    ),
    Fidelity(
        "`recipient_identity_key_hash`, `identity_key_hash`",
        "simplified",
        "2.1, 5.4, 5.7",
        "a property of phones, switched by a number's `identity_check`; no `identity` in messages",
    ),
    Fidelity("echoes, history, address book", "simplified", "5.10", "sent by a control; media ids are not kept"),
    Fidelity("standby and handovers", "simplified", "unconfirmed", "two responders"),
    Fidelity(
        "groups: sends, statuses per participant, `group_create`",
        "simplified",
        "2.7, 5.7",
        "created by a control; statuses without `pricing`, any number of pins",
    ),
    Fidelity("calls from customers", "simplified", "5.10", "signalling only, no media, no answer"),
    Fidelity("media lifetimes and URLs", "as Meta", "4", "at most 64 MiB in total"),
    Fidelity("Direct Send: a time to live of 30 s to 12 h", "missing", "unconfirmed", "the field's name is not known"),
    Fidelity("mTLS from Meta", "missing", "5.2"),
    Fidelity("Flows: screens and data exchange", "missing", "8.4", "flow messages are checked and delivered"),
)

MISSING: tuple[Fidelity, ...] = tuple(
    Fidelity(what, "missing", source)
    for what, source in (
        ("`GET /message_template_library`", "3.2"),
        ("`/{waba}/upsert_message_templates`, `message_template_previews`, `migrate_message_templates`", "3.2"),
        ("`/{template}/compare`, archiving of templates", "3.2"),
        ("`POST /{waba}/phone_numbers`, `POST /{phone}/request_code`, `verify_code`", "8.1"),
        ("`GET`, `POST /{phone}/settings`", "8.1"),
        ("`GET`, `POST /{phone}/whatsapp_business_encryption`", "8.1"),
        ("`GET`, `POST /{phone}/whatsapp_commerce_settings`, product catalogues", "8.1"),
        ("`POST /{phone}/conversational_automation`", "8.1"),
        ("`/{phone}/message_qrdls`", "8.1"),
        ("`/{phone}/official_business_account`", "8.1"),
        ("`GET /{phone}/message_history`", "8.1"),
        ("`POST /{phone}/calls`, `GET /{phone}/call_permissions`", "8.1"),
        ("`/{phone}/groups`, `/{group}`", "8.1"),
        ("`POST /{phone}/messages_encrypted`", "8.1"),
        ("`/{phone}/username`", "2.9"),
        ("`/{waba}/assigned_users`, `activities`, `schedules`, `signups`", "8.2"),
        ("`/{business}/owned_whatsapp_business_accounts`, `client_whatsapp_business_accounts`", "8.2"),
        ("embedded signup, credit lines, pre-verified numbers", "8.2"),
        ("`/{waba}/flows`, `/{flow}`", "8.4"),
        ("`analytics`, `conversation_analytics`, `template_analytics`", "8.5"),
    )
)


def endpoints() -> Iterator[Fidelity]:
    """Yield a row for every route of the Graph API; raise KeyError for a route without one."""
    for node, handlers in HANDLERS.items():
        for method, edge in handlers:
            level, source, note = _ENDPOINTS[node, method, edge]
            yield Fidelity(f"`{method} {_path(node, edge)}`", level, source, note)


def unknown_endpoints() -> set[tuple[str, str, str]]:
    """Return rows without a route."""
    known = {(node, method, edge) for node, handlers in HANDLERS.items() for method, edge in handlers}
    return set(_ENDPOINTS) - known


def _path(node: str, edge: str) -> str:
    fixed = {"debug_token": "/debug_token", "oauth": "/oauth", "download": "/whatsapp_business"}
    return "/".join(filter(None, (fixed.get(node, f"/{{{node}}}"), edge)))
