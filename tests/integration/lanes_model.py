"""An independent model of the lanes in plain Python, and a machine that drives the store's steps against it.

The model knows no sorted sets and no scripts: mailboxes and lanes are lists, leases and claims are what was handed out
last. Hypothesis interleaves everything that callers may do, with repeats, requests that come late, crashes (a lease or
claim runs out because the store's time goes on) and worker processes that end. After each step mailboxes, lanes and
statuses must be the model's.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import redis
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send
from tests.keys import NAMES, PREFIX
from wa_service.store.client import Store
from wa_service.store.grants import Grant
from wa_service.store.inbox import Finished, Inbox, Work
from wa_service.store.outbox import Idempotency, Limits, Outbox, Send, SendOutcome
from wa_service.store.records import Records
from wa_service.store.stored_event import read_event

CUSTOMERS = [f"1555123{n:04}" for n in range(4)]
CONSUMERS = ("a", "b")
LEASE_MS, CLAIM_MS, SETTLE_MS = 15_000, 45_000, 300_000
UNSENT_CEILING = 20
# Meta's limit between a number and a customer: the model stays below it.
MOST_SENDS = 40
ORDER = ("queued", "sending", "accepted", "sent", "failed", "delivered", "read")

customers = st.sampled_from(CUSTOMERS)
consumers = st.sampled_from(CONSUMERS)


def conversation_of(customer: str) -> str:
    return f"{NUMBER}:{customer}"


def customer_of(work: Work) -> str:
    return work.conversation.partition(":")[2]


@dataclass
class Sent:
    """A send, as the model knows it. `claim`: the token of the last grant, while it holds."""

    id: str
    customer: str
    status: str = "queued"
    claim: int | None = None
    claimed_by: str = ""
    claim_ends: int = 0
    heard: set[str] = field(default_factory=set)
    given_up: bool = False

    def raise_to(self, word: str) -> None:
        """Statuses only rise."""
        at = "sending" if self.status == "unknown" else self.status
        if ORDER.index(word) > ORDER.index(at):
            self.status = word

    @property
    def meta_has_it(self) -> bool:
        return self.status in ORDER[2:] and not self.given_up


class LanesMachine(RuleBasedStateMachine):
    """Drives the lanes; `url_client` is set by the test."""

    store: Store
    client: redis.Redis

    works = Bundle("works")
    grants = Bundle("grants")

    def __init__(self) -> None:
        super().__init__()
        self.client.flushdb()
        outbox = Outbox(self.store, KEEP, {NUMBER: Limits(10_000, 0, "waba")})
        self.lanes = Lanes(self.store, Inbox(self.store, retention_seconds=KEEP), outbox, Records(self.store))
        self.now = int(time.time())
        self.count = 0
        self.seen: set[str] = set()
        self.mailboxes: dict[str, list[str]] = {customer: [] for customer in CUSTOMERS}
        # The token that counts, who has it, and whether its lease's time runs.
        self.tokens: dict[str, int] = {}
        self.holders: dict[str, str] = {}
        self.running: set[str] = set()
        self.latest = Counter[str]()
        self.clock = 0
        self.lane: dict[str, list[str]] = {customer: [] for customer in CUSTOMERS}
        self.sends: dict[str, Sent] = {}
        self.keys: dict[str, str] = {}
        self.takes = dict.fromkeys(CONSUMERS, 0)
        self.nexts = dict.fromkeys(CONSUMERS, 0)
        self.last_grants: dict[str, list[Grant]] = {}

    # --- in -----------------------------------------------------------------------------------------------------

    @rule(customer=customers, again=st.booleans())
    def admit(self, customer: str, again: bool) -> None:
        """A customer writes, or Meta repeats what it delivered."""
        if not again:
            self.count += 1
        message_id = f"wamid.{customer}.{self.count}"
        piece = message(customer, id=message_id, timestamp=self.now)
        result = self.lanes.admit(piece)
        assert result == [b"duplicate" if message_id in self.seen else b"new"]
        if message_id not in self.seen:
            self.mailboxes[customer].append(message_id)
        self.seen.add(message_id)

    @rule(target=works, consumer=consumers, count=st.integers(1, 5), repeat=st.booleans())
    def take(self, consumer: str, count: int, repeat: bool) -> Any:
        """A worker takes conversations; asked twice with one counter, it holds the same ones."""
        if not repeat or not self.takes[consumer]:
            self.takes[consumer] += 1
        _, works = self.lanes.inbox.take(consumer, self.takes[consumer], count)
        for work in works:
            customer = customer_of(work)
            assert work.stored.piece.id == self.mailboxes[customer][0]
            is_repeat = repeat and self.holders.get(customer) == consumer and self.tokens.get(customer) == work.token
            assert is_repeat or (customer not in self.running and work.token > self.latest[customer])
            self.tokens[customer], self.holders[customer] = work.token, consumer
            self.latest[customer] = work.token
            self.running.add(customer)
        return multiple(*((work, consumer) for work in works))

    def _holds(self, work: Work) -> bool:
        """Whether a lease's token still counts, though its time may be over: nobody else took it since."""
        return self.tokens.get(customer_of(work)) == work.token

    def _end_lease(self, customer: str) -> None:
        self.tokens.pop(customer, None)
        self.holders.pop(customer, None)
        self.running.discard(customer)

    @rule(taken=works, replies=st.integers(0, 2))
    def finish(self, taken: tuple[Work, str], replies: int) -> None:
        """A worker ends a message, its own or one that it lost long ago."""
        work, consumer = taken
        customer = customer_of(work)
        holds = self._holds(work)
        if self._sent_to(customer) + replies > MOST_SENDS:
            replies = 0
        answers = [self._new_send(customer) for _ in range(replies)]
        done = self.lanes.inbox.finish(work, consumer, answers)
        assert done == (Finished.DONE if holds else Finished.LOST)
        if holds:
            self.mailboxes[customer].pop(0)
            self._end_lease(customer)
            for answer in answers:
                self._queued(answer)

    @rule(taken=works)
    def renew(self, taken: tuple[Work, str]) -> None:
        """A worker renews its lease; that of a message that ended, or is another's, is renewed by nobody."""
        work, _ = taken
        customer = customer_of(work)
        (renewed,) = self.lanes.inbox.renew_leases([work])
        assert renewed == self._holds(work)
        if renewed:
            self.running.add(customer)

    @rule(taken=works, delay=st.sampled_from([0, 60]), is_failure=st.booleans())
    def retry_later(self, taken: tuple[Work, str], delay: int, is_failure: bool) -> None:
        """A worker hands a conversation back."""
        work, consumer = taken
        customer = customer_of(work)
        holds = self._holds(work)
        failures = self.lanes.inbox.retry_later(work, consumer, delay, is_failure=is_failure)
        assert (failures >= 0) == holds
        if holds:
            self._end_lease(customer)

    # --- out ----------------------------------------------------------------------------------------------------

    def _new_send(self, customer: str) -> Send:
        self.count += 1
        return send(customer, id=f"s{self.count}")

    def _sent_to(self, customer: str) -> int:
        return sum(one.customer == customer for one in self.sends.values())

    def _queued(self, one: Send) -> None:
        self.sends[one.id] = Sent(one.id, one.address)
        self.lane[one.address].append(one.id)

    @rule(customer=customers, key=st.sampled_from(["", "k1", "k2", "k3"]), other=st.booleans())
    def put(self, customer: str, key: str, other: bool) -> None:
        """A caller asks for a send; under a key it used before it gets the first one, or a conflict."""
        if self._sent_to(customer) >= MOST_SENDS:
            return
        one = self._new_send(customer)
        key = key and f"{key}:{customer}"
        promise = Idempotency(NAMES.idempotency("api", key), "other" if other else "same", 0) if key else None
        put = self.lanes.outbox.put(one, idempotency=promise)
        if key in self.keys:
            first, fingerprint = self.keys[key].split("|")
            conflict = fingerprint != (promise and promise.fingerprint)
            assert (put.outcome, put.id) == ("conflict" if conflict else "replayed", first)
        else:
            assert (put.outcome, put.id) == ("queued", one.id)
            self._queued(one)
            if promise:
                self.keys[key] = f"{one.id}|{promise.fingerprint}"

    @rule(target=grants, consumer=consumers, count=st.integers(1, 6), repeat=st.booleans())
    def next(self, consumer: str, count: int, repeat: bool) -> Any:
        """A worker asks what it may send: heads of lanes that nobody sends."""
        repeated = repeat and consumer in self.last_grants
        if not repeated:
            self.nexts[consumer] += 1
        batch = self.lanes.outbox.next(NUMBER, consumer, self.nexts[consumer], count)
        again = {(grant.id, grant.token) for grant in self.last_grants.get(consumer, ())} if repeated else set()
        for grant in batch.grants:
            one = self.sends[grant.id]
            assert self.lane[one.customer][0] == grant.id
            if one.claim is not None:
                assert (grant.id, grant.token) in again
                assert one.claim == grant.token
            if one.claim is None:
                one.status = "sending"
            one.claim, one.claimed_by, one.claim_ends = grant.token, consumer, self.clock + CLAIM_MS
        assert len({grant.conversation for grant in batch.grants}) == len(batch.grants)
        self.last_grants[consumer] = batch.grants
        return multiple(*batch.grants)

    @rule(grant=grants, outcome=st.sampled_from(["accepted", "retry", "failed", "unknown"]))
    def done(self, grant: Grant, outcome: Any) -> None:
        """A worker says how a send ended, perhaps long after its claim ran out."""
        one = self.sends[grant.id]
        holds = one.claim == grant.token
        error = {"reason": "refused"} if outcome in ("failed", "unknown") else None
        wamid = f"wamid.{grant.id}" if outcome == "accepted" else ""
        self.lanes.outbox.done(NUMBER, grant, SendOutcome(outcome, wamid=wamid, error=error))
        if holds:
            one.claim = None
        if outcome == "accepted":
            one.raise_to("accepted")
            if holds or one.claim is None:
                self._leave_lane(one)
        elif holds and one.meta_has_it:
            self._leave_lane(one)
        elif holds and outcome == "retry":
            one.status = "queued"
        elif holds:
            one.status = outcome
            self._leave_lane(one)

    def _meta_took(self, one: Sent, word: str) -> None:
        if one.given_up:
            one.given_up = False
            one.status = "unknown"
        one.raise_to(word)

    def _leave_lane(self, one: Sent) -> None:
        if one.id in self.lane[one.customer]:
            self.lane[one.customer].remove(one.id)

    @rule(grant=grants, word=st.sampled_from(["sent", "delivered", "read"]))
    def status(self, grant: Grant, word: str) -> None:
        """Meta says what became of a send that left."""
        one = self.sends[grant.id]
        status = meta_status(f"wamid.{grant.id}", word, biz_opaque_callback_data=grant.id)
        (result,) = self.store.run([self.lanes.outbox.apply_status(status, int(time.time() * 1000))])
        assert (result[0] == b"duplicate") == (word in one.heard)
        if word not in one.heard:
            was = one.meta_has_it or one.status == "failed"
            self._meta_took(one, word)
            if one.claim is None and not was:
                self._leave_lane(one)
        one.heard.add(word)

    # --- time and death -------------------------------------------------------------------------------------------

    @rule(milliseconds=st.sampled_from([LEASE_MS + 1, CLAIM_MS + 1, SETTLE_MS + 1]))
    def time_goes_on(self, milliseconds: int) -> None:
        """Whoever held something is gone: leases and claims run out."""
        self.client.hincrby(f"{PREFIX}clock", "ahead", milliseconds)
        self.clock += milliseconds
        self.running.clear()
        self._reap()

    def _reap(self) -> None:
        """Sends whose claims ran out are unknown from now on, unless Meta said that it has them."""
        ended = [one for one in self.sends.values() if one.claim is not None and one.claim_ends <= self.clock]
        assert set(self.lanes.outbox.reap()) == {one.id for one in ended if not one.meta_has_it}
        for one in ended:
            one.claim = None
            if not one.meta_has_it:
                one.status = "unknown"
            self._leave_lane(one)

    @rule()
    def settle(self) -> None:
        """Sends of which nobody says anything are judged: only those that are unknown."""
        for id_, verdict in self.lanes.outbox.settle():
            one = self.sends[id_]
            assert (one.status, verdict) == ("unknown", "failed")
            one.status, one.given_up = "failed", True

    @rule(consumer=consumers, died=st.booleans(), knows=st.booleans())
    def consumer_ends(self, consumer: str, died: bool, knows: bool) -> None:
        """A worker process ends; with its ledger it is known that it had begun nothing."""
        self.lanes.inbox.release_consumer(consumer, died=died, begun=() if knows else None)
        for customer in [customer for customer, holder in self.holders.items() if holder == consumer]:
            self._end_lease(customer)
        for one in self.sends.values():
            if one.claim is not None and one.claimed_by == consumer:
                if knows and not one.meta_has_it:
                    one.claim, one.status = None, "queued"
                else:
                    one.claim_ends = self.clock
        self.takes[consumer] += 1
        self.last_grants.pop(consumer, None)
        self._reap()

    # --- what must be so after each step --------------------------------------------------------------------------

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        sends = list(self.sends.values())
        with self.client.pipeline(transaction=False) as pipe:
            for customer in CUSTOMERS:
                pipe.zrange(NAMES.mailbox(conversation_of(customer)), 0, -1)
                pipe.lrange(NAMES.lane(conversation_of(customer)), 0, -1)
            for one in sends:
                pipe.hget(NAMES.record(one.id), "status")
            found = pipe.execute()
        for n, customer in enumerate(CUSTOMERS):
            events, lane = found[2 * n : 2 * n + 2]
            assert [read_event(event).piece.id for event in events] == self.mailboxes[customer]
            assert [id_.decode() for id_ in lane] == self.lane[customer]
        statuses = {one.id: status.decode() for one, status in zip(sends, found[2 * len(CUSTOMERS) :], strict=True)}
        assert statuses == {one.id: one.status for one in sends}

    def teardown(self) -> None:
        """Nothing is stranded: once leases are over, every waiting message is handed out."""
        waiting = {customer for customer in CUSTOMERS if self.mailboxes[customer]}
        waiting -= {customer for customer in CUSTOMERS if len(self.lane[customer]) >= UNSENT_CEILING}
        for counter in range(8):
            self.client.hincrby(f"{PREFIX}clock", "ahead", 70_000)
            waiting -= {customer_of(work) for work in self.lanes.inbox.take(f"last-{counter}", 1, 10)[1]}
        assert waiting == set()
