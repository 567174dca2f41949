"""An independent model of the lanes in plain Python: the content of the store, and the results of the steps.

It shares nothing with the scripts: mailboxes and lanes are lists, and leases and claims are what was last handed out.
Time passes only when a test says so. `wall` is the server's clock, which may be set; `now` is the store's own
clock, which never goes back (both in ms).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from wa_service.store.records import item_record

LEASE_MS, CLAIM_MS, SETTLE_MS = 15_000, 45_000, 300_000
DAY_MS = 86_400_000
TTL_MS = DAY_MS
UNSENT_CEILING = 20
MOST_CLOCK_STEP_MS = 10_000
DEBOUNCE_MOST_MS, BURST_GRID_MS, MOST_IN_BURST = 15_000, 50, 20
QUOTA_LOOK_MS = 60_000
BATCH_LOOK_MS = 60_000
RANK = {
    "scheduled": -1,
    "queued": 0,
    "sending": 1,
    "unknown": 1,
    "canceled": 1,
    "accepted": 2,
    "sent": 3,
    "failed": 4,
    "delivered": 5,
    "read": 6,
}
OPEN = ("scheduled", "queued", "unknown")
ENDED_BY_US = ("no_word_from_meta", "expired")
STOPPED = 131050
PAUSES_BATCH = {131048: "spam_limited", 132015: "template_paused"}


@dataclass
class Choice:
    """STOP or START: when it was made, by Meta's clock or by ours, and when it arrived."""

    stop: bool
    at: int
    received_at: int
    has_meta_time: bool
    latest_meta_time: int


@dataclass
class Event:
    """A waiting message. Its `role` in a burst: 1 waits for more, 2 ends the burst at once, 0 is never in a burst."""

    id: str
    role: int
    place: tuple[int, int]


@dataclass
class Mailbox:
    """A customer's waiting messages and the lease on the first; `burst` has the ids that are handled with it."""

    events: list[Event] = field(default_factory=list)
    order: int = 0
    due: int | None = None
    token: int | None = None
    head: str | None = None
    consumer: str = ""
    deliveries: int = 0
    failures: int = 0
    burst: list[str] = field(default_factory=list)
    burst_since: int | None = None
    burst_due: int = 0


@dataclass
class Lane:
    """A customer's unsent messages. `offer`: the lane's priority ("0" is urgent) and when its head may be sent."""

    ids: list[str] = field(default_factory=list)
    offer: tuple[str, int] | None = None
    urgent: str | None = None


@dataclass
class Sent:
    """A send.

    `error`: why it failed; `claim`: when the claim ends, if there is one; `outcome_token`: that of the last outcome
    written, other than "accepted".
    """

    id: str
    customer: str
    template: bool = False
    urgent: bool = True
    despite_stop: bool = False
    status: str = "queued"
    rank: int = 0
    expires: int = 0
    token: int = 0
    outcome_token: int = 0
    claim: int | None = None
    claimed: int | None = None
    consumer: str = ""
    accepted: bool = False
    confirmed: bool = False
    resent: bool = False
    waits_for_quota: bool = False
    reservation: int | None = None
    error: str | None = None
    heard: set[str] = field(default_factory=set)
    batch: str | None = None
    index: int = 0
    counted: str = ""
    key: str = ""


@dataclass
class Item:
    """An item of a batch."""

    index: int
    customer: str
    template: bool


@dataclass
class Batch:
    """A batch. `counts` by status; `swept`: its items were processed after it was canceled."""

    id: str
    items: dict[int, Item]
    state: str = "loading"
    waiting: list[int] = field(default_factory=list)
    later: dict[int, int] = field(default_factory=dict)
    at: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    reason: str | None = None
    swept: bool = False


@dataclass
class Pause:
    """A number's pause; `probe` is the send that tests whether it can end."""

    until: int
    tries: int
    reason: str
    since: int
    probe: str = ""


@dataclass
class Granted:
    """What `next` must grant, and which heads of lanes fail instead."""

    ids: list[str]
    failed: list[tuple[str, str]]


