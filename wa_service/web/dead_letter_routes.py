"""`/v1/dead-letters`: events that could not be handled; list, replay and drop them."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from wa_service.service.replay import MailboxFullError, NotReplayableError, ReplayService
from wa_service.store.dead_letters import DeadLetter, DeadLetters
from wa_service.store.stored_event import UnreadableEventError, read_event
from wa_service.web.auth import allow
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import Moment, ResponseBody, Success
from wa_service.web.openapi import operation
from wa_service.web.problems import MAILBOX_FULL, NOT_FOUND, UNREADABLE, ProblemError

_MAILBOX_RETRY_SECONDS = 60.0


class DeadLetterPath(CachedSchemaModel):
    """Which dead letter."""

    id: str = Field(max_length=256, description="The dead letter's id.")


class DeadLetterQuery(CachedSchemaModel):
    """Which page of dead letters."""

    after: str = Field(
        default="", pattern=r"^([0-9]{1,15}-[0-9a-f]{1,64})?$", description="The `next` of the page before."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="At most so many.")


class DeadLetterItem(ResponseBody):
    """An event that could not be handled.

    `kind`: `failed` (its handling failed too often), `crashed` (it ended its process), `flood` (its mailbox was full,
    or it is large and its customer has sent too much in a day) or `malformed` (it cannot be read). `event` is Meta's
    own object, unchanged, or the stored text if this version cannot read it.
    """

    id: str
    kind: str
    reason: str
    tries: int
    time: Moment
    phone_number_id: str | None
    contact: str | None
    event: Any

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterItem:
        """Return a dead letter as its caller sees it."""
        return cls(
            id=letter.id,
            kind=letter.kind,
            reason=letter.reason,
            tries=letter.tries,
            time=letter.time,
            phone_number_id=letter.number or None,
            contact=letter.conversation.partition(":")[2] or None,
            event=_event(letter),
        )


class DeadLetterPage(ResponseBody):
    """Dead letters, oldest first. Give `next` as `after` for the next page; null on the last."""

    items: list[DeadLetterItem]
    next: str | None


def add_dead_letter_routes(api: APIBlueprint, letters: DeadLetters, replay: ReplayService) -> None:
    """Add the routes."""

    @api.get("/dead-letters", **operation(200, DeadLetterPage))
    @allow("read")
    def list_dead_letters(query: DeadLetterQuery) -> Response:
        """List events that could not be handled, oldest first."""
        found, following = letters.page(query.after, query.limit)
        return DeadLetterPage(items=[DeadLetterItem.of(letter) for letter in found], next=following).respond()

    @api.post("/dead-letters/<id>/replay", **operation(200, Success))
    @allow("send")
    def replay_dead_letter(path: DeadLetterPath) -> Response:
        """Handle a dead letter again, after what waits for its customer."""
        try:
            replay.replay(path.id)
        except LookupError:
            raise _not_found() from None
        except MailboxFullError as reason:
            raise ProblemError(MAILBOX_FULL, str(reason), retry_after=_MAILBOX_RETRY_SECONDS) from None
        except NotReplayableError as reason:
            raise ProblemError(UNREADABLE, str(reason)) from None
        return Success().respond()

    @api.delete("/dead-letters/<id>", **operation(204, None))
    @allow("admin")
    def drop_dead_letter(path: DeadLetterPath) -> Response:
        """Delete a dead letter."""
        if not letters.drop(path.id):
            raise _not_found()
        return Response(status=204)


def _event(letter: DeadLetter) -> Any:
    try:
        return read_event(letter.event).piece.raw
    except UnreadableEventError:
        return letter.event.decode()


def _not_found() -> ProblemError:
    return ProblemError(NOT_FOUND, "There is no such dead letter.")
