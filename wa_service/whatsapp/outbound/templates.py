"""Template messages: models, building components, and comparing with a definition (reference 3)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from wa_service.whatsapp.outbound.graph_values import Id, WholeNumber
from wa_service.whatsapp.outbound.media_parts import DocumentMedia, MediaObject
from wa_service.whatsapp.outbound.message_part import MessagePart
from wa_service.whatsapp.outbound.template_check import check_components

NO_FOOTER_PARAMETERS = "A footer takes no parameters: its text is fixed in the template."


class Parameter(MessagePart):
    """A template parameter; itself the model of unknown types."""

    type: str
    parameter_name: str | None = Field(default=None, min_length=1)


class TextParameter(Parameter):
    """A text: not empty, without line breaks and tabs, at most four spaces in a row (3.1)."""

    type: Literal["text"] = "text"
    text: str = Field(min_length=1, max_length=2000)

    @model_validator(mode="after")
    def _one_line(self) -> TextParameter:
        if any(mark in self.text for mark in ("\n", "\r", "\t", " " * 5)):
            raise ValueError("A text parameter may not have line breaks, tabs or more than 4 spaces in a row.")
        if all(mark.isspace() or unicodedata.category(mark) == "Cf" for mark in self.text):
            raise ValueError("A text parameter needs at least one visible character.")
        return self


class Currency(MessagePart):
    """An amount in thousandths, and the text that is shown."""

    fallback_value: str = Field(min_length=1)
    code: str = Field(pattern=r"^[A-Z]{3}$")
    amount_1000: WholeNumber


class CurrencyParameter(Parameter):
    """An amount of money."""

    type: Literal["currency"] = "currency"
    currency: Currency


class DateTime(MessagePart):
    """The text that is shown for a time."""

    fallback_value: str = Field(min_length=1)


class DateTimeParameter(Parameter):
    """A time."""

    type: Literal["date_time"] = "date_time"
    date_time: DateTime


class ImageParameter(Parameter):
    """An image in the header."""

    type: Literal["image"] = "image"
    image: MediaObject


class VideoParameter(Parameter):
    """A video in the header."""

    type: Literal["video"] = "video"
    video: MediaObject


class DocumentParameter(Parameter):
    """A document in the header."""

    type: Literal["document"] = "document"
    document: DocumentMedia


class PayloadParameter(Parameter):
    """The payload that a quick-reply button sends back."""

    type: Literal["payload"] = "payload"
    payload: str = Field(min_length=1)


class CouponParameter(Parameter):
    """The code that a copy-code button copies."""

    type: Literal["coupon_code"] = "coupon_code"
    coupon_code: str = Field(min_length=1, max_length=20)


MOST_VALUES = 100
"""More than Meta accepts in one template; bounds the work of a request."""

_KNOWN = frozenset({"text", "currency", "date_time", "image", "video", "document", "payload", "coupon_code"})


def _tag(value: Any) -> str:
    type_ = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return f"<{type_}>" if isinstance(type_, str) and type_ in _KNOWN else "<other>"


AnyParameter = Annotated[
    Annotated[TextParameter, Tag("<text>")]
    | Annotated[CurrencyParameter, Tag("<currency>")]
    | Annotated[DateTimeParameter, Tag("<date_time>")]
    | Annotated[ImageParameter, Tag("<image>")]
    | Annotated[VideoParameter, Tag("<video>")]
    | Annotated[DocumentParameter, Tag("<document>")]
    | Annotated[PayloadParameter, Tag("<payload>")]
    | Annotated[CouponParameter, Tag("<coupon_code>")]
    | Annotated[Parameter, Tag("<other>")],
    Discriminator(_tag),
]
"""Any parameter, chosen by its `type`; location, product, action, offers and ttl_minutes pass through unchanged."""


class Component(MessagePart):
    """The parameters of one part of a template: `header`, `body`, one `button`, or a special component."""

    type: str
    sub_type: str | None = None
    index: Id | None = None
    parameters: tuple[AnyParameter, ...] | None = Field(default=None, fail_fast=True, max_length=MOST_VALUES)

    @model_validator(mode="after")
    def _fits_its_type(self) -> Component:
        if self.type.lower() == "footer":
            raise ValueError(NO_FOOTER_PARAMETERS)
        if self.type.lower() == "button" and (self.sub_type is None or self.index is None):
            raise ValueError("A button needs sub_type and index (its position in the template, from 0).")
        return self


class Language(MessagePart):
    """The translation to send, such as `en_US`; there is no fallback to another."""

    code: str = Field(min_length=2, max_length=20)
    policy: Literal["deterministic"] | None = None


class Template(MessagePart):
    """A template's name, language and parameters."""

    name: str = Field(pattern=r"^\S{1,512}$")
    language: Language
    components: tuple[Component, ...] | None = Field(default=None, fail_fast=True, max_length=MOST_VALUES)


Value: TypeAlias = str | int | float | Mapping[str, Any]
"""A string or number, or a parameter in Meta's form, with or without its `type`."""

_SINGLE = frozenset({"text", "currency", "date_time", "image", "video", "document", "gif", "location", "product"})


