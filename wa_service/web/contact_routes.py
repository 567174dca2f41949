"""`/v1/contacts`: what is known of a customer, and its erasure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field, ValidationError

from wa_service.service.conversation_view import ConversationPage, ConversationView, ThreadMessage
from wa_service.store.contacts import Contact, Contacts, UnknownAddressError
from wa_service.store.stops import Stops, StopState
from wa_service.web.auth import allow
from wa_service.web.bodies import json_object
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import Moment, ResponseBody, Stopped
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, NOT_FOUND, ProblemError
from wa_service.whatsapp.outbound.field_problems import problems


class ContactPath(CachedSchemaModel):
    """Which customer."""

    id: str = Field(max_length=256, description="A phone number, a business-scoped user id or a group's id.")


class ServiceWindow(ResponseBody):
    """A customer's service window on one number of ours: until it ends, messages need no template."""

    phone_number_id: str
    open: bool
    ends: Moment | None
    last_inbound: Moment | None
    paused_until: Annotated[Moment | None, Field(description="Until then the responder does not answer: staff write.")]
    owner: Annotated[
        Literal["us", "other", "idle"],
        Field(description="Who owns the thread: us, another application, or nobody after a day without messages."),
    ]


class ContactCard(ResponseBody):
    """What is known of a customer. `window_open`: on any of our numbers."""

    id: str
    name: str | None
    addresses: list[str]
    window_open: bool
    windows: list[ServiceWindow]
    stopped: Annotated[Stopped | None, Field(description="Since when the customer wants no marketing; null: no STOP.")]

    @classmethod
    def of(cls, found: list[Contact], now_ms: int, stopped: StopState | None) -> ContactCard:
        """Return the card of a customer from their contacts (at least one), one for each of our numbers."""
        windows = [
            ServiceWindow(
                phone_number_id=contact.number,
                open=contact.window_end is not None and contact.window_end > now_ms,
                ends=contact.window_end,
                last_inbound=contact.last_in,
                paused_until=contact.paused_until if (contact.paused_until or 0) > now_ms else None,
                owner=contact.owner(now_ms),
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
            stopped=Stopped.of(stopped),
        )


class PauseRequest(CachedSchemaModel):
    """For how long the responder does not answer."""

    seconds: float = Field(ge=1, le=30 * 86_400, allow_inf_nan=False, strict=True)


class Paused(ResponseBody):
    """Until when the responder does not answer; null: it answers."""

    paused_until: Moment | None


class ThreadQuery(CachedSchemaModel):
    """Which part of a conversation."""

    number: str | None = Field(
        default=None, max_length=64, description="Our phone number id; default: the one they wrote to last."
    )
    after: str = Field(default="", max_length=256, description="The `next` of the page before.")
    limit: int = Field(default=50, ge=1, le=200, description="At most so many.")


class ThreadEntry(ResponseBody):
    """One message of a conversation.

    `direction`: `in` (a customer wrote), `out` (this service sent it) or `echo` (staff or another application wrote).
    `id` is Meta's for a received message, ours for a send. `message` is Meta's own object; that of a send is kept as
    long as the send, or until the server's memory is nearly full. `transcript`, `intent`, `score`: of a received
    message. `answers`: the ids of the messages that answer it.
    `quiet`: why the responder did not answer: `paused`, `reply_limit`, `other_application`, `group`, `stale`, `flood`.
    """

    id: str
    direction: Literal["in", "out", "echo"]
    time: Moment
    type: str
    status: str | None
    message: dict[str, Any]
    transcript: str | None
    intent: str | None
    score: float | None
    quiet: str | None
    answers: list[str]
    error: dict[str, Any] | None

    @classmethod
    def of(cls, message: ThreadMessage, answers: Mapping[str, list[str]]) -> ThreadEntry:
        """Return a message as its caller sees it; `answers`: the ids of sends by what they answer."""
        return cls(
            id=message.id,
            direction=message.direction if message.direction != "event" else "echo",
            time=message.at,
            type=message.content.type,
            status=message.status,
            message=dict(message.raw),
            transcript=message.transcript,
            intent=message.intent,
            score=message.score,
            quiet=message.quiet,
            answers=answers.get(message.reference, []) if message.reference else [],
            error=dict(message.error) if message.error else None,
        )


class ThreadPage(ResponseBody):
    """A conversation with one of our numbers, newest first. `next` is the next page's `after`; null on the last."""

    phone_number_id: str
    items: list[ThreadEntry]
    next: str | None

    @classmethod
    def of(cls, page: ConversationPage) -> ThreadPage:
        """Return a page of a conversation as its caller sees it."""
        answers: dict[str, list[str]] = {}
        for message in (*page.messages, *page.later):
            if message.answers:
                answers.setdefault(message.answers, []).append(message.id)
        shown = [message for message in page.messages if message.direction != "event"]
        items = [ThreadEntry.of(message, answers) for message in reversed(shown)]
        return cls(phone_number_id=page.contact.number, items=items, next=page.older)


class Erased(ResponseBody):
    """How many keys and entries were erased."""

    erased: int


def add_contact_routes(api: APIBlueprint, contacts: Contacts, conversations: ConversationView, stops: Stops) -> None:
    """Add the routes."""

    @api.get("/contacts/<id>/messages", **operation(200, ThreadPage))
    @allow("read")
    def list_contact_messages(path: ContactPath, query: ThreadQuery) -> Response:
        """List a conversation: messages of the customer, of this service and of staff.

        Reaches back over the last 1,000 entries, newest first. A page may be shorter than `limit` and still have a
        next one.
        """
        try:
            page = conversations.of_address(path.id, query.number, query.after, query.limit)
        except LookupError:
            raise ProblemError(INVALID, fields=[("after", "Give the `next` of an earlier page.")]) from None
        if page is None:
            raise ProblemError(NOT_FOUND, "No customer is known under this address.")
        return ThreadPage.of(page).respond()

    @api.get("/contacts/<id>", **operation(200, ContactCard))
    @allow("read")
    def show_contact(path: ContactPath) -> Response:
        """Return a customer's addresses and service windows."""
        found = contacts.find(path.id)
        if not found:
            raise ProblemError(NOT_FOUND, "No customer is known under this address.")
        return ContactCard.of(found, int(time.time() * 1000), stops.find(found[0].address)).respond()

    @api.put("/contacts/<id>/pause", **operation(200, Paused, body=PauseRequest))
    @allow("send")
    def pause_answers(path: ContactPath) -> Response:
        """Pause the responder for this customer, so that staff can take over.

        Replies that wait are withdrawn; a reply that is being made is dropped.
        """
        return _paused(contacts.pause(path.id, _pause_request().seconds))

    @api.delete("/contacts/<id>/pause", **operation(200, Paused))
    @allow("send")
    def resume_answers(path: ContactPath) -> Response:
        """Let the responder answer this customer again."""
        return _paused(contacts.pause(path.id, 0))

    @api.delete("/contacts/<id>", **operation(200, Erased))
    @allow("admin")
    def forget_contact(path: ContactPath) -> Response:
        """Erase a person: addresses, messages, records, events, dead letters.

        Takes a phone number, a business-scoped user id, or any other known address.
        """
        try:
            return Erased(erased=contacts.forget(path.id)).respond()
        except UnknownAddressError as error:
            raise ProblemError(INVALID, fields=[("id", str(error))]) from None


def _paused(until: int | None) -> Response:
    if until is None:
        raise ProblemError(NOT_FOUND, "No customer is known under this address.")
    return Paused(paused_until=until or None).respond()


def _pause_request() -> PauseRequest:
    try:
        return PauseRequest.model_validate(json_object())
    except ValidationError as error:
        raise ProblemError(INVALID, "The body is not valid.", fields=problems(error)) from None
