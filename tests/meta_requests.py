"""Random request bodies of `POST /messages`, of every kind that reference 2 and 3.1 describe.

Optional fields are present, missing or null; ids and numbers are strings or numbers; unknown fields are among the known
ones. A template comes with the definition that it matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

MEDIA = {
    "image": ("image/jpeg", "9001"),
    "audio": ("audio/ogg", "9002"),
    "video": ("video/mp4", "9003"),
    "document": ("application/pdf", "9004"),
    "sticker": ("image/webp", "9005"),
}
"""The files at Meta: MIME type and id, by the kind of message."""

LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"])
WORD = st.text(LETTERS, min_size=1, max_size=12)
EXTRA = st.dictionaries(
    st.sampled_from(["a_field_of_tomorrow", "mood", "x"]), st.none() | st.booleans() | st.integers(0, 9) | WORD
)


def words(most: int) -> Any:
    return st.lists(WORD, min_size=1, max_size=3).map(lambda found: " ".join(found)[:most].strip() or "x")


def fields(needed: dict[str, Any], **optional: Any) -> Any:
    """Generate an object: optional fields may be missing or null, and there may be unknown fields."""
    maybe = {name: st.none() | value for name, value in optional.items()}
    known = st.fixed_dictionaries(needed, optional=maybe)
    return st.builds(lambda extra, found: {**extra, **found}, EXTRA, known)


def as_either(value: int) -> Any:
    """Generate a number as a number or as a string; Meta uses both."""
    return st.sampled_from([value, str(value)])


FLAG = st.sampled_from([True, False, "true", "false"])
LINK = st.sampled_from(
    ["https://files.example.org/a", "http://files.example.org/ü.bin?q=1&x=%20", "HTTPS://a.example/b"]
)


def media(kind: str, **more: Any) -> Any:
    by_id = fields({"id": as_either(int(MEDIA[kind][1]))}, link=st.nothing(), **more)
    return by_id | fields({"link": LINK}, id=st.nothing(), **more)


DEGREES = st.sampled_from(
    [0, -7, 38.7, "51.5007", "-0.1246", "37.44216251868683", "-22.16153582049394", "+5", "0.0", 1e-7, "89."]
)
CARD_NAME = fields(
    {"formatted_name": words(30), "first_name": WORD}, last_name=WORD, middle_name=WORD, prefix=WORD, suffix=st.just("")
)
CARD = fields(
    {"name": CARD_NAME},
    birthday=st.sampled_from(["1980-04-01", "2012-08-18"]),
    phones=st.lists(fields({"phone": st.just("+351 910 000 042")}, type=st.sampled_from(["CELL", "HOME"]), wa_id=WORD)),
    emails=st.lists(fields({"email": st.just("a@example.org")}, type=st.sampled_from(["HOME", "WORK"]))),
    urls=st.lists(fields({"url": LINK}, type=st.just("WORK"))),
    addresses=st.lists(fields({}, street=WORD, city=WORD, zip=as_either(4000), country_code=st.just("pt"))),
    org=fields({}, company=WORD, department=WORD, title=WORD),
)

BODY = fields({"text": words(1024)})
FOOTER = fields({"text": words(60)})
TEXT_HEADER = fields({"type": st.just("text"), "text": words(60)})
ANY_HEADER = TEXT_HEADER | st.sampled_from(["image", "video", "document"]).flatmap(
    lambda kind: fields({"type": st.just(kind), kind: media(kind)})
)


def numbered(items: list[dict[str, Any]], name: str = "id") -> list[dict[str, Any]]:
    return [{**item, name: f"{name}-{place}"} for place, item in enumerate(items)]


def replies(titles: list[str]) -> list[dict[str, Any]]:
    return [{"type": "reply", "reply": {"id": f"b{place}", "title": title}} for place, title in enumerate(titles)]


def interactive(kind: str, action: Any, *, header: Any = None, **more: Any) -> Any:
    optional = {"header": header} if header is not None else {}
    parts = {"type": st.just(kind), "body": BODY, "action": action} | more
    return fields(parts, footer=FOOTER, **optional)


def named(name: str, parameters: Any = None) -> Any:
    return fields({"name": st.just(name)} | ({"parameters": parameters} if parameters is not None else {}))


PRODUCT = fields({"catalog_id": as_either(367025965434465), "product_retailer_id": st.just("SKU-1") | as_either(7)})
PRODUCTS = st.lists(fields({"product_retailer_id": st.just("SKU-1") | as_either(8)}), min_size=1, max_size=3)
ROWS = st.lists(fields({"title": words(24)}, description=words(72) | st.just("")), min_size=1, max_size=3).map(numbered)
SECTION_TITLE = {"title": words(24)}
FLOW_PAYLOAD = fields({"screen": st.just("FIRST")}, data=st.just({"city": "Porto"}))
FLOW = st.builds(
    lambda which, found: {**found, **which},
    st.sampled_from([{"flow_id": 880011223344}, {"flow_id": "880011223344"}, {"flow_name": "booking"}]),
    fields(
        {"flow_message_version": as_either(3), "flow_cta": words(20)},
        flow_token=WORD,
        mode=st.sampled_from(["draft", "published"]),
        flow_action=st.just("navigate"),
        flow_action_payload=FLOW_PAYLOAD.map(lambda found: {n: v for n, v in found.items() if v is not None}),
    ),
).map(lambda found: {name: value for name, value in found.items() if value is not None or name in ("mood", "x")})
URL_PARAMETERS = fields({"display_text": words(20), "url": LINK})


def card(kind: str, header: str) -> Any:
    body = fields({"text": words(160)})
    if kind == "product":
        one_catalog = PRODUCT.map(lambda found: {**found, "catalog_id": "367025965434465"})
        return fields({"type": st.just(kind), "action": one_catalog}, body=body)
    needed = {
        "type": st.just(kind),
        "header": fields({"type": st.just(header), header: media(header)}),
        "action": named("cta_url", URL_PARAMETERS),
    }
    return fields(needed, body=body)


CAROUSEL = st.sampled_from([("cta_url", "image"), ("cta_url", "video"), ("product", "")]).flatmap(
    lambda kinds: st.lists(card(*kinds), min_size=2, max_size=4).map(
        lambda cards: {"cards": [{**one, "card_index": place} for place, one in enumerate(cards)]}
    )
)
ADDRESS = fields(
    {"country": st.just("IN")},
    values=st.just({"name": "R. Iyer"}),
    saved_addresses=st.just([{"id": "a1", "value": {"city": "Mumbai"}}]),
    validation_errors=st.just({"in_pin_code": "Unknown"}),
)
ORDER = st.just({"status": "pending", "items": [{"retailer_id": "1", "name": "Soap", "quantity": 1}]})

INTERACTIVE = {
    "button": interactive(
        "button",
        st.lists(words(20), min_size=1, max_size=3, unique=True).map(lambda titles: {"buttons": replies(titles)}),
        header=ANY_HEADER,
    ),
    "list": interactive(
        "list",
        fields(
            {"button": words(20), "sections": st.lists(fields(SECTION_TITLE | {"rows": ROWS}), min_size=1, max_size=1)}
        ),
        header=TEXT_HEADER,
    ),
    "cta_url": interactive("cta_url", named("cta_url", URL_PARAMETERS), header=ANY_HEADER),
    "flow": interactive("flow", named("flow", FLOW), header=ANY_HEADER),
    "product": fields({"type": st.just("product"), "action": PRODUCT}, body=BODY, footer=FOOTER),
    "product_list": interactive(
        "product_list",
        fields(
            {
                "catalog_id": as_either(367025965434465),
                "sections": st.lists(fields(SECTION_TITLE | {"product_items": PRODUCTS}), min_size=1, max_size=3),
            }
        ),
        header_=TEXT_HEADER,
    ).map(lambda found: {("header" if name == "header_" else name): value for name, value in found.items()}),
    "catalog_message": interactive(
        "catalog_message",
        fields({"name": st.just("catalog_message")}, parameters=fields({}, thumbnail_product_retailer_id=WORD)),
    ),
    "location_request_message": interactive("location_request_message", named("send_location")),
    "address_message": interactive("address_message", named("address_message", ADDRESS)),
    "call_permission_request": interactive("call_permission_request", named("call_permission_request")),
    "voice_call": interactive(
        "voice_call",
        named(
            "voice_call",
            st.fixed_dictionaries(
                {}, optional={"display_text": words(20), "ttl_minutes": st.integers(1, 43200), "payload": WORD}
            ),
        ),
    ),
    "carousel": fields({"type": st.just("carousel"), "body": BODY, "action": CAROUSEL}),
    "request_contact_info": interactive("request_contact_info", named("request_contact_info")),
    "order_details": interactive(
        "order_details",
        named("review_and_pay", fields({"reference_id": words(35), "order": ORDER}, currency=st.just("INR"))),
    ),
    "order_status": interactive(
        "order_status", named("review_order", fields({"reference_id": words(35), "order": ORDER}))
    ),
}

CONTENTS = {
    "text": fields({"body": words(4096)}, preview_url=FLAG),
    "image": media("image", caption=words(1024) | st.just("")),
    "audio": media("audio", voice=FLAG),
    "video": media("video", caption=words(1024)),
    "document": media("document", caption=words(1024), filename=st.just("inv 77.pdf")),
    "sticker": media("sticker"),
    "location": fields({"latitude": DEGREES, "longitude": DEGREES}, name=words(100), address=words(100)),
    "contacts": st.lists(CARD, min_size=1, max_size=3),
    "reaction": fields({"message_id": st.just("wamid.X="), "emoji": st.sampled_from(["", "🥐", "👍🏽"])}),
}
KINDS = [*CONTENTS, *(f"interactive/{kind}" for kind in INTERACTIVE)]


def spelled(number: int, form: int) -> str | int:
    """Return a British mobile number in one of five common forms."""
    rest = str(number)[2:]
    forms: list[str | int] = [
        f"+{number}",
        str(number),
        number,
        f"+44 {rest[:4]} {rest[4:]}",
        f"+44 (0){rest[:4]}-{rest[4:]}",
    ]
    return forms[form]


ENVELOPE = fields(
    {"to": st.integers(0, 4)},
    messaging_product=st.just("whatsapp"),
    recipient_type=st.just("individual"),
    biz_opaque_callback_data=words(60),
    recipient_identity_key_hash=st.nothing(),
    recipient=st.nothing(),
)


@st.composite
def requests_of(draw: Any, kind: str) -> dict[str, Any]:
    """Generate a body of this kind; `to` is the form of the number (see `spelled`)."""
    type_, _, inner = kind.partition("/")
    content = draw(INTERACTIVE[inner] if inner else CONTENTS[type_])
    body: dict[str, Any] = {**draw(ENVELOPE), "type": type_, type_: content}
    if type_ != "reaction" and draw(st.booleans()):
        body["context"] = draw(fields({"message_id": st.just("wamid.Y=")}))
    return body


GROUP_CONTENTS = {name: CONTENTS[name] for name in ("text", "image", "audio", "video", "document", "sticker")} | {
    "pin": st.fixed_dictionaries(
        {"type": st.sampled_from(["pin", "unpin"]), "message_id": st.just("wamid.X=")},
        optional={"expiration_days": as_either(7)},
    )
}


@st.composite
def group_requests(draw: Any) -> dict[str, Any]:
    """Generate a body to a group; `to` is the group's index."""
    type_ = draw(st.sampled_from(sorted(GROUP_CONTENTS)))
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "group",
        "to": 0,
        "type": type_,
        type_: draw(GROUP_CONTENTS[type_]),
    }


