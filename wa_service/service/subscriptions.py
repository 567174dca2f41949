"""Subscriptions to events: create, change, replay, test."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, get_args

import orjson

from wa_service.push.handshake import HandshakeFailedError, handshake
from wa_service.push.meta_form import meta_envelope
from wa_service.push.pusher import Pusher
from wa_service.resilience.destinations import DestinationPolicy, DestinationRefusedError
from wa_service.resilience.http import HttpAnswer
from wa_service.service.refusals import InvalidRequestError
from wa_service.store.events import Events, Kind
from wa_service.store.subscriptions import META_KINDS, Form, Subscription, Subscriptions

_CURSOR: Final = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class TestResult:
    """A subscriber's answer to the test event: an HTTP status, or the kind of failure."""

    __test__ = False  # not a pytest class

    status: int | None
    failure: str | None


class SubscriptionService:
    """Create, change and test subscriptions. Methods raise LookupError for an unknown id."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        events: Events,
        policy: DestinationPolicy,
        pusher: Pusher,
        numbers: Sequence[str],
        *,
        ca_bundle: Path | None = None,
    ) -> None:
        self._ca_bundle = ca_bundle
        self._subscriptions = subscriptions
        self._events = events
        self._policy = policy
        self._pusher = pusher
        self._numbers = tuple(numbers)

    def create(
        self,
        url: str,
        *,
        form: Form = "event",
        kinds: Sequence[str] = (),
        numbers: Sequence[str] = (),
        verify_token: str | None = None,
        secret: str | None = None,
    ) -> Subscription:
        """Store a subscription to future events; its secret is generated unless given (in Meta's form).

        `verify_token`: make Meta's handshake with the subscriber first.

        Raises:
            InvalidRequestError: the URL is not allowed, a kind or number is unknown, or the handshake failed.
            TooManySubscriptionsError: there are as many as allowed.
        """
        self._check(url=url, kinds=kinds, numbers=numbers, form=form)
        if secret is not None and form != "meta":
            sentence = "In this form the secret is generated; only the form `meta` accepts an existing one."
            raise InvalidRequestError("The request is not valid.", [("secret", sentence)])
        if verify_token is not None:
            try:
                handshake(url, verify_token, self._policy, self._ca_bundle)
            except HandshakeFailedError as error:
                raise InvalidRequestError("The handshake failed.", [("verify_token", str(error))]) from None
        return self._subscriptions.create(
            url,
            form=form,
            kinds=kinds,
            numbers=numbers,
            secret=secret or new_secret(form),
            cursor=self._events.last_cursor(),
        )

    def change(
        self,
        name: str,
        *,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        numbers: Sequence[str] | None = None,
    ) -> Subscription:
        """Change the given fields. Raise InvalidRequestError as `create` does."""
        form = self._subscriptions.get(name).form
        self._check(url=url, kinds=kinds or (), numbers=numbers or (), form=form)
        return self._subscriptions.change(name, url=url, kinds=kinds, numbers=numbers)

    def rotate_secret(self, name: str) -> Subscription:
        """Generate a new secret; for a day the old one signs as well (in Meta's form only the new one signs)."""
        return self._subscriptions.rotate_secret(name, new_secret(self._subscriptions.get(name).form))

    def replay(self, name: str, after: str) -> Subscription:
        """Push everything after a cursor of `GET /v1/events`, again where it was; "0": from the oldest event.

        Raises:
            InvalidRequestError: `after` is not a cursor, or later than the newest event.
        """
        cursor = "0-0" if after == "0" else after
        if not _CURSOR.fullmatch(cursor):
            sentence = "This must be the `cursor` or `next` of an event, or 0."
            raise InvalidRequestError("The request is not valid.", [("after", sentence)])
        newest = self._events.last_cursor()
        if _position(cursor) > _position(newest):
            sentence = f"This must not be after the newest event, {newest}."
            raise InvalidRequestError("The request is not valid.", [("after", sentence)])
        return self._subscriptions.replay(name, cursor)

    def test(self, name: str) -> TestResult:
        """Send a test event now, in any state of the subscription; it is not added to the stream."""
        subscription = self._subscriptions.get(name)
        answer = self._pusher.post(subscription, f"test-{secrets.token_hex(8)}", _test_body(subscription))
        if isinstance(answer, HttpAnswer):
            return TestResult(answer.status, None)
        return TestResult(None, str(answer))

    def _check(self, *, url: str | None, kinds: Sequence[str], numbers: Sequence[str], form: Form) -> None:
        problems: list[tuple[str, str]] = []
        if url is not None:
            try:
                self._policy.resolve(url)
            except DestinationRefusedError as error:
                problems.append(("url", str(error)))
        known = [kind for kind in get_args(Kind) if form == "event" or kind in META_KINDS]
        if not set(kinds) <= set(known):
            problems.append(("kinds", f"In this form a kind must be one of {', '.join(known)}."))
        if not set(numbers) <= set(self._numbers):
            problems.append(("numbers", "A number must be the phone number id of one of this service's numbers."))
        if problems:
            raise InvalidRequestError("The request is not valid.", problems)


def sync_event_urls(subscriptions: Subscriptions, events: Events, urls: Sequence[str], secret: str) -> None:
    """Create the subscriptions of `WA_EVENT_URLS`, and delete those whose URL was removed.

    Raises:
        TooManySubscriptionsError: there are as many as allowed.
    """
    wanted = {f"sub_env_{sha256(url.encode()).hexdigest()[:12]}": url for url in urls}
    found = {each.id: each for each in subscriptions.all() if each.source == "environment"}
    for name in found.keys() - wanted.keys():
        subscriptions.delete(name)
    for name, url in wanted.items():
        if name not in found:
            cursor = events.last_cursor()
            subscriptions.create(
                url, form="event", secret=secret, cursor=cursor, subscription_id=name, source="environment"
            )
        elif not hmac.compare_digest(found[name].secrets[0].encode(), secret.encode()):
            subscriptions.rotate_secret(name, secret)


def new_secret(form: Form) -> str:
    """Return a new secret: `whsec_` and base64 (Standard Webhooks), or hex as Meta's app secrets are."""
    key = secrets.token_bytes(_SECRET_BYTES)
    return key.hex() if form == "meta" else f"whsec_{base64.b64encode(key).decode()}"


def _position(cursor: str) -> tuple[int, int]:
    milliseconds, _, number = cursor.partition("-")
    return int(milliseconds), int(number or 0)


def _test_body(subscription: Subscription) -> bytes:
    if subscription.form == "meta":
        value = {"event": "TEST", "message": "A test of this subscription."}
        data = orjson.dumps({"field": "account_alerts", "waba_id": "0", "value": value})
        return meta_envelope("management", "", data, {}) or b""
    return orjson.dumps({"kind": "test", "data": {"subscription": subscription.id}})
