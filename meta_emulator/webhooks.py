"""Webhook delivery: signed, batched, retried with backoff, redelivered (reference 5.1 to 5.3)."""

from __future__ import annotations

import http.client
import logging
import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

import gevent

from meta_emulator import encoding
from meta_emulator.activity import Activity
from meta_emulator.behaviour import Behaviour
from meta_emulator.callback_client import CallbackClient, CallbackResponse
from meta_emulator.clock import Clock, Timers
from meta_emulator.config import EmulatorConfig
from meta_emulator.credentials import Credentials
from meta_emulator.envelopes import Update, envelope
from meta_emulator.records import Exchange

logger = logging.getLogger(__name__)

# Meta documents an immediate first retry, backoff, and an end after seven days (5.3); the steps are assumed.
RETRY_DELAYS = (1.0, 15.0, 60.0, 300.0, 900.0, 3600.0, *[4 * 3600.0] * 41)
HANDSHAKE_TIMEOUT = 6.0
USER_AGENT = "facebookexternalua"
_WORKERS = 48
_STORED_BODY = 16_384

LaneKey = tuple[str, str, str, int]


class WebhookContext(Protocol):
    """The part of the world that delivery uses."""

    config: EmulatorConfig
    behaviour: Behaviour
    credentials: Credentials
    activity: Activity
    clock: Clock
    timers: Timers
    random: Random

    def callback_of(self, number_id: str) -> str:
        """Return the callback URL of a number; empty for none."""
        ...

    def begin_exchange(self, **fields: Any) -> int:
        """Show a call that is in progress."""
        ...

    def record_exchange(self, **fields: Any) -> Exchange:
        """Record one HTTP exchange."""
        ...


@dataclass(slots=True)
class _Delivery:
    """One POST with its updates, the lanes that wait for it, and its number of tries."""

    callback: str
    updates: list[Update]
    lanes: list[LaneKey]
    epoch: int
    tries: int = 0


