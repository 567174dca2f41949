"""Random webhooks, of every kind that reference 5 describes, each with the expected effect on the service.

Optional fields are present, missing or null; timestamps and numbers are strings or integers; unknown fields are among
the known ones; a delivery may have several entries, changes and messages.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.meta_requests import as_either, fields, words

OURS = [f"wamid.HBgLOURS{n}=" for n in range(4)]
"""Messages that the service sent and Meta accepted: one for each change of a delivery."""
SHOWN = "15550783881"
TEXT = words(40)
UNKNOWN_TYPES = ["unsupported", "unsupported", "poll", "event", "ephemeral", "hologram", "unknown"]


@dataclass
class Expected:
    """What the service must do with a delivery.

    `events`: how many events it must produce, by kind. `writers`: one address of each customer whose service window
    must be open afterwards. `bystanders`: customers who are mentioned and wrote nothing.
    """

    events: dict[str, int] = field(default_factory=dict)
    writers: list[str] = field(default_factory=list)
    bystanders: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def tells(self, kind: str, count: int = 1) -> None:
        self.events[kind] = self.events.get(kind, 0) + count


@dataclass
class Case:
    """A delivery, and what the service must do with it."""

    body: dict[str, Any]
    expected: Expected


@dataclass(frozen=True)
class Person:
    """A customer: number, ids and name, each "" if Meta does not report it."""

    number: str
    user_id: str
    parent: str
    name: str

    @property
    def address(self) -> str:
        return self.number or self.user_id


@st.composite
def people(draw: Any, place: int) -> Person:
    """Generate the customer with this index in the delivery: with a number, a user id, or both."""
    form = draw(st.sampled_from(["number", "number", "both", "both", "user"]))
    user_id = f"GB.{1349000 + place}" if form != "number" else ""
    return Person(
        number=f"44770090{1000 + place}" if form != "user" else "",
        user_id=user_id,
        parent=f"GB.ENT.{8800 + place}" if user_id and draw(st.booleans()) else "",
        name=draw(st.sampled_from(["Ana", "Zoë 🥐", ""])),
    )


def clean(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value != ""}


@st.composite
def contact_of(draw: Any, who: Person) -> dict[str, Any]:
    """Generate Meta's contact object for a message."""
    profile = draw(fields({"name": st.just(who.name)}, username=st.just("@ana"), country_code=st.just("GB")))
    ids = clean({"wa_id": who.number, "user_id": who.user_id, "parent_user_id": who.parent})
    if draw(st.booleans()):
        ids["identity_key_hash"] = "DF2lS5v2W6x="
    return {"profile": profile, **ids} if draw(st.integers(0, 5)) or not who.number else ids


def now(draw: Any) -> Any:
    at = int(time.time()) - draw(st.integers(0, 50))
    return draw(st.sampled_from([str(at), at, str(at * 1000)]))


