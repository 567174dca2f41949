"""The REST API for internal tools, `/v1`: its routes, each with who may call it. What they do is next door."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ValidationError

from wa_service.runtime import Runtime
from wa_service.service.intake import Intake
from wa_service.service.replay import MailboxFullError, NotReplayableError, replay
from wa_service.service.template_cache import Templates
from wa_service.store.contacts import NobodysAddressError
from wa_service.store.dead_letters import DeadLetter
from wa_service.store.inbox import UnreadableEventError, read_event
from wa_service.web import event_feed, media, models
from wa_service.web.auth import allow
from wa_service.web.bodies import json_object
from wa_service.web.messages import Messages
from wa_service.web.openapi import describe
from wa_service.web.parameters import (
    ContactPath,
    EventQuery,
    LetterPath,
    LetterQuery,
    MediaPath,
    MessagePath,
    NumberQuery,
    ReadMark,
    WamidPath,
)
from wa_service.web.problems import (
    INVALID,
    MAILBOX_FULL,
    NO_ROOM,
    NOT_CONFIGURED,
    NOT_FOUND,
    UNREADABLE,
    ProblemError,
)
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.whatsapp.outbound.field_problems import problems

_MAILBOX_RETRY_SECONDS = 60.0
Client = Callable[[str | None], WhatsAppMetaClient]


def api_blueprint(runtime: Runtime, intake: Intake) -> APIBlueprint:
    """Every route of the REST API."""
    api = APIBlueprint("v1", __name__, url_prefix="/v1", operation_id_callback=_operation_id)
    templates = Templates(_fetch_templates(runtime))
    client = partial(_client, runtime)
    _add_messages(api, runtime, Messages(runtime, templates), client)
    _add_media(api, client)
    _add_templates(api, runtime, templates)
    _add_events(api, runtime)
    _add_contacts(api, runtime)
    _add_dead_letters(api, runtime, intake)
    return api


def _add_messages(api: APIBlueprint, runtime: Runtime, messages: Messages, client: Client) -> None:
    @api.post("/messages", **describe(200, models.MessageRecord, accepted=True, body="SendMessage", sends=True))
    @allow("send")
    def send_message() -> Response:
        """Send a message.

        Meta's own message object, and three fields of ours beside it. The answer waits a moment for Meta's.
        """
        return messages.send(json_object())

    @api.get("/messages/<message_id:id>", **describe(200, models.MessageRecord))
    @allow("read")
    def show_message(path: MessagePath) -> Response:
        """What became of a message."""
        return messages.show(path.id)

    @api.post("/messages/<wamid:wamid>/read", **describe(200, models.Done, body=ReadMark))
    @allow("send")
    def mark_read(path: WamidPath) -> Response:
        """Mark a customer's message, and all before it, as read.

        It counts as a message of the number's throughput, so it may have to wait.
        """
        mark = _read_mark()
        meta = client(mark.from_)
        if not runtime.outbox.reserve_spare(meta.phone_number_id):
            raise ProblemError(NO_ROOM, retry_after=1.0)
        meta.mark_as_read(path.wamid, typing=mark.typing)
        return models.Done().respond()


def _add_media(api: APIBlueprint, client: Client) -> None:
    @api.post("/media", **describe(200, models.Uploaded, body="UploadForm"))
    @allow("send")
    def upload_media(query: NumberQuery) -> Response:
        """Upload a file of up to 100 MB; its id lives 30 days."""
        return models.Uploaded(id=media.upload(client(query.from_))).respond()

    @api.get("/media/<id>", **describe(200, None))
    @allow("read")
    def download_media(path: MediaPath, query: NumberQuery) -> Response:
        """Download a file that a customer sent (for 7 days) or that was uploaded (for 30)."""
        return media.download(client(query.from_), path.id)

    @api.delete("/media/<id>", **describe(204, None))
    @allow("admin")
    def delete_media(path: MediaPath, query: NumberQuery) -> Response:
        """Delete a file at Meta."""
        client(query.from_).delete_media(path.id)
        return Response(status=204)


def _add_templates(api: APIBlueprint, runtime: Runtime, templates: Templates) -> None:
    @api.get("/templates", **describe(200, models.TemplateList))
    @allow("read")
    def list_templates() -> Response:
        """The business account's templates, at most a minute old."""
        if runtime.settings.business_account_id is None:
            raise ProblemError(NOT_CONFIGURED, "Templates need WHATSAPP_BUSINESS_ACCOUNT_ID.")
        return models.TemplateList(items=[dict(item) for item in templates.all()]).respond()


