"""Erasing a person leaves nothing of them in the store: no number, name or text, and no id that contains one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.e2e.leaks import unpacked
from tests.e2e.phones import NUMBER, customer, delivery, message, messages
from tests.e2e.stack import Stack
from tests.e2e.test_sent_once import ASYNC
from tests.eventually import eventually
from tests.keys import NAMES, PREFIX


@dataclass(frozen=True)
class Person:
    """A person, with values that only they have."""

    wa_id: str
    user_id: str
    name: str
    word: str
    media_id: str

    @property
    def needles(self) -> tuple[str, ...]:
        """The values that identify the person."""
        return (self.wa_id, self.user_id, self.name, self.word, self.media_id)

    def writes(self, text: str) -> dict[str, object]:
        """A text message of the person as in a webhook."""
        return {**message(self.wa_id, f"{self.word} {text}"), "from_user_id": self.user_id}


GONE = Person(customer(1), "GB.11815799212886844830", "Quillfeather", "butterscotch", "1003383421387256")
STAYS = Person(customer(2), "GB.22815799212886844831", "Thistlewood", "gingerbread", "1003383421387257")
GROUP = {"group_id": "Y2FwaV9ncm91cDox"}
# The key families with data of a person, apart from keys that expire within seconds (test_forgetting).
ROADS = {"contact", "alias", "mailbox", "conv", "lane", "due", "out", "record", "events", "dead_letter", "stray"}
ROADS |= {"management", "quota"}


def everything(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield every key's name, with the key itself and each of its values."""
    for key in stack.redis.scan_iter(count=1_000):
        name = key.decode("latin-1")
        yield name, key
        client: Any = stack.redis
        values: list[bytes]
        match client.type(key):
            case b"string":
                values = [client.get(key) or b""]
            case b"hash":
                values = [part for pair in client.hgetall(key).items() for part in pair]
            case b"list":
                values = client.lrange(key, 0, -1)
            case b"set":
                values = list(client.smembers(key))
            case b"zset":
                values = client.zrange(key, 0, -1)
            case b"stream":
                values = [part for _, entry in client.xrange(key) for pair in entry.items() for part in pair]
            case b"none":
                values = []  # the key expired meanwhile
            case other:
                raise AssertionError(f"a key of type {other!r}")
        for value in values:
            yield name, value


def traces(stack: Stack, *words: str) -> list[str]:
    """The keys that contain one of the words, in plain text or in base64."""
    needles = [word.encode() for word in words]
    found = set()
    for name, value in everything(stack):
        packed = unpacked(value.decode("latin-1"))
        if any(needle in text for text in (value, *packed) for needle in needles):
            found.add(name)
    return sorted(found)


def walks_every_road(stack: Stack, person: Person) -> None:
    """Leave every kind of trace: received, answered, sent, failed, stray, dead letter, management event, unknown."""
    wa_id, word = person.wa_id, person.word
    for written in (person.writes("to all") | GROUP, person.writes("1")):
        stack.webhooks.deliver(delivery(messages(written, name=person.name)))
        eventually(lambda: stack.waiting() == 0, within=20)
    eventually(lambda: stack.meta.heard(wa_id))
    for text in (f"{word} 2", f"{word} fails"):
        if "fails" in text:
            stack.meta.fault("failed_status", phone=wa_id, code=131026)
        headers = {"Idempotency-Key": f"{wa_id}-{len(text)}"}
        stack.api("POST", "/v1/messages", json={"to": wa_id, "text": text}, headers=headers)
    # A send that Meta rejects, and a message that cannot be parsed.
    stack.meta.fault("error", phone=wa_id, status=400, code=131009)
    stack.api("POST", "/v1/messages", json={"to": wa_id, "text": f"{word} refused"})
    broken = {name: part for name, part in person.writes("broken").items() if name != "id"}
    stack.webhooks.deliver(delivery(messages(broken, name=person.name)))
    # A message for another number, and a status of another system's send, of which only a mark is stored.
    stray = messages(person.writes("stray"), number="199999999999999", name=person.name)
    stack.webhooks.deliver(delivery(stray))
    value = {name: part for name, part in messages(name=person.name).items() if name != "messages"}
    stack.webhooks.deliver(delivery({**value, "statuses": [foreign_status(person)]}))
    # A webhook field with data of a person (reference 5.9).
    preference = {"wa_id": wa_id, "detail": f"{word} stop", "category": "marketing_messages", "value": "stop"}
    body = delivery({**value, "user_preferences": [preference]})
    body["entry"][0]["changes"][0]["field"] = "user_preferences"
    stack.webhooks.deliver(body)
    stack.meta.settled()
    eventually(lambda: stack.waiting() == 0, within=20)
    # A template outside the service window.
    stack.redis.hset(f"{PREFIX}contact:{NUMBER}:{wa_id}", "window_end", 0)
    template = {"to": wa_id, "template": {"name": "hello_world", "language": "en_US"}}
    stack.api("POST", "/v1/messages", json=template)
    eventually(lambda: stack.waiting() == 0, within=20)


