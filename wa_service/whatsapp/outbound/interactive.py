"""Interactive messages: buttons, lists, links, Flows, products and requests (reference 2.4, 2.5).

Known types are checked against Meta's limits; unknown types pass through unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from wa_service.whatsapp.outbound.graph_values import Id
from wa_service.whatsapp.outbound.media_parts import DocumentMedia, Link, MediaObject
from wa_service.whatsapp.outbound.message_part import MessagePart


class Header(MessagePart):
    """The part above the body: a short text, an image, a video or a document."""

    type: str
    text: str | None = Field(default=None, min_length=1, max_length=60)
    image: MediaObject | None = None
    video: MediaObject | None = None
    document: DocumentMedia | None = None

    @model_validator(mode="after")
    def _content_of_its_type(self) -> Header:
        if self.type in ("text", "image", "video", "document") and getattr(self, self.type) is None:
            raise ValueError(f"A header of type {self.type} needs the field {self.type}.")
        return self


class Body(MessagePart):
    """The main text."""

    text: str = Field(min_length=1, max_length=1024)


class ListBody(MessagePart):
    """The main text of a list, which may be longer."""

    text: str = Field(min_length=1, max_length=4096)


class Footer(MessagePart):
    """The small text below the body."""

    text: str = Field(min_length=1, max_length=60)


class Interactive(MessagePart):
    """The common fields of all interactive types; itself the model of unknown types."""

    headers: ClassVar[frozenset[str]] = frozenset({"text", "image", "video", "document"})
    """The header types that this type may have."""

    type: str
    header: Header | None = None
    footer: Footer | None = None

    @model_validator(mode="after")
    def _header_fits(self) -> Interactive:
        kind = self.header.type if self.header else None
        if kind in Interactive.headers and kind not in self.headers:
            allowed = ", ".join(sorted(self.headers)) or "no header"
            raise ValueError(f"A message of type {self.type} cannot have a header of type {kind}, only {allowed}.")
        return self


class ReplyButtonContent(MessagePart):
    """A reply button's title, and the id that it sends back."""

    id: str = Field(min_length=1, max_length=256)
    title: str = Field(min_length=1, max_length=20)


class ReplyButton(MessagePart):
    """One reply button."""

    type: str = "reply"
    reply: ReplyButtonContent | None = None

    @model_validator(mode="after")
    def _reply_given(self) -> ReplyButton:
        if self.type != "reply":
            return self
        if self.reply is None:
            raise ValueError("A reply button needs the field reply.")
        if self.reply.id != self.reply.id.strip():
            raise ValueError("The id of a button may not begin or end with a space.")
        return self


class ButtonsAction(MessagePart):
    """One to three reply buttons."""

    buttons: tuple[ReplyButton, ...] = Field(fail_fast=True, min_length=1, max_length=3)

    @model_validator(mode="after")
    def _distinct(self) -> ButtonsAction:
        replies = [button.reply for button in self.buttons if button.reply]
        _no_doubles([reply.id for reply in replies], "ids of the buttons")
        _no_doubles([reply.title for reply in replies], "titles of the buttons")
        return self


class Buttons(Interactive):
    """A text with up to three reply buttons."""

    type: Literal["button"] = "button"
    body: Body
    action: ButtonsAction


class Row(MessagePart):
    """One choice of a list."""

    id: str = Field(min_length=1, max_length=200)
    title: str = Field(min_length=1, max_length=24)
    description: str | None = Field(default=None, max_length=72)


class ListSection(MessagePart):
    """Rows under a title."""

    title: str | None = Field(default=None, max_length=24)
    rows: tuple[Row, ...] = Field(fail_fast=True, min_length=1, max_length=10)


class ListAction(MessagePart):
    """The label that opens the list, and its sections."""

    button: str = Field(min_length=1, max_length=20)
    sections: tuple[ListSection, ...] = Field(fail_fast=True, min_length=1, max_length=10)

    @model_validator(mode="after")
    def _rows_fit(self) -> ListAction:
        rows = [row.id for section in self.sections for row in section.rows]
        if len(rows) > 10:
            raise ValueError("A list has at most 10 rows in total.")
        _no_doubles(rows, "ids of the rows")
        _titles_where_several(self.sections)
        return self


class ListMenu(Interactive):
    """A text with a list to choose from."""

    headers = frozenset({"text"})

    type: Literal["list"] = "list"
    body: ListBody
    action: ListAction


class CtaUrlParameters(MessagePart):
    """The button's label and URL."""

    display_text: str = Field(min_length=1, max_length=20)
    url: Link


class CtaUrlAction(MessagePart):
    """A button that opens a page."""

    name: Literal["cta_url"] = "cta_url"
    parameters: CtaUrlParameters


class CtaUrl(Interactive):
    """A text with a button that opens a page."""

    type: Literal["cta_url"] = "cta_url"
    body: Body
    action: CtaUrlAction