def _add_events(api: APIBlueprint, runtime: Runtime) -> None:
    @api.get("/events", **describe(200, models.EventPage))
    @allow("read")
    def list_events(query: EventQuery) -> Response:
        """What customers wrote, and what became of sends.

        In the order in which it was stored. Give the answer's `next` as `after` to go on.
        """
        return event_feed.page(runtime.events, query.after, query.wait, query.limit).respond()


def _add_contacts(api: APIBlueprint, runtime: Runtime) -> None:
    @api.get("/contacts/<id>", **describe(200, models.ContactCard))
    @allow("read")
    def show_contact(path: ContactPath) -> Response:
        """A customer's addresses and service windows."""
        found = runtime.contacts.find(path.id)
        if not found:
            raise ProblemError(NOT_FOUND, "No customer is known under this address.")
        return models.ContactCard.of(found, int(time.time() * 1000)).respond()

    @api.delete("/contacts/<id>", **describe(200, models.Erased))
    @allow("admin")
    def forget_contact(path: ContactPath) -> Response:
        """Erase a person: addresses, messages, records, events, dead letters.

        By a phone number, a business-scoped user id, or any other address that is known.
        """
        try:
            return models.Erased(erased=runtime.contacts.forget(path.id)).respond()
        except NobodysAddressError as error:
            raise ProblemError(INVALID, fields=[("id", str(error))]) from None


def _add_dead_letters(api: APIBlueprint, runtime: Runtime, intake: Intake) -> None:
    letters = runtime.dead_letters

    @api.get("/dead-letters", **describe(200, models.LetterPage))
    @allow("read")
    def list_dead_letters(query: LetterQuery) -> Response:
        """Events that could not be handled, oldest first."""
        found, following = letters.page(query.after, query.limit)
        return models.LetterPage(items=[_letter(letter) for letter in found], next=following).respond()

    @api.post("/dead-letters/<id>/replay", **describe(200, models.Done))
    @allow("send")
    def replay_dead_letter(path: LetterPath) -> Response:
        """Handle it once more, after what waits for its customer."""
        try:
            replay(runtime, intake, path.id)
        except LookupError:
            raise _no_letter() from None
        except MailboxFullError as reason:
            raise ProblemError(MAILBOX_FULL, str(reason), retry_after=_MAILBOX_RETRY_SECONDS) from None
        except NotReplayableError as reason:
            raise ProblemError(UNREADABLE, str(reason)) from None
        return models.Done().respond()

    @api.delete("/dead-letters/<id>", **describe(204, None))
    @allow("admin")
    def drop_dead_letter(path: LetterPath) -> Response:
        """Throw it away."""
        if not letters.drop(path.id):
            raise _no_letter()
        return Response(status=204)


def _client(runtime: Runtime, number: str | None) -> WhatsAppMetaClient:
    """The client of one of our numbers, the first one where none is named."""
    client = runtime.clients.get(runtime.numbers[0] if number is None else number)
    if client is None:
        sentence = "This must be the phone number id of one of this service's numbers."
        raise ProblemError(INVALID, fields=[("from", sentence)])
    return client


def _fetch_templates(runtime: Runtime) -> Callable[[], Sequence[dict[str, Any]]] | None:
    if runtime.settings.business_account_id is None:
        return None
    client = runtime.clients[runtime.numbers[0]]
    return lambda: list(client.list_templates())


def _read_mark() -> ReadMark:
    try:
        return ReadMark.model_validate(json_object(optional=True))
    except ValidationError as error:
        raise ProblemError(INVALID, "The body is not valid.", fields=problems(error)) from None


def _letter(letter: DeadLetter) -> models.Letter:
    try:
        event = read_event(letter.event).piece.raw
    except UnreadableEventError:
        event = letter.event.decode()
    return models.Letter.of(letter, event)


def _no_letter() -> ProblemError:
    return ProblemError(NOT_FOUND, "There is no such dead letter.")


def _operation_id(*, name: str, path: str, method: str) -> str:  # noqa: ARG001 - flask-openapi3's signature
    """The function's own name: docs and clients call the operation like it."""
    return name
