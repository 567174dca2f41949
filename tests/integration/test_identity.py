"""One customer under several addresses is one conversation: aliases, and two conversations that turn out to be one."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, message, send
from tests.keys import NAMES
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.outbox import SendOutcome
from wa_service.whatsapp.webhooks.events import Piece, walk

OLD, NEW = "16505551234", "12195555358"
USER_ID = "US.13491208655302741918"
DAY_MS = 86_400_000


@pytest.fixture
def contacts(store: Store) -> Contacts:
    return Contacts(store, [NUMBER])


def handled(lanes: Lanes, *pieces: Piece) -> str:
    """Admits and handles; the last one's conversation."""
    lanes.admit(*pieces)
    conversation = ""
    counter = time.monotonic_ns()
    while works := lanes.inbox.take("p", counter, 10)[1]:
        for work in works:
            lanes.inbox.finish(work, "p", [])
            conversation = work.conversation
        counter += 1
    return conversation


def system(message_id: str, **told: str) -> Piece:
    """A system message of the customer with the old number (reference 5.6)."""
    one = {"from": OLD, "id": message_id, "timestamp": str(int(time.time())), "type": "system", "system": told}
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [one]}
    changes = [{"field": "messages", "value": value}]
    (piece,) = walk({"object": "whatsapp_business_account", "entry": [{"id": "waba", "changes": changes}]})
    return piece


@pytest.mark.parametrize(
    "told",
    [
        {"type": "user_changed_number", "wa_id": NEW},
        {"type": "customer_changed_number", "customer": OLD, "new_wa_id": NEW},
    ],
    ids=["today", "legacy"],
)
def test_who_changed_the_number_goes_on_in_the_same_conversation(
    lanes: Lanes, contacts: Contacts, told: dict[str, str]
) -> None:
    before = handled(lanes, message(OLD))
    handled(lanes, system("wamid.CHANGED", **told))
    assert handled(lanes, message(NEW)) == before
    assert contacts.find(NEW)[0].addresses == (OLD, NEW)


def test_a_send_to_the_new_number_waits_behind_the_replies_to_the_old_one(
    lanes: Lanes, redis_client: redis.Redis
) -> None:
    before = handled(lanes, message(OLD), system("wamid.CHANGED", type="user_changed_number", wa_id=NEW))
    lanes.outbox.put(send(OLD, id="old"))
    lanes.outbox.put(send(NEW, id="new"))
    assert redis_client.lrange(NAMES.lane(before), 0, -1) == [b"old", b"new"]


def two_conversations(lanes: Lanes) -> str:
    """One customer's: by number, then by user id, whose messages Meta had sent without the number; the elder one."""
    elder = handled(lanes, message(OLD, timestamp=int(time.time()) - 7_200, name=""))
    handled(lanes, message("", user_id=USER_ID, name="Ana"))
    return elder


def test_a_joined_conversation_keeps_the_later_window_and_the_only_name(lanes: Lanes, contacts: Contacts) -> None:
    elder = two_conversations(lanes)
    (younger,) = contacts.find(USER_ID)
    # The link comes in an old message without a name, so it brings nothing along itself.
    handled(lanes, message(OLD, user_id=USER_ID, timestamp=int(time.time()) - 7_000, name=""))
    (joined,) = contacts.find(OLD)
    assert (joined.conversation, joined.name) == (elder, "Ana")
    assert joined.window_end == younger.window_end


def test_a_join_by_a_send_keeps_when_the_customer_last_wrote(lanes: Lanes, contacts: Contacts) -> None:
    lanes.outbox.put(send(OLD, id="first"))
    handled(lanes, message(NEW))
    (younger,) = contacts.find(NEW)
    (grant,) = lanes.grant()
    lanes.outbox.done(NUMBER, grant, SendOutcome("accepted", wamid="wamid.A", wa_id=NEW))
    (joined,) = contacts.find(OLD)
    assert joined.conversation == f"{NUMBER}:{OLD}"
    assert (joined.last_in, joined.window_end) == (younger.last_in, younger.window_end)
    assert joined.name == "Ana"


def test_a_joined_conversation_remembers_that_it_was_told_what_cannot_be_read(
    lanes: Lanes, redis_client: redis.Redis
) -> None:
    elder = handled(lanes, message(OLD))
    lanes.admit(message("", user_id=USER_ID))
    _, (work,) = lanes.inbox.take("p", 1, 1)
    lanes.inbox.finish(work, "p", [], stamp="unsupported_at")
    handled(lanes, message(OLD, user_id=USER_ID))
    assert redis_client.hexists(NAMES.contact(elder), "unsupported_at")


def test_a_contact_that_ended_before_its_alias_begins_anew(
    lanes: Lanes, contacts: Contacts, redis_client: redis.Redis
) -> None:
    conversation = handled(lanes, message(OLD))
    redis_client.delete(NAMES.contact(conversation))
    lanes.admit(message(OLD))
    assert redis_client.ttl(NAMES.contact(conversation)) > 0
    assert contacts.find(OLD)[0].addresses == (OLD,)


def test_conversations_that_wait_to_be_joined_name_each_other(lanes: Lanes, contacts: Contacts) -> None:
    handled(lanes, message(OLD))
    lanes.admit(message("", user_id=USER_ID), message(OLD, user_id=USER_ID))
    (elder,) = contacts.find(OLD)
    assert elder.addresses == (OLD, USER_ID)
    assert contacts.find(USER_ID)[0].conversation == f"{NUMBER}:{USER_ID}"


def test_a_join_leaves_a_third_conversation_that_is_busy_alone(lanes: Lanes, redis_client: redis.Redis) -> None:
    handled(lanes, message(OLD))
    handled(lanes, message("", user_id=USER_ID))
    lanes.admit(message(NEW), replace(message(), addresses=(USER_ID, NEW)))
    _, works = lanes.inbox.take("p", 1, 10)
    (second,) = [work for work in works if work.conversation.endswith(USER_ID)]
    lanes.inbox.finish(second, "p", [])
    lanes.admit(message(OLD, user_id=USER_ID))
    assert redis_client.get(NAMES.alias(NUMBER, USER_ID)) == f"{NUMBER}:{OLD}".encode()
    assert redis_client.get(NAMES.alias(NUMBER, NEW)) == f"{NUMBER}:{NEW}".encode()