@dataclass(frozen=True)
class TemplateCase:
    """A template as Meta defines it, and the content of a message that matches it."""

    definition: list[dict[str, Any]]
    is_named: bool
    content: dict[str, Any]


CURRENCY = st.builds(
    lambda amount: {"type": "currency", "currency": {"fallback_value": "GBP 1", "code": "GBP", "amount_1000": amount}},
    as_either(12500),
)
DATE_TIME = st.builds(
    lambda more: {"type": "date_time", "date_time": {"fallback_value": "3 March", **more}},
    st.sampled_from([{}, {"day_of_month": 3, "year": 2026, "calendar": "GREGORIAN"}, {"day_of_week": "MONDAY"}]),
)
VALUE = st.builds(lambda text: {"type": "text", "text": text}, words(40)) | CURRENCY | DATE_TIME


@st.composite
def _texts(draw: Any, count: int, is_named: bool) -> tuple[str, list[dict[str, Any]]]:
    names = [f"name_{place}" if is_named else str(place + 1) for place in range(count)]
    values = [draw(VALUE) for _ in names]
    if is_named:
        values = [{**value, "parameter_name": name} for value, name in zip(values, names, strict=True)]
    return "Hello " + " and ".join(f"{{{{{name}}}}}" for name in names) + ".", values