MEDIA = {"id": st.just("1003383421387256"), "mime_type": st.just("image/jpeg"), "sha256": st.just("SfInY0gGKTs=")}
URL = st.just("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1")
CARD = fields(
    {"name": fields({"formatted_name": TEXT}, first_name=TEXT)},
    phones=st.just([{"phone": "+55 11 98888-0000", "wa_id": "5511988880000"}]),
    org=fields({}, company=TEXT),
    origin=st.sampled_from(["contact_request", "other"]),
    vcard=st.just("BEGIN:VCARD"),
)
ITEM = fields(
    {"product_retailer_id": st.just("sku-1")}, quantity=as_either(2), item_price=as_either(30), currency=st.just("BRL")
)
ERROR = fields(
    {"code": st.sampled_from([131051, 131052, 131000])},
    title=TEXT,
    message=TEXT,
    error_data=fields({"details": TEXT}) | TEXT,
    href=URL,
)
CONTENT: dict[str, Any] = {
    "text": fields({"body": TEXT}),
    "image": fields(MEDIA, caption=TEXT, url=URL),
    "video": fields(MEDIA, caption=TEXT, url=URL),
    "document": fields(MEDIA, caption=TEXT, filename=st.just("inv.pdf"), url=URL),
    "sticker": fields(MEDIA, animated=st.booleans(), url=URL),
    "audio": fields(MEDIA, voice=st.booleans(), url=URL),
    "location": fields(
        {"latitude": st.sampled_from([-23.5614, "51.5", 0]), "longitude": st.sampled_from([-46.6, "7.1", 0])},
        name=TEXT,
        address=TEXT,
        url=URL,
    ),
    "contacts": st.lists(CARD, min_size=1, max_size=3),
    "button": fields({"text": TEXT}, payload=TEXT),
    "interactive": st.one_of(
        fields({"type": st.just("button_reply"), "button_reply": fields({"id": TEXT, "title": TEXT})}),
        fields({"type": st.just("list_reply"), "list_reply": fields({"id": TEXT, "title": TEXT}, description=TEXT)}),
        fields(
            {
                "type": st.just("nfm_reply"),
                "nfm_reply": fields(
                    {"response_json": st.sampled_from(['{"flow_token":"t","size":"M"}', "[]", "", "{}", "null"])},
                    name=st.sampled_from(["flow", "address_message", "galaxy_message"]),
                    body=st.just("Sent"),
                ),
            }
        ),
        fields(
            {
                "type": st.just("call_permission_reply"),
                "call_permission_reply": fields(
                    {"response": st.sampled_from(["accept", "reject"])},
                    is_permanent=st.booleans(),
                    expiration_timestamp=as_either(1790604814),
                    response_source=st.sampled_from(["user_action", "automatic"]),
                ),
            }
        ),
    ),
    "order": fields({"catalog_id": st.just("194836987003835"), "product_items": st.lists(ITEM, max_size=3)}, text=TEXT),
    "reaction": fields({"message_id": st.just(OURS[0])}, emoji=st.sampled_from(["👍🏽", ""])),
}
REFERRAL = fields(
    {"source_url": URL, "source_type": st.sampled_from(["ad", "post"]), "source_id": as_either(120226305854810726)},
    headline=TEXT,
    body=TEXT,
    media_type=st.sampled_from(["image", "video"]),
    image_url=URL,
    ctwa_clid=TEXT,
    welcome_message=fields({"text": TEXT}),
)
CONTEXT = st.one_of(
    fields({"id": st.just(OURS[0])}, **{"from": st.just(SHOWN)}),
    fields({}, forwarded=st.booleans(), frequently_forwarded=st.booleans()),
    fields(
        {"referred_product": fields({"catalog_id": as_either(1), "product_retailer_id": st.just("sku")})},
        id=st.just("wamid.X"),
    ),
)


def system(draw: Any, who: Person) -> dict[str, Any]:
    """Generate a system message, by which Meta reports that a customer's identity changed."""
    kind = draw(st.sampled_from(["customer_identity_changed", "user_changed_user_id", "user_changed_number"]))
    told: dict[str, Any] = {"type": kind, "body": draw(TEXT)}
    if kind == "user_changed_user_id" and who.user_id:
        told |= {"user_id": who.user_id + "7", "previous_user_id": who.user_id}
    elif kind == "user_changed_number" and who.number:
        number = who.number[:-4] + "9" + who.number[-3:]
        told[draw(st.sampled_from(["wa_id", "new_wa_id"]))] = draw(st.sampled_from([number, int(number), f"+{number}"]))
    elif kind == "customer_identity_changed":
        told |= {"identity": "abc", "customer": who.number}
    else:
        told["type"] = "customer_identity_changed"
    return {"type": "system", "system": told}


def _others(draw: Any, who: Person, original: str) -> dict[str, dict[str, Any]]:
    """Generate the messages that carry no content of the customer, by kind."""
    corrected = {"context": {"id": "M0"}, "type": "text", "text": {"body": draw(TEXT)}}
    unsupported = draw(st.sampled_from([{}, {"unsupported": {"type": "poll"}}, {"unsupported": {"type": "gif"}}]))
    return {
        "unsupported": {"type": draw(st.sampled_from(UNKNOWN_TYPES)), "errors": draw(st.lists(ERROR)), **unsupported},
        "unfetched": {"type": "image", "errors": [draw(ERROR)]},
        "no_content": {"type": "interactive"},
        "welcome": {"type": "request_welcome"},
        "system": system(draw, who),
        "edit": {"type": "edit", "edit": {"original_message_id": original, "message": corrected}},
        "revoke": {"type": "revoke", "revoke": {"original_message_id": original}},
    }