class WebhookQueue:
    """Queue updates in a lane per customer and deliver lanes concurrently."""

    def __init__(self, world: WebhookContext) -> None:
        self._world = world
        self.client = CallbackClient()
        self._lanes: OrderedDict[LaneKey, deque[Update]] = OrderedDict()
        self._ready: deque[LaneKey] = deque()
        self._workers = 0
        self._starting = 0
        self._epoch = 0
        self._unique = 0
        self.held = False
        self.pending = 0
        self.counts: Counter[str] = Counter()
        # (time of the POST, seconds until the answer, status) while a load test measures.
        self.durations: list[tuple[float, float, int]] | None = None

    def enqueue(self, update: Update) -> None:
        """Queue an update; drop it without a subscription."""
        callback = self._world.callback_of(update.number_id)
        if not callback:
            self.counts["unsubscribed"] += 1
            return
        self._unique += 1
        unique = self._unique if self._world.behaviour.order == "none" else 0
        key = (callback, update.number_id, update.customer, unique)
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = deque((update,))
            self._ready.append(key)
        else:
            lane.append(update)
        self.pending += 1
        self._start_worker()

    def hold(self) -> None:
        """Queue updates without delivering them until ``release``."""
        self.held = True

    def release(self) -> None:
        """Deliver the queued updates."""
        self.held = False
        self._start_worker()

    def clear(self) -> None:
        """Drop every queued update; a POST in flight may still arrive."""
        self._epoch += 1
        self._lanes.clear()
        self._ready.clear()
        self.pending = 0
        self.held = False
        self.counts.clear()

    def wait_until_delivered(self, timeout: float) -> bool:
        """Wait until nothing is pending; return False after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while self.pending:
            if time.monotonic() >= deadline:
                return False
            gevent.sleep(0.005)
        return True

    def close(self) -> None:
        """Close idle connections."""
        self.client.close()

    def handshake(self, url: str, verify_token: str) -> CallbackResponse:
        """Send the verification request; ``error`` is empty if the challenge came back (reference 5.1)."""
        challenge = str(self._world.random.randrange(10**9, 10**10))
        query = urlencode({"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token})
        target = f"{url}{'&' if '?' in url else '?'}{query}"
        answer = self.client.request(
            "GET", target, timeout=HANDSHAKE_TIMEOUT, headers={"User-Agent": USER_AGENT, "Accept": "*/*"}
        )
        error = _handshake_error(answer, challenge)
        self._world.record_exchange(
            kind="handshake",
            method="GET",
            url=target.replace(quote_plus(verify_token), "$VERIFY_TOKEN"),
            request_headers={},
            request_body="",
            status=answer.status,
            response_body=answer.body.decode("utf-8", "replace")[:2000],
            milliseconds=round(answer.seconds * 1000, 1),
            note=error,
        )
        return CallbackResponse(answer.status, answer.body, answer.seconds, error)

    def post(
        self,
        callback: str,
        payload: dict[str, Any],
        *,
        other_bytes: bool = False,
        note: str = "",
        signature: str = "good",
    ) -> CallbackResponse:
        """Sign and POST one envelope and record the exchange."""
        body = encoding.encode_reordered(payload) if other_bytes else encoding.encode(payload)
        return self.post_bytes(callback, body, note=note, message_ids=_message_ids(payload), signature=signature)

    def post_bytes(
        self,
        callback: str,
        body: bytes,
        *,
        note: str = "",
        message_ids: tuple[str, ...] = (),
        signature: str = "good",
    ) -> CallbackResponse:
        """POST exactly these bytes; ``signature`` is ``good``, ``wrong`` or ``none``."""
        world = self._world
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Accept": "*/*"}
        if signature != "none":
            wrong = signature == "wrong" or world.behaviour.wrong_signature
            headers |= encoding.signature_headers(body, world.credentials.app_secret + ("-wrong" if wrong else ""))
        kept_body = body[:_STORED_BODY].decode("utf-8", "replace")
        begun = world.begin_exchange(
            kind="webhook", method="POST", url=callback, request_body=kept_body, message_ids=message_ids
        )
        with world.activity.in_progress():
            answer = self.client.request(
                "POST", callback, timeout=world.behaviour.webhook_timeout, headers=headers, body=body
            )
        self.counts["posts"] += 1
        if self.durations is not None:
            self.durations.append((world.clock.now() - answer.seconds, answer.seconds, answer.status))
        self.counts[f"answered_{answer.status}"] += 1
        world.record_exchange(
            begun=begun,
            kind="webhook",
            method="POST",
            url=callback,
            request_headers=headers,
            request_body=kept_body,
            status=answer.status,
            response_body=answer.body.decode("utf-8", "replace")[:4000],
            milliseconds=round(answer.seconds * 1000, 1),
            message_ids=message_ids,
            note=note or answer.error,
        )
        return answer

    def _start_worker(self) -> None:
        # Each starting worker takes one batch; another worker would find no lane.
        taken = self._starting * self._world.behaviour.batch
        if len(self._ready) > taken and not self.held and self._workers < _WORKERS:
            self._workers += 1
            self._starting += 1
            gevent.spawn(self._worker)

    def _worker(self) -> None:
        self._starting -= 1
        try:
            while self._ready and not self.held:
                self._deliver(self._next_delivery())
        finally:
            self._workers -= 1

    def _next_delivery(self) -> _Delivery:
        """Return the next lane's updates and more for the same callback, up to the batch size."""
        behaviour = self._world.behaviour
        key = self._ready.popleft()
        delivery = _Delivery(key[0], [], [key], self._epoch)
        self._fill(delivery, key, behaviour.batch)
        passed: list[LaneKey] = []
        while self._ready and len(delivery.updates) < behaviour.batch:
            other = self._ready.popleft()
            if other[0] == key[0] and (behaviour.batch_across_numbers or other[1] == key[1]):
                delivery.lanes.append(other)
                self._fill(delivery, other, behaviour.batch)
            else:
                passed.append(other)
        self._ready.extendleft(reversed(passed))
        return delivery

    def _fill(self, delivery: _Delivery, key: LaneKey, batch: int) -> None:
        lane = self._lanes[key]
        while lane and len(delivery.updates) < batch:
            delivery.updates.append(lane.popleft())

    def _deliver(self, delivery: _Delivery) -> None:
        delivery.tries += 1
        payload = envelope(delivery.updates)
        # Meta does not promise identical bytes in a retry.
        answer = self._post_delivery(delivery, payload, other_bytes=delivery.tries % 2 == 0)
        if delivery.epoch != self._epoch:
            return
        if answer.status == 200:
            self._delivered(delivery, payload)
        elif delivery.tries > len(RETRY_DELAYS):
            logger.error("a webhook was given up after %d tries", delivery.tries)
            self._finish(delivery, "given_up")
        else:
            self.counts["retries"] += 1
            delay = RETRY_DELAYS[delivery.tries - 1] / self._world.config.time_factor
            self._world.timers.call_later(delay, lambda: self._retry(delivery))
            if self._world.behaviour.order != "strict":
                self._free_lanes(delivery)

    def _post_delivery(self, delivery: _Delivery, payload: dict[str, Any], *, other_bytes: bool) -> CallbackResponse:
        note = f"try {delivery.tries}" if delivery.tries > 1 else ""
        return self.post(delivery.callback, payload, other_bytes=other_bytes, note=note)

    def _retry(self, delivery: _Delivery) -> None:
        if delivery.epoch == self._epoch:
            self._deliver(delivery)

    def _delivered(self, delivery: _Delivery, payload: dict[str, Any]) -> None:
        for update in delivery.updates:
            if update.delivered is not None:
                update.delivered()
        for _ in range(self._world.behaviour.duplicates):
            self.post(delivery.callback, payload, other_bytes=True, note="redelivery")
        self._finish(delivery, "delivered")

    def _finish(self, delivery: _Delivery, outcome: str) -> None:
        if delivery.epoch != self._epoch:
            return
        self.counts[outcome] += len(delivery.updates)
        self.counts["statuses"] += sum("statuses" in update.value for update in delivery.updates)
        self.pending -= len(delivery.updates)
        self._free_lanes(delivery)

    def _free_lanes(self, delivery: _Delivery) -> None:
        """Make the lanes that waited for this delivery ready again."""
        for key in delivery.lanes:
            if self._lanes.get(key):
                self._ready.append(key)
            else:
                self._lanes.pop(key, None)
        delivery.lanes = []
        self._start_worker()


