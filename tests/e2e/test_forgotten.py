"""A person who is forgotten stands nowhere in the store any more: no number, no name, no word, no id that tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from tests.e2e.leaks import unpacked
from tests.e2e.phones import customer, delivery, message, messages
from tests.e2e.stack import Stack
from tests.e2e.test_sent_once import ASYNC
from tests.eventually import eventually

GONE, STAYS = customer(1), customer(2)
NAME, WORD = "Quillfeather", "butterscotch"
BSUID = "GB.11815799212886844830"
# Where a person who has walked every road stands.
ROADS = {"contact", "who", "box", "lane", "due", "q", "out", "rec", "events", "dead", "stray", "foreign"}
ROADS |= {"management", "pair"}


def everything(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Every key, and every value of whatever type, with its key."""
    for key in stack.redis.scan_iter(count=1_000):
        name = key.decode("latin-1")
        yield name, key
        match stack.redis.type(key):
            case b"string":
                values = [stack.redis.get(key)]
            case b"hash":
                values = [part for pair in stack.redis.hgetall(key).items() for part in pair]
            case b"list":
                values = stack.redis.lrange(key, 0, -1)
            case b"set":
                values = list(stack.redis.smembers(key))
            case b"zset":
                values = stack.redis.zrange(key, 0, -1)
            case b"stream":
                values = [part for _, entry in stack.redis.xrange(key) for pair in entry.items() for part in pair]
            case other:
                raise AssertionError(f"a key of type {other!r}")
        for value in values:
            yield name, value or b""


def traces(stack: Stack, *words: str) -> list[str]:
    """The keys that tell one of the words, plainly or in something that is base64."""
    needles = [word.encode() for word in words]
    found = set()
    for name, value in everything(stack):
        packed = unpacked(value.decode("latin-1"))
        if any(needle in text for text in (value, *packed) for needle in needles):
            found.add(name)
    return sorted(found)


def walks_every_road(stack: Stack, wa_id: str) -> None:
    """Whatever may leave a trace: written, answered, sent, failed, strayed, buried, told by Meta, unknown, waiting."""
    one = {**message(wa_id, f"{WORD} 1"), "from_user_id": BSUID if wa_id == GONE else "GB.2"}
    stack.webhooks.deliver(delivery(messages(one, name=NAME)))
    eventually(lambda: stack.meta.heard(wa_id))
    for text in (f"{WORD} 2", f"{WORD} fails"):
        if "fails" in text:
            stack.meta.fault("failed_status", phone=wa_id, code=131026)
        headers = {"Idempotency-Key": f"{wa_id}-{len(text)}"}
        stack.api("POST", "/v1/messages", json={"to": wa_id, "text": text}, headers=headers)
    # What Meta refuses, and what nobody can read.
    stack.meta.fault("error", phone=wa_id, status=400, code=131009)
    stack.api("POST", "/v1/messages", json={"to": wa_id, "text": f"{WORD} refused"})
    broken = {name: part for name, part in message(wa_id, f"{WORD} broken").items() if name != "id"}
    stack.webhooks.deliver(delivery(messages(broken, name=NAME)))
    # For another's number, and another system's status.
    stack.webhooks.deliver(delivery(messages(message(wa_id, f"{WORD} stray"), number="199999999999999", name=NAME)))
    status = {"id": message(wa_id, "")["id"], "status": "sent", "timestamp": "1767225600", "recipient_id": wa_id}
    value = {name: part for name, part in messages(name=NAME).items() if name != "messages"}
    stack.webhooks.deliver(delivery({**value, "statuses": [status]}))
    # What Meta tells of a person in a field of its own (reference 5.9).
    preference = {"wa_id": wa_id, "detail": f"{WORD} stop", "category": "marketing_messages", "value": "stop"}
    preferences = {**value, "user_preferences": [preference]}
    body = delivery(preferences)
    body["entry"][0]["changes"][0]["field"] = "user_preferences"
    stack.webhooks.deliver(body)
    stack.meta.settled()
    eventually(lambda: stack.waiting() == 0, within=20)


def by_rest(stack: Stack) -> None:
    answer: requests.Response = stack.api("DELETE", f"/v1/contacts/{GONE}")
    assert answer.json()["erased"] > 10


def by_command(stack: Stack) -> None:
    assert "were erased" in stack.command("forget", f"+{GONE}")


@pytest.mark.parametrize("forget", [by_rest, by_command])
def test_nothing_of_a_forgotten_person_is_left_and_the_others_stay(
    stack: Stack, forget: Callable[[Stack], None]
) -> None:
    walks_every_road(stack, STAYS)
    walks_every_road(stack, GONE)
    with stack.frozen("worker-1"), stack.frozen("worker-2"):
        for wa_id in (STAYS, GONE):  # what nobody has handled, and nobody has sent
            stack.webhooks.deliver(delivery(messages(message(wa_id, f"{WORD} unhandled"), name=NAME)))
            waits = {"to": wa_id, "text": f"{WORD} waits"}
            assert stack.api("POST", "/v1/messages", json=waits, headers=ASYNC).status_code == 202
        assert {key.split(":")[1] for key in traces(stack, GONE)} >= ROADS
        kept = traces(stack, STAYS)
        forget(stack)
        assert traces(stack, GONE, BSUID) == []
        # Whoever stays lost nothing: the same keys speak of them.
        assert traces(stack, STAYS) == kept
    assert stack.api("GET", f"/v1/contacts/{GONE}").status_code == 404
    letters = stack.api("GET", "/v1/dead-letters").json()["items"]
    assert len(letters) == 1
