"""A number's pause: what extends it, what ends it, and the outcomes of its probe."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from tests.eventually import eventually
from tests.integration.lanes import NUMBER, Lanes, send
from tests.integration.test_lanes_outbound import ACCEPTED, claimed, done, status
from tests.integration.test_sender import Meta
from tests.keys import NAMES
from wa_service.delivery.sender import Sender
from wa_service.store.client import Store
from wa_service.store.contacts import Contacts
from wa_service.store.grants import Grant
from wa_service.whatsapp.errors import WhatsAppCircuitOpenError, WhatsAppError, classify


def waits(lanes: Lanes) -> float:
    """For how many seconds nothing is granted because of a pause; 0 without a pause."""
    answer = lanes.outbox.next(NUMBER, "looks", int(time.time() * 1_000_000), 1)
    return answer.wait if answer.why == "pause" else 0.0


def over(redis_client: redis.Redis) -> None:
    """Let the pause's time end."""
    redis_client.hset(NAMES.pause(NUMBER), "until", int(time.time() * 1000) - 1)


def reason(redis_client: Any) -> bytes | None:
    return redis_client.hget(NAMES.pause(NUMBER), "reason")


def under_way(lanes: Lanes, count: int) -> list[Grant]:
    """Sends that are granted before a pause begins; as many more wait."""
    for i in range(count * 2):
        lanes.outbox.put(send(f"1555000{i:04}"))
    return lanes.grant(count=count)