def build_components(
    *,
    header: Value | None = None,
    body: Value | Sequence[Value] | None = None,
    buttons: Sequence[Value | None] | None = None,
    footer: object = None,
    carousel: Sequence[Mapping[str, Any]] | None = None,
    limited_time_offer: int | None = None,
    one_time_code: str | None = None,
) -> list[dict[str, Any]]:
    """Build a template's components from plain values (3.1).

    - `header`: a string; or `{"image": {"id": …}}`, likewise video, document, location, product; or `{name: text}`.
    - `body`: a list for `{{1}}`, `{{2}}` …, or a mapping for named variables. Values are strings, numbers, or
      `{"currency": {…}}`, `{"date_time": {…}}`.
    - `buttons`: one value per button, in the template's order; None for one without variable. A string is the suffix
      of a URL; else `{"quick_reply": payload}`, `{"url": suffix}`, `{"copy_code": code}`, `{"flow": action}`,
      `{"catalog": product or action}`, `{"mpm": action}`, `{"voice_call": minutes or parameters}`, or Meta's own
      button component. An additional `"index"` overrides the position in the list.
    - `carousel`: one `{"header":…, "body":…, "buttons":…}` per card.
    - `limited_time_offer`: its end, in Unix milliseconds.
    - `one_time_code`: fills body and button of an authentication template.

    Raises ValueError with a sentence, also for a footer, which takes no parameters.
    """
    if footer is not None:
        raise ValueError(NO_FOOTER_PARAMETERS)
    _check_sizes(header, body, buttons, carousel)
    if one_time_code is not None:
        if not isinstance(one_time_code, str):
            raise ValueError('A one-time code is a string, such as "012345".')
        if len(one_time_code) > 15:
            raise ValueError("A one-time code has at most 15 characters.")
        body, buttons = [one_time_code], [{"url": one_time_code}]
    components: list[dict[str, Any]] = []
    if header is not None:
        components.append({"type": "header", "parameters": _header(header)})
    if body is not None:
        components.append({"type": "body", "parameters": _body(body)})
    if limited_time_offer is not None:
        ends = {"expiration_time_ms": limited_time_offer}
        parameter = {"type": "limited_time_offer", "limited_time_offer": ends}
        components.append({"type": "limited_time_offer", "parameters": [parameter]})
    if carousel is not None:
        components.append({"type": "carousel", "cards": [_card(place, card) for place, card in enumerate(carousel)]})
    for place, button in enumerate(buttons or ()):
        if button is not None:
            components.append(_button(place, button))
    return components


def _check_sizes(header: object, body: object, buttons: object, carousel: object) -> None:
    for name, values in (("buttons", buttons), ("carousel", carousel)):
        if values is not None and (isinstance(values, str | bytes) or not isinstance(values, Sequence)):
            raise ValueError(f"The {name} must be a list.")
    for given in (header, body, buttons, carousel):
        if isinstance(given, Sequence | Mapping) and not isinstance(given, str) and len(given) > MOST_VALUES:
            raise ValueError(f"At most {MOST_VALUES} values are allowed.")


def _card(place: int, card: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(card, Mapping):
        raise ValueError("A card of a carousel is an object.")  # noqa: TRY004 - one class
    if "components" in card:
        return {"card_index": place, **card}
    return {"card_index": place, "components": build_components(**card)}


def _header(header: Value) -> list[dict[str, Any]]:
    if isinstance(header, Mapping) and "type" not in header and not _SINGLE & header.keys():
        return _named(header)
    return [_parameter(header)]


def _body(body: Value | Sequence[Value]) -> list[dict[str, Any]]:
    if isinstance(body, Mapping):
        return [_parameter(body)] if "type" in body else _named(body)
    if isinstance(body, str | int | float):
        return [_parameter(body)]
    return [_parameter(value) for value in body]


def _named(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{**_parameter(value), "parameter_name": name} for name, value in values.items()]


def _parameter(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"type": "text", "text": value}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"type": "text", "text": str(value)}
    given = value if isinstance(value, Mapping) else {}
    if "type" in given:
        return dict(given)
    kinds = _SINGLE & given.keys()
    if len(kinds) != 1:
        kinds_known = ", ".join(sorted(_SINGLE))
        raise ValueError(f"A parameter is a string, a number, or an object with exactly one of {kinds_known}.")
    return {"type": next(iter(kinds)), **given}


def _button(place: int, button: Value) -> dict[str, Any]:
    if not isinstance(button, Mapping):
        button = {"url": button}
    if "sub_type" in button:
        return {"type": "button", "index": str(place), **button}
    index = str(button.get("index", place))
    kinds = [key for key in button if key != "index"]
    if len(kinds) != 1 or kinds[0] not in _BUTTONS:
        raise ValueError(f"A button is a string, or an object with exactly one of {', '.join(_BUTTONS)}.")
    sub_type = kinds[0]
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": _BUTTONS[sub_type](button[sub_type])}


def _action(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise ValueError("The action of a button is an object.")  # noqa: TRY004 - one class
    return [{"type": "action", "action": dict(value)}]


def _catalog(value: Any) -> list[dict[str, Any]]:
    return _action({"thumbnail_product_retailer_id": value} if isinstance(value, str) else value)


def _voice_call(value: Any) -> list[dict[str, Any]]:
    given = value if isinstance(value, Mapping) else {"ttl_minutes": value}
    return [{"type": key, key: content} for key, content in given.items()]


_BUTTONS = {
    "quick_reply": lambda value: [{"type": "payload", "payload": value}],
    "url": lambda value: [_parameter(value)],
    "copy_code": lambda value: [{"type": "coupon_code", "coupon_code": value}],
    "flow": _action,
    "catalog": _catalog,
    "mpm": _action,
    "voice_call": _voice_call,
}


def check_against(template: Template | Mapping[str, Any], definition: Mapping[str, Any]) -> list[str]:
    """Compare a template message with the template's definition before sending.

    `template`: a `Template` or its JSON; `definition`: one item of Meta's template list (3.2). Returns a sentence for
    each problem: name, language, status, counts, names and formats of parameters, positions of buttons, cards.
    """
    given = template.as_json() if isinstance(template, MessagePart) else template
    return check_components(given, definition)