def _handshake_error(answer: CallbackResponse, challenge: str) -> str:
    """Return the error text of Meta's 2200 (reference 5.1); empty for success."""
    if answer.timed_out:
        milliseconds = int(HANDSHAKE_TIMEOUT * 1000)
        return (
            f"curl_errno = 28; curl_error = Operation timed out after {milliseconds} milliseconds with 0 bytes "
            "received; HTTP Status Code = 0"
        )
    if answer.error:
        return f"curl_errno = 7; curl_error = {answer.error}; HTTP Status Code = 0"
    if answer.status != 200:
        phrase = http.client.responses.get(answer.status, "")
        return f"HTTP Status Code = {answer.status}; HTTP Message = {phrase}"
    return "" if answer.body == challenge.encode() else "The answer is not the challenge"


def _message_ids(payload: dict[str, Any]) -> tuple[str, ...]:
    """Return the ids of a payload's messages and statuses; a payload of a caller may have any other shape."""
    values = [change.get("value") for entry in _objects(payload, "entry") for change in _objects(entry, "changes")]
    items = [item for value in values for part in ("messages", "statuses") for item in _objects(value, part)]
    return tuple(dict.fromkeys(str(item.get("id", "")) for item in items))


def _objects(container: Any, name: str) -> list[dict[str, Any]]:
    found = container.get(name) if isinstance(container, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
