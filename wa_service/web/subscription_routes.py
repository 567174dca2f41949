"""`/v1/subscriptions`: URLs that events are pushed to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ConfigDict, Field, ValidationError

from wa_service.service.subscriptions import SubscriptionService
from wa_service.store.subscriptions import Subscription, Subscriptions, TooManySubscriptionsError, age_seconds
from wa_service.web.auth import allow
from wa_service.web.bodies import json_object
from wa_service.web.cached_schema import CachedSchemaModel
from wa_service.web.models import Moment, ResponseBody
from wa_service.web.openapi import operation
from wa_service.web.problems import INVALID, NOT_FOUND, ProblemError
from wa_service.whatsapp.outbound.field_problems import problems

Found = TypeVar("Found")


class SubscriptionPath(CachedSchemaModel):
    """Which subscription."""

    id: str = Field(max_length=64, description="The subscription's id.")


class ReplayQuery(CachedSchemaModel):
    """Where to start."""

    after: str = Field(
        max_length=64,
        json_schema_extra={"pattern": "^(0|[0-9]{1,19}-[0-9]{1,19})$"},
        description="The `cursor` of an event or the `next` of a page; 0: from the oldest stored event.",
    )


class NewSubscription(CachedSchemaModel):
    """What to push, and where."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2048, description="Where events are POSTed; public, or in a network of WA_PUSH_ALLOW.")
    form: Literal["event", "meta"] = Field(
        default="event",
        description="`event`: the item of GET /v1/events, signed by Standard Webhooks. `meta`: Meta's own envelope, "
        "signed as X-Hub-Signature-256.",
    )
    kinds: list[str] = Field(default=[], max_length=20, description="Kinds of events; empty: all.")
    numbers: list[str] = Field(default=[], max_length=200, description="Phone number ids; empty: all.")
    verify_token: str | None = Field(
        default=None, max_length=256, description="Verify the URL first by Meta's GET handshake with this token."
    )
    secret: str | None = Field(
        default=None,
        min_length=16,
        max_length=256,
        description="For the form `meta`: an app secret that the receiver already has; default: a generated one.",
    )


