"""Deliver an event to a subscriber: serialise it in the subscriber's form, sign it, POST it, evaluate the answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, Literal, Protocol

import orjson
from standardwebhooks import Webhook

from wa_service.observability import log
from wa_service.push.event_form import event_body
from wa_service.push.meta_form import SIGNATURE_HEADER, meta_envelope, sign
from wa_service.resilience.http import HttpAnswer, HttpCallError
from wa_service.store.events import Entry
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.subscriptions import RETRY_SECONDS, Delivery, Failure, Subscription
from wa_service.whatsapp.errors import retry_after_seconds

ANSWER_SECONDS = 15.0
LONGEST_RETRY_AFTER = 3_600.0
JITTER = 0.1
GONE = 410
DISPLAY_NUMBER_SECONDS = 60.0
_MOST_SIGNERS: Final = 128


class Post(Protocol):
    """POSTs bytes, as `HttpCaller.notify` does; raises HttpCallError."""

    def __call__(self, url: str, *, seconds: float, headers: Mapping[str, str], data: bytes) -> HttpAnswer:
        """POST `data`."""
        ...


@dataclass(frozen=True, slots=True)
class Pushed:
    """The outcome of a delivery; `delay` (s) is that before the retry.

    `answer`: the HTTP status or the kind of failure, "" if nothing was sent.
    `requested_delay`: the subscriber's `Retry-After` in seconds, which applies to all its events.
    """

    outcome: Literal["taken"] | Failure
    answer: str
    delay: float = 0.0
    requested_delay: float = 0.0


class Pusher:
    """POSTs events to subscribers. `display_numbers`: our numbers as customers see them, by phone number id."""

    def __init__(
        self,
        post: Post,
        *,
        display_numbers: Callable[[], Mapping[str, str]] = dict,
        waba_id: str = "",
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = lambda: random.uniform(1 - JITTER, 1 + JITTER),  # noqa: S311 - spreads tries
    ) -> None:
        self._post = post
        self._ask_display_numbers = display_numbers
        self._display_numbers: Mapping[str, str] = {}
        self._display_numbers_until = 0.0
        self._waba_id = waba_id
        self._clock = clock
        self._jitter = jitter
        # Cached per secret, which the constructor decodes.
        self._signer = lru_cache(maxsize=_MOST_SIGNERS)(Webhook)

    def push(self, subscription: Subscription, delivery: Delivery) -> Pushed:
        """POST one event. An event that does not exist in the subscriber's form counts as taken.

        A defect that keeps it from being serialised, signed or sent counts as a failed delivery.
        Raises `StoreUnavailableError` if our numbers are unknown.
        """
        try:
            body = self._body(subscription, delivery)
            if body is None:
                return Pushed("taken", "")
            return self._judge(self.post(subscription, delivery.cursor, body), delivery.tries)
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not block the events behind this one
            log.get_logger(subscription=subscription.id).error(
                "whatsapp.push.unwritable", cursor=delivery.cursor, exc_info=error
            )
            return Pushed("failed", "unwritable", self._delay(delivery.tries))

    def post(self, subscription: Subscription, event_id: str, body: bytes) -> HttpAnswer | HttpCallError:
        """POST a body, signed in the subscriber's form."""
        headers = {"Content-Type": "application/json", "User-Agent": "wa-service"}
        if subscription.form == "meta":
            headers[SIGNATURE_HEADER] = sign(body, subscription.secrets[0])
        else:
            headers |= self._standard_webhooks(subscription.secrets, event_id, body)
        try:
            return self._post(subscription.url, seconds=ANSWER_SECONDS, headers=headers, data=body)
        except HttpCallError as error:
            return error

    def _body(self, subscription: Subscription, delivery: Delivery) -> bytes | None:
        if subscription.form == "meta":
            numbers = self._known_display_numbers(delivery.conversation.partition(":")[0])
            return meta_envelope(delivery.kind, delivery.conversation, delivery.data, numbers, self._waba_id)
        entry = Entry(delivery.cursor, delivery.kind, delivery.conversation, orjson.loads(delivery.data))
        return event_body(entry, delivery.contact)

    def _known_display_numbers(self, needed: str) -> Mapping[str, str]:
        """Return our numbers as customers see them, cached for a minute; asked for again while `needed` is missing."""
        now = self._clock()
        is_missing = bool(needed) and needed not in self._display_numbers
        if is_missing or not 0 <= self._display_numbers_until - now <= DISPLAY_NUMBER_SECONDS:
            self._display_numbers = self._ask_display_numbers()
            self._display_numbers_until = now + DISPLAY_NUMBER_SECONDS
        return self._display_numbers

    def _standard_webhooks(self, secrets: tuple[str, ...], event_id: str, body: bytes) -> dict[str, str]:
        now = datetime.fromtimestamp(int(self._clock()), UTC)
        text = body.decode()
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(self._signer(secret).sign(event_id, now, text) for secret in secrets),
        }

    def _judge(self, answer: HttpAnswer | HttpCallError, tries: int) -> Pushed:
        delay = self._delay(tries)
        if isinstance(answer, HttpCallError):
            return Pushed("failed", str(answer), delay)
        if 200 <= answer.status < 300:
            return Pushed("taken", str(answer.status))
        if answer.status == GONE:
            return Pushed("gone", str(answer.status), delay)
        requested_delay = min(_requested_delay(answer.headers, self._clock()), LONGEST_RETRY_AFTER)
        return Pushed("failed", str(answer.status), max(delay, requested_delay), requested_delay)

    def _delay(self, tries: int) -> float:
        return RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)] * self._jitter()


def _requested_delay(headers: Mapping[str, str], now: float) -> float:
    """Return the seconds of `Retry-After`, a number or a date; 0 if there is none or it is invalid."""
    seconds = retry_after_seconds(headers)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("Retry-After", "")).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
