"""Subscriptions to the events stream: create · take · failed · pause · replay.

A subscription is a cursor and lanes of event ids, never copies of events. Events of one conversation are pushed in
order, one at a time; conversations are pushed in parallel. A delivery is leased: after a worker's death it is repeated,
so an event is delivered at least once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from wa_service.store.client import Store, fields, text
from wa_service.store.contacts import shown_address

WINDOW: Final = 10_000
"""Most event ids in one subscriber's lanes; further events wait in the stream after its cursor."""
LEASE_SECONDS: Final = 25.0
RETRY_SECONDS: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""The delay of a retry after an event's first, second, … failure."""
SUBSCRIBER_PAUSES: Final = (5, 15, 30, 60, 300)
"""The backoff for a subscriber that is down, which is tried with one event."""
FAILURES_IN_A_ROW: Final = 5
LONGEST_FAILING_SECONDS: Final = 5 * 86_400
OLD_SECRET_SECONDS: Final = 86_400
MOST_SUBSCRIPTIONS: Final = 50
DEFAULT_RETENTION_SECONDS: Final = 30 * 86_400

META_KINDS: Final = frozenset(
    {"message", "status", "foreign_status", "management", "echo", "standby", "handover", "history"}
)
"""The kinds of events that have Meta's form, see push/meta_form.py; the others are not pushed in it."""

Form = Literal["event", "meta"]
State = Literal["active", "paused"]
Failure = Literal["failed", "gone"]