class ChangedSubscription(CachedSchemaModel):
    """What to change."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(default=None, max_length=2048)
    kinds: list[str] | None = Field(default=None, max_length=20)
    numbers: list[str] | None = Field(default=None, max_length=200)
    secret: Literal["rotate"] | None = Field(
        default=None,
        description="`rotate`: return a new secret; in the form `event` the old one signs, too, for a day.",
    )


class SubscriptionItem(ResponseBody):
    """A subscription and its state. `secret` is returned only on creation and on rotation.

    `oldest_unsent`: the cursor of the oldest event that was not delivered yet; `lag_seconds`: how long that event has
    waited, also while the subscription is paused. `paused_reason`: `by_hand`, `failing` (for five days) or `gone` (the
    URL answered 410). `waiting`: events up to `cursor` that are queued; those after it are not read yet. `taken`:
    delivered events. `dropped`: events given up after the last retry.
    """

    id: str
    url: str
    form: Literal["event", "meta"]
    kinds: list[str]
    numbers: list[str]
    state: Literal["active", "paused"]
    paused_reason: Literal["by_hand", "failing", "gone"] | None
    paused_at: Moment | None
    created: Moment
    cursor: str
    oldest_unsent: str | None
    lag_seconds: float
    waiting: int
    taken: int
    dropped: int
    failures: int
    last_answer: str | None
    last_answer_at: Moment | None
    secret: str | None = None


class SubscriptionList(ResponseBody):
    """Every subscription, oldest first."""

    items: list[SubscriptionItem]


class SubscriptionTest(ResponseBody):
    """The result: an HTTP status, or the kind of failure."""

    status: int | None
    failure: str | None


class SubscriptionRoutes:
    """The routes of subscriptions."""

    def __init__(self, service: SubscriptionService, subscriptions: Subscriptions) -> None:
        self._service = service
        self._subscriptions = subscriptions

    def add_to(self, api: APIBlueprint) -> None:
        """Add the routes."""
        self._add_collection(api)
        self._add_item(api)
        self._add_actions(api)

    def _add_collection(self, api: APIBlueprint) -> None:
        @api.post("/subscriptions", **operation(201, SubscriptionItem, body=NewSubscription))
        @allow("manage")
        def create_subscription() -> Response:
            """Push future events to a URL.

            Each event is POSTed until it is answered 2xx within 15 seconds, in order within a conversation; at most
            eight times while the URL accepts other events.
            """
            given = _body(NewSubscription)
            try:
                made = self._service.create(
                    given.url,
                    form=given.form,
                    kinds=given.kinds,
                    numbers=given.numbers,
                    verify_token=given.verify_token,
                    secret=given.secret,
                )
            except TooManySubscriptionsError as error:
                raise ProblemError(INVALID, str(error)) from None
            return self._item(made, secret=made.secrets[0]).respond(201)

        @api.get("/subscriptions", **operation(200, SubscriptionList))
        @allow("manage")
        def list_subscriptions() -> Response:
            """List the subscriptions."""
            return SubscriptionList(items=[self._item(each) for each in self._subscriptions.all()]).respond()

    def _add_item(self, api: APIBlueprint) -> None:
        @api.get("/subscriptions/<id>", **operation(200, SubscriptionItem))
        @allow("manage")
        def show_subscription(path: SubscriptionPath) -> Response:
            """Return a subscription with its cursor, lag and last answer."""
            return self._item(_find(self._subscriptions.get, path.id)).respond()

        @api.patch("/subscriptions/<id>", **operation(200, SubscriptionItem, body=ChangedSubscription))
        @allow("manage")
        def change_subscription(path: SubscriptionPath) -> Response:
            """Change URL, kinds or numbers, or rotate the secret."""
            given = _body(ChangedSubscription, optional=True)
            changed = _find(
                lambda name: self._service.change(name, url=given.url, kinds=given.kinds, numbers=given.numbers),
                path.id,
            )
            if given.secret is None:
                return self._item(changed).respond()
            changed = _find(self._service.rotate_secret, path.id)
            return self._item(changed, secret=changed.secrets[0]).respond()

        @api.delete("/subscriptions/<id>", **operation(204, None))
        @allow("manage")
        def delete_subscription(path: SubscriptionPath) -> Response:
            """Delete a subscription and its queued events."""
            if not self._subscriptions.delete(path.id):
                raise _unknown()
            return Response(status=204)

    def _add_actions(self, api: APIBlueprint) -> None:
        @api.post("/subscriptions/<id>/pause", **operation(200, SubscriptionItem))
        @allow("manage")
        def pause_subscription(path: SubscriptionPath) -> Response:
            """Pause pushing until it is resumed."""
            return self._item(_find(self._subscriptions.pause, path.id)).respond()

        @api.post("/subscriptions/<id>/resume", **operation(200, SubscriptionItem))
        @allow("manage")
        def resume_subscription(path: SubscriptionPath) -> Response:
            """Resume pushing, from where it stopped."""
            return self._item(_find(self._subscriptions.resume, path.id)).respond()

        @api.post("/subscriptions/<id>/replay", **operation(200, SubscriptionItem))
        @allow("manage")
        def replay_subscription(path: SubscriptionPath, query: ReplayQuery) -> Response:
            """Push every event after a cursor, also those that were pushed before."""
            return self._item(_find(lambda name: self._service.replay(name, query.after), path.id)).respond()

        @api.post("/subscriptions/<id>/test", **operation(200, SubscriptionTest))
        @allow("manage")
        def test_subscription(path: SubscriptionPath) -> Response:
            """Send one test event now, and return the result."""
            result = _find(self._service.test, path.id)
            return SubscriptionTest(status=result.status, failure=result.failure).respond()

    def _item(self, subscription: Subscription, *, secret: str | None = None) -> SubscriptionItem:
        oldest = self._subscriptions.oldest_unsent(subscription)
        return SubscriptionItem(
            id=subscription.id,
            url=subscription.url,
            form=subscription.form,
            kinds=list(subscription.kinds),
            numbers=list(subscription.numbers),
            state=subscription.state,
            paused_reason=subscription.paused_reason or None,
            paused_at=subscription.paused_at or None,
            created=subscription.created,
            cursor=subscription.cursor,
            oldest_unsent=oldest or None,
            lag_seconds=round(age_seconds(oldest), 3),
            waiting=subscription.waiting,
            taken=subscription.taken,
            dropped=subscription.dropped,
            failures=subscription.failures,
            last_answer=subscription.last_answer or None,
            last_answer_at=subscription.last_answer_at or None,
            secret=secret,
        )


Body = TypeVar("Body", bound=CachedSchemaModel)


def _body(model: type[Body], *, optional: bool = False) -> Body:
    given: dict[str, Any] = json_object(optional=optional)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise ProblemError(INVALID, "The body is not valid.", fields=problems(error)) from None


def _find(act: Callable[[str], Found], name: str) -> Found:
    """Return what `act` returns for a subscription; 404 if there is none."""
    try:
        return act(name)
    except LookupError:
        raise _unknown() from None


def _unknown() -> ProblemError:
    return ProblemError(NOT_FOUND, "There is no such subscription.")
