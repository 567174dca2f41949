"""The lanes' limits follow the settings of a number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import send
from tests.unit.web.conftest import SETTINGS
from tests.unit.web.deliveries import NUMBER, OTHER_NUMBER
from wa_service import runtime as wiring
from wa_service.config import settings
from wa_service.runtime import Runtime
from wa_service.store.grants import Grant


@pytest.fixture
def runtime(valkey_url: str, redis_client: redis.Redis) -> Iterator[Runtime]:
    """A service with a number that the WhatsApp Business app uses, too."""
    env = {"REDIS_URL": valkey_url, "WHATSAPP_MESSAGES_PER_SECOND": "30", "WA_COEXISTENCE_NUMBERS": OTHER_NUMBER}
    runtime = wiring.build(settings.load(SETTINGS | env))
    yield runtime
    runtime.close()


@pytest.mark.parametrize(("number", "most"), [(NUMBER, 30), (OTHER_NUMBER, 20)])
def test_a_number_shared_with_the_app_sends_twenty_a_second(runtime: Runtime, number: str, most: int) -> None:
    for i in range(40):
        runtime.outbox.put(send(f"1555000{i:04}", number=number))
    counter = itertools.count(1)
    granted: list[Grant] = []

    def used_up() -> bool:
        granted.extend(runtime.outbox.next(number, "p", next(counter), 40).grants)
        return len(granted) >= most

    eventually(used_up)
    answer = runtime.outbox.next(number, "p", next(counter), 40)
    assert (len(granted), answer.grants, answer.why) == (most, [], "throughput")