@st.composite
def messages(draw: Any, who: Person, id_: str, kind: str, expected: Expected) -> dict[str, Any]:
    """Generate a customer's message of this kind."""
    sender: dict[str, Any] = {"from": who.number, "from_user_id": who.user_id, "from_parent_user_id": who.parent}
    sender = clean(sender)
    if who.number and draw(st.integers(0, 3)) == 0:
        sender["from"] = int(who.number)
    group = draw(st.integers(0, 9)) == 0 and kind in ("text", "image")
    message: dict[str, Any] = {**sender, "id": id_, "timestamp": now(draw)}
    if group:
        message["group_id"] = f"12036300{len(expected.messages)}"
    if kind in CONTENT:
        message |= {"type": kind, kind: draw(CONTENT[kind])}
        message |= draw(st.fixed_dictionaries({}, optional={"context": CONTEXT, "referral": REFERRAL}))
    else:
        message |= _others(draw, who, f"{id_}-before")[kind]
    expected.messages.append(id_)
    expected.tells("message")
    if group:
        return message
    (expected.bystanders if kind in ("system", "edit", "revoke") else expected.writers).append(who.address)
    return message


MESSAGE_KINDS = [*CONTENT, "unsupported", "unfetched", "no_content", "welcome", "system", "edit", "revoke"]

PRICING = fields(
    {"billable": st.booleans(), "pricing_model": st.sampled_from(["CBP", "PMP"])},
    category=st.sampled_from(["marketing", "service", "authentication-international", "referral_conversion"]),
    type=st.sampled_from(["regular", "free_customer_service", "free_entry_point"]),
)
CONVERSATION = fields(
    {"id": st.just("72b14d6bd5407799e66f64d1b338e567")},
    expiration_timestamp=as_either(1790116480),
    origin=fields({"type": st.sampled_from(["marketing", "user_initiated"])}),
)
STATUS_ERRORS = st.lists(ERROR, min_size=1, max_size=2) | ERROR


@st.composite
def statuses(draw: Any, who: Person, word: str, wamid: str) -> dict[str, Any]:
    """Generate a status of a message that we or another system sent."""
    recipient: dict[str, Any] = {"recipient_id": who.number, "recipient_user_id": who.user_id}
    recipient[draw(st.sampled_from(["parent_recipient_user_id", "recipient_parent_user_id"]))] = who.parent
    found = draw(
        fields(
            {"id": st.just(wamid), "status": st.just(word), "timestamp": st.just(now(draw))},
            biz_opaque_callback_data=st.nothing(),
            conversation=CONVERSATION,
            pricing=PRICING,
            recipient_identity_key_hash=TEXT,
            errors=STATUS_ERRORS if word == "failed" else st.just([]),
        )
    )
    return {**found, **clean(recipient)}


