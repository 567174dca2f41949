"""`/v1/contacts`: what is known of a customer, and its erasure."""

from __future__ import annotations

import time

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from wa_service.store.contacts import Contact, Contacts, NobodysAddressError
from wa_service.web.auth import allow
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import Moment, ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, NOT_FOUND, ProblemError


class ContactPath(CachedSchemaModel):
    """Which customer."""

    id: str = Field(max_length=256, description="A phone number, a business-scoped user id or a group's id.")


class ServiceWindow(ResponseBody):
    """A customer's service window on one number of ours: until it ends, messages need no template."""

    phone_number_id: str
    open: bool
    ends: Moment | None
    last_inbound: Moment | None


class ContactCard(ResponseBody):
    """What is known of a customer. `window_open`: on any of our numbers."""

    id: str
    name: str | None
    addresses: list[str]
    window_open: bool
    windows: list[ServiceWindow]

    @classmethod
    def of(cls, found: list[Contact], now_ms: int) -> ContactCard:
        """Return the card of one customer's contacts, at least one, on our several numbers."""
        windows = [
            ServiceWindow(
                phone_number_id=contact.number,
                open=contact.window_end is not None and contact.window_end > now_ms,
                ends=contact.window_end,
                last_inbound=contact.last_in,
            )
            for contact in found
        ]
        addresses = list(dict.fromkeys(address for contact in found for address in contact.addresses))
        return cls(
            id=found[0].address,
            name=next((contact.name for contact in found if contact.name), None),
            addresses=addresses,
            window_open=any(window.open for window in windows),
            windows=windows,
        )


class Erased(ResponseBody):
    """How many keys and entries were erased."""

    erased: int


def add_contact_routes(api: APIBlueprint, contacts: Contacts) -> None:
    """Add the routes."""

    @api.get("/contacts/<id>", **operation(200, ContactCard))
    @allow("read")
    def show_contact(path: ContactPath) -> Response:
        """Return a customer's addresses and service windows."""
        found = contacts.find(path.id)
        if not found:
            raise ProblemError(NOT_FOUND, "No customer is known under this address.")
        return ContactCard.of(found, int(time.time() * 1000)).respond()

    @api.delete("/contacts/<id>", **operation(200, Erased))
    @allow("admin")
    def forget_contact(path: ContactPath) -> Response:
        """Erase a person: addresses, messages, records, events, dead letters.

        By a phone number, a business-scoped user id, or any other address that is known.
        """
        try:
            return Erased(erased=contacts.forget(path.id)).respond()
        except NobodysAddressError as error:
            raise ProblemError(INVALID, fields=[("id", str(error))]) from None
