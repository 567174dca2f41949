"""Subscribers to the events stream: create · take · failed · pause · replay.

A subscriber is a cursor and lanes of event ids, never a copy of an event. Within a conversation events are pushed in
order, one at a time; conversations go side by side. A delivery is under a lease: a worker that dies costs a repeat, so
an event is delivered at least once.
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
"""Most event ids that wait in one subscriber's lanes; what is beyond stays in the stream behind its cursor."""
LEASE_SECONDS: Final = 25.0
RETRY_SECONDS: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""When an event is tried again after its first, second, … failure."""
SUBSCRIBER_PAUSES: Final = (5, 15, 30, 60, 300)
"""When a subscriber that fails again and again is tried again, with one event."""
FAILURES_IN_A_ROW: Final = 5
LONGEST_FAILING_SECONDS: Final = 5 * 86_400
OLD_SECRET_SECONDS: Final = 86_400
MOST_SUBSCRIPTIONS: Final = 50
DEFAULT_RETENTION_SECONDS: Final = 30 * 86_400

Form = Literal["event", "meta"]
State = Literal["active", "paused"]
Failure = Literal["failed", "gone"]


class TooManySubscriptionsError(Exception):
    """There is no room for another subscription."""

    def __init__(self) -> None:
        super().__init__(f"There are {MOST_SUBSCRIPTIONS} subscriptions, the most there may be. Delete one first.")


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a subscriber asked for, and how far it is; times in ms, 0 for never.

    `kinds` and `numbers`: empty for all. `secrets`: those that sign, the newest first.
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
    """One event under a lease. `tries`: how often it failed before; `data`: its JSON as it stands in the stream.

    `contact`: the address that the customer is shown under now, "" where it concerns none.
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
    """The subscribers. Methods raise `StoreUnavailableError`. `retention_seconds`: of the events that tell of them."""

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
            TooManySubscriptionsError: there are as many as there may be.
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
        """Return every subscription's id."""
        return sorted(text(name) for name in self.store.do("SMEMBERS", self._ids_key))

    def all(self) -> list[Subscription]:
        """Return every subscription, the oldest first."""
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
        """Change what is given. Raise LookupError where there is none."""
        facts = {
            "url": url,
            "kinds": None if kinds is None else _names(kinds),
            "numbers": None if numbers is None else _names(numbers),
        }
        return self._set(name, {key: value for key, value in facts.items() if value is not None})

    def rotate_secret(self, name: str, secret: str) -> Subscription:
        """Sign with a new secret; the one before signs beside it for a day. Raise LookupError where there is none."""
        before = self.get(name)
        until = str(_now_ms() + OLD_SECRET_SECONDS * 1000)
        return self._set(name, {"secret": secret, "old_secret": before.secrets[0], "old_secret_until": until})

    def pause(self, name: str) -> Subscription:
        """Send nothing until `resume`; the cursor stays. Raise LookupError where there is none."""
        return self._set(name, {"state": "paused", "paused_reason": "by_hand", "paused_at": str(_now_ms())})

    def resume(self, name: str) -> Subscription:
        """Send again, from where it was. Raise LookupError where there is none."""
        ended = ("paused_reason", "paused_at", "failures", "failing_since", "level", "probe", "retry_at")
        return self._set(name, {"state": "active"} | dict.fromkeys(ended, ""))

    def replay(self, name: str, cursor: str) -> Subscription:
        """Push everything after `cursor` (again). Raise LookupError where there is none."""
        if self.store.call_replicated("push_reset", subscription=name, cursor=cursor) != 1:
            raise LookupError(name)
        return self.get(name)

    def delete(self, name: str) -> bool:
        """End a subscription; False where there is none."""
        return bool(self.store.call_replicated("unsubscribe", subscription=name) == 1)

    def take(
        self, name: str, count: int, *, consumer: str = "", taken: Sequence[Delivery] = (), answer: str = ""
    ) -> tuple[float, list[bool], list[Delivery]]:
        """Write down what the subscriber took, and return at most `count` events that it is to be sent next.

        Args:
            name: the subscription.
            count: how many events may be handed out; 0 to write alone.
            consumer: who takes them; `release_consumer` names it.
            taken: deliveries that were answered with a 2xx.
            answer: the last of those answers.

        Returns seconds until asking again is worth it (infinity: until something is new); whether each of `taken` was
        written, False where its lease was another's by now; and the events, each under a lease.

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
                shown_address(text(elder), text(addresses).split()),
            )
            for cursor, conversation, token, tries, kind, data, elder, addresses in found
        ]
        return (float("inf") if wait < 0 else wait / 1000), [each == 1 for each in written], deliveries

    def failed(
        self, delivery: Delivery, outcome: Failure, *, answer: str, delay: float = 0.0, asked: float = 0.0
    ) -> str:
        """Write that a delivery failed; `delay` (s): when it is tried again, `asked` (s): `Retry-After`.

        Returns what became of it: "retried", "dropped", "paused" (the subscription is), or "" where the lease was
        another's by now.
        """
        _, became = self.store.call(
            "push_failed",
            subscription=delivery.subscription,
            conversation=delivery.conversation,
            token=delivery.token,
            outcome=outcome,
            delay_ms=int(delay * 1000),
            asked_ms=int(asked * 1000),
            most_tries=len(RETRY_SECONDS) + 1,
            answer=answer,
            few=FAILURES_IN_A_ROW,
            longest_ms=LONGEST_FAILING_SECONDS * 1000,
            retention=self.retention_seconds,
            pauses=tuple(str(seconds * 1000) for seconds in SUBSCRIBER_PAUSES),
        )
        return text(became)

    def release(self, deliveries: Iterable[Delivery]) -> None:
        """Let go of deliveries that were not begun or not finished: they are due at once, and count as no try."""
        by_name: dict[str, list[str]] = {}
        for delivery in deliveries:
            by_name.setdefault(delivery.subscription, []).extend((delivery.conversation, str(delivery.token)))
        commands = [
            self.store.step("push_release", subscription=name, leases=tuple(leases)) for name, leases in by_name.items()
        ]
        if commands:
            self.store.run(commands)

    def release_consumer(self, consumer: str) -> int:
        """Make what a dead worker process was pushing due at once, as no try of it; return how many events that was."""
        return sum(self.release_lost(name, consumer, ()) for name in self.ids())

    def release_lost(self, name: str, consumer: str, held: Iterable[int]) -> int:
        """Make due at once what was handed out to `consumer` in an answer that did not come; return how many events.

        `held`: the tokens of the deliveries that did come.
        """
        tokens = tuple(map(str, held))
        return int(self.store.call("push_release_consumer", subscription=name, consumer=consumer, held=tokens))

    def lag_seconds(self, subscription: Subscription) -> float:
        """Return how long the oldest event that it was not sent has waited; 0 where nothing waits."""
        return age_seconds(self.oldest_unsent(subscription))

    def oldest_unsent(self, subscription: Subscription) -> str:
        """Return the cursor of the oldest event that it was not sent, "" where nothing waits."""
        return text(self.store.call("push_oldest_unsent", subscription=subscription.id))

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
    """The form in which the step looks a name up: a space around each."""
    return f" {' '.join(names)} " if names else ""


def age_seconds(cursor: str) -> float:
    """Return how long ago the event at a cursor was stored, 0 for ""."""
    return max(0.0, (_now_ms() - int(cursor.partition("-")[0])) / 1000) if cursor else 0.0


def _now_ms() -> int:
    return int(time.time() * 1000)
