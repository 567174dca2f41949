"""Test the store's steps against the model in `lanes_world.py`.

A random generator interleaves everything that callers and worker processes may do: repeated and late requests,
crashes (leases and claims expire as time passes), clock changes, ending worker processes, erasures, and failovers.
A failover promotes a replica that has everything, or one that was cut off and lacks later writes, none of which may
have been acknowledged. After each action the store must match the model.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from unittest.mock import patch

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, meta_status, send
from tests.integration.lanes_servers import SET_CLOCK, Pair
from tests.integration.lanes_world import CLAIM_MS, DAY_MS, LEASE_MS, SETTLE_MS, UNSENT_CEILING, Item, Sent, World
from tests.keys import NAMES, PREFIX
from wa_service.store import erasure
from wa_service.store.batches import Batches, BatchItem, NewBatch
from wa_service.store.client import Replication, Store, fields
from wa_service.store.clock_reading import ClockReading
from wa_service.store.contacts import Contacts
from wa_service.store.flusher import NotReplicatedError
from wa_service.store.grants import Grant, read_grants
from wa_service.store.inbox import Finished, Inbox, Work
from wa_service.store.outbox import Idempotency, Limits, Outbox, Priority, Send, SendOutcome
from wa_service.store.records import Records, item_record
from wa_service.store.schedule import Schedule
from wa_service.store.stop_digests import StopDigests
from wa_service.store.stops import Stops
from wa_service.store.stored_event import read_event
from wa_service.store.tag_numbers import TagNumbers
from wa_service.whatsapp.webhooks.identity import identity_of_address

T = TypeVar("T")
CUSTOMERS = [f"1555123{n:04}" for n in range(4)]
CONSUMERS = ("a", "b")
WABA, TEMPLATE = "waba", "promo en"
DAILY_LIMIT = 2
FAILOVER_PAUSE_MS, LOST_MS = 20_000, 1_000
# Meta's pair limit is 45 messages at once; the model stays below it.
MOST_SENDS, MOST_NEXTS = 25, 40
START_MS = 1_800_000_000_000
TYPES = {1: "text", 2: "button", 0: "reaction"}

BOTH = (False, True)


def conversation_of(customer: str) -> str:
    return f"{NUMBER}:{customer}"


def customer_of(work: Work) -> str:
    return work.conversation.partition(":")[2]


@dataclass
class Taken:
    """Work, and the consumer that took it."""

    work: Work
    consumer: str

    @property
    def customer(self) -> str:
        return customer_of(self.work)

    @property
    def head(self) -> str:
        return self.work.stored.piece.id

    @property
    def behind(self) -> list[str]:
        return [read_event(event).piece.id for event in self.work.behind]


@dataclass(frozen=True)
class Act:
    """A kind of action: its weight, and for each argument the choices or the name of the bundle that holds them."""

    name: str
    weight: int
    arguments: dict[str, Sequence[Any] | str]


ACTS: list[Act] = []


def act(weight: int, /, **arguments: Sequence[Any] | str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a method of the machine as an action with this weight."""

    def register(method: Callable[..., None]) -> Callable[..., None]:
        ACTS.append(Act(method.__name__, weight, arguments))
        return method

    return register


