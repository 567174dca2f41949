"""Requests that arrive long after they were sent, when the state has changed."""

from __future__ import annotations

import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import PREFIX
from wa_service.store.contacts import Contacts


class TestALeaseWhoseWorkHasEnded:
    """The lease is no longer valid, so late requests with it do not delay the customer's next message."""

    def test_a_renewal_keeps_the_next_message_from_nobody(self, lanes: Lanes) -> None:
        lanes.admit(message(text="first"), message(text="next"))
        _, (work,) = lanes.inbox.take("p", 0, 1)
        lanes.inbox.finish(work, "p", [])
        assert lanes.inbox.renew_leases([work]) == [False]
        assert len(lanes.inbox.take("q", 0, 1)[1]) == 1

    def test_a_failure_delays_the_next_message_by_nothing(self, lanes: Lanes) -> None:
        lanes.admit(message(text="first"), message(text="next"))
        _, (work,) = lanes.inbox.take("p", 0, 1)
        lanes.inbox.finish(work, "p", [])
        assert lanes.inbox.retry_later(work, "p", 60.0, is_failure=True) == -1
        assert len(lanes.inbox.take("q", 0, 1)[1]) == 1

    def test_a_repeated_take_does_not_hand_out_the_next_message(self, lanes: Lanes) -> None:
        lanes.admit(message(text="first"), message(text="next"))
        _, (work,) = lanes.inbox.take("p", 0, 1)
        lanes.inbox.finish(work, "p", [])
        _, (again,) = lanes.inbox.take("p", 0, 1)
        assert again.token > work.token
        assert again.deliveries == 1

    def test_who_was_forgotten_and_writes_again_has_another_lease(self, lanes: Lanes) -> None:
        lanes.admit(message())
        _, (work,) = lanes.inbox.take("p", 0, 1)
        Contacts(lanes.store, [NUMBER], retention_seconds=KEEP).forget("15551230001")
        lanes.admit(message())
        _, (later,) = lanes.inbox.take("q", 0, 1)
        assert lanes.inbox.renew_leases([work, later]) == [False, True]
        assert lanes.inbox.retry_later(work, "p", 60.0, is_failure=True) == -1


class TestAnOlderCounter:
    """The consumer has sent a newer request, so it would not process what an older one returns."""

    def test_of_a_take_gets_nothing(self, lanes: Lanes) -> None:
        assert lanes.inbox.take("p", 2, 5)[1] == []
        lanes.admit(message())
        assert lanes.inbox.take("p", 1, 5)[1] == []
        assert len(lanes.inbox.take("p", 3, 5)[1]) == 1

    def test_of_a_next_gets_nothing(self, lanes: Lanes) -> None:
        assert lanes.outbox.next(NUMBER, "p", 2, 5).grants == []
        lanes.outbox.put(send())
        assert lanes.outbox.next(NUMBER, "p", 1, 5).grants == []
        assert len(lanes.outbox.next(NUMBER, "p", 3, 5).grants) == 1


def test_what_was_lost_to_another_is_no_longer_held(lanes: Lanes, redis_client: redis.Redis) -> None:
    lanes.admit(message())
    lanes.inbox.take("frozen", 0, 1)
    lanes.hurry()
    assert len(lanes.inbox.take("other", 0, 1)[1]) == 1
    assert redis_client.hlen(f"{PREFIX}leases:frozen") == 0
    assert redis_client.hlen(f"{PREFIX}leases:other") == 1