class FlowParameters(MessagePart):
    """Which Flow to open, and where. `flow_cta`: Meta's schema allows 30 characters, SDKs 20."""

    flow_message_version: Id = "3"
    flow_id: Id | None = None
    flow_name: str | None = None
    flow_cta: str = Field(min_length=1, max_length=30)
    flow_token: str | None = None
    mode: Literal["draft", "published"] | None = None
    flow_action: Literal["navigate", "data_exchange"] | None = None
    flow_action_payload: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> FlowParameters:
        if (self.flow_id is None) == (self.flow_name is None):
            raise ValueError("Give exactly one of flow_id and flow_name.")
        if self.flow_action == "data_exchange" and self.flow_action_payload is not None:
            raise ValueError("Leave flow_action_payload out with data_exchange.")
        data = (self.flow_action_payload or {}).get("data", {"given": True})
        if not isinstance(data, Mapping) or not data:
            raise ValueError("The data of flow_action_payload must be an object that is not empty.")
        return self


class FlowAction(MessagePart):
    """A button that opens a Flow."""

    name: Literal["flow"] = "flow"
    parameters: FlowParameters


class Flow(Interactive):
    """A text with a button that opens a Flow."""

    type: Literal["flow"] = "flow"
    body: Body
    action: FlowAction


class ProductAction(MessagePart):
    """One product of a catalogue."""

    catalog_id: Id
    product_retailer_id: Id


class Product(Interactive):
    """One product; the text is optional."""

    headers = frozenset()

    type: Literal["product"] = "product"
    body: Body | None = None
    action: ProductAction


class ProductItem(MessagePart):
    """One product of a section."""

    product_retailer_id: Id


class ProductSection(MessagePart):
    """Products under a title."""

    title: str | None = Field(default=None, max_length=24)
    product_items: tuple[ProductItem, ...] = Field(fail_fast=True, min_length=1, max_length=30)


class ProductListAction(MessagePart):
    """Products of a catalogue, in sections."""

    catalog_id: Id
    sections: tuple[ProductSection, ...] = Field(fail_fast=True, min_length=1, max_length=10)

    @model_validator(mode="after")
    def _products_fit(self) -> ProductListAction:
        if sum(len(section.product_items) for section in self.sections) > 30:
            raise ValueError("A product list has at most 30 products in total.")
        _titles_where_several(self.sections)
        return self


class ProductList(Interactive):
    """Several products of a catalogue, with a text header."""

    headers = frozenset({"text"})

    type: Literal["product_list"] = "product_list"
    header: Header
    body: Body
    action: ProductListAction


class CatalogAction(MessagePart):
    """The whole catalogue; `parameters` may name the product whose image is shown."""

    name: Literal["catalog_message"] = "catalog_message"
    parameters: dict[str, Any] | None = None


class Catalog(Interactive):
    """A text with a button that opens the catalogue."""

    headers = frozenset()

    type: Literal["catalog_message"] = "catalog_message"
    body: Body
    action: CatalogAction


class LocationRequestAction(MessagePart):
    """The button that sends the customer's location."""

    name: Literal["send_location"] = "send_location"


class LocationRequest(Interactive):
    """A text that asks for the customer's location."""

    headers = frozenset()

    type: Literal["location_request_message"] = "location_request_message"
    body: Body
    action: LocationRequestAction = LocationRequestAction()


class AddressParameters(MessagePart):
    """The form's country and known values (India only, 2.5)."""

    country: str = Field(pattern=r"^[A-Z]{2}$")
    values: dict[str, Any] | None = None
    saved_addresses: tuple[dict[str, Any], ...] | None = Field(default=None, fail_fast=True, max_length=100)
    validation_errors: dict[str, Any] | None = None


class AddressAction(MessagePart):
    """The button that opens the address form."""

    name: Literal["address_message"] = "address_message"
    parameters: AddressParameters


class AddressRequest(Interactive):
    """A text that asks for a postal address."""

    type: Literal["address_message"] = "address_message"
    body: Body
    action: AddressAction


_KNOWN = frozenset(
    {
        "button",
        "list",
        "cta_url",
        "flow",
        "product",
        "product_list",
        "catalog_message",
        "location_request_message",
        "address_message",
    }
)


def _tag(value: Any) -> str:
    type_ = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return f"<{type_}>" if isinstance(type_, str) and type_ in _KNOWN else "<other>"


AnyInteractive = Annotated[
    Annotated[Buttons, Tag("<button>")]
    | Annotated[ListMenu, Tag("<list>")]
    | Annotated[CtaUrl, Tag("<cta_url>")]
    | Annotated[Flow, Tag("<flow>")]
    | Annotated[Product, Tag("<product>")]
    | Annotated[ProductList, Tag("<product_list>")]
    | Annotated[Catalog, Tag("<catalog_message>")]
    | Annotated[LocationRequest, Tag("<location_request_message>")]
    | Annotated[AddressRequest, Tag("<address_message>")]
    | Annotated[Interactive, Tag("<other>")],
    Discriminator(_tag),
]
"""Any interactive content, chosen by its `type`."""


def _no_doubles(values: Sequence[str], what: str) -> None:
    if len(set(values)) < len(values):
        raise ValueError(f"The {what} must differ from one another.")


def _titles_where_several(sections: Sequence[ListSection] | Sequence[ProductSection]) -> None:
    if len(sections) > 1 and any(not section.title for section in sections):
        raise ValueError("Each section needs a title if there is more than one.")
