"""Erase one person from every family of keys with personal data.

The families are those that `keys.FAMILIES` marks as personal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

import orjson

from wa_service.store.batches import address_of_item, labels_of_item
from wa_service.store.client import Store, text
from wa_service.store.compaction import Compaction
from wa_service.store.flusher import Command, NotReplicatedError
from wa_service.store.keys import families, mark
from wa_service.store.person import PAGE, Person, Walk, escaped
from wa_service.store.person_matcher import PersonMatcher
from wa_service.store.stored_event import reference
from wa_service.whatsapp.addresses import spellings

_OF_A_CONVERSATION: Final = families("conversation")
_OF_AN_ADDRESS: Final = families("address")
_LABELS: Final = ("tag", "opaque")
"""The caller's own texts about a send, which Meta does not get: its tag, and its biz_opaque_callback_data."""
_MOST_UNFINISHED_SECONDS: Final = 7 * 86_400
_REPLICATION_SECONDS: Final = 30.0


def address_digest(address: str) -> str:
    """Return the SHA-256 of an address as hex, which the event `erased` has instead of the address."""
    return sha256(address.encode()).hexdigest()


class Eraser:
    """Erase a person from every family of keys with personal data. It is rare, so it favours completeness over speed.

    `retention_seconds`: of the event `erased`.
    """

    def __init__(self, store: Store, walk: Walk, person: Person, *, retention_seconds: int) -> None:
        self._store = store
        self._retention = retention_seconds
        self._keys = store.keys
        self._walk = walk
        self._person = person
        addresses = person.addresses
        spelled = {spelling for address in addresses for spelling in spellings(address)}
        self._spelled = self._still_theirs(spelled - addresses)
        self._addresses = self._theirs()
        self._matcher = PersonMatcher(self._addresses)
        self._matchers: dict[str, PersonMatcher] = {}
        self._erased = 0
        self._name = address_digest(min(addresses))

    def run(self) -> int:
        """Erase; return the number of erased keys and entries. If it fails, the next one of the person continues it."""
        self._note()
        for erase, _ in self.STEPS:
            erase(self)
        Compaction(self._store).want_rewrite()
        return self._erased

    def _note(self) -> None:
        """Store what is known of the person until the erasure has ended."""
        self._store.call(
            "note_erasure", erasure=self._name, person=self._person.as_json(), seconds=_MOST_UNFINISHED_SECONDS
        )

    def _end(self) -> None:
        """Delete what was stored of the person during this erasure and interrupted ones, once replicas have all of it.

        They may lag behind so many deletions.
        """
        delete = ("HDEL", self._keys.of("erasures"), self._name, *self._person.unfinished)
        until = time.monotonic() + _REPLICATION_SECONDS
        while True:
            try:
                self._store.run([delete], replicated=True)
            except NotReplicatedError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.5)
            else:
                return

    def _theirs(self) -> set[str]:
        """The person's addresses, and those of their former numbers and other spellings that nobody else has now."""
        return self._person.addresses | self._spelled | self._still_theirs(self._person.former)

    def _still_theirs(self, numbers: Iterable[str]) -> set[str]:
        """Those of the numbers that nobody else has now."""
        return {number for number in numbers if not self._walk.keys(f"alias:*:{escaped(number)}")}

    def _matcher_in(self, c: str) -> PersonMatcher:
        """The matcher for a conversation's data, without addresses that its own customer has or had."""
        if c not in self._matchers:
            own = self._store.do("HMGET", self._keys.contact(c), "addresses", "former")
            theirs = self._theirs()
            others = {address for words in own for address in text(words).split()}
            self._matchers[c] = PersonMatcher(theirs - others) if others & theirs else self._matcher
        return self._matchers[c]

    def _do(self, commands: list[Command]) -> None:
        for result in self._store.run(commands):
            self._erased += result if isinstance(result, int) else 0

    def _conversations(self) -> None:
        """Erase the conversations first: this ends leases on them, so that workers write nothing more."""
        conversations = sorted(self._person.conversations)
        if not conversations:
            return
        self._do([("ZREM", key, *(c.partition(":")[2] for c in conversations)) for key in self._walk.keys("quota:*")])
        self._do([("DEL", key) for key in self._alias_keys()])
        work = self._walk.keys("leases:*", "last_take:*")
        for c in conversations:
            number = c.partition(":")[0]
            commands: list[Command] = [("DEL", *(self._keys.of(family, c) for family in _OF_A_CONVERSATION))]
            commands += [("ZREM", self._keys.due, c), ("ZREM", self._keys.recent, c)]
            commands += [("SREM", self._keys.of("stops_unwritten"), c), ("HDEL", self._keys.of("begun"), c)]
            commands += [("ZREM", self._keys.out(number, priority), c) for priority in (0, 1)]
            commands += [("HDEL", key, c) for key in work]
            self._do(commands)
        self._names()

    def _names(self) -> None:
        key, cursor = self._keys.of("names"), 0
        while True:
            found, flat = self._store.do("ZSCAN", key, cursor, "COUNT", PAGE)
            theirs = [word for word in flat[::2] if self._person.has(text(word.rpartition(b"\0")[2]))]
            if theirs:
                self._do([("ZREM", key, *theirs)])
            self._walk.advance(len(flat) // 2)
            cursor = int(found)
            if cursor == 0:
                return

    def _pushes(self) -> None:
        """Erase events that wait to be pushed to subscribers."""
        for due in self._walk.keys("push_due:*"):
            subscription = self._keys.part_of(due)[1]
            waiting = [text(c) for c in self._store.do("ZRANGE", due, 0, -1)]
            theirs = filter(self._is_theirs_or_left, waiting)
            self._do([self._store.step("push_erase", subscription=subscription, conversation=c) for c in theirs])

    def _append_event(self) -> None:
        """Tell subscribers, who may have copies, by an event with digests of the addresses."""
        digests = sorted(address_digest(address) for address in self._addresses)
        self._store.call("tell_erased", event=orjson.dumps({"addresses": digests}), retention=self._retention)

    def _is_theirs_or_left(self, c: str) -> bool:
        """Whether a conversation is theirs, or has their address and no contact."""
        if self._person.has(c):
            return True
        is_named = c.partition(":")[2] in self._addresses
        return is_named and not self._store.do("EXISTS", self._keys.contact(c), self._keys.of("joined", c))

    def _alias_keys(self) -> list[bytes]:
        """The keys of the person's addresses that still lead to them: a number may belong to somebody else now."""
        addresses = sorted(self._person.addresses | self._person.former)
        patterns = [f"{family}:*:{escaped(address)}" for family in _OF_AN_ADDRESS for address in addresses]
        keys = self._walk.keys(*patterns)
        owners = self._store.run([("GET", key) for key in keys])
        return [key for key, c in zip(keys, owners, strict=True) if self._person.has(text(c).rpartition(" ")[2])]

    def _recipients(self) -> set[str]:
        """The addresses that a send to the person may have, in each spelling."""
        return {spelling for address in self._theirs() for spelling in spellings(address)}

    def _records(self) -> None:
        recipients = self._recipients()
        for page in self._walk.pages("record:*"):
            wanted = ("c", "wamid", "idempotency", "n", "status", "to", "body", "fallback", "participants", "origin")
            rows = self._store.run([("HMGET", key, *wanted, *_LABELS) for key in page])
            for key, row in zip(page, rows, strict=True):
                c, wamid, idempotency, number, status, to, body, fallback, participants, origin, *labels = row
                # A scheduled send may outlive every other key of the person; a refused item of a batch has no other.
                # An answer that is held may be to somebody who had the number before.
                is_scheduled = status == b"scheduled" and not (origin and self._had(text(c), text(to)))
                is_left = text(to) in recipients and (is_scheduled or self._is_theirs_or_left(text(c)))
                if not self._person.has(text(c)) and not is_left:
                    self._drop_mention(key, text(c), body, fallback)
                    if named := self._naming(self._matcher_in(text(c)), labels):
                        self._do([("HDEL", key, *named)])
                    if participants and self._matcher.mentioned_in(participants):
                        self._participants(key)
                    continue
                record_id = self._keys.part_of(key)[1]
                gone = [key, *([idempotency] if idempotency else [])]
                if wamid:
                    gone.append(self._keys.wamid(mark(text(number), text(wamid))).encode())
                indexes = (self._keys.busy, self._keys.unknown, self._keys.sends, self._keys.scheduled(text(number)))
                places: list[Command] = [("ZREM", index, record_id) for index in indexes]
                caller, unsent = self._store.do("HMGET", key, "caller", "unsent")
                self._do([("DEL", *gone), *places])
                if unsent:
                    self._store.do("HINCRBY", self._keys.of("unsent_bytes"), caller, -int(unsent))

    def _had(self, c: str, address: str) -> bool:
        """Whether a conversation's customer has or had an address."""
        named = self._store.do("HMGET", self._keys.contact(c), "addresses", "former")
        return any(address in text(words).split() for words in named)

    def _drop_mention(self, record: bytes, c: str, *contents: bytes | None) -> None:
        """Delete the content of a send to somebody else if it mentions them; one that waits is sent first."""
        if any(content and self._matcher_in(c).mentioned_in(content) for content in contents):
            self._store.call("erase_content", id=self._keys.part_of(record)[1])

    @staticmethod
    def _naming(matcher: PersonMatcher, labels: Sequence[bytes | str | None]) -> tuple[str, ...]:
        """The names of those labels of a send, in the order of `_LABELS`, that mention the person."""
        found = zip(_LABELS, labels, strict=True)
        return tuple(name for name, label in found if label and matcher.mentioned_in(orjson.dumps(text(label))))

    def _batches(self) -> None:
        """Delete tags of batches that mention the person."""
        for page in self._walk.pages("batch:*"):
            for key, tag in zip(page, self._store.run([("HGET", key, "tag") for key in page]), strict=True):
                if self._naming(self._matcher, (tag, None)):
                    self._do([("HDEL", key, "tag")])

    def _costs(self) -> None:
        """Count messages whose tag mentions the person without the tag."""
        for key in self._walk.keys("costs:*"):
            cursor = b"0"
            while True:
                cursor, flat = self._store.do("HSCAN", key, cursor, "COUNT", PAGE)
                theirs = [kind for kind in flat[::2] if self._naming(self._matcher, (kind.rpartition(b"\t")[2], None))]
                if theirs:
                    self._do([self._store.step("erase_cost_tag", key=key, kind=kind) for kind in theirs])
                if cursor == b"0":
                    break

    def _batch_items(self) -> None:
        """Erase items of batches that have not left; before their records, which say how the batch counts them.

        The content of items to others that mention the person is deleted once they have left; labels at once.
        """
        recipients = self._recipients()
        for key in self._walk.keys("batch_items:*"):
            batch_id, cursor = self._keys.part_of(key)[1], b"0"
            while True:
                cursor, flat = self._store.do("HSCAN", key, cursor, "COUNT", PAGE)
                for index, item in zip(flat[::2], flat[1::2], strict=True):
                    if address_of_item(item) in recipients:
                        self._do([self._store.step("erase_batch_item", id=batch_id, index=index)])
                        continue
                    if named := self._naming(self._matcher, labels_of_item(item)):
                        self._do([self._store.step("erase_item_labels", id=batch_id, index=index, labels=named)])
                    if self._matcher.mentioned_in(item.partition(b"\n")[2]):
                        self._store.call("erase_item_content", id=batch_id, index=index)
                if cursor == b"0":
                    break

    def _participants(self, key: bytes) -> None:
        """Erase the person from the record of a group message."""
        theirs = tuple(sorted(self._theirs()))
        self._do([self._store.step("erase_participants", id=self._keys.part_of(key)[1], addresses=theirs)])

    def _replies(self) -> None:
        """Erase replies in a group to what they wrote, which may quote it."""
        if not self._person.references:
            return
        for page in self._walk.pages("record:*"):
            origins = self._store.run([("HGET", key, "origin") for key in page])
            for key, origin in zip(page, origins, strict=True):
                if text(origin).partition("@")[0] in self._person.references:
                    record_id = self._keys.part_of(key)[1]
                    self._do([self._store.step("erase_reply", id=record_id)])
                    self._do([self._store.step("erase_content", id=record_id)])

    def _mailboxes(self) -> None:
        """Erase their waiting events in groups; those of others stay, even if they mention the person."""
        for page in self._walk.pages("mailbox:*"):
            mailboxes = self._store.run([("ZRANGE", key, 0, -1) for key in page])
            for key, events in zip(page, mailboxes, strict=True):
                c = self._keys.part_of(key)[1]
                if self._person.has(c):
                    continue  # they wrote again since the erasure began
                theirs = [event for event in events if self._matcher_in(c).is_sender_of(event)]
                self._do([self._store.step("erase_event", conversation=c, event=event) for event in theirs])

    def _dead_letters(self) -> None:
        for page in self._walk.pages("dead_letter:*"):
            rows = self._store.run([("HMGET", key, "c", "event") for key in page])
            for key, (c, event) in zip(page, rows, strict=True):
                matcher = self._matcher_in(text(c))
                theirs = self._person.has(text(c)) or matcher.is_sender_of(event or b"{}")
                if theirs or matcher.mentioned_in(event or b""):
                    self._do([("DEL", key), ("ZREM", self._keys.dead, self._keys.part_of(key)[1])])

    def _large_events(self) -> None:
        for page in self._walk.pages("large_event:*"):
            rows = self._store.run([("HMGET", key, "c", "event", "k") for key in page])
            for key, (c, event, kind) in zip(page, rows, strict=True):
                if self._is_theirs(text(kind) or "message", text(c), event or b"{}"):
                    self._do([("DEL", key)])

    def _lists(self) -> None:
        for key in (self._keys.foreign, self._keys.stray, self._keys.management):
            for entry in self._store.do("LRANGE", key, 0, -1):
                if self._matcher.mentioned_in(entry):
                    self._do([("LREM", key, 0, entry)])

    def _stream(self) -> None:
        Compaction(self._store).copy_stream(self._delete_entries)

    def _delete_entries(self, renew_lock: Callable[[], None]) -> None:
        after: str | bytes = "-"
        while entries := self._store.do("XRANGE", self._keys.events, after, "+", "COUNT", PAGE):
            gone, known = [], len(self._person.messages)
            for entry_id, flat in entries:
                entry = dict(zip(flat[::2], flat[1::2], strict=True))
                if self._is_theirs(text(entry.get(b"k")), text(entry.get(b"c")), entry.get(b"d", b"")):
                    gone.append(entry_id)
            if len(self._person.messages) > known:
                self._note()
            if gone:
                self._do([("XDEL", self._keys.events, *gone)])
            renew_lock()
            self._walk.advance(len(entries))
            after = b"(" + entries[-1][0]

    def _is_theirs(self, kind: str, c: str, data: bytes) -> bool:
        """Whether an entry of the stream is theirs, mentions them, or is a transcript of theirs in a group."""
        if self._person.has(c):
            return True
        matcher = self._matcher_in(c)
        if kind == "transcript":
            return matcher.mentioned_in(data) or orjson.loads(data).get("message_id") in self._person.messages
        if kind == "message" and matcher.is_sender_of(data):
            event = orjson.loads(data)
            number, message_id = event.get("n", event.get("phone_number_id")), str(event.get("i", event.get("id")))
            self._person.messages.add(message_id)
            self._person.references.add(reference(number, message_id))
            return True
        return matcher.mentioned_in(data)

    STEPS: Final = (
        (
            _conversations,
            ("due", "names", "recent", "out", "quota", "leases", "last_take", "stops_unwritten", "begun"),
        ),
        (_pushes, ("push_due", "push_lane", "push_head")),
        (_batch_items, ("batch_items",)),
        (_batches, ("batch",)),
        (_records, ("record", "wamid", "idempotency", "busy", "unknown", "sends", "scheduled")),
        (_costs, ("costs",)),  # after the records, whose deliveries count with their tags
        (_mailboxes, ()),  # before the stream: a worker's lease ends, which would append a transcript
        (_stream, ("events", "events_draft")),
        (_pushes, ()),  # again, for events that were moved into a lane before they left the stream
        (_append_event, ()),
        (_replies, ()),
        (_dead_letters, ("dead", "dead_letter")),
        (_large_events, ("large_event",)),
        (_lists, ("foreign", "stray", "management")),
        (_end, ("erasures",)),
    )
    """The steps in their order, each with the families it covers: together all families with personal data."""
