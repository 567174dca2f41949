"""Random histories of people, delivered in any order and repeatedly: nobody is lost, and no two people are mixed up.

People have numbers that change and are later assigned to others, and user ids that change with them; some show no
number. Webhooks report this as Meta does, in several spellings, and may name the new number without the new user id.
Then the test compares the store's contacts.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes
from tests.keys import NAMES, PREFIX
from wa_service.store.inbox import Work
from wa_service.store.stored_event import StoredEvent
from wa_service.whatsapp.addresses import spellings
from wa_service.whatsapp.webhooks.events import Piece, walk
from wa_service.whatsapp.webhooks.identity import Identity, identities_of_update
from wa_service.worker.reply_sends import ReplySends, reply_address

SUITE, CHAOS = 150, 10_000
UNUSED_SECONDS = 31 * 86_400  # carriers leave a number unused for longer
REDELIVERY_SECONDS = 7 * 86_400  # Meta's
POOL = [f"44770090{n:04d}" for n in range(3)]
# Argentina, Mexico and Brazil, whose numbers Meta spells in two ways.
POOL += ["5491122223333", "5215512345678", "5511988880000"]
_serial = iter(range(1, 1 << 40))


@dataclass
class Human:
    """A person: the current number and user id, and all their user ids."""

    name: str
    number: str
    user_id: str
    parent: str
    is_hidden: bool = False  # Meta never sends the number
    is_shown: bool = False
    ids: set[str] = field(default_factory=set)


class World:
    """People who write, change numbers and ids, and take over numbers that others gave up."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.now = 1_750_000_000
        self.people: list[Human] = []
        self.told: list[Piece | tuple[Identity, int]] = []
        self.named: set[str] = set()
        self.ids = 0
        self.may_omit_ids = dice.random() < 0.5  # in notices of a new number
        self.used: set[str] = set()
        self.linked_by_order: set[str] = set()  # people whose notices omitted their ids

    def live(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self.dice.randrange(2, 100_000)
            free = [number for number in POOL if number not in {human.number for human in self.people}]
            act = self.dice.choice(["write", "write", "write", "number", "id", "leave", "arrive"])
            if act == "arrive" or not self.people:
                if free:
                    self._arrive(self.dice.choice(free))
            elif act == "write":
                self._write(self.dice.choice(self.people))
            elif act == "number" and free:
                self._change_number(self.dice.choice(self.people), self.dice.choice(free))
            elif act == "id":
                self._change_id(self.dice.choice(self.people))
            elif act == "leave" and len(self.people) > 1:
                self.people.remove(self.dice.choice(self.people))
        for human in self.people:
            self.now += 1
            self._write(human)

    def reordered(self) -> list[Piece | tuple[Identity, int]]:
        """Everything in any order; where ids are missing, each at most as late as Meta delivers."""

        def at(one: Piece | tuple[Identity, int]) -> int:
            return one.timestamp if isinstance(one, Piece) else one[1]

        if self.may_omit_ids:
            return sorted(self.told, key=lambda one: at(one) + self.dice.randrange(REDELIVERY_SECONDS))
        return self.dice.sample(self.told, len(self.told))

    def _wait_for(self, number: str) -> None:
        if self.may_omit_ids and number in self.used:
            self.now += UNUSED_SECONDS
        self.used.add(number)

    def _new_ids(self, human: Human) -> None:
        self.ids += 1
        human.user_id, human.parent = f"GB.{human.name}{self.ids}", f"GB.ENT.{human.name}{self.ids}"
        human.ids |= {human.user_id, human.parent}

    def _arrive(self, number: str) -> None:
        self._wait_for(number)
        self.ids += 1
        human = Human(f"h{self.ids}x", number, "", "", is_hidden=self.dice.random() < 0.2)
        self._new_ids(human)
        self.people.append(human)
        self._write(human)

    def _write(self, human: Human, *, shows: bool = False) -> None:
        contact: dict[str, Any] = {"profile": {"name": human.name}, "user_id": human.user_id}
        message: dict[str, Any] = {"type": "text", "text": {"body": human.name}, "from_user_id": human.user_id}
        human.is_shown = shows or (not human.is_hidden and self.dice.random() < 0.8)
        if human.is_shown:  # otherwise Meta does not send the number
            contact["wa_id"] = self._spelled(human.number)
            message["from"] = self._spelled(human.number)
        if self.dice.random() < 0.4:
            message["from_parent_user_id"] = human.parent
        self._tell(message, contact)

    def _change_number(self, human: Human, number: str) -> None:
        self._wait_for(number)
        omits_ids = self.may_omit_ids and human.is_shown and self.dice.random() < 0.5
        if omits_ids:
            self.now += REDELIVERY_SECONDS  # what showed the old number has arrived
        old, old_id, old_parent = human.number, human.user_id, human.parent
        human.number = number
        self._new_ids(human)
        if omits_ids:
            self._change_number_only(human, old, old_id)
            return
        system: dict[str, Any] = {
            "type": "user_changed_number",
            "user_id": human.user_id,
            "previous_user_id": old_id,
            "parent_user_id": human.parent,
            "previous_parent_user_id": old_parent,
        }
        if human.is_hidden:
            system["type"] = "user_changed_user_id"
        else:
            system[self.dice.choice(["wa_id", "new_wa_id"])] = self._spelled(number, decorated=True)
        shows_old = not human.is_hidden and self.dice.random() < 0.7
        sender = {"from": self._spelled(old)} if shows_old else {}
        self._tell({"type": "system", "system": system, **sender}, None)

    def _change_number_only(self, human: Human, old: str, old_id: str) -> None:
        """Report the number, but not the user id that comes with it; then the customer writes."""
        system = {"type": "user_changed_number", "wa_id": self._spelled(human.number, decorated=True)}
        message = {"type": "system", "system": system, "from": self._spelled(old)}
        sender = {"from_user_id": old_id} if self.dice.random() < 0.3 else {}
        times = 2 if self.dice.random() < 0.2 else 1  # in two messages
        for _ in range(times):
            self._tell(message | sender, None)
        self.linked_by_order.add(human.name.removesuffix("x"))
        self.now += 1
        self._write(human, shows=True)

    def _change_id(self, human: Human) -> None:
        old, old_parent = human.user_id, human.parent
        self._new_ids(human)
        system: dict[str, Any] = {
            "type": "user_changed_user_id",
            "user_id": human.user_id,
            "previous_user_id": old,
            "parent_user_id": human.parent,
            "previous_parent_user_id": old_parent,
        }
        shows = not human.is_hidden and self.dice.random() < 0.5
        if self.dice.random() < 0.3:
            self._tell_update(human, old, old_parent, shows=shows)
            return
        sender = {"from": self._spelled(human.number)} if shows else {}
        self._tell({"type": "system", "system": system, **sender}, None)

    def _tell_update(self, human: Human, old: str, old_parent: str, *, shows: bool) -> None:
        """Report the change in the older management field."""
        update: dict[str, Any] = {"user_id": {"previous": old, "current": human.user_id}}
        update["parent_user_id"] = {"previous": old_parent, "current": human.parent}
        update["timestamp"] = self.dice.choice([self.now, str(self.now), self.now * 1000])
        if shows:
            update["wa_id"] = self._spelled(human.number)
        self.named |= {old, old_parent, human.user_id, human.parent}
        self.told += list(identities_of_update({"user_id_update": [update]}))

    def _spelled(self, number: str, *, decorated: bool = False) -> str | int:
        """A number in one of Meta's spellings: as a string, or sometimes as an integer or with "+"."""
        spelling = self.dice.choice(spellings(number))
        forms: list[str | int] = [spelling, int(spelling), f"+{spelling}" if decorated else spelling]
        return self.dice.choice(forms)

    def _tell(self, message: dict[str, Any], contact: dict[str, Any] | None) -> None:
        told = {**message, "id": f"wamid.{next(_serial)}", "timestamp": str(self.now)}
        value = {"metadata": {"phone_number_id": NUMBER}, "messages": [told]}
        if contact:
            value["contacts"] = [contact]
        changes = [{"field": "messages", "value": value}]
        pieces = list(walk({"object": "whatsapp_business_account", "entry": [{"id": "w", "changes": changes}]}))
        self.named |= {address for piece in pieces for address in piece.addresses if "." in address}
        self.told += pieces


def contacts(client: redis.Redis) -> dict[str, list[str]]:
    """Every contact's addresses, by conversation."""
    keys = client.keys(f"{PREFIX}contact:*")
    with client.pipeline() as pipe:
        for key in keys:
            pipe.hget(key, "addresses")
        found = pipe.execute()
    return {
        key.decode().removeprefix(f"{PREFIX}contact:"): (named or b"").decode().split()
        for key, named in zip(keys, found, strict=True)
    }


def check(client: redis.Redis, world: World, everybody: dict[str, str], *, in_order: bool, seed: int) -> None:
    known = contacts(client)
    owners: dict[str, str] = {}
    for conversation, addresses in known.items():
        for address in addresses:
            others = {owners[spelling] for spelling in spellings(address) if spelling in owners} - {conversation}
            assert not others, f"{seed}: two people have {address}"
            owners[address] = conversation
            alias = client.get(NAMES.alias(NUMBER, address))
            assert alias == conversation.encode(), f"{seed}: {address} leads to {alias!r}, not {conversation}"
        people = {everybody[address] for address in addresses if address in everybody}
        assert len(people) <= 1, f"{seed}: {people} are one"
    told_ids = world.named & everybody.keys()
    of_each: dict[str, set[str]] = {}
    for user_id in told_ids:
        of_each.setdefault(everybody[user_id], set()).add(owners[user_id])
    of_each = {name: found for name, found in of_each.items() if in_order or name not in world.linked_by_order}
    torn = {name: found for name, found in of_each.items() if len(found) > 1}
    assert not torn, f"{seed}: one person is several: {torn}"
    if in_order:
        for human in world.people:
            if human.is_shown:
                holders = {owners[spelling] for spelling in spellings(human.number) if spelling in owners}
                assert holders == {owners[human.user_id]}, f"{seed}: {human} lost the number"


def tell(lanes: Lanes, told: list[Piece | tuple[Identity, int]], *, at_once: bool = False) -> None:
    """Admit everything in order, in one round trip; `at_once`: when it was written, so that it is answered."""
    now = int(time.time() * 1000)
    results = lanes.store.run(
        [
            lanes.inbox.admit(one, one.timestamp * 1000 if at_once else now)
            if isinstance(one, Piece)
            else lanes.inbox.link(NUMBER, one[0], one[1], only_known=False)
            for one in told
        ]
    )
    assert set(results) <= {b"new", b"duplicate", 0, 1}


@pytest.mark.chaos
@pytest.mark.timeout(1_200)
def test_one_person_stays_one_and_two_people_never_become_one(
    lanes: Lanes, redis_client: redis.Redis, long_form: bool
) -> None:
    for seed in range(CHAOS if long_form else SUITE):
        dice = random.Random(seed)
        world = World(dice)
        world.live(dice.randrange(4, 20))
        everybody = {id_: id_.rpartition("x")[0].rpartition(".")[2] for id_ in world.named}
        told = list(world.told)
        in_order = seed % 3 == 0
        if not in_order:
            told = world.reordered()
        told += dice.sample(told, len(told) // 3)
        redis_client.flushdb()
        tell(lanes, told)
        check(redis_client, world, everybody, in_order=in_order, seed=seed)


def test_what_waits_for_a_person_goes_to_an_address_of_theirs(lanes: Lanes, redis_client: redis.Redis) -> None:
    """Each message is answered where it came from, and no answer leaves before everything has happened."""
    replies = ReplySends(86_400_000)
    for seed in range(SUITE // 5):
        dice = random.Random(seed)
        world = World(dice)
        world.live(dice.randrange(4, 20))
        redis_client.flushdb()
        for one in world.told:
            tell(lanes, [one])
            if isinstance(one, Piece) and one.raw["type"] == "text":
                conversation = (redis_client.get(NAMES.alias(NUMBER, one.addresses[0])) or b"").decode()
                known = " ".join(contacts(redis_client)[conversation])
                address = reply_address(one.addresses, conversation, {"addresses": known})
                stored = StoredEvent(one, 1)
                (send,) = replies.make(stored, [{"type": "text", "text": {"body": "hi"}}], address=address)
                lanes.outbox.put(send)
        check_recipients(redis_client, seed)


def check_recipients(client: redis.Redis, seed: int) -> None:
    """Every answer that waits goes to an address that its customer has now."""
    for conversation, addresses in contacts(client).items():
        for id_ in client.lrange(NAMES.lane(conversation), 0, -1):
            body = orjson.loads(client.hget(f"{PREFIX}record:{id_.decode()}", "body") or b"")
            to = body.get("to") or body["recipient"]
            current = [address for address in addresses if "." not in address]
            current += next([address] for address in addresses if "." in address)
            assert set(spellings(to)) & set(current), f"{seed}: {to} is not one of {current}"


def test_what_is_made_meanwhile_for_a_person_goes_to_an_address_of_theirs(
    lanes: Lanes, redis_client: redis.Redis
) -> None:
    """Messages are handled while the next events arrive, and their answers are addressed as of when they were taken."""
    replies = ReplySends(86_400_000)

    def finish(work: Work) -> None:
        piece = work.stored.piece
        texts = [{"type": "text", "text": {"body": "hi"}}] if piece.raw["type"] == "text" else []
        address = reply_address(piece.addresses, work.conversation, work.contact)
        lanes.inbox.finish(work, "w", replies.make(work.stored, texts, address=address))

    for seed in range(SUITE // 5):
        dice = random.Random(seed)
        world = World(dice)
        world.live(dice.randrange(4, 20))
        redis_client.flushdb()
        under_way: list[Work] = []
        for one in world.told:
            tell(lanes, [one], at_once=True)
            under_way += lanes.inbox.take("w", next(_serial), 5)[1]
            dice.shuffle(under_way)
            while under_way and dice.random() < 0.4:
                finish(under_way.pop())
        for work in under_way:
            finish(work)
        check_recipients(redis_client, seed)


def test_numbers_alone_follow_their_people(lanes: Lanes, redis_client: redis.Redis) -> None:
    """Without user ids and in order, a person keeps the conversation with a new number, and the old number is free."""
    for seed in range(SUITE):
        dice = random.Random(seed)
        redis_client.flushdb()
        lives_at: dict[int, str] = {}
        conversations: dict[int, set[str]] = {}
        now = 1_750_000_000
        for step in range(dice.randrange(4, 16)):
            now += dice.randrange(2, 100_000)
            free = [number for number in POOL if number not in lives_at.values()]
            mover = dice.choice(list(lives_at)) if lives_at and dice.random() < 0.6 else None
            told: dict[str, Any]
            if mover is None and free:
                lives_at[step] = number = dice.choice(free)
                told = {"from": number, "type": "text", "text": {"body": "hi"}}
                who = step
            elif mover is not None and free and dice.random() < 0.5:
                old, lives_at[mover] = lives_at[mover], dice.choice(free)
                name, spelled = dice.choice(["wa_id", "new_wa_id"]), dice.choice([str, int, "+{}".format])
                kind = "user_changed_number" if name == "wa_id" else "customer_changed_number"
                system = {"type": kind, name: spelled(lives_at[mover])}
                told = {"type": "system", "system": system | ({"customer": old} if dice.random() < 0.5 else {})}
                told |= {} if "customer" in system else {"from": old}
                who = mover
            elif mover is not None:
                told = {"from": lives_at[mover], "type": "text", "text": {"body": "hi"}}
                who = mover
            else:
                continue
            one = told | {"id": f"wamid.{next(_serial)}", "timestamp": str(now)}
            value = {"metadata": {"phone_number_id": NUMBER}, "messages": [one]}
            changes = [{"field": "messages", "value": value}]
            lanes.admit(*walk({"object": "whatsapp_business_account", "entry": [{"id": "w", "changes": changes}]}))
            alias = redis_client.get(NAMES.alias(NUMBER, lives_at[who]))
            assert alias, f"{seed}: nobody has the number of {who}"
            conversations.setdefault(who, set()).add(alias.decode())
        assert all(len(found) == 1 for found in conversations.values()), f"{seed}: {conversations}"
        assert len({next(iter(found)) for found in conversations.values()}) == len(conversations), f"{seed}"