MANAGEMENT: dict[str, Any] = {
    "message_template_status_update": fields(
        {
            "event": st.sampled_from(["APPROVED", "REJECTED", "PAUSED", "PENDING_DELETION"]),
            "message_template_id": as_either(1689556908129835),
            "message_template_name": st.just("cart"),
            "message_template_language": st.sampled_from(["en_US", "en-US"]),
        },
        reason=st.sampled_from(["NONE", "INVALID_FORMAT"]),
        message_template_category=st.just("MARKETING"),
        disable_info=st.just({"disable_date": 1751300000}),
        other_info=st.just({"title": "FIRST_PAUSE", "description": "x"}),
    ),
    "message_template_quality_update": fields(
        {"new_quality_score": st.sampled_from(["GREEN", "RED", "UNKNOWN"]), "message_template_id": as_either(8)},
        previous_quality_score=st.just("GREEN"),
        message_template_name=st.just("welcome"),
        message_template_language=st.just("en-US"),
    ),
    "template_category_update": fields(
        {
            "message_template_id": as_either(2),
            "message_template_name": st.just("w"),
            "new_category": st.just("UTILITY"),
        },
        correct_category=st.just("MARKETING"),
        category_update_timestamp=as_either(1746169200),
    ),
    "message_template_components_update": fields({"message_template_id": as_either(3)}, message_template_element=TEXT),
    "phone_number_quality_update": fields(
        {"display_phone_number": st.sampled_from([SHOWN, "+1 555-078-3881"])},
        event=st.sampled_from(["ONBOARDING", "THROUGHPUT_UPGRADE", "FLAGGED", "DOWNGRADE"]),
        current_limit=st.sampled_from(["TIER_UNLIMITED", "TIER_1K", "TIER_NOT_SET"]),
        max_daily_conversations_per_business=st.sampled_from(["TIER_2K", 2000, -1]),
    ),
    "phone_number_name_update": fields(
        {"display_phone_number": st.just(SHOWN), "decision": st.sampled_from(["APPROVED", "REJECTED"])},
        requested_verified_name=TEXT,
        rejection_reason=st.just("UNKNOWN"),
    ),
    "business_capability_update": fields(
        {},
        max_daily_conversations_per_business=st.sampled_from([2000, "2000", -1, "TIER_10K"]),
        max_daily_conversation_per_phone=as_either(250),
        max_phone_numbers_per_business=as_either(20),
    ),
    "security": fields(
        {"display_phone_number": st.just(SHOWN), "event": st.just("PIN_CHANGED")}, requester=as_either(1)
    ),
    "account_alerts": fields({"entity_type": st.just("BUSINESS")}, entity_id=as_either(1), alert_info=fields({})),
    "account_review_update": fields({"decision": st.sampled_from(["APPROVED", "REJECTED", "PENDING"])}),
    "account_update": fields(
        {"event": st.sampled_from(["ACCOUNT_VIOLATION", "DISABLED_UPDATE", "PARTNER_ADDED", "VERIFIED_ACCOUNT"])},
        violation_info=st.just({"violation_type": "SPAM"}),
        ban_info=st.just({"waba_ban_state": "REINSTATE", "waba_ban_date": "December 1, 2025"}),
        restriction_info=st.just([{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": "1"}]),
        waba_info=st.just({"waba_id": "4957", "owner_business_id": "9"}),
        phone_number=st.just(SHOWN),
    ),
    "flows": fields(
        {"event": st.sampled_from(["FLOW_STATUS_CHANGE", "ENDPOINT_ERROR_RATE"]), "flow_id": as_either(6627)},
        message=TEXT,
        old_status=st.just("DRAFT"),
        errors=st.just([{"error_type": "TIMEOUT", "error_rate": 14.28, "error_count": 2}]),
        p90_latency=as_either(2000),
    ),
    "payment_configuration_update": fields(
        {"configuration_name": st.just("upi")}, created_timestamp=as_either(1748827100)
    ),
    "partner_solutions": fields({"event": st.just("SOLUTION_UPDATED")}, solution_id=as_either(3)),
    "phone_number_username_update": fields({"decision": st.just("APPROVED")}, requested_username=st.just("acme")),
    "tracking_events": fields({}, event_name=TEXT),
    "a_field_of_tomorrow": fields({}, anything=st.just([1, None, {"x": {}}])),
}


def numbered(**lists: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", **lists}


@st.composite
def management_values(draw: Any, number: str) -> tuple[str, dict[str, Any]]:
    """Generate a field and a value that become an event unchanged; groups, calls and conversions name the number."""
    metadata = {"display_phone_number": SHOWN, "phone_number_id": number}
    group = {
        "timestamp": draw(as_either(1750000000)),
        "group_id": "Y2FwaV9ncm91cDox",
        "type": draw(st.sampled_from(["group_create", "group_add_participants", "group_settings_update"])),
        "request_id": "req-1",
        "added_participants": [{"input": "447700900123", "wa_id": "447700900123"}],
    }
    call = {
        "id": "wacid.HBg1",
        "from": "447700900123",
        "to": SHOWN,
        "event": draw(st.sampled_from(["connect", "terminate"])),
        "timestamp": draw(as_either(1752583107)),
        "direction": "USER_INITIATED",
        "session": {"sdp_type": "offer", "sdp": "v=0"},
        "duration": draw(as_either(120)),
    }
    call_status = {"id": "wacid.HBg2", "type": "call", "status": "RINGING", "timestamp": "1", "recipient_id": "4477"}
    conversion = {
        "id": OURS[0],
        "event_name": "Purchase",
        "timestamp": draw(as_either(1729000000)),
        "custom_data": None,
    }
    with_number: dict[str, dict[str, Any]] = {
        "group_lifecycle_update": numbered(metadata=metadata, groups=[group]),
        "group_participants_update": numbered(metadata=metadata, groups=[group]),
        "group_participant_update": numbered(metadata=metadata, groups=[group]),
        "group_settings_update": numbered(metadata=metadata, groups=[group]),
        "group_status_update": numbered(metadata=metadata, groups=[group]),
        "calls": draw(
            st.sampled_from(
                [numbered(metadata=metadata, calls=[call]), numbered(metadata=metadata, statuses=[call_status])]
            )
        ),
        "automatic_events": numbered(metadata=metadata, automatic_events=[conversion]),
    }
    name = draw(st.sampled_from(sorted([*MANAGEMENT, *with_number])))
    return name, draw(MANAGEMENT[name]) if name in MANAGEMENT else with_number[name]


class Drawing:
    """A builder of a delivery, which numbers customers and message ids by their position."""

    def __init__(self, draw: Any, numbers: list[str]) -> None:
        self.draw, self.numbers = draw, numbers
        self.expected = Expected()
        self.place = 0
        self.ours = list(OURS)

    def person(self) -> Person:
        self.place += 1
        found: Person = self.draw(people(self.place))
        return found

    def metadata(self) -> dict[str, Any]:
        number = self.draw(st.sampled_from(self.numbers))
        return {"display_phone_number": SHOWN, "phone_number_id": number}

    def change(self, kind: str) -> dict[str, Any]:
        """Generate the value of a change of this kind."""
        value: dict[str, Any] = getattr(self, f"_{kind}")()
        return value

    def _messages(self) -> dict[str, Any]:
        value = numbered(metadata=self.metadata())
        whole, contacts = [], []
        for _ in range(self.draw(st.integers(1, 3))):
            who = self.person()
            kind = self.draw(st.sampled_from(MESSAGE_KINDS))
            id_ = self.draw(st.sampled_from(["wamid.HBgM{}=", "ABGGFlA5Fpa{}"])).format(self.place)
            message = self.draw(messages(who, id_, kind, self.expected))
            whole.append(message)
            if kind != "system" and (self.draw(st.booleans()) or not who.number):
                contacts.append(self.draw(contact_of(who)))
        value["messages"] = whole
        if contacts:
            value["contacts"] = contacts
        return {"field": "messages", "value": value}

    def _statuses(self) -> dict[str, Any]:
        who = self.person()
        value = numbered(metadata={"display_phone_number": SHOWN, "phone_number_id": self.numbers[0]})
        wamid = self.ours.pop()
        ladder = ["sent", "delivered", "read", "played"]
        said = ladder[: self.draw(st.integers(1, 4))] if self.draw(st.booleans()) else ["failed"]
        value["statuses"] = [self.draw(statuses(who, word, wamid)) for word in said]
        if self.draw(st.booleans()):
            value["statuses"].append(self.draw(statuses(who, "delivered", f"{wamid}.SOMEBODYS")))
            self.expected.tells("foreign_status")
        if self.draw(st.booleans()):
            value["contacts"] = [self.draw(contact_of(who))]
        self.expected.tells("status", len(said))
        self.expected.bystanders.append(who.address)
        return {"field": "messages", "value": value}

    def _errors(self) -> dict[str, Any]:
        self.expected.tells("management")
        return {"field": "messages", "value": numbered(metadata=self.metadata(), errors=[self.draw(ERROR)])}

    def _actions(self) -> dict[str, Any]:
        who = self.person()
        action = {"action_type": "marketing_messages_link_click", "timestamp": now(self.draw)}
        self.expected.tells("management")
        self.expected.bystanders.append(who.address)
        value = numbered(metadata=self.metadata(), user_actions=[action], contacts=[self.draw(contact_of(who))])
        return {"field": "messages", "value": value}

    def _management(self) -> dict[str, Any]:
        name, value = self.draw(management_values(self.numbers[0]))
        self.place += 1  # two events that are the same would be one that came again
        self.expected.tells("management")
        return {"field": name, "value": {**value, "serial": self.place}}

    def _preferences(self) -> dict[str, Any]:
        who = self.person()
        names = clean({"wa_id": who.number, "user_id": who.user_id})
        said = {"category": "marketing_messages", "detail": "x", "timestamp": now(self.draw)}
        word = self.draw(st.sampled_from(["stop", "resume", "signup"]))
        value = numbered(metadata=self.metadata(), user_preferences=[{**names, **said, "value": word}])
        if self.draw(st.booleans()):
            value["contacts"] = [self.draw(contact_of(who))]
        self.expected.tells("management")
        self.expected.bystanders.append(who.address)
        return {"field": "user_preferences", "value": value}

    def _echoes(self) -> dict[str, Any]:
        who = self.person()
        kind = self.draw(st.sampled_from(["text", "image", "audio", "document", "location", "sticker"]))
        to = clean({"to": who.number, "to_user_id": who.user_id, "to_parent_user_id": who.parent})
        echo = {"from": SHOWN, **to, "id": f"wamid.E{self.place}", "timestamp": now(self.draw), "type": kind}
        change = self.draw(st.sampled_from(["", "", "edit", "revoke"]))
        echo |= {kind: self.draw(CONTENT[kind])}
        if change:
            echo |= {
                "type": change,
                change: {"original_message_id": f"wamid.X{self.place}", "message": {"type": "text"}},
            }
        name = self.draw(st.sampled_from(["smb_message_echoes", "message_echoes"]))
        self.expected.tells("echo")
        self.expected.bystanders.append(who.address)
        return {"field": name, "value": numbered(metadata=self.metadata(), message_echoes=[echo])}

    def _standby(self) -> dict[str, Any]:
        who = self.person()
        scratch = Expected()
        kind = self.draw(st.sampled_from(["text", "image", "button", "order"]))
        message = self.draw(messages(who, f"wamid.S{self.place}", kind, scratch))
        message.pop("group_id", None)
        inside: dict[str, Any] = {"messages": [message]}
        if self.draw(st.booleans()) or not who.number:
            inside["contacts"] = [self.draw(contact_of(who))]
        self.expected.tells("standby")
        self.expected.bystanders.append(who.address)
        return {"field": "standby", "value": numbered(metadata=self.metadata(), standby=inside)}

    def _handover(self) -> dict[str, Any]:
        who = self.person()
        number = self.draw(st.sampled_from(self.numbers))
        kind = self.draw(st.sampled_from(["control_passed", "control_taken"]))
        value = numbered(
            timestamp=now(self.draw),
            sender=clean({"phone_number": who.number, "user_id": who.user_id}),
            recipient={"phone_number_id": number, "display_phone_number": SHOWN},
            type=kind,
        )
        value[kind] = {"previous_owner_role": "ai_agent", "new_owner_role": "escalation"}
        self.expected.tells("handover")
        return {"field": "messaging_handovers", "value": value}

    def _history(self) -> dict[str, Any]:
        who = self.person()
        metadata = self.metadata()
        if self.draw(st.integers(0, 4)) == 0:
            declined = [{"errors": [{"code": 2593109, "title": f"declined {self.place}"}]}]
            self.expected.tells("management")
            return {"field": "history", "value": numbered(metadata=metadata, history=declined)}
        said = [
            {
                "from": self.draw(st.sampled_from([SHOWN, who.address])),
                "id": f"wamid.H{self.place}.{n}",
                "timestamp": now(self.draw),
                "type": self.draw(st.sampled_from(["text", "media_placeholder"])),
                "history_context": {"status": self.draw(st.sampled_from(["READ", "SENT", "ERROR"]))},
            }
            for n in range(self.draw(st.integers(1, 4)))
        ]
        chunk = {"phase": self.draw(as_either(1)), "chunk_order": 1, "progress": self.draw(as_either(55))}
        threads = [{"id": who.address, "messages": said}]
        self.expected.tells("history")
        self.expected.bystanders.append(who.address)
        return {
            "field": "history",
            "value": numbered(metadata=metadata, history=[{"metadata": chunk, "threads": threads}]),
        }

    def _address_book(self) -> dict[str, Any]:
        self.place += 1
        number = st.just(f"55119999{10_000 + self.place}")
        contact = self.draw(fields({"phone_number": number}, full_name=TEXT, first_name=TEXT))
        action = self.draw(st.sampled_from(["add", "remove"]))
        change = {"type": "contact", "contact": contact, "action": action, "metadata": {"timestamp": "1738346006"}}
        self.expected.tells("management")
        value = numbered(metadata=self.metadata(), state_sync=[change])
        return {"field": "smb_app_state_sync", "value": value}

    def _user_id_update(self) -> dict[str, Any]:
        who = self.person()
        ids = {"previous": f"GB.OLD{self.place}", "current": f"GB.NEW{self.place}"}
        update = clean({"wa_id": who.number}) | {"user_id": ids, "timestamp": now(self.draw)}
        self.expected.tells("management")
        self.expected.bystanders.append(who.address)
        return {"field": "user_id_update", "value": numbered(metadata=self.metadata(), user_id_update=[update])}


CHANGES = [name[1:] for name in vars(Drawing) if name[0] == "_" and name[1] != "_"]


@st.composite
def deliveries(draw: Any, numbers: list[str], waba: str, kinds: list[str]) -> Case:
    """Generate a delivery of one or more changes of these kinds, in one or two entries."""
    drawing = Drawing(draw, numbers)
    entries: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 2))):
        changes = [drawing.change(draw(st.sampled_from(kinds))) for _ in range(draw(st.integers(1, 2)))]
        entry: dict[str, Any] = {"id": waba, "changes": changes}
        if draw(st.booleans()):
            entry["time"] = draw(as_either(int(time.time())))
        entries.append(entry)
    return Case({"object": "whatsapp_business_account", "entry": entries}, drawing.expected)