class LanesMachine:
    """Runs actions on the lanes over two servers. `seed` selects the settings; `told` lists the actions so far."""

    def __init__(self, servers: Pair, seed: str, *, failovers: int) -> None:
        self.servers = servers
        self.servers.empty()
        self.told: list[str] = []
        # What callers and workers still hold, however long ago they got it.
        self.bundles: dict[str, list[Any]] = {"works": [], "grants": [], "ids": [], "batch_ids": []}
        self.wall = START_MS
        self.count = 0
        # Meta's clock, which is never set.
        self.meta_ms = START_MS
        self.takes = dict.fromkeys(CONSUMERS, 0)
        self.nexts = dict.fromkeys(CONSUMERS, 0)
        self.tokens: dict[str, set[int]] = {customer: set() for customer in CUSTOMERS}
        self.acknowledged: dict[str, set[str]] = {"messages": set(), "sends": set()}
        self.forgotten: set[str] = set()
        self.nexts_left = MOST_NEXTS
        self.cut: World | None = None
        self.failovers: list[int] = []
        self.expected_failovers = 0
        self.debounce, self.failovers_left = random.Random(seed).choice([0, 3]), failovers
        debounce = self.debounce
        self.stores: list[Store] = []
        self.world = World(CUSTOMERS, self.wall, daily_limit=DAILY_LIMIT, debounce_ms=debounce * 1000)
        self._set_clock()
        self._open()
        TagNumbers(self.store, retention_seconds=KEEP).bind([NUMBER])
        self.store.do("HSET", NAMES.categories(WABA), TEMPLATE, "MARKETING")

    def step(self, seed: str) -> None:
        """Run one action; the same seed in the same state gives the same action."""
        dice = random.Random(seed)
        (chosen,) = dice.choices(ACTS, [each.weight for each in ACTS])
        arguments: dict[str, Any] = {}
        for name, choices in chosen.arguments.items():
            if isinstance(choices, str):
                # Usually choose a recent one.
                choices = self.bundles[choices]
                if dice.random() < 0.7:
                    choices = choices[-4:]
            if not choices:
                return
            arguments[name] = dice.choice(choices)
        shown = ", ".join(f"{name}={_shown(value)}" for name, value in arguments.items())
        self.told.append(f"{chosen.name}({shown})")
        getattr(self, chosen.name)(**arguments)
        self.check()

    def _keep(self, bundle: str, *what: Any) -> None:
        self.bundles[bundle] += what

    def _open(self) -> None:
        # A replica that is cut off never responds, so a long timeout would only cost time.
        replication = Replication(
            1,
            patience=5.0 if self.cut is None else 0.02,
            failover_pause=FAILOVER_PAUSE_MS / 1000,
            on_failover=lambda: self.failovers.append(1),
        )
        self.close()
        self.store = store = self.servers.store(replication)
        self.stores.append(store)
        digests = StopDigests(store, b"a key of the test's")
        self.stop_digests = [digests.of([customer])[0] for customer in CUSTOMERS]
        limits = {NUMBER: Limits(10_000, DAILY_LIMIT, WABA)}
        outbox = Outbox(store, KEEP, limits, resend_unknown=True, digests=digests)
        inbox = Inbox(store, retention_seconds=KEEP, debounce=self.debounce)
        self.lanes = Lanes(store, inbox, outbox, Records(store))
        self.schedule = Schedule(outbox)
        self.batches = Batches(outbox, ttl_seconds=DAY_MS // 1000)
        self.stops = Stops(store, digests, [NUMBER], KEEP)
        self.contacts = Contacts(store, [NUMBER], retention_seconds=KEEP, digests=digests)

    def _set_clock(self) -> None:
        self.servers.client.hset(SET_CLOCK, mapping={"s": self.wall // 1000, "us": self.wall % 1000 * 1000})

    def _replicated(self, call: Callable[[], T]) -> tuple[T | None, list[Any]]:
        """Run a call that needs replicas; return its result, or what was done without enough replicas."""
        try:
            return call(), []
        except NotReplicatedError as error:
            assert self.cut is not None
            return None, list(error.results)

    # Received messages

    @act(14, customer=CUSTOMERS, again=[False, False, True], role=[1, 1, 1, 2, 0])
    def admit(self, customer: str, again: bool, role: int) -> None:
        """A customer writes, or Meta redelivers a message."""
        if not again:
            self.count += 1
        message_id = f"wamid.{customer}.{self.count}"
        second = self.meta_ms // 1000
        piece = message(customer, id=message_id, timestamp=second)
        type_ = TYPES[role]
        piece = replace(piece, raw=piece.raw | {"type": type_, type_: {"body": "hello", "text": "hello"}})
        command = self.lanes.inbox.admit(piece, self.wall)
        answer, done = self._replicated(lambda: self.store.run([command], replicated=True))
        if not (answer or done):
            return
        result = self.world.admit(customer, message_id, role if self.debounce else 0, second)
        assert [result.encode()] == (answer or done)
        if answer:
            assert self.cut is None
            self.acknowledged["messages"].add(message_id)

    @act(10, consumer=CONSUMERS, count=range(1, 6), turn=[1, 1, 1, 0, -1])
    def take(self, consumer: str, count: int, turn: int) -> None:
        """A worker takes conversations. The same counter returns the same ones, an older counter none."""
        counter = self.takes[consumer] + turn
        if counter < 1:
            return
        self.takes[consumer] = max(counter, self.takes[consumer])
        expected = self.world.take(consumer, counter, count)
        _, works = self.lanes.inbox.take(consumer, counter, count)
        taken = [Taken(work, consumer) for work in works]
        found = {one.customer: [one.head, *one.behind] for one in taken}
        assert found == (expected or {}), f"found {found}, expected {expected}"
        fresh = {one.customer: one.work.token for one in taken if self.world.boxes[one.customer].token == -1}
        for customer, token in fresh.items():
            assert token not in self.tokens[customer], f"token {token} was given before"
            self.tokens[customer].add(token)
        if fresh:
            self.world.handed_out(consumer, fresh)
        self._keep("works", *taken)

    @act(10, taken="works", replies=range(3))
    def finish(self, taken: Taken, replies: int) -> None:
        """A worker finishes a message, perhaps one whose lease it has lost."""
        if self._sent_to(taken.customer) + replies > MOST_SENDS:
            replies = 0
        answers = [self._new_send(taken.customer) for _ in range(replies)]
        work = taken.work
        done = self.lanes.inbox.finish(work, taken.consumer, answers, behind=work.behind)
        holds = self.world.finish(taken.customer, work.token, taken.head, taken.behind, taken.consumer)
        assert done == (Finished.DONE if holds else Finished.LOST)
        if holds:
            for answer in answers:
                self.world.queue(Sent(answer.id, taken.customer))

    @act(4, taken="works")
    def renew(self, taken: Taken) -> None:
        """A worker renews a lease, which fails once the message is finished or taken by another worker."""
        (renewed,) = self.lanes.inbox.renew_leases([taken.work])
        assert renewed == self.world.renew(taken.customer, taken.work.token)

    @act(4, taken="works", delay=[0, 60], is_failure=BOTH)
    def retry_later(self, taken: Taken, delay: int, is_failure: bool) -> None:
        """A worker returns a conversation for a later attempt."""
        work, consumer = taken.work, taken.consumer
        failures = self.lanes.inbox.retry_later(work, consumer, delay, is_failure=is_failure)
        expected = self.world.retry_later(taken.customer, work.token, delay * 1000, consumer, is_failure=is_failure)
        assert failures == expected

    # Sends

    def _new_send(self, customer: str, **facts: Any) -> Send:
        self.count += 1
        return send(customer, id=f"s{self.count}", ttl=DAY_MS, **facts)

    def _sent_to(self, customer: str) -> int:
        return sum(one.customer == customer for one in self.world.sends.values())

    @act(
        12,
        customer=CUSTOMERS,
        kind=["text", "text", "template", "bulk template", "despite stop"],
        key=["", "", "k1", "k2"],
        other=BOTH,
        later=[0, 0, 0, 20_000, 3_600_000],
    )
    def put(self, customer: str, kind: str, key: str, other: bool, later: int) -> None:
        """A caller submits a send. A repeated idempotency key returns the first send, or a conflict."""
        if self._sent_to(customer) >= MOST_SENDS:
            return
        template = kind != "text"
        urgent, despite_stop = not kind.startswith("bulk"), kind == "despite stop"
        send_at = self.wall + later if later else 0
        one = self._new_send(
            customer,
            type="template" if template else "text",
            template=TEMPLATE if template else None,
            priority=Priority.SINGLE if urgent else Priority.BULK,
            despite_stop=despite_stop,
            send_at=send_at or None,
        )
        key = key and f"{key}:{customer}"
        fingerprint = "other" if other else "same"
        promise = Idempotency(NAMES.idempotency("api", key), fingerprint, 0) if key else None
        put, done = self._replicated(lambda: self.lanes.outbox.put(one, idempotency=promise, opens=template))
        if put is None and not done:
            return
        sent = Sent(one.id, customer, template=template, urgent=urgent, despite_stop=despite_stop)
        expected = self.world.put(sent, key=key, fingerprint=fingerprint, send_at=send_at)
        if put is None:
            assert done[0][0].decode() == expected[0]
            return
        assert (put.outcome, put.id) == expected
        if expected[0] in ("queued", "scheduled"):
            assert self.cut is None
            self.acknowledged["sends"].add(one.id)
            self._keep("ids", one.id)

    @act(16, consumer=CONSUMERS, count=range(1, 7), turn=[1, 1, 1, 0, -1])
    def next(self, consumer: str, count: int, turn: int) -> None:
        """A worker asks what it may send."""
        counter = self.nexts[consumer] + turn
        if counter < 1 or not self.nexts_left:
            return
        self.nexts_left -= 1
        self.nexts[consumer] = max(counter, self.nexts[consumer])
        batch, done = self._replicated(lambda: self.lanes.outbox.next(NUMBER, consumer, counter, count))
        if batch is None and not done:
            return
        found = batch or read_grants(done[0], ClockReading.now())
        expected = self.world.next(consumer, counter, count)
        assert [grant.id for grant in found.grants] == (expected.ids if expected else [])
        assert found.failed == (expected.failed if expected else [])
        for grant in found.grants:
            assert grant.token == self.world.sends[grant.id].token
        if batch is None:  # too few replicas have the write: the grants are released
            for grant in found.grants:
                self._done_in_world(grant, "retry", never_left=True)
            return
        assert self.cut is None
        self._keep("grants", *batch.grants)

    def _done_in_world(self, grant: Grant, outcome: str, **facts: Any) -> int:
        told: dict[str, Any] = {"code": None, "delay_ms": 0, "never_left": False, "healthy": None} | facts
        return self.world.done(grant.id, grant.token, outcome, **told)

    @act(
        12,
        grant="grants",
        outcome=["accepted", "accepted", "retry", "failed", "unknown"],
        code=[131026, 131048, 132015, 131050],
        delay=[0, 7],
        never_left=BOTH,
        unwell=[False, False, True],
    )
    def done(self, grant: Grant, outcome: Any, code: int, delay: int, never_left: bool, unwell: bool) -> None:
        """A worker reports the outcome of a send, perhaps long after its claim expired."""
        is_known = outcome == "failed" or (outcome == "retry" and not never_left)
        healthy = {"accepted": True, "failed": True, "retry": False if unwell else None}.get(outcome)
        told = SendOutcome(
            outcome,
            wamid=f"wamid.{grant.id}" if outcome == "accepted" else "",
            delay=delay,
            error={"code": code, "reason": "refused"} if is_known else None,
            code=code if outcome == "failed" else None,
            meta_healthy=healthy,
            reason="meta_unwell" if healthy is False else "",
            never_left=never_left and outcome == "retry",
        )
        written = self.lanes.outbox.done(NUMBER, grant, told)
        expected = self._done_in_world(
            grant,
            outcome,
            code=code if is_known else None,
            delay_ms=delay * 1000,
            never_left=never_left and outcome == "retry",
            healthy=healthy,
        )
        assert written.is_written == (expected == 1)

    @act(8, grant="grants", word=["sent", "delivered", "read", "failed"])
    def status(self, grant: Grant, word: str) -> None:
        """Meta reports a status of a send."""
        errors = {"errors": [{"code": 131026, "title": "undeliverable"}]} if word == "failed" else {}
        status = meta_status(f"wamid.{grant.id}", word, biz_opaque_callback_data=grant.id, **errors)
        command = self.lanes.outbox.apply_status(status, self.wall)
        answer, done = self._replicated(lambda: self.store.run([command], replicated=True))
        if answer or done:
            assert (answer or done)[0][0].decode() == self.world.status(grant.id, word)

    @act(5, consumer=CONSUMERS)
    def work_off(self, consumer: str) -> None:
        """A worker sends what may leave, and Meta delivers it."""
        already = len(self.bundles["grants"])
        self.next(consumer, 6, 1)
        for grant in self.bundles["grants"][already:]:
            self.done(grant, "accepted", 0, 0, never_left=False, unwell=False)
            self.status(grant, "delivered")

    @act(2)
    def hear_nothing(self) -> None:
        """No responses and statuses come until unknown sends are settled."""
        self.time_goes_on(CLAIM_MS + 1)
        self.reap()
        self.time_goes_on(SETTLE_MS + 1)
        self.settle()

    @act(2, consumer=CONSUMERS)
    def lose_answers(self, consumer: str) -> None:
        """A worker sends what may leave, and gets no response."""
        self.next(consumer, 6, 1)
        self.hear_nothing()

    @act(2, consumer=CONSUMERS)
    def lose_an_answer_twice(self, consumer: str) -> None:
        """A send without a status is sent again and has none again, while others are delivered."""
        for _ in range(2):
            self.next(consumer, 6, 1)
            self.time_goes_on(CLAIM_MS + 1)
            self.reap()
            for customer in CUSTOMERS:
                self.put(customer, "text", "", other=False, later=0)
            self.work_off(consumer)
            self.time_goes_on(SETTLE_MS + 1)
            self.settle()

    @act(3, id_="ids")
    def cancel(self, id_: str) -> None:
        """A caller cancels a send."""
        answer, done = self._replicated(lambda: self.schedule.cancel(id_))
        if answer or done:
            assert (answer.outcome if answer else done[0][0].decode()) == self.world.cancel(id_)

    @act(2)
    def move_due(self) -> None:
        """A worker moves due sends into their lanes."""
        assert self.schedule.move_due(NUMBER, 100).moved == self.world.move_due()

    @act(6, customer=CUSTOMERS, stop=BOTH, ago=[0, 0, 5_000, 60_000, 3_600_000], by=["words", "words", "api"])
    def say(self, customer: str, stop: bool, ago: int, by: Any) -> None:
        """A customer says STOP or START, which arrives at once or late; or a caller sets it."""
        at_ms = (self.meta_ms - ago) // 1000 * 1000 if by == "words" else 0
        self.store.run(self.stops.commands(identity_of_address(customer), stop=stop, by=by, at_ms=at_ms))
        self.world.say(customer, stop=stop, at=at_ms)

    @act(2)
    def write_digests(self) -> None:
        """A worker writes the digests of STOPs, which outlive the contacts."""
        self.stops.write_digests()

    # Batches

    @act(2, first=range(4), count=range(1, 5), template=BOTH)
    def load_batch(self, first: int, count: int, template: bool) -> None:
        """Store a batch that is started later."""
        self.count += 1
        addressed = (CUSTOMERS + CUSTOMERS)[first : first + count]
        batch_id = f"b{self.count}"
        items = []
        for index, customer in enumerate(addressed):
            one = send(
                customer,
                priority=Priority.BULK,
                type="template" if template else "text",
                template=TEMPLATE if template else None,
            )
            items.append(BatchItem(index, one, opens=template))
        self.batches.open(NewBatch(batch_id, "print", "tester"))
        self.batches.add(batch_id, 0, len(items), items)
        self.world.load(batch_id, [Item(n, customer, template) for n, customer in enumerate(addressed)])
        self._keep("batch_ids", batch_id)
        self._keep("ids", *(item_record(batch_id, index) for index in range(count)))

    @act(4, first=range(4), count=range(1, 5))
    def send_batch(self, first: int, count: int) -> None:
        """Store and start a batch of texts; its items enter their lanes."""
        self.load_batch(first, count, template=False)
        self.change_batch(self.bundles["batch_ids"][-1], "start")
        self.feed()

    @act(8, batch_id="batch_ids", change=["start", "pause", "pause", "resume", "cancel"])
    def change_batch(self, batch_id: str, change: Any) -> None:
        """A caller starts, pauses, resumes or cancels a batch."""
        if batch_id not in self.world.batches:
            return
        answer, done = self._replicated(lambda: self.batches.change(batch_id, change))
        if answer or done:
            assert (answer or done[0].decode()) == self.world.change(batch_id, change)

    @act(5)
    def feed(self) -> None:
        """A worker moves items of batches into their lanes."""
        assert self.batches.feed(NUMBER, {}) == self.world.feed()

    @act(2, batch_id="batch_ids", consumer=CONSUMERS)
    def hold_batch(self, batch_id: str, consumer: str) -> None:
        """A caller pauses and resumes a batch that has items in lanes."""
        self.change_batch(batch_id, "pause")
        self.next(consumer, 6, 1)
        self.change_batch(batch_id, "resume")
        self.feed()

    @act(3, batch_id="batch_ids")
    def sweep(self, batch_id: str) -> None:
        """A worker continues to cancel the items of a canceled batch."""
        if batch_id in self.world.batches:
            self.batches.sweep(batch_id)
            self.world.sweep(batch_id)

    # Time and process ends

    @act(8, milliseconds=[3_001, 3_001, LEASE_MS + 1, CLAIM_MS + 1, SETTLE_MS + 1, SETTLE_MS + 1, DAY_MS + 1])
    def time_goes_on(self, milliseconds: int) -> None:
        """Time passes without renewals: leases and claims expire."""
        self.wall += milliseconds
        self.meta_ms += milliseconds
        self._set_clock()
        self.servers.client.hset(f"{PREFIX}clock", "wall", self.wall)
        self.world.time_passes(milliseconds)

    @act(2, milliseconds=[-18_000_000, -3_600_000, -60_000, 9_000, 60_000, 3_600_000])
    def clock_is_set(self, milliseconds: int) -> None:
        """The server's clock is set."""
        self.wall += milliseconds
        self._set_clock()
        self.lanes.inbox.heartbeat("w")
        self.world.look(self.wall)

    @act(5)
    def reap(self) -> None:
        """A worker ends expired claims."""
        assert set(self.lanes.outbox.reap()) == self.world.reap()

    @act(5)
    def settle(self) -> None:
        """Settle unknown sends."""
        assert dict(self.lanes.outbox.settle()) == self.world.settle()

    @act(2)
    def webhook_rejected(self) -> None:
        """The service answered a webhook with 5xx."""
        self.store.run([self.lanes.outbox.webhook_rejected()])
        self.world.rejected_at = self.world.now

    @act(1, reason=["meta_unwell", "account", "rate_limited"], at_least=[0, 30])
    def pause(self, reason: str, at_least: int) -> None:
        """Pause the number, as after a response of Meta's."""
        ms = self.lanes.outbox.pause(NUMBER, reason, at_least=at_least) * 1000
        assert ms == self.world.pause_number(reason, at_least * 1000)

    @act(4)
    def resume(self) -> None:
        """An operator ends the pause."""
        assert self.lanes.outbox.resume(NUMBER) == (self.world.pause is not None)
        self.world.pause = None

    @act(4, consumer=CONSUMERS, died=BOTH, knows=BOTH)
    def consumer_ends(self, consumer: str, died: bool, knows: bool) -> None:
        """A worker process ends. With its send ledger it is known that it had begun no send."""
        self.lanes.inbox.release_consumer(consumer, died=died, begun=() if knows else None)
        self.world.release_consumer(consumer, died=died, knows=knows)
        # In production the next process has a new name; here it reuses this one.
        self.takes[consumer] += 1
        self.nexts[consumer] += 1

    @act(1, customer=CUSTOMERS)
    def forget(self, customer: str) -> None:
        """A person is erased."""
        with patch.object(erasure, "_REPLICATION_SECONDS", 0.0):
            self._replicated(lambda: self.contacts.forget(customer))
        self.forgotten |= {one.id for one in self.world.sends.values() if one.customer == customer}
        self.world.forget(customer)
        self.time_goes_on(1)  # the erasure takes a moment

    # Failover

    @act(2)
    def cut_replica_off(self) -> None:
        """Cut the replica off: from now on nothing may be acknowledged."""
        if self.failovers_left and self.cut is None:
            self.servers.cut()
            self.cut = copy.deepcopy(self.world)
            self._open()

    @act(1)
    def let_replica_follow(self) -> None:
        """The replica follows again and has everything."""
        if self.cut is not None:
            self.servers.follow()
            self.cut = None
            self._open()

    @act(2)
    def fail_over(self) -> None:
        """The primary dies, and the replica is promoted with what it has."""
        if not self.failovers_left:
            return
        self.failovers_left -= 1
        if self.cut is None:
            self.servers.cut()
        else:
            self.world = self.cut
        self.servers.fail_over()
        self.cut = None
        self.wall += 1_000
        self.meta_ms += 1_000
        self._set_clock()
        self._open()
        self.expected_failovers += 1
        self.world.look(self.wall)
        self.world.now += LOST_MS
        self.world.pause_number("failover", FAILOVER_PAUSE_MS)
        self.lanes.inbox.heartbeat("w")
        assert len(self.failovers) == self.expected_failovers
        # Everything acknowledged is there.
        assert self.acknowledged["messages"] <= self.world.seen
        assert self.acknowledged["sends"] <= self.world.sends.keys() | self.forgotten

    # Invariants after each action

    def check(self) -> None:
        """Check that the store matches the model."""
        found, wanted = self._facts(), self.world.facts()
        different = {name: (found[name], wanted[name]) for name in wanted if found[name] != wanted[name]}
        assert not different, f"(found, expected): {different}"

    def _facts(self) -> dict[str, Any]:
        """The content of the store, in the form of the model's `facts`."""
        sends, batches = list(self.world.sends), list(self.world.batches)
        conversations = [conversation_of(customer) for customer in CUSTOMERS]
        with self.servers.client.pipeline(transaction=False) as pipe:
            for c in conversations:
                pipe.zrange(NAMES.mailbox(c), 0, -1)
                pipe.lrange(NAMES.lane(c), 0, -1)
            for id_ in sends:
                pipe.hget(NAMES.record(id_), "status")
            for batch_id in batches:
                pipe.hgetall(NAMES.of("batch", batch_id))
            for name in ("due", "busy", "unknown", f"scheduled:{NUMBER}", f"quota:{WABA}"):
                pipe.zrange(NAMES.of(name), 0, -1, withscores=True)
            for priority in "01":
                pipe.zrange(NAMES.out(NUMBER, int(priority)), 0, -1, withscores=True)
            pipe.hmget(NAMES.pause(NUMBER), "until", "probe")
            for c in conversations:
                pipe.hmget(NAMES.contact(c), "stopped_at", "started_at")
            for digest in self.stop_digests:
                pipe.exists(NAMES.of("stop", digest))
            found = pipe.execute()
        boxes = {c: found.pop(0) for c in (f"{kind}{c}" for c in CUSTOMERS for kind in ("m", "l"))}
        statuses = {id_: (found.pop(0) or b"").decode() for id_ in sends}
        hashes = [fields([part for pair in found.pop(0).items() for part in pair]) for _ in batches]
        sets = [{m.decode(): int(score) for m, score in found.pop(0)} for _ in range(7)]
        due, busy, unknown, scheduled, quota, high, low = sets
        until, probe = found.pop(0)
        said, kept = found[: len(CUSTOMERS)], found[len(CUSTOMERS) :]
        return {
            "mailboxes": {c: [read_event(event).piece.id for event in boxes[f"m{c}"]] for c in CUSTOMERS},
            "due": {_customer(c): at for c, at in due.items()},
            "lanes": {c: [id_.decode() for id_ in boxes[f"l{c}"]] for c in CUSTOMERS},
            "offers": {
                _customer(c): (priority, at) for priority, out in (("0", high), ("1", low)) for c, at in out.items()
            },
            "statuses": statuses,
            "claims": busy,
            "unknown": unknown,
            "scheduled": scheduled,
            "quota": quota,
            "pause": (int(float(until)), probe.decode()) if until else None,
            "stopped": {
                c
                for c, (stopped, started), is_kept in zip(CUSTOMERS, said, kept, strict=True)
                if stopped or (is_kept and not started)
            },
            "batches": {
                batch_id: (
                    told["state"],
                    {name[2:]: int(n) for name, n in told.items() if name.startswith("n:") and n != "0"},
                )
                for batch_id, told in zip(batches, hashes, strict=True)
            },
        }

    def end(self) -> None:
        """Check that no message is stranded: once leases have expired, a worker can finish everything that waits."""
        self.let_replica_follow()
        waiting = {c for c in CUSTOMERS if self.world.boxes[c].events and len(self.world.lanes[c].ids) < UNSENT_CEILING}
        for counter in range(sum(len(box.events) for box in self.world.boxes.values()) + 2):
            self.time_goes_on(70_000)
            for work in self.lanes.inbox.take("last", counter, 10)[1]:
                assert self.lanes.inbox.finish(work, "last", [], behind=work.behind) == Finished.DONE
        left = {c for c in waiting if self.store.do("EXISTS", NAMES.mailbox(conversation_of(c)))}
        assert not left, f"never handed out: {left}"

    def close(self) -> None:
        """Close the stores."""
        while self.stores:
            self.stores.pop().close()


STEPS = 80


class ViolationError(AssertionError):
    """The store differs from the model. The text has the seed and the shortest failing sequence of actions."""


def play(servers: Pair, seed: int, steps: Sequence[int], *, failovers: int) -> tuple[list[str], Exception | None]:
    """Run these actions of a seed; return what happened and the error, if any."""
    machine = LanesMachine(servers, f"{seed}", failovers=failovers)
    try:
        for step in steps:
            machine.step(f"{seed}/{step}")
        machine.end()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown with its steps
        return machine.told, error
    finally:
        machine.close()
    return machine.told, None


def drive(servers: Pair, seed: int, *, failovers: int = 0, shrink: bool = True) -> None:
    """Run all actions of one seed, and on an error look for a shorter sequence.

    Raises:
        ViolationError: the store is not as the model says.
    """
    steps = list(range(STEPS))
    told, error = play(servers, seed, steps, failovers=failovers)
    if error is None:
        return
    size = len(steps) // 2 if shrink else 0
    while size:
        start = 0
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            shorter, found = play(servers, seed, fewer, failovers=failovers)
            if found is not None:
                steps, told, error = fewer, shorter, found
            else:
                start += size
        size //= 2
    raise ViolationError("\n".join([f"seed {seed}, failovers {failovers}:", *told, repr(error)])) from error


def _shown(value: Any) -> str:
    if isinstance(value, Taken):
        return f"<{value.head} {value.work.token} of {value.consumer}>"
    return f"<{value.id} {value.token}>" if isinstance(value, Grant) else repr(value)


def _customer(conversation: str) -> str:
    return conversation.partition(":")[2]
