"""`/v1/batches`: many messages in one call, watched, paused, resumed and canceled together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
from flask import Response, g, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ConfigDict, Field

from wa_service.config.api_keys import ApiKey
from wa_service.service.batch_request import BatchRequest, check_size, read_batch, read_lines
from wa_service.service.batches import BatchService, fingerprint_of
from wa_service.service.costs import CostService
from wa_service.store.batches import Batch, BatchPhase, ItemProblem
from wa_service.web.auth import allow, caller_name
from wa_service.web.bodies import NDJSON, NDJSON_TYPES, whole_body
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.cost_routes import CostItem
from wa_service.web.message_routes import REPLAYED, idempotency_key
from wa_service.web.models import FieldProblem, Moment, ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import FORBIDDEN, INVALID, MEDIA_TYPE, NOT_FOUND, ProblemError

LARGEST_BATCH: Final = 16 * 1024 * 1024
MOST_REFUSED_TOLD: Final = 1_000


class BatchPath(CachedSchemaModel):
    """Which batch."""

    id: str = Field(max_length=64, description="The batch's id.")


class BatchQuery(CachedSchemaModel):
    """Which part of a list."""

    after: str = Field(default="", pattern="^[0-9]{0,9}$", description="The `next` of the page before.")
    limit: int = Field(default=100, ge=1, le=1000, description="Maximum number of items.")


class StopRule(ResponseBody):
    """Pause the batch once `failed_share` of the messages sent have failed, checked from `after` messages on."""

    model_config = ConfigDict(extra="forbid")

    failed_share: Annotated[float, Field(gt=0, le=1)]
    after: Annotated[int, Field(ge=1, le=10_000)]


class NewBatchBody(CachedSchemaModel):
    """One message, and values for each customer: `{{ name }}` in the message is replaced by the item's value.

    As `application/x-ndjson`, each line is a complete message as for `POST /v1/messages`; a first line
    `{"batch": {…}}` may hold `send_at`, `tag`, `quiet` and `stop_when`.
    """

    model_config = ConfigDict(extra="forbid")

    template: dict[str, Any] | None = Field(default=None, description="A template, in either form.")
    message: dict[str, Any] | None = Field(default=None, description="Or any other message object.")
    items: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=10_000,
        description="One per customer: `to` (or `recipient`), values; for a template `header`, `body`, `buttons`.",
    )
    from_: Annotated[str | None, Field(alias="from", description="Our phone number id; default: the first one.")] = None
    ttl: int | None = Field(default=None, ge=1, description="Seconds that an item may wait, from the batch's start.")
    take: bool | None = Field(default=None, description="Send although another application owns a customer's thread.")
    category: str | None = Field(default=None, description="Meta's Direct Send.")
    send_at: str | float | None = Field(default=None, description="When to begin: RFC 3339, or Unix seconds.")
    tag: str | None = Field(default=None, min_length=1, max_length=64, description="Your label, for lists.")
    quiet: str | None = Field(
        default=None,
        description="Hours in which nothing is sent: `21:00-08:00 Europe/Berlin`, or without a zone in the customer's.",
    )
    stop_when: StopRule | None = None


class RefusedItem(ResponseBody):
    """An item that was refused: its index in the request, and why."""

    index: int
    problem: str
    errors: list[FieldProblem]

    @classmethod
    def of(cls, item: ItemProblem) -> RefusedItem:
        """Return a refused item as its caller sees it."""
        errors = [FieldProblem(field=field, detail=sentence) for field, sentence in item.fields]
        return cls(index=item.index, problem=item.sentence, errors=errors)


class BatchAccepted(ResponseBody):
    """A stored batch: how many items were taken, how many were refused, and the first 1,000 of these.

    `GET /v1/batches/{id}/refused` lists all of them.
    """

    id: str
    taken: int
    refused_count: int
    refused: list[RefusedItem]


class RefusedPage(ResponseBody):
    """Refused items, by index. Give `next` as `after` for the next page; null on the last."""

    items: list[RefusedItem]
    next: str | None


class BatchState(ResponseBody):
    """A batch and its progress.

    `counts`: items by status (`scheduled`: waits in the batch, `queued`: waits in its customer's lane). `reasons`:
    failed items by Meta's code or our reason. `first` and `last`: when the first and the latest item were sent.
    `reason`: why it is paused.
    """

    id: str
    state: BatchPhase
    reason: str | None
    tag: str | None
    template: str | None
    quiet: str | None
    stop_when: StopRule | None
    created: Moment
    send_at: Moment | None
    total: int
    refused: int
    counts: dict[str, int]
    reasons: dict[str, int]
    first: Moment | None
    last: Moment | None
    by: Annotated[str, Field(description="The API key that created it.")]

    @classmethod
    def of(cls, batch: Batch) -> BatchState:
        """Return a batch as its caller sees it."""
        stop = batch.stop_when
        return cls(
            id=batch.id,
            state=batch.state,
            reason=batch.reason,
            tag=batch.tag,
            template=batch.template,
            quiet=batch.quiet,
            stop_when=StopRule(failed_share=stop.failed_share, after=stop.after) if stop else None,
            created=batch.created,
            send_at=batch.send_at,
            total=batch.total,
            refused=batch.refused,
            counts=dict(batch.counts),
            reasons=dict(batch.reasons),
            first=batch.first,
            last=batch.last,
            by=batch.caller,
        )


class BatchDetail(BatchState):
    """A batch, its progress, and what was charged for it."""

    cost: CostItem


class BatchPage(ResponseBody):
    """Batches, newest first. Give `next` as `after` for the next page; null on the last."""

    items: list[BatchState]
    next: str | None


@dataclass(frozen=True, slots=True)
class BatchRoutes:
    """The routes of batches."""

    service: BatchService
    costs: CostService

    def add_to(self, api: APIBlueprint) -> None:
        """Add the routes."""

        @api.post("/batches", **operation(202, BatchAccepted, body=NewBatchBody, sends="batch"))
        @allow("send")
        def send_batch() -> Response:
            """Send up to 10,000 messages.

            Each item is checked like a message to `POST /v1/messages`. Refused items are listed by their index; the
            others are sent, after messages of higher priority. With an Idempotency-Key the call may be retried until
            it is answered: it resumes where it stopped, and nothing is sent before the whole batch is stored.
            """
            body = whole_body(LARGEST_BATCH)
            taken = self.service.submit(
                _request(body, self.service.schedule_days),
                caller=caller_name(),
                fingerprint=fingerprint_of(body),
                idempotency=idempotency_key(),
            )
            headers = {"Location": f"/v1/batches/{taken.id}"} | (REPLAYED if taken.is_replay else {})
            accepted = BatchAccepted(
                id=taken.id,
                taken=taken.taken,
                refused_count=len(taken.refused),
                refused=[RefusedItem.of(item) for item in taken.refused[:MOST_REFUSED_TOLD]],
            )
            return accepted.respond(202, headers)

        @api.get("/batches", **operation(200, BatchPage))
        @allow("read")
        def list_batches(query: BatchQuery) -> Response:
            """List batches, newest first."""
            found, following = self.service.page(query.after, query.limit)
            return BatchPage(items=[BatchState.of(batch) for batch in found], next=following).respond()

        @api.get("/batches/<id>", **operation(200, BatchDetail))
        @allow("read")
        def show_batch(path: BatchPath) -> Response:
            """Return a batch and its progress."""
            batch = self.service.get(path.id)
            if batch is None:
                return _found(None)
            cost = CostItem.of(self.costs.price_of(batch.prices))
            return BatchDetail(**dict(BatchState.of(batch)), cost=cost).respond()

        @api.get("/batches/<id>/refused", **operation(200, RefusedPage))
        @allow("read")
        def list_refused(path: BatchPath, query: BatchQuery) -> Response:
            """List the refused items of a batch, by their index in the request."""
            if self.service.get(path.id) is None:
                return _found(None)
            found, following = self.service.refused(path.id, query.after, query.limit)
            return RefusedPage(items=[RefusedItem.of(item) for item in found], next=following).respond()

        @api.post("/batches/<id>/pause", **operation(200, BatchState))
        @allow("send")
        def pause_batch(path: BatchPath) -> Response:
            """Pause a batch: send nothing more of it until it is resumed."""
            return self._change(path.id, self.service.pause)

        @api.post("/batches/<id>/resume", **operation(200, BatchState))
        @allow("send")
        def resume_batch(path: BatchPath) -> Response:
            """Resume a paused batch; earlier failures no longer count towards `stop_when`."""
            return self._change(path.id, self.service.resume)

        @api.delete("/batches/<id>", **operation(200, BatchState))
        @allow("send")
        def cancel_batch(path: BatchPath) -> Response:
            """Cancel everything of a batch that has not been sent. Safe to repeat."""
            return self._change(path.id, self.service.cancel)

    def _change(self, batch_id: str, change: Callable[[str], Batch | None]) -> Response:
        """Change a batch; another API key's batch requires the role `manage`."""
        batch = self.service.get(batch_id)
        if batch is not None:
            require_own(batch, g.api_key)
        return _found(change(batch_id) if batch is not None else None)


def may_change(batch: Batch, key: ApiKey) -> bool:
    """Whether a key may pause, resume or cancel a batch: its own, or with the role `manage` any."""
    return batch.caller == key.name or "manage" in key.roles


def require_own(batch: Batch, key: ApiKey) -> None:
    """Raise ProblemError if a key may not change a batch."""
    if not may_change(batch, key):
        raise ProblemError(FORBIDDEN, "Another API key's batch needs the role `manage`.")


def _found(batch: Batch | None) -> Response:
    if batch is None:
        raise ProblemError(NOT_FOUND, "There is no batch with this id.")
    return BatchState.of(batch).respond()


def _request(body: bytes, schedule_days: int) -> BatchRequest:
    check_size(body)
    if request.mimetype in NDJSON_TYPES:
        return read_lines(body, schedule_days=schedule_days)
    if not request.is_json:
        raise ProblemError(MEDIA_TYPE, f"Send JSON as application/json, or one message per line as {NDJSON}.")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ProblemError(INVALID, "The body is not valid JSON.") from None
    if not isinstance(given, dict):
        raise ProblemError(INVALID, "The body is not a JSON object.")
    return read_batch(given, schedule_days=schedule_days)