@st.composite
def _headers(draw: Any, is_named: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = draw(st.sampled_from(["none", "fixed", "text", "image", "video", "document", "location"]))
    if kind == "none":
        return {}, []
    if kind in ("fixed", "text"):
        text, values = draw(_texts(0 if kind == "fixed" else 1, is_named))
        return {"type": "HEADER", "format": "TEXT", "text": text if values else "Welcome"}, values
    if kind == "location":
        place = {"latitude": draw(DEGREES), "longitude": draw(DEGREES), "name": "Pier", "address": "Rua 1"}
        return {"type": "HEADER", "format": "LOCATION"}, [{"type": "location", "location": place}]
    return {"type": "HEADER", "format": kind.upper()}, [{"type": kind, kind: draw(media(kind))}]


MPM_SECTIONS = [{"title": "Soaps", "product_items": [{"product_retailer_id": "S"}]}]
BUTTONS: list[tuple[dict[str, Any], str, Any]] = [
    ({"type": "QUICK_REPLY", "text": "Stop"}, "quick_reply", st.just([{"type": "payload", "payload": "STOP"}])),
    (
        {"type": "URL", "text": "Open", "url": "https://example.org/{{1}}"},
        "url",
        words(20).map(lambda text: [{"type": "text", "text": text}]),
    ),
    ({"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+15550051310"}, "", st.nothing()),
    ({"type": "COPY_CODE"}, "copy_code", st.just([{"type": "coupon_code", "coupon_code": "SAVE20"}])),
    (
        {"type": "FLOW", "text": "Book", "flow_id": "1"},
        "flow",
        st.sampled_from([[{"type": "action", "action": {"flow_token": "t"}}], []]),
    ),
    (
        {"type": "CATALOG", "text": "View"},
        "catalog",
        st.just([{"type": "action", "action": {"thumbnail_product_retailer_id": "S"}}]),
    ),
    (
        {"type": "MPM", "text": "View items"},
        "mpm",
        st.just([{"type": "action", "action": {"thumbnail_product_retailer_id": "S", "sections": MPM_SECTIONS}}]),
    ),
    (
        {"type": "VOICE_CALL", "text": "Call us"},
        "voice_call",
        st.just([{"type": "ttl_minutes", "ttl_minutes": 100}]),
    ),
]


@st.composite
def templates(draw: Any) -> TemplateCase:
    """Generate a template with any of the components, and a message that uses it."""
    is_named = draw(st.booleans())
    header, header_values = draw(_headers(is_named))
    text, values = draw(_texts(draw(st.integers(0, 3)), is_named))
    buttons = draw(st.lists(st.sampled_from(BUTTONS), max_size=3, unique_by=lambda button: button[0]["type"]))
    definition = [header] if header else []
    definition += [{"type": "BODY", "text": text}]
    if draw(st.booleans()):
        definition.append({"type": "FOOTER", "text": "Acme"})
    if buttons:
        definition.append({"type": "BUTTONS", "buttons": [button for button, _, _ in buttons]})
    components: list[dict[str, Any]] = []
    if header_values:
        components.append({"type": "header", "parameters": header_values})
    if values or draw(st.booleans()):
        components.append({"type": "body", "parameters": values})
    for place, (_, sub_type, parameters) in enumerate(buttons):
        if sub_type:
            index = draw(as_either(place))
            given = {"type": "button", "sub_type": sub_type, "index": index, "parameters": draw(parameters)}
            components.append(given)
    draw(st.randoms()).shuffle(components)
    language = draw(st.sampled_from([{"code": "en_GB"}, {"code": "en_GB", "policy": "deterministic"}]))
    content: dict[str, Any] = {"name": "seasonal_offer", "language": language}
    if components or draw(st.booleans()):
        content["components"] = components
    if draw(st.booleans()):
        content["namespace"] = "acme_namespace"
    return TemplateCase(definition, is_named, content)
