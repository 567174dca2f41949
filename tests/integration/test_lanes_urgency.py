"""A lane with a reply goes before others until its last reply has left."""

from __future__ import annotations

import orjson

from tests.integration.lanes import NUMBER, Lanes, send
from tests.integration.test_lanes_outbound import done, sent, status
from tests.keys import NAMES
from wa_service.store.outbox import Priority

CUSTOMER = "15551230001"
TEMPLATE = orjson.dumps({"to": CUSTOMER, "type": "template", "template": {"name": "again"}})
CLOSED = {"code": 131047}


def urgent(lanes: Lanes) -> bool:
    """Return whether the customer's lane waits among the urgent ones; it must wait in one of the two."""
    lane = f"{NUMBER}:{CUSTOMER}"
    at = [lanes.store.do("ZSCORE", NAMES.out(NUMBER, priority), lane) for priority in (0, 1)]
    assert (at[0] is None) != (at[1] is None)
    return at[0] is not None


class TestAFallback:
    def test_does_not_take_the_next_replys_urgency_along(self, lanes: Lanes) -> None:
        lanes.outbox.put(send(fallback=TEMPLATE))
        lanes.outbox.put(send(id="reply"))
        done(lanes, lanes.grant()[0], kind="failed", error=CLOSED, code=131047)
        (template,) = lanes.grant()
        done(lanes, template, kind="accepted", wamid="wamid.F")
        assert urgent(lanes)

    def test_is_urgent_where_it_stands_alone_before_bulk(self, lanes: Lanes) -> None:
        sent(lanes, id="a", fallback=TEMPLATE)
        lanes.outbox.put(send(id="bulk", priority=Priority.BULK))
        status(lanes, "wamid.A1", "failed", errors=[CLOSED])
        assert urgent(lanes)
        (template,) = lanes.grant()
        done(lanes, template, kind="accepted", wamid="wamid.F")
        assert not urgent(lanes)

    def test_stays_urgent_when_the_reply_that_was_being_sent_is_gone(self, lanes: Lanes) -> None:
        sent(lanes, id="a", fallback=TEMPLATE)
        lanes.outbox.put(send(id="b"))
        (b,) = lanes.grant()
        status(lanes, "wamid.A1", "failed", errors=[CLOSED])
        done(lanes, b, kind="accepted", wamid="wamid.B")
        assert urgent(lanes)


def test_a_reply_that_meta_took_after_all_leaves_the_others_urgent(lanes: Lanes) -> None:
    lanes.outbox.put(send(id="a"))
    lanes.outbox.put(send(id="b"))
    (a,) = lanes.grant()
    status(lanes, "wamid.B", "sent", biz_opaque_callback_data="b")
    lanes.outbox.put(send(id="bulk", priority=Priority.BULK))
    done(lanes, a, kind="retry", delay=0)
    assert urgent(lanes)
    done(lanes, lanes.grant()[0], kind="accepted", wamid="wamid.A")
    assert not urgent(lanes)