class TooManySubscriptionsError(Exception):
    """There are as many subscriptions as allowed."""

    def __init__(self) -> None:
        super().__init__(f"There are {MOST_SUBSCRIPTIONS} subscriptions, the most allowed. Delete one first.")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription's settings and state; times in ms, 0 for never.

    `kinds` and `numbers`: empty for all. `secrets`: those that sign, newest first.
    """

    id: str
    url: str
    form: Form
    kinds: tuple[str, ...]
    numbers: tuple[str, ...]
    secrets: tuple[str, ...]
    source: str
    state: State
    paused_reason: str
    paused_at: int
    created: int
    cursor: str
    waiting: int
    taken: int
    dropped: int
    failures: int
    failing_since: int
    retry_at: int
    last_answer: str
    last_answer_at: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event under a lease. `tries`: how often it failed before; `data`: its JSON from the stream.

    `contact`: the address that the customer is shown under now, "" without a customer.
    """

    subscription: str
    cursor: str
    conversation: str
    token: int
    tries: int
    kind: str
    data: bytes
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The subscriptions. Methods raise `StoreUnavailableError`. `retention_seconds`: of `push` events."""

    store: Store
    retention_seconds: int = DEFAULT_RETENTION_SECONDS

    def create(
        self,
        url: str,
        *,
        form: Form,
        kinds: Sequence[str] = (),
        numbers: Sequence[str] = (),
        secret: str,
        cursor: str,
        subscription_id: str | None = None,
        source: str = "api",
    ) -> Subscription:
        """Store a subscription that begins after `cursor`.

        Raises:
            TooManySubscriptionsError: there are as many as allowed.
        """
        name = subscription_id or f"sub_{secrets.token_hex(8)}"
        facts = {
            "v": "1",
            "url": url,
            "form": form,
            "kinds": _names(kinds),
            "numbers": _names(numbers),
            "secret": secret,
            "source": source,
            "state": "active",
            "cursor": cursor or "0-0",
        }
        flat = tuple(part for fact in facts.items() for part in fact)
        if self.store.call_replicated("subscribe", subscription=name, most=MOST_SUBSCRIPTIONS, facts=flat) != 1:
            raise TooManySubscriptionsError
        return self.get(name)

    def ids(self) -> list[str]:
        return sorted(text(name) for name in self.store.do("SMEMBERS", self._ids_key))

    def all(self) -> list[Subscription]:
        """Return every subscription, oldest first."""
        names = self.ids()
        rows = self.store.run([("HGETALL", self._key(name)) for name in names]) if names else []
        found = [_subscription(name, fields(row)) for name, row in zip(names, rows, strict=True) if row]
        return sorted(found, key=lambda subscription: (subscription.created, subscription.id))

    def get(self, name: str) -> Subscription:
        """Return one subscription. Raise LookupError where there is none."""
        row = self.store.do("HGETALL", self._key(name))
        if not row:
            raise LookupError(name)
        return _subscription(name, fields(row))

    def change(
        self,
        name: str,
        *,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        numbers: Sequence[str] | None = None,
    ) -> Subscription:
        """Change the given fields. Raise LookupError where there is none."""
        facts = {
            "url": url,
            "kinds": None if kinds is None else _names(kinds),
            "numbers": None if numbers is None else _names(numbers),
        }
        return self._set(name, {key: value for key, value in facts.items() if value is not None})

    def rotate_secret(self, name: str, secret: str) -> Subscription:
        """Sign with a new secret, and for a day also with the old one. Raise LookupError where there is none."""
        rotated = self.store.call_replicated(
            "rotate_secret", subscription=name, secret=secret, old_seconds=OLD_SECRET_SECONDS
        )
        if rotated != 1:
            raise LookupError(name)
        return self.get(name)

    def pause(self, name: str) -> Subscription:
        """Push nothing until `resume`; the cursor stays. Raise LookupError where there is none.

        One that is paused keeps its reason and the time since when.
        """
        found = self.get(name)
        if found.state == "paused":
            return found
        return self._set(name, {"state": "paused", "paused_reason": "by_hand", "paused_at": str(_now_ms())})

    def resume(self, name: str) -> Subscription:
        """Push again from the cursor. Raise LookupError where there is none."""
        if self.store.call_replicated("resume_subscription", subscription=name) != 1:
            raise LookupError(name)
        return self.get(name)

    def replay(self, name: str, cursor: str) -> Subscription:
        """Push everything after `cursor`, again where it was. Raise LookupError where there is none."""
        if self.store.call_replicated("push_reset", subscription=name, cursor=cursor) != 1:
            raise LookupError(name)
        return self.get(name)

    def delete(self, name: str) -> bool:
        """Delete a subscription; False where there is none."""
        return bool(self.store.call_replicated("unsubscribe", subscription=name) == 1)

    def take(
        self, name: str, count: int, *, consumer: str = "", taken: Sequence[Delivery] = (), answer: str = ""
    ) -> tuple[float, list[bool], list[Delivery]]:
        """Acknowledge deliveries, and lease at most `count` events to push next.

        Args:
            name: the subscription.
            count: how many events to lease; 0 to acknowledge only.
            consumer: the worker process, as for `release_consumer`.
            taken: deliveries that were answered with a 2xx, or that do not exist in the subscriber's form.
            answer: the last of those answers, "" if nothing was sent.

        Returns seconds until the next call (infinity: until there are new events); whether each of `taken` was written,
        False where its lease was lost; and the events, each under a lease.

        Raises:
            LookupError: there is no such subscription.
        """
        wait, state, written, *found = self.store.call(
            "push_take",
            subscription=name,
            consumer=consumer,
            lease_ms=int(LEASE_SECONDS * 1000),
            count=count,
            window=WINDOW,
            meta_kinds=_names(sorted(META_KINDS)),
            answer=answer,
            taken=tuple(part for each in taken for part in (each.conversation, str(each.token))),
        )
        if state == b"none":
            raise LookupError(name)
        deliveries = [
            Delivery(
                name,
                text(cursor),
                text(conversation),
                int(token),
                int(tries),
                text(kind),
                bytes(data),
                shown_address(text(current), text(addresses).split()),
            )
            for cursor, conversation, token, tries, kind, data, current, addresses in found
        ]
        return (float("inf") if wait < 0 else wait / 1000), [each == 1 for each in written], deliveries

    def failed(
        self, delivery: Delivery, outcome: Failure, *, answer: str, delay: float = 0.0, requested_delay: float = 0.0
    ) -> str:
        """Write that a delivery failed; `delay` (s): until the retry, `requested_delay` (s): `Retry-After`.

        Returns "retried", "dropped", "paused" (the subscription is), or "" where the lease was lost.
        """
        _, became = self.store.call(
            "push_failed",
            subscription=delivery.subscription,
            conversation=delivery.conversation,
            token=delivery.token,
            outcome=outcome,
            delay_ms=int(delay * 1000),
            requested_ms=int(requested_delay * 1000),
            most_tries=len(RETRY_SECONDS) + 1,
            answer=answer,
            few=FAILURES_IN_A_ROW,
            longest_ms=LONGEST_FAILING_SECONDS * 1000,
            retention=self.retention_seconds,
            pauses=tuple(str(seconds * 1000) for seconds in SUBSCRIBER_PAUSES),
        )
        return text(became)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """Release deliveries that were not begun or not finished: they are due at once, and no try is counted."""
        by_name: dict[str, list[str]] = {}
        for delivery in deliveries:
            by_name.setdefault(delivery.subscription, []).extend((delivery.conversation, str(delivery.token)))
        commands = [
            self.store.step("push_release", subscription=name, leases=tuple(leases)) for name, leases in by_name.items()
        ]
        if commands:
            self.store.run(commands)

    def release_consumer(self, consumer: str) -> int:
        """Release the deliveries of a worker process that died: due at once, no try counted; return how many."""
        return sum(self.release_lost(name, consumer, ()) for name in self.ids())

    def release_lost(self, name: str, consumer: str, held: Iterable[int]) -> int:
        """Release what was leased to `consumer` in a lost answer of `take`; return how many events.

        `held`: the tokens of the deliveries that it did get.
        """
        tokens = tuple(map(str, held))
        return int(self.store.call("push_release_consumer", subscription=name, consumer=consumer, held=tokens))

    def lag_seconds(self, subscription: Subscription) -> float:
        """Return the age of the oldest event that was not pushed; 0 where nothing waits."""
        return age_seconds(self.oldest_unsent(subscription))

    def oldest_unsent(self, subscription: Subscription) -> str:
        """Return the cursor of the oldest event that was not pushed, "" where nothing waits."""
        meta_kinds = _names(sorted(META_KINDS))
        return text(self.store.call("push_oldest_unsent", subscription=subscription.id, meta_kinds=meta_kinds))

    def _set(self, name: str, facts: Mapping[str, str]) -> Subscription:
        flat = tuple(part for fact in facts.items() for part in fact)
        if self.store.call_replicated("change_subscription", subscription=name, facts=flat) != 1:
            raise LookupError(name)
        return self.get(name)

    @property
    def _ids_key(self) -> str:
        return self.store.keys.of("subscriptions")

    def _key(self, name: str) -> str:
        return self.store.keys.of("subscription", name)


def _subscription(name: str, row: dict[str, str]) -> Subscription:
    signing = [row.get("secret", "")]
    if int(row.get("old_secret_until", 0)) > _now_ms():
        signing.append(row["old_secret"])
    return Subscription(
        id=name,
        url=row.get("url", ""),
        form="meta" if row.get("form") == "meta" else "event",
        kinds=tuple(row.get("kinds", "").split()),
        numbers=tuple(row.get("numbers", "").split()),
        secrets=tuple(signing),
        source=row.get("source", ""),
        state="paused" if row.get("state") == "paused" else "active",
        paused_reason=row.get("paused_reason", ""),
        paused_at=int(row.get("paused_at", 0)),
        created=int(row.get("created", 0)),
        cursor=row.get("cursor", "0-0"),
        waiting=int(row.get("waiting", 0)),
        taken=int(row.get("taken", 0)),
        dropped=int(row.get("dropped", 0)),
        failures=int(row.get("failures", 0)),
        failing_since=int(row.get("failing_since", 0)),
        retry_at=int(row.get("retry_at", 0)),
        last_answer=row.get("last_answer", ""),
        last_answer_at=int(row.get("last_answer_at", 0)),
    )


def _names(names: Sequence[str]) -> str:
    """Names as the step expects them: a space around each."""
    return f" {' '.join(names)} " if names else ""


def age_seconds(cursor: str) -> float:
    """Return how long ago the event at a cursor was stored, 0 for ""."""
    return max(0.0, (_now_ms() - int(cursor.partition("-")[0])) / 1000) if cursor else 0.0


def _now_ms() -> int:
    return int(time.time() * 1000)