def foreign_status(person: Person) -> dict[str, str]:
    """A status of a message that another system sent."""
    wamid = message(person.wa_id, "")["id"]
    return {"id": wamid, "status": "sent", "timestamp": "1767225600", "recipient_id": person.wa_id}


def late_status(person: Person) -> dict[str, str]:
    """A status of a send of this service that is no longer stored."""
    return foreign_status(person) | {"biz_opaque_callback_data": uuid4().hex}


def waits(stack: Stack, person: Person) -> None:
    """Leave messages that are not handled and sends that are not sent."""
    picture = {"id": person.media_id, "mime_type": "image/jpeg", "caption": person.word}
    image = {**person.writes(""), "type": "image", "image": picture}
    for written in (person.writes("unhandled"), person.writes("unhandled by the group") | GROUP, image):
        stack.webhooks.deliver(delivery(messages(written, name=person.name)))
    queued = {"to": person.wa_id, "text": f"{person.word} waits"}
    assert stack.api("POST", "/v1/messages", json=queued, headers=ASYNC).status_code == 202


def by_rest(stack: Stack) -> None:
    answer: requests.Response = stack.api("DELETE", f"/v1/contacts/{GONE.wa_id}")
    assert answer.json()["erased"] > 10


def by_command(stack: Stack) -> None:
    assert "were erased" in stack.command("forget", f"+{GONE.wa_id}")


@pytest.mark.parametrize("forget", [by_rest, by_command])
def test_nothing_of_a_forgotten_person_is_left_and_the_others_stay(
    stack: Stack, forget: Callable[[Stack], None]
) -> None:
    walks_every_road(stack, STAYS)
    walks_every_road(stack, GONE)
    # A worker that is frozen while it copies the stream would hold up the erasure until its lock expires.
    eventually(lambda: not stack.redis.exists(f"{PREFIX}events_lock"))
    with stack.frozen("worker-1"), stack.frozen("worker-2"):
        for person in (STAYS, GONE):
            waits(stack, person)
        assert {NAMES.part_of(key.encode())[0] for key in traces(stack, *GONE.needles)} >= ROADS
        kept, idempotent = traces(stack, *STAYS.needles), len(stack.redis.keys(f"{PREFIX}idempotency:*"))
        forget(stack)
        assert traces(stack, *GONE.needles) == []
        assert len(stack.redis.keys(f"{PREFIX}idempotency:*")) == idempotent / 2
        # A late status stores nothing about the person.
        value = {name: part for name, part in messages(name=GONE.name).items() if name != "messages"}
        known = stack.redis.llen(f"{PREFIX}foreign")
        stack.webhooks.deliver(delivery({**value, "statuses": [late_status(GONE)]}))
        assert stack.redis.llen(f"{PREFIX}foreign") > known
        assert traces(stack, *GONE.needles) == []
        # The other person's data is unchanged.
        assert traces(stack, *STAYS.needles) == kept
    assert stack.api("GET", f"/v1/contacts/{GONE.wa_id}").status_code == 404
    letters = stack.api("GET", "/v1/dead-letters").json()["items"]
    assert len(letters) == 1