class TestWhoLiftsIt:
    def test_a_success_of_what_was_under_way_does_not(self, lanes: Lanes) -> None:
        (grant,) = under_way(lanes, 1)
        lanes.outbox.pause(NUMBER, "throttled", at_least=120)
        lanes.outbox.done(NUMBER, grant, ACCEPTED)
        assert waits(lanes) > 100

    def test_a_refusal_of_what_was_under_way_does_not(self, lanes: Lanes) -> None:
        (grant,) = under_way(lanes, 1)
        lanes.outbox.pause(NUMBER, "account")
        done(lanes, grant, kind="failed", error={"code": 131026}, code=131026, meta_healthy=True)
        assert waits(lanes) > 4

    def test_where_meta_only_seemed_unwell_a_message_that_it_took_since_does(self, lanes: Lanes) -> None:
        refused, accepted = under_way(lanes, 2)
        lanes.outbox.pause(NUMBER, "meta_unwell")
        done(lanes, refused, kind="failed", error={"code": 131026}, code=131026, meta_healthy=True)
        assert waits(lanes) > 4
        lanes.outbox.done(NUMBER, accepted, ACCEPTED)
        assert lanes.grant()

    def test_when_its_time_is_over_the_probe_still_has_to(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        (grant,) = under_way(lanes, 1)
        lanes.outbox.pause(NUMBER, "throttled")
        over(redis_client)
        lanes.outbox.done(NUMBER, grant, ACCEPTED)
        (probe,) = lanes.grant(count=5)
        done(lanes, probe, kind="retry", delay=0, retry_class="unwell", meta_healthy=False, reason="meta_unwell")
        assert 9 < waits(lanes) <= 10  # the second consecutive pause

    def test_a_probe_that_left_before_meta_asked_for_more_time_does_not(
        self, lanes: Lanes, redis_client: redis.Redis
    ) -> None:
        (grant,) = under_way(lanes, 1)
        lanes.outbox.pause(NUMBER, "meta_unwell")
        over(redis_client)
        (probe,) = lanes.grant()
        lanes.outbox.pause(NUMBER, "throttled", at_least=120, record=grant.id)
        lanes.outbox.done(NUMBER, probe, ACCEPTED)
        assert waits(lanes) > 100

    def test_a_status_of_the_probe_whose_answer_was_lost_does(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        under_way(lanes, 1)
        lanes.outbox.pause(NUMBER, "meta_unwell")
        probe = self.lost_probe(lanes, redis_client)
        assert 9 < waits(lanes) <= 10
        status(lanes, "wamid.P", "sent", biz_opaque_callback_data=probe.id)
        assert waits(lanes) == 0

    def test_a_status_of_what_was_under_way_does_not(self, lanes: Lanes) -> None:
        (lost,) = under_way(lanes, 1)
        eventually(lambda: int(time.time() * 1000) > claimed(lanes, lost.id))
        lanes.outbox.pause(NUMBER, "meta_unwell")
        done(lanes, lost, kind="unknown", meta_healthy=False)
        status(lanes, "wamid.U", "sent", biz_opaque_callback_data=lost.id)
        assert waits(lanes) > 4

    @pytest.mark.parametrize("why", ["account", "throttled"])
    def test_a_status_of_a_lost_probe_does_not_where_meta_asked_for_it(
        self, lanes: Lanes, redis_client: redis.Redis, why: str
    ) -> None:
        under_way(lanes, 1)
        lanes.outbox.pause(NUMBER, why)
        probe = self.lost_probe(lanes, redis_client, reason=why)
        status(lanes, "wamid.P", "sent", biz_opaque_callback_data=probe.id)
        assert waits(lanes) > 4

    def lost_probe(self, lanes: Lanes, redis_client: redis.Redis, reason: str = "meta_unwell") -> Grant:
        """The pause's probe, whose response was lost."""
        eventually(lambda: int(time.time() * 1000) > int(redis_client.hget(NAMES.pause(NUMBER), "since") or 0))
        over(redis_client)
        (probe,) = lanes.grant()
        done(lanes, probe, kind="unknown", meta_healthy=False, reason=reason)
        return probe


class TestWhatMetaSaysMeanwhile:
    @pytest.mark.parametrize("code", [4, 80007, 131057])
    def test_a_longer_time_lengthens_it(self, lanes: Lanes, code: int) -> None:
        (grant,) = under_way(lanes, 1)
        lanes.outbox.pause(NUMBER, "meta_unwell")
        asks = classify(400, {"error": {"code": code, "message": "said"}}, {"Retry-After": "90"})
        Sender(NUMBER, Meta(asks), lanes.outbox).send(grant)
        assert 80 < waits(lanes) <= 90

    def test_a_shorter_one_does_not_end_it_sooner(self, lanes: Lanes) -> None:
        lanes.outbox.pause(NUMBER, "throttled", at_least=120)
        assert lanes.outbox.pause(NUMBER, "throttled", at_least=60) == 0
        assert waits(lanes) > 100

    def test_an_account_error_becomes_its_reason_once(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        lanes.outbox.pause(NUMBER, "meta_unwell")
        assert lanes.outbox.pause(NUMBER, "account") > 4
        assert lanes.outbox.pause(NUMBER, "account") == 0
        lanes.outbox.pause(NUMBER, "throttled", at_least=60)
        assert reason(redis_client) == b"account"


class TestAProbeThatDoesNotSay:
    def probe(self, lanes: Lanes, redis_client: redis.Redis) -> Grant:
        """The probe after a pause, before it leaves; other sends wait."""
        for i in range(3):
            lanes.outbox.put(send(f"1555000{i:04}"))
        lanes.outbox.pause(NUMBER, "meta_unwell")
        over(redis_client)
        (grant,) = lanes.grant(count=5)
        return grant

    @pytest.mark.parametrize("tries", [0, 20])
    def test_that_met_an_open_breaker_is_followed_by_another_soon(
        self, lanes: Lanes, redis_client: redis.Redis, tries: int
    ) -> None:
        grant = self.probe(lanes, redis_client)
        redis_client.hset(NAMES.record(grant.id), "ill", tries)
        is_open: WhatsAppError = WhatsAppCircuitOpenError("open", retry_after=1.0)
        Sender(NUMBER, Meta(is_open), lanes.outbox).send(grant)
        assert waits(lanes) <= 5

    def test_and_the_pause_goes_on_as_before(self, lanes: Lanes, redis_client: redis.Redis) -> None:
        done(lanes, self.probe(lanes, redis_client), kind="retry", delay=60)
        over(redis_client)
        (probe,) = lanes.grant(count=5)
        done(lanes, probe, kind="retry", delay=0, retry_class="unwell", meta_healthy=False, reason="meta_unwell")
        assert 9 < waits(lanes) <= 10

    def test_whose_worker_died_is_followed_by_another(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, claim_seconds=0.2)
        grant = self.probe(lanes, redis_client)
        lanes.inbox.release_consumer("p", died=True)
        assert eventually(lanes.outbox.reap) == [grant.id]
        (another,) = eventually(lambda: lanes.grant(count=5), within=2.0)
        assert another.id != grant.id
        lanes.outbox.done(NUMBER, another, ACCEPTED)
        assert len(lanes.grant(count=5)) == 1

    def test_whose_customer_was_forgotten_is_followed_by_another(self, store: Store, redis_client: redis.Redis) -> None:
        lanes = Lanes.over(store, claim_seconds=0.2)
        grant = self.probe(lanes, redis_client)
        Contacts(store, [NUMBER]).forget("15550000000")
        assert not lanes.outbox.done(NUMBER, grant, ACCEPTED).is_written
        assert len(eventually(lambda: lanes.grant(count=5), within=2.0)) == 1
