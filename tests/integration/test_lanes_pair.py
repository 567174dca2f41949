"""Meta's pair limit: 45 messages at once, then one every six seconds; only sends that left count."""

from __future__ import annotations

import pytest
import redis

from tests.integration.lanes import NUMBER, Lanes, send
from tests.integration.test_lanes_outbound import done
from tests.integration.test_sender import YES, Meta
from tests.keys import PREFIX
from wa_service.delivery.sender import Sender
from wa_service.store.client import Store
from wa_service.store.outbox import Limits
from wa_service.whatsapp.errors import WhatsAppCircuitOpenError, WhatsAppConnectionError, WhatsAppError

CUSTOMER = "15551230001"
BURST = 45
KEPT_MS = 3_600_000


@pytest.fixture
def lanes(store: Store) -> Lanes:
    """Lanes that only the pair limit slows down."""
    return Lanes.over(store, limits={NUMBER: Limits(1_000, 0, "w")})


def budget(redis_client: redis.Redis) -> int:
    """How much of the burst is used, in ms until it is free again."""
    return max(0, redis_client.pttl(f"{PREFIX}pair:{NUMBER}:{CUSTOMER}") - KEPT_MS)


def try_again(lanes: Lanes, redis_client: redis.Redis, error: WhatsAppError) -> None:
    """Grant the lane's head at once and try it again."""
    redis_client.zadd(f"{PREFIX}out:{NUMBER}:0", {f"{NUMBER}:{CUSTOMER}": 0})
    (grant,) = lanes.grant()
    Sender(NUMBER, Meta(error), lanes.outbox).send(grant)


@pytest.mark.parametrize("error", [WhatsAppConnectionError("no route"), WhatsAppCircuitOpenError("open")], ids=str)
def test_what_never_left_does_not_use_up_the_burst(
    lanes: Lanes, redis_client: redis.Redis, error: WhatsAppError
) -> None:
    for _ in range(BURST):
        lanes.outbox.put(send(CUSTOMER))
    for _ in range(BURST):
        try_again(lanes, redis_client, error)
    assert budget(redis_client) == 0
    redis_client.zadd(f"{PREFIX}out:{NUMBER}:0", {f"{NUMBER}:{CUSTOMER}": 0})
    for _ in range(BURST):
        (grant,) = lanes.grant()
        Sender(NUMBER, Meta(YES), lanes.outbox).send(grant)
    assert lanes.grant() == []


def test_no_more_is_given_back_than_was_spent(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.outbox.put(send(CUSTOMER))
    done(lanes, lanes.grant()[0], kind="accepted", wamid="wamid.A")
    lanes.outbox.put(send(CUSTOMER))
    try_again(lanes, redis_client, WhatsAppConnectionError("no route"))
    assert 5_000 < budget(redis_client) <= 6_000


def test_what_meta_answered_stays_counted(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.outbox.put(send(CUSTOMER))
    done(lanes, lanes.grant()[0], kind="retry", delay=0, retry_class="limited")
    assert budget(redis_client) > 5_000