class World:
    """The content of the store. Each method changes it as the step must, and returns the step's result."""

    def __init__(self, customers: Iterable[str], now: int, *, daily_limit: int, debounce_ms: int) -> None:
        self.customers = sorted(customers)
        self.wall = self.now = self.looked = now
        self.daily_limit = daily_limit
        self.debounce_ms = debounce_ms
        self.boxes = {customer: Mailbox() for customer in self.customers}
        self.lanes = {customer: Lane() for customer in self.customers}
        self.contacts: set[str] = set()
        self.windows: dict[str, int] = {}
        self.choices: dict[str, Choice] = {}
        self.seen: set[str] = set()
        self.sends: dict[str, Sent] = {}
        self.scheduled: dict[str, int] = {}
        self.unknown: dict[str, int] = {}
        self.quota: dict[str, int] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        self.held: dict[str, dict[str, int]] = {}
        self.claims: dict[str, set[str]] = {}
        self.last_take: dict[str, tuple[int, dict[str, int]]] = {}
        self.last_next: dict[str, tuple[int, dict[str, int]]] = {}
        self.batches: dict[str, Batch] = {}
        self.confirmed: list[int] = []
        self.rejected_at = 0
        self.pause: Pause | None = None
        self.turn = 0

    # Time

    def time_passes(self, ms: int) -> None:
        """Let time pass while steps keep reading the server's clock."""
        self.wall += ms
        self.now += ms
        self.looked = self.wall

    def look(self, wall: int) -> None:
        """Read a clock that was set, or another server's: the store's own time advances by a limited amount."""
        self.wall = wall
        self.now += min(max(0, wall - self.looked), MOST_CLOCK_STEP_MS)
        self.looked = wall

    # Received messages

    def admit(self, customer: str, message_id: str, role: int, second: int) -> str:
        """Admit a message."""
        if message_id in self.seen:
            return "duplicate"
        self.seen.add(message_id)
        self.contacts.add(customer)
        if second * 1000 > self.wall:
            second = self.wall // 1000
        self.windows[customer] = max(self.windows.get(customer, 0), second * 1000 + DAY_MS)
        box = self.boxes[customer]
        others_wait = bool(box.events)
        box.order = box.order + 1 if others_wait else 1
        box.events.append(Event(message_id, role, (second, box.order)))
        box.events.sort(key=lambda event: event.place)
        if not role:
            if box.due is None:
                box.due = self.now
            return "new"
        since = box.burst_since if others_wait and box.burst_since is not None else self.now
        at = self.now
        if role == 1:
            at = max(self.now, min(self.now + self.debounce_ms, since + DEBOUNCE_MOST_MS))
            at = -(-at // BURST_GRID_MS) * BURST_GRID_MS
        box.burst_since, box.burst_due = since, at
        if box.head is None:
            box.due = at
        return "new"

    def take(self, consumer: str, counter: int, count: int) -> dict[str, list[str]] | None:
        """Return the heads that are handed out, each with the messages handled with it; None for a late request.

        The store chooses the tokens: see `handed_out`.
        """
        last, handed = self.last_take.get(consumer, (-1, {}))
        if counter < last:
            return None
        if counter == last:
            again = {c: token for c, token in handed.items() if self.holds(c, token)}
            for customer in again:
                self.boxes[customer].due = self.now + LEASE_MS
            given = {c: [self.boxes[c].events[0].id, *self._burst_again(c)] for c in again if self.boxes[c].events}
            if given:
                return given
        self._suspected: float | None = None
        given = {}
        while len(given) < count:
            due = [(box.due, c) for c, box in self.boxes.items() if box.due is not None]
            if not due or min(due)[0] > self.now:
                break
            customer = min(due)[1]
            if found := self._hand_out(customer, consumer):
                given[customer] = found
        self.last_take[consumer] = (counter, {})
        return given

    def handed_out(self, consumer: str, tokens: dict[str, int]) -> None:
        """Record the tokens of what `take` handed out."""
        for customer, token in tokens.items():
            box = self.boxes[customer]
            box.token, box.consumer = token, consumer
            self.held.setdefault(consumer, {})[customer] = token
            self.last_take[consumer][1][customer] = token

    def _hand_out(self, customer: str, consumer: str) -> list[str] | None:
        box = self.boxes[customer]
        if not box.events:
            box.due = None
            return None
        if len(self.lanes[customer].ids) >= UNSENT_CEILING:
            box.due = self.now + 500
            return None
        head = box.events[0].id
        if box.head != head:
            box.deliveries = box.failures = 0
        if not self._has_room(consumer, _suspicion(box.deliveries - box.failures)):
            box.due = self.now + 100
            return None
        if box.consumer and box.consumer != consumer:
            self.held.get(box.consumer, {}).pop(customer, None)
        box.head = head
        box.deliveries += 1
        if box.deliveries > 3:
            behind = []
        elif box.deliveries > 1:
            behind = self._burst_again(customer)
        else:
            behind = self._begin_burst(customer)
        box.burst = behind
        if box.burst_since is not None:
            box.burst_since, box.burst_due = None, 0
        box.due = self.now + LEASE_MS
        # The new token is not known yet; the previous one is no longer valid.
        box.token = -1
        self.held.setdefault(consumer, {})[customer] = -1
        return [head, *behind]

    def _has_room(self, consumer: str, suspicion: float) -> bool:
        if not suspicion:
            return True
        if self._suspected is None:
            self._suspected = 0
            for customer, token in self.held.get(consumer, {}).items():
                box = self.boxes[customer]
                if box.token == token:
                    self._suspected += _suspicion(box.deliveries - 1 - box.failures)
        if self._suspected + suspicion > 1:
            return False
        self._suspected += suspicion
        return True

    def _begin_burst(self, customer: str) -> list[str]:
        head, *others = self.boxes[customer].events
        behind: list[str] = []
        for event in others[: MOST_IN_BURST - 1] if head.role == 1 else ():
            if not event.role:
                break
            behind.append(event.id)
            if event.role == 2:
                break
        return behind

    def _burst_again(self, customer: str) -> list[str]:
        box = self.boxes[customer]
        return [event.id for event in box.events if event.id in box.burst]

    def holds(self, customer: str, token: int) -> bool:
        """Return whether a lease is still valid: no other worker took the head, and its work has not ended."""
        box = self.boxes[customer]
        return box.token == token and box.head is not None

    def finish(self, customer: str, token: int, head: str, behind: list[str], consumer: str) -> bool:
        """Finish work; the caller queues its replies with `queue`."""
        box = self.boxes[customer]
        if not self.holds(customer, token) or all(event.id != head for event in box.events):
            return False
        box.events = [event for event in box.events if event.id not in {head, *behind}]
        self.held.get(consumer, {}).pop(customer, None)
        box.head, box.deliveries, box.failures, box.burst = None, 0, 0, []
        box.due = max(self.now, box.burst_due) if box.events else None
        return True

    def renew(self, customer: str, token: int) -> bool:
        """Renew a lease."""
        if not self.holds(customer, token):
            return False
        if self.boxes[customer].due is not None:
            self.boxes[customer].due = self.now + LEASE_MS
        return True

    def retry_later(self, customer: str, token: int, delay_ms: int, consumer: str, *, is_failure: bool) -> int:
        """Return work for a later attempt."""
        box = self.boxes[customer]
        if not self.holds(customer, token):
            return -1
        self.held.get(consumer, {}).pop(customer, None)
        box.token = token + 1
        if is_failure:
            box.failures += 1
        else:
            box.deliveries -= 1
        if box.due is not None:
            box.due = self.now + delay_ms
        return box.failures

    # Lanes

    def _priority(self, customer: str) -> str:
        return "0" if self.lanes[customer].urgent is not None else "1"

    def _offer(self, customer: str, at: int) -> None:
        self.lanes[customer].offer = (self._priority(customer), at)

    def _remove(self, customer: str, id_: str) -> bool:
        lane = self.lanes[customer]
        if lane.urgent == id_:
            before = lane.ids[: lane.ids.index(id_)] if id_ in lane.ids else []
            lane.urgent = next((one for one in reversed(before) if self.sends[one].urgent), None)
        if id_ not in lane.ids:
            return False
        lane.ids.remove(id_)
        return True

    def _leave(self, customer: str, id_: str) -> None:
        """Remove a head that has ended; the next send may leave."""
        self._remove(customer, id_)
        self.lanes[customer].offer = None
        if self.lanes[customer].ids:
            self._offer(customer, self.now)

    def _drop(self, customer: str, id_: str) -> None:
        """Remove a send that is not being sent, wherever it is in the lane; a new head may go at once."""
        lane = self.lanes[customer]
        was_head = lane.ids[:1] == [id_]
        if self._remove(customer, id_) and was_head and lane.offer:
            lane.offer = None
            if lane.ids:
                self._offer(customer, self.now)

    def _enter(self, customer: str, id_: str, *, urgent: bool) -> None:
        lane = self.lanes[customer]
        lane.ids.append(id_)
        if urgent:
            lane.urgent = id_
        if len(lane.ids) == 1:
            self._offer(customer, self.now)
        elif urgent and lane.offer:
            at = self.now if self.sends[lane.ids[0]].waits_for_quota else lane.offer[1]
            self._offer(customer, at)

    # Template quota

    def _reserve(self, customer: str, sent: Sent, *, leaves: bool) -> int:
        """Reserve a place in the quota for the send: 0, or the ms until one is free."""
        if self.windows.get(customer, 0) > self.wall:
            return 0
        self.quota = {c: at for c, at in self.quota.items() if at > self.wall - DAY_MS}
        since = self.quota.get(customer)
        if since is not None and not leaves:
            return 0
        if since is None and len(self.quota) >= self.daily_limit:
            return max(1, min(self.quota.values()) + DAY_MS - self.wall + 1)
        self.quota[customer] = self.wall
        if since is None or sent.reservation == since:
            sent.reservation = self.wall
        return 0

    def _release(self, sent: Sent) -> None:
        """Release the reservation of a send that Meta never accepted, or pass it to another template in the lane."""
        if sent.reservation is None or self.quota.get(sent.customer) != sent.reservation:
            return
        for other in self.lanes[sent.customer].ids[:10]:
            if other != sent.id and self.sends[other].template:
                self.sends[other].reservation = sent.reservation
                return
        del self.quota[sent.customer]

    # Sends

    def is_stopped(self, customer: str) -> bool:
        """Return whether the customer's last choice was STOP."""
        return customer in self.choices and self.choices[customer].stop

    def say(self, customer: str, *, stop: bool, at: int) -> None:
        """A customer says STOP or START at Meta's time `at`; with 0 a caller sets it now."""
        known = self.choices.get(customer)
        received_at = self.now if stop or not at else self.now - max(0, self.wall - at - 999)
        if at and known and known.has_meta_time and known.stop != stop and at // 1000 == known.at // 1000:
            at = max(at, known.at + 1)  # Meta's timestamps are whole seconds
        latest_meta_time = max(at, known.latest_meta_time if known else 0)
        if known is None:
            is_last = True
        elif not at:
            is_last, received_at = True, max(received_at, known.received_at + 1)
        elif at <= known.latest_meta_time:
            is_last = stop and not known.stop and known.has_meta_time and known.at > self.wall
        else:
            is_last = (
                known.has_meta_time or received_at > known.received_at or (received_at == known.received_at and stop)
            )
        if not is_last or not (stop or self.is_stopped(customer)):
            return
        if not stop and customer not in self.contacts:
            del self.choices[customer]
            return
        self.choices[customer] = Choice(stop, at or self.wall, received_at, bool(at), at or latest_meta_time)

    def put(self, sent: Sent, *, key: str = "", fingerprint: str = "", send_at: int = 0) -> tuple[str, str]:
        """Submit a send; return the outcome and an id."""
        if key in self.keys:
            first, known = self.keys[key]
            return ("replayed" if known == fingerprint else "conflict", first)
        if sent.template and not sent.despite_stop and self.is_stopped(sent.customer):
            return "stopped", ""
        if send_at > self.wall:
            sent.status, sent.rank, sent.expires = "scheduled", -1, send_at + TTL_MS
            self.scheduled[sent.id] = send_at
        else:
            if sent.template and self._reserve(sent.customer, sent, leaves=False) and sent.urgent:
                return "quota", ""
            self.queue(sent)
        self.contacts.add(sent.customer)
        self.sends[sent.id] = sent
        if key:
            self.keys[key] = (sent.id, fingerprint)
            sent.key = key
        return sent.status, sent.id

    def queue(self, sent: Sent) -> None:
        """Put a send into its lane."""
        sent.expires = self.wall + TTL_MS
        self.sends[sent.id] = sent
        self._enter(sent.customer, sent.id, urgent=sent.urgent)

    def move_due(self) -> int:
        """Move due scheduled sends into their lanes."""
        due = sorted((at, id_) for id_, at in self.scheduled.items() if at <= self.wall)
        for _, id_ in due:
            sent = self.sends[id_]
            del self.scheduled[id_]
            if sent.template:
                self._reserve(sent.customer, sent, leaves=False)
            sent.status, sent.rank = "queued", 0
            self.contacts.add(sent.customer)
            self._enter(sent.customer, id_, urgent=sent.urgent)
        return len(due)

    def cancel(self, id_: str) -> str:
        """Cancel a send."""
        sent = self.sends.get(id_)
        if sent is None:
            return self._cancel_waiting(id_)
        if sent.status == "canceled":
            return "canceled"
        if sent.status == "scheduled" and sent.batch is None:
            del self.scheduled[id_]
        elif sent.status == "scheduled":
            pass
        elif sent.status == "queued" and not sent.resent and sent.claim is None:
            self._drop(sent.customer, id_)
            self._release(sent)
        else:
            return "sent"
        sent.status, sent.rank = "canceled", 1
        self._count(sent)
        return "canceled"

    def _cancel_waiting(self, id_: str) -> str:
        """Cancel an item that still waits in its batch and has no send."""
        for batch in self.batches.values():
            for index, item in list(batch.items.items()):
                if item_record(batch.id, index) != id_:
                    continue
                if batch.state != "canceled":
                    sent = Sent(id_, item.customer, status="canceled", rank=1, batch=batch.id, index=index)
                    sent.counted = "scheduled"
                    self.sends[id_] = sent
                    self._count(sent)
                return "canceled"
        return "missing"

    def next(self, consumer: str, counter: int, count: int) -> Granted | None:
        """Grant what may be sent now; None for a late request."""
        last, handed = self.last_next.get(consumer, (-1, {}))
        if counter < last:
            return None
        if counter == last:
            again = [i for i, t in handed.items() if i in self.sends and self._claimed(i) and self.sends[i].token == t]
            for id_ in again:
                self.sends[id_].claim, self.sends[id_].claimed = self.now + CLAIM_MS, self.now
                if self.pause and self.pause.probe == id_:
                    self.pause.until = self.now + CLAIM_MS
            if again:
                return Granted(again, [])
        granted = Granted([], [])
        if self.pause:
            if self.pause.until > self.now:
                return granted
            count = 1
        turn = self.turn
        while len(granted.ids) < count:
            turn += 1
            found = None
            for priority in ("1", "0") if turn % 10 == 0 else ("0", "1"):
                found = found or self._candidate(priority, granted)
            if found is None:
                break
            self._grant(found, consumer)
            granted.ids.append(found.id)
        self.last_next[consumer] = (counter, {id_: self.sends[id_].token for id_ in granted.ids})
        if granted.ids:
            self.turn = turn
        return granted

    def _claimed(self, id_: str) -> bool:
        return self.sends[id_].claim is not None

    def _grant(self, sent: Sent, consumer: str) -> None:
        self.lanes[sent.customer].offer = None
        sent.claim, sent.claimed = self.now + CLAIM_MS, self.now
        sent.token += 1
        sent.consumer, sent.status, sent.rank = consumer, "sending", max(sent.rank, 1)
        self.claims.setdefault(consumer, set()).add(sent.id)
        if self.pause:
            self.pause.until, self.pause.probe = self.now + CLAIM_MS, sent.id

    def _candidate(self, priority: str, granted: Granted) -> Sent | None:
        while True:
            offered = [
                (lane.offer[1], customer)
                for customer, lane in self.lanes.items()
                if lane.offer and lane.offer[0] == priority
            ]
            if not offered or min(offered)[0] > self.now:
                return None
            if found := self._head(min(offered)[1], granted):
                return found

    def _head(self, customer: str, granted: Granted) -> Sent | None:
        lane = self.lanes[customer]
        if not lane.ids:
            lane.offer = None
            return None
        sent = self.sends[lane.ids[0]]
        if sent.batch and self._goes_back(sent):
            return None
        refusal = ""
        if sent.expires <= self.wall:
            refusal = "expired"
        elif sent.template and not sent.despite_stop and self.is_stopped(customer):
            refusal = "customer_stopped"
        if refusal:
            self._release(sent)
            self._fail(sent, refusal)
            self._leave(customer, sent.id)
            granted.failed.append((sent.id, refusal))
            return None
        if sent.template and (blocked := self._reserve(customer, sent, leaves=True)):
            sent.waits_for_quota = True
            assert lane.offer
            lane.offer = (lane.offer[0], self.now + min(blocked, QUOTA_LOOK_MS))
            return None
        sent.waits_for_quota = False
        return sent

    def _goes_back(self, sent: Sent) -> bool:
        assert sent.batch
        batch = self.batches[sent.batch]
        if batch.state == "canceled":
            self._cancel_item(sent)
            self._leave(sent.customer, sent.id)
            return True
        if batch.state != "paused":
            return False
        self._release(sent)
        sent.reservation = None
        self._leave(sent.customer, sent.id)
        sent.status, sent.rank = "scheduled", -1
        batch.waiting.insert(0, sent.index)
        self._count(sent)
        return True

    def _cancel_item(self, sent: Sent) -> None:
        self._drop(sent.customer, sent.id)
        self._release(sent)
        sent.status, sent.rank = "canceled", 1
        self._count(sent)

    def _fail(self, sent: Sent, why: str) -> None:
        sent.error = why
        sent.heard.add("failed")
        if sent.rank < RANK["failed"]:
            sent.status, sent.rank = "failed", RANK["failed"]
        self._count(sent)

    def done(  # noqa: C901 - each way a send can end
        self,
        id_: str,
        token: int,
        outcome: str,
        *,
        code: int | None,
        delay_ms: int,
        never_left: bool,
        healthy: bool | None,
    ) -> int:
        """Record the outcome of a send: 1, 0 (not written) or -1 (no such send)."""
        sent = self.sends.get(id_)
        if sent is None:
            return -1
        if outcome == "accepted":
            sent.accepted = True
            if sent.rank < RANK["accepted"]:
                sent.status, sent.rank = "accepted", RANK["accepted"]
            self.unknown.pop(id_, None)
            if sent.status != "failed":
                sent.error = None
        self._probe_says(id_, outcome, delay_ms, healthy)
        if sent.token != token or sent.claim is None:
            written = int(outcome == "accepted" or sent.outcome_token == token)
            if outcome == "accepted" and sent.claim is None:
                self._drop(sent.customer, id_)
            if outcome == "retry" and never_left and sent.token == token and id_ in self.unknown:
                del self.unknown[id_]
                sent.status, sent.rank, sent.outcome_token = "queued", 0, token
                self._enter(sent.customer, id_, urgent=sent.urgent)
                written = 1
            self._count(sent)
            return written
        sent.claim = None
        self.claims.get(sent.consumer, set()).discard(id_)
        if outcome != "accepted" and sent.rank >= RANK["accepted"]:
            self._leave(sent.customer, id_)
            self._count(sent)
            return 0
        if outcome != "accepted":
            sent.outcome_token = token
        if outcome == "retry":
            sent.status, sent.rank = "queued", 0
            if sent.batch and code in PAUSES_BATCH and code == 131048:
                self._pause_batch(self.batches[sent.batch], PAUSES_BATCH[code])
            if code is not None:
                sent.error = str(code)
            if self.lanes[sent.customer].ids:
                self._offer(sent.customer, self.now + delay_ms)
        elif outcome == "unknown":
            sent.status = "unknown"
            self.unknown[id_] = self.now + SETTLE_MS
            self._leave(sent.customer, id_)
        elif outcome == "failed":
            self._release(sent)
            if code == STOPPED:
                self.say(sent.customer, stop=True, at=0)
            self._fail(sent, str(code))
            self._leave(sent.customer, id_)
        else:
            self._leave(sent.customer, id_)
        self._count(sent)
        return 1

    def _probe_says(self, id_: str, outcome: str, delay_ms: int, healthy: bool | None) -> None:
        pause = self.pause
        if pause is None:
            return
        if pause.probe != id_:
            if outcome == "accepted" and pause.reason == "meta_unwell":
                self.pause = None
        elif healthy is True:
            self.pause = None
        elif healthy is False:
            self.pause_number("meta_unwell", 0, id_)
        elif outcome == "retry":
            pause.until, pause.probe = self.now + min(delay_ms, 5_000), ""

    def pause_number(self, reason: str, at_least: int, id_: str = "") -> int:
        """Pause the number, each consecutive time for longer."""
        pause = self.pause
        left = max(0, pause.until - self.now) if pause else 0
        if pause and left and (not id_ or pause.probe != id_):
            graver = reason == "account" and pause.reason != reason
            if at_least <= left and not graver:
                return 0
            if at_least > left:
                pause.until, pause.probe = self.now + at_least, ""
            if pause.reason != "account":
                pause.reason = reason
            return max(left, at_least)
        tries = pause.tries if pause else 0
        ms = max(at_least, min(300_000, 5_000 * 2**tries))
        since = pause.since if pause else self.now
        self.pause = Pause(self.now + ms, tries + 1, reason, since)
        return ms

    def status(self, id_: str, word: str) -> str:
        """Apply a status of Meta's."""
        sent = self.sends.get(id_)
        if sent is None:
            return "foreign"
        rank = sent.rank
        if sent.error in ENDED_BY_US:
            sent.error = None
            sent.heard.discard("failed")
            rank = RANK["unknown"]
        if word in sent.heard:
            return "duplicate"
        sent.heard.add(word)
        was_unknown = self.unknown.pop(id_, None) is not None
        if was_unknown or not sent.accepted:
            sent.accepted = True
            claimed = self.now if sent.claimed is None else sent.claimed
            if self.pause and self.pause.reason == "meta_unwell" and claimed > self.pause.since:
                self.pause = None
            if sent.claim is None:
                self._drop(sent.customer, id_)
        if not sent.confirmed:
            sent.confirmed = True
            self.confirmed = [self.now if sent.claimed is None else sent.claimed, *self.confirmed][:100]
        risen = rank < RANK[word]
        if risen:
            sent.status, rank = word, RANK[word]
            sent.error = "131026" if word == "failed" else None
        sent.rank = rank
        if risen:
            self._count(sent)
        return "applied" if risen else "late"

    def reap(self) -> set[str]:
        """End expired claims: their sends are unknown, unless Meta has confirmed them."""
        reaped = set()
        for sent in list(self.sends.values()):
            if sent.claim is None or sent.claim > self.now:
                continue
            sent.claim = None
            self.claims.get(sent.consumer, set()).discard(sent.id)
            if sent.rank < RANK["accepted"]:
                sent.status, sent.rank = "unknown", max(sent.rank, 1)
                self.unknown[sent.id] = self.now + SETTLE_MS
                reaped.add(sent.id)
            self._leave(sent.customer, sent.id)
            self._count(sent)
        return reaped

    def settle(self) -> dict[str, str]:
        """Settle unknown sends: a text is sent again, but only once; others fail."""
        verdicts = {}
        for at, id_ in sorted((at, id_) for id_, at in self.unknown.items()):
            if at > self.now:
                break
            sent = self.sends[id_]
            since = sent.claimed or 0
            is_old = self.now >= since + DAY_MS
            later = sum(claimed > since for claimed in self.confirmed)
            if self.rejected_at > since and self.now < since + 12 * SETTLE_MS:
                self.unknown[id_] = since + 12 * SETTLE_MS
            elif not is_old and later < 3:
                self.unknown[id_] = self.now + max(min(5_000, SETTLE_MS), (self.now - since) // 20)
            elif not is_old and not sent.template and not sent.resent and sent.expires > self.wall:
                del self.unknown[id_]
                sent.resent, sent.status, sent.rank = True, "queued", 0
                self._enter(sent.customer, id_, urgent=False)
                self._count(sent)
                verdicts[id_] = "resent"
            else:
                del self.unknown[id_]
                self._fail(sent, "no_word_from_meta")
                verdicts[id_] = "failed"
        return verdicts

    def release_consumer(self, consumer: str, *, died: bool, knows: bool) -> None:
        """End a worker process. With its send ledger it is known that it had begun no send."""
        for customer, token in self.held.pop(consumer, {}).items():
            box = self.boxes[customer]
            if box.token != token:
                continue
            box.token = token + 1
            wait = 0
            if died:
                wait = _suspension(box.deliveries - box.failures)
            else:
                box.deliveries -= 1
            if box.due is not None:
                box.due = self.now + wait
        for id_ in sorted(self.claims.pop(consumer, set())):
            sent = self.sends.get(id_)
            if sent is None or sent.claim is None:
                continue
            if knows and sent.rank < RANK["accepted"]:
                sent.claim = None
                sent.status, sent.rank = "queued", 0
                if self.pause and self.pause.probe == id_:
                    self.pause.until, self.pause.probe = self.now, ""
                if self.lanes[sent.customer].ids:
                    self._offer(sent.customer, self.now)
            else:
                sent.claim = self.now
        self.last_take.pop(consumer, None)

    # Batches

    def load(self, batch_id: str, items: list[Item]) -> None:
        """Store a batch."""
        self.batches[batch_id] = Batch(batch_id, {item.index: item for item in items})
        self.batches[batch_id].waiting = [item.index for item in items]
        self.batches[batch_id].counts["scheduled"] = len(items)

    def change(self, batch_id: str, change: str) -> str:
        """Start, pause, resume or cancel a batch; return its state."""
        batch = self.batches[batch_id]
        if change == "start" and batch.state == "loading":
            batch.state = "running" if batch.counts["scheduled"] else "done"
            batch.at = 0
        elif change == "pause":
            self._pause_batch(batch, "asked")
        elif change == "resume" and batch.state == "paused":
            batch.state, batch.reason = "running", None
            batch.at = self.wall
        elif change == "cancel" and batch.state in ("running", "paused", "loading"):
            batch.state = "canceled"
        return batch.state

    def _pause_batch(self, batch: Batch, reason: str) -> None:
        if batch.state == "running":
            batch.state, batch.reason = "paused", reason

    def feed(self) -> int:
        """Move items of running batches into their lanes."""
        moved = 0
        active = sorted((b.at, b.id) for b in self.batches.values() if b.at is not None and b.at <= self.wall)
        for _, batch_id in active:
            batch = self.batches[batch_id]
            if batch.state != "running":
                batch.at = None
                continue
            moved_before, waits = moved, False
            while (index := self._next_item(batch)) is not None:
                moved += self._move(batch, index)
                waits |= index in batch.later
            batch.at = min(batch.later.values(), default=None)
            if waits and moved == moved_before:
                batch.at = self.wall + BATCH_LOOK_MS
        return moved

    def _next_item(self, batch: Batch) -> int | None:
        due = min(((at, str(index), index) for index, at in batch.later.items() if at <= self.wall), default=None)
        if due is not None:
            del batch.later[due[2]]
            return due[2]
        return batch.waiting.pop(0) if batch.waiting else None

    def _move(self, batch: Batch, index: int) -> int:
        item = batch.items.get(index)
        if item is None:
            return 0
        id_ = item_record(batch.id, index)
        if id_ in self.sends:
            sent = self.sends[id_]
            if sent.status == "scheduled":
                if sent.template and self._reserve(item.customer, sent, leaves=False):
                    batch.later[index] = self.wall + BATCH_LOOK_MS
                    return 0
                sent.status, sent.rank, sent.expires = "queued", 0, self.wall + TTL_MS
                self._enter(sent.customer, id_, urgent=False)
                self._count(sent)
            return 1
        sent = Sent(id_, item.customer, template=item.template, urgent=False, batch=batch.id, index=index)
        if item.template and self.is_stopped(item.customer):
            sent.counted = "scheduled"
            self.sends[id_] = sent
            self._fail(sent, "customer_stopped")
            return 1
        if item.template and self._reserve(item.customer, sent, leaves=False):
            batch.later[index] = self.wall + BATCH_LOOK_MS
            return 0
        self.contacts.add(item.customer)
        sent.counted = "queued"
        self.queue(sent)
        batch.counts["scheduled"] -= 1
        batch.counts["queued"] += 1
        return 1

    def sweep(self, batch_id: str) -> None:
        """Cancel the unsent items of a canceled batch."""
        batch = self.batches[batch_id]
        if batch.state != "canceled" or batch.swept:
            return
        batch.swept = True
        for index in sorted(batch.items):
            sent = self.sends.get(item_record(batch_id, index))
            if sent is None:
                batch.counts["scheduled"] -= 1
                batch.counts["canceled"] += 1
            elif sent.status == "scheduled" or (sent.status == "queued" and sent.claim is None):
                self._cancel_item(sent)
        batch.waiting, batch.later, batch.at = [], {}, None

    def _count(self, sent: Sent) -> None:
        """Update the batch's counts after a send may have changed its status."""
        if sent.batch is None:
            return
        batch = self.batches[sent.batch]
        to = "queued" if sent.status == "sending" else sent.status
        if to == "failed":
            to = f"failed:{sent.error}"
        if to == sent.counted:
            return
        was, sent.counted = sent.counted, to
        batch.counts[was] -= 1
        batch.counts[to] += 1
        if was in OPEN and to not in OPEN:
            batch.items.pop(sent.index, None)
        if to.startswith("failed:") and not was.startswith("failed:"):
            code = to.partition(":")[2]
            if code.isdigit() and int(code) in PAUSES_BATCH:
                self._pause_batch(batch, PAUSES_BATCH[int(code)])
        if was in OPEN and to not in OPEN:
            self._end_batch(batch)

    def _end_batch(self, batch: Batch) -> None:
        if batch.state in ("running", "paused") and not any(batch.counts[word] for word in OPEN):
            batch.state = "done"

    # Erasure

    def forget(self, customer: str) -> None:
        """Erase a customer, except the fact that they want no marketing."""
        self.boxes[customer] = Mailbox()
        self.lanes[customer] = Lane()
        self.contacts.discard(customer)
        self.windows.pop(customer, None)
        self.quota.pop(customer, None)
        if not self.is_stopped(customer):
            self.choices.pop(customer, None)
        for held in self.held.values():
            held.pop(customer, None)
        for _, handed in self.last_take.values():
            handed.pop(customer, None)
        for batch in self.batches.values():
            for index in [index for index, item in batch.items.items() if item.customer == customer]:
                sent = self.sends.get(item_record(batch.id, index))
                del batch.items[index]
                status = sent.counted if sent else "canceled" if batch.swept else "scheduled"
                batch.counts[status] -= 1
                self._end_batch(batch)
        for sent in [sent for sent in self.sends.values() if sent.customer == customer]:
            del self.sends[sent.id]
            self.scheduled.pop(sent.id, None)
            self.unknown.pop(sent.id, None)
            if sent.key:
                self.keys.pop(sent.key, None)

    def expected_counts(self, batch: Batch) -> dict[str, int]:
        """The counts of a batch that are not 0."""
        return {word: n for word, n in batch.counts.items() if n}

    def facts(self) -> dict[str, Any]:
        """The expected content of the store, compared as a whole."""
        return {
            "mailboxes": {c: [event.id for event in box.events] for c, box in self.boxes.items()},
            "due": {c: box.due for c, box in self.boxes.items() if box.due is not None},
            "lanes": {c: lane.ids for c, lane in self.lanes.items()},
            "offers": {c: lane.offer for c, lane in self.lanes.items() if lane.offer},
            "statuses": {sent.id: sent.status for sent in self.sends.values()},
            "claims": {sent.id: sent.claim for sent in self.sends.values() if sent.claim is not None},
            "unknown": self.unknown,
            "scheduled": self.scheduled,
            "quota": self.quota,
            "pause": (self.pause.until, self.pause.probe) if self.pause else None,
            "stopped": {customer for customer in self.customers if self.is_stopped(customer)},
            "batches": {b.id: (b.state, self.expected_counts(b)) for b in self.batches.values()},
        }


def _suspicion(unended: int) -> float:
    if unended < 2:
        return 0
    return 1 / 8 if unended == 2 else 1


def _suspension(deaths: int) -> int:
    return 0 if deaths < 3 else min(16_000, 1_000 * 2 ** (deaths - 3))
