"""One record, one call and its outcome, over a real store; Meta is a function here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest
import structlog

from tests.eventually import eventually
from tests.integration.lanes import NUMBER, Lanes, meta_status, send
from tests.keys import NAMES, PREFIX
from wa_service.delivery.sender import Sender
from wa_service.store.client import Store
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.grants import Grant
from wa_service.store.retry import BETWEEN_TRIES
from wa_service.whatsapp.client import Sent
from wa_service.whatsapp.errors import WhatsAppError, WhatsAppOutcomeUnknownError, classify

YES = Sent("wamid.OK", "15551230001", "", "15551230001", "", {})


class Meta:
    """Responds to each POST with the next answer, and stores the request."""

    def __init__(self, *answers: Sent | WhatsAppError) -> None:
        self.answers = list(answers)
        self.seen: list[dict[str, Any]] = []

    def __call__(self, payload: dict[str, Any]) -> Sent:
        self.seen.append(payload)
        answer = self.answers.pop(0)
        if isinstance(answer, WhatsAppError):
            raise answer
        return answer


def granted(lanes: Lanes, **rest: Any) -> Grant:
    lanes.outbox.put(send(**rest))
    (grant,) = lanes.grant()
    return grant


def said(code: int, status: int = 400) -> WhatsAppError:
    return classify(status, {"error": {"code": code, "message": "said"}})


def state(lanes: Lanes, grant: Grant) -> str:
    record = lanes.records.get(grant.id)
    assert record is not None
    return record.status


def test_a_yes_is_written_with_its_wamid(lanes: Lanes) -> None:
    grant = granted(lanes)
    Sender(NUMBER, Meta(YES), lanes.outbox).send(grant)
    record = lanes.records.get(grant.id)
    assert record is not None
    assert (record.status, record.wamid) == ("accepted", "wamid.OK")


def test_the_message_carries_our_id_for_its_statuses(lanes: Lanes) -> None:
    meta = Meta(YES)
    grant = granted(lanes)
    Sender(NUMBER, meta, lanes.outbox).send(grant)
    assert meta.seen[0]["biz_opaque_callback_data"] == grant.id


def test_a_refusal_is_final(lanes: Lanes) -> None:
    grant = granted(lanes)
    Sender(NUMBER, Meta(said(131026)), lanes.outbox).send(grant)
    assert state(lanes, grant) == "failed"


def test_a_dead_token_pauses_the_number_and_keeps_the_message(lanes: Lanes) -> None:
    grant = granted(lanes)
    Sender(NUMBER, Meta(said(190, 401)), lanes.outbox).send(grant)
    assert state(lanes, grant) == "queued"
    assert lanes.outbox.next(NUMBER, "asks", 1, 1).why == "pause"


def test_too_fast_slows_the_number_for_all(lanes: Lanes) -> None:
    Sender(NUMBER, Meta(said(130429)), lanes.outbox).send(granted(lanes))
    assert lanes.store.do("HGET", NAMES.pace(NUMBER), "n") is not None


def flaky(done: Callable[..., Any], failures: int, asked: list[float]) -> Callable[..., Any]:
    left = [failures]

    def call(*args: Any) -> Any:
        asked.append(time.monotonic())
        if left[0]:
            left[0] -= 1
            raise StoreUnavailableError("away")
        return done(*args)

    return call


class FlakyOutbox:
    """An outbox whose `done` first fails because the store is unavailable."""

    def __init__(self, lanes: Lanes, failures: int) -> None:
        self._outbox = lanes.outbox
        self.asked: list[float] = []
        self.done = flaky(lanes.outbox.done, failures, self.asked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)


def test_an_accepted_send_is_written_once_the_store_is_back(lanes: Lanes) -> None:
    grant = granted(lanes)
    Sender(NUMBER, Meta(YES), FlakyOutbox(lanes, 3), wait_for_store=lambda _: True).send(grant)  # type: ignore[arg-type]
    assert state(lanes, grant) == "accepted"


def test_meta_is_asked_once_however_often_the_ending_is_written(lanes: Lanes) -> None:
    meta = Meta(YES)
    Sender(NUMBER, meta, FlakyOutbox(lanes, 3), wait_for_store=lambda _: True).send(granted(lanes))  # type: ignore[arg-type]
    assert len(meta.seen) == 1


def test_a_store_that_refuses_without_being_away_is_left_in_peace_between_the_tries(lanes: Lanes) -> None:
    grant = granted(lanes)
    refusing = FlakyOutbox(lanes, 2)
    Sender(NUMBER, Meta(YES), refusing, wait_for_store=lambda _: True).send(grant)  # type: ignore[arg-type]
    assert state(lanes, grant) == "accepted"
    assert all(later - earlier >= BETWEEN_TRIES for earlier, later in pairwise(refusing.asked))


@pytest.mark.parametrize("error", [WhatsAppOutcomeUnknownError("reset"), classify(502, None)])
def test_no_readable_answer_is_unknown_and_never_repeated(lanes: Lanes, error: WhatsAppError) -> None:
    grant = granted(lanes)
    Sender(NUMBER, Meta(error), lanes.outbox).send(grant)
    assert state(lanes, grant) == "unknown"
    assert lanes.grant() == []


class TestAProcessThatWasFrozen:
    """It continues where it stopped; meanwhile its sends may have been given up and others sent."""

    @pytest.mark.parametrize("clock", ["steady", "calendar"])
    def test_sends_nothing_whose_turn_is_over(self, lanes: Lanes, clock: str) -> None:
        lanes.outbox.put(send(id="a"))
        (grant,) = lanes.grant()
        moment = replace(grant.requested_at, **{clock: getattr(grant.requested_at, clock) - 16})
        meta = Meta(YES)
        outcome = Sender(NUMBER, meta, lanes.outbox).send(replace(grant, requested_at=moment))
        assert meta.seen == []
        assert (outcome.kind, outcome.never_left) == ("retry", True)

    def test_says_that_it_did_not_leave_though_its_claim_ran_out(self, store: Store) -> None:
        lanes = Lanes.over(store, claim_seconds=0.01)
        lanes.outbox.put(send(id="a"))
        (grant,) = lanes.grant()
        assert eventually(lanes.outbox.reap) == ["a"]
        Sender(NUMBER, Meta(YES), lanes.outbox).send(grant)
        record = lanes.records.get("a")
        assert record is not None
        assert record.status == "queued"
        assert [again.id for again in eventually(lanes.grant)] == ["a"]


def missing(named: str = NUMBER) -> WhatsAppError:
    """Meta does not find an object: the number, or an id in the message."""
    text = f"Unsupported post request. Object with ID '{named}' does not exist, or cannot be loaded"
    return classify(400, {"error": {"message": text, "type": "GraphMethodException", "code": 100, "error_subcode": 33}})


def test_a_number_that_meta_does_not_find_is_paused_and_keeps_its_messages(lanes: Lanes) -> None:
    grant = granted(lanes)
    Sender(NUMBER, Meta(missing()), lanes.outbox).send(grant)
    assert state(lanes, grant) == "queued"
    assert lanes.outbox.next(NUMBER, "asks", 1, 1).why == "pause"


def test_an_id_in_one_message_that_meta_does_not_find_fails_that_message(lanes: Lanes) -> None:
    sender = Sender(NUMBER, Meta(missing("777"), YES, missing("777")), lanes.outbox)
    states = []
    for _ in range(3):
        grant = granted(lanes)
        sender.send(grant)
        states.append(state(lanes, grant))
    assert states == ["failed", "accepted", "failed"]


def test_two_messages_in_a_row_that_meta_does_not_find_are_the_accounts(lanes: Lanes) -> None:
    sender = Sender(NUMBER, Meta(missing("777"), missing("777")), lanes.outbox)
    sender.send(granted(lanes))
    second = granted(lanes, customer="15551230002")
    sender.send(second)
    assert state(lanes, second) == "queued"
    assert lanes.outbox.next(NUMBER, "asks", 1, 1).why == "pause"


@pytest.mark.parametrize(
    ("to", "other"),
    [
        ("5491122223333", "541122223333"),
        ("541122223333", "5491122223333"),
        ("5215512345678", "525512345678"),
        ("5511988880000", "551188880000"),
    ],
)
def test_who_is_not_on_the_test_numbers_list_is_named_in_the_other_spelling(lanes: Lanes, to: str, other: str) -> None:
    grant = granted(lanes, customer=to)
    Sender(NUMBER, Meta(said(131030)), lanes.outbox).send(grant)
    record = lanes.records.get(grant.id)
    assert record is not None
    assert record.error is not None
    assert f"as {other}:" in record.error["advice"]


def test_a_number_with_one_spelling_gets_the_general_advice(lanes: Lanes) -> None:
    grant = granted(lanes, customer="447700900123")
    Sender(NUMBER, Meta(said(131030)), lanes.outbox).send(grant)
    record = lanes.records.get(grant.id)
    assert record is not None
    assert record.error is not None
    assert "may know this one" not in record.error["advice"]


def of_category(lanes: Lanes, category: str, customer: str, **more: Any) -> Grant:
    """A template of this category of Meta's."""
    lanes.store.do("HSET", f"{PREFIX}categories:waba", "spring en_US", category)
    body = orjson.dumps({"to": customer, "type": "template", "template": {"name": "spring"}, **more})
    template = replace(send(customer, type="template", template="spring en_US"), body=body)
    lanes.outbox.put(template, opens=True)
    (grant,) = lanes.grant()
    return grant


def marketing(lanes: Lanes, customer: str = "15551230001", **more: Any) -> Grant:
    grant = of_category(lanes, "MARKETING", customer, **more)
    assert grant.marketing
    return grant


@pytest.mark.parametrize(("setting", "policy"), [("mm", "CLOUD_API_FALLBACK"), ("mm-strict", "STRICT")])
def test_marketing_goes_by_its_own_road_where_that_is_asked_for(lanes: Lanes, setting: Any, policy: str) -> None:
    cloud, road = Meta(YES), Meta(YES)
    sender = Sender(NUMBER, cloud, lanes.outbox, post_marketing=road, marketing_road=setting)
    grant = marketing(lanes)
    sender.send(grant)
    sender.send(granted(lanes, customer="15551230002"))
    assert [each["product_policy"] for each in road.seen] == [policy]
    assert ["product_policy" in each for each in cloud.seen] == [False]
    record = lanes.records.get(grant.id)
    assert record is not None
    assert record.road == "marketing"


@pytest.mark.parametrize("category", ["UTILITY", "AUTHENTICATION"])
def test_templates_that_are_not_marketing_go_by_the_cloud_api(lanes: Lanes, category: str) -> None:
    cloud, road = Meta(YES), Meta()
    grant = of_category(lanes, category, "15551230001")
    Sender(NUMBER, cloud, lanes.outbox, post_marketing=road, marketing_road="mm").send(grant)
    assert (state(lanes, grant), len(cloud.seen), road.seen) == ("accepted", 1, [])


def test_a_template_that_meta_moved_to_another_category_goes_by_the_cloud_api(lanes: Lanes) -> None:
    cloud, road = Meta(YES), Meta(said(131016))
    sender = Sender(NUMBER, cloud, lanes.outbox, post_marketing=road, marketing_road="mm")
    first = marketing(lanes)
    sender.send(first)
    lanes.store.do("HSET", f"{PREFIX}categories:waba", "spring en_US", "UTILITY")
    lanes.store.do("ZADD", f"{PREFIX}out:{NUMBER}:0", 0, first.conversation)
    (again,) = lanes.grant()
    sender.send(again)
    assert (again.id, len(cloud.seen), len(road.seen)) == (first.id, 1, 1)


def test_a_message_keeps_its_own_product_policy(lanes: Lanes) -> None:
    road = Meta(YES)
    sender = Sender(NUMBER, Meta(), lanes.outbox, post_marketing=road, marketing_road="mm")
    sender.send(marketing(lanes, product_policy="STRICT"))
    assert [each["product_policy"] for each in road.seen] == ["STRICT"]


@pytest.mark.parametrize("setting", ["cloud", "mm"])
def test_marketing_to_a_group_goes_by_the_cloud_api_only(lanes: Lanes, setting: Any) -> None:
    grant = marketing(lanes, "120363000001", recipient_type="group")
    cloud, road = Meta(said(131063)), Meta()
    Sender(NUMBER, cloud, lanes.outbox, post_marketing=road, marketing_road=setting).send(grant)
    assert (state(lanes, grant), len(cloud.seen), road.seen) == ("failed", 1, [])


def test_marketing_goes_by_the_cloud_api_where_nothing_is_said(lanes: Lanes) -> None:
    road = Meta()
    grant = marketing(lanes)
    Sender(NUMBER, Meta(YES), lanes.outbox, post_marketing=road).send(grant)
    record = lanes.records.get(grant.id)
    assert record is not None
    assert record.road == "messages"


def test_where_meta_takes_marketing_off_the_cloud_api_it_goes_by_the_other_road(
    lanes: Lanes, lines: list[dict[str, Any]]
) -> None:
    cloud, road = Meta(said(131063)), Meta(YES, YES)
    sender = Sender(NUMBER, cloud, lanes.outbox, post_marketing=road)
    first = marketing(lanes)
    sender.send(first)
    assert state(lanes, first) == "queued"
    (again,) = lanes.grant()
    sender.send(again)
    assert (again.id, state(lanes, again)) == (first.id, "accepted")
    sender.send(marketing(lanes, "15551230009"))
    assert len(cloud.seen) == 1
    assert [line["event"] for line in lines].count("whatsapp.marketing.road_switched") == 1


def test_what_the_other_road_refuses_is_not_sent_by_the_first(lanes: Lanes) -> None:
    grant = marketing(lanes)
    Sender(NUMBER, Meta(), lanes.outbox, post_marketing=Meta(said(131063)), marketing_road="mm").send(grant)
    assert state(lanes, grant) == "failed"


def test_an_outcome_after_the_claim_was_lost_is_reported_as_discarded(
    lanes: Lanes, lines: list[dict[str, Any]]
) -> None:
    grant = granted(lanes)
    lanes.store.do("ZADD", NAMES.busy, 0, grant.id)
    assert lanes.outbox.reap() == [grant.id]
    Sender(NUMBER, Meta(said(131026)), lanes.outbox).send(grant)
    assert [(line["event"], line["outcome"], line["code"]) for line in lines] == [
        ("whatsapp.send.outcome_discarded", "failed", 131026)
    ]
    assert state(lanes, grant) == "unknown"


def test_an_outcome_that_a_status_overtook_is_reported_as_discarded(lanes: Lanes, lines: list[dict[str, Any]]) -> None:
    grant = granted(lanes)
    status = meta_status("wamid.EARLY", "delivered", biz_opaque_callback_data=grant.id)
    lanes.store.run([lanes.outbox.apply_status(status, int(time.time() * 1000))])
    Sender(NUMBER, Meta(said(131000)), lanes.outbox).send(grant)
    assert [line["event"] for line in lines] == ["whatsapp.send.outcome_discarded"]
    assert state(lanes, grant) == "delivered"


class LostReplies:
    """An outbox that writes each outcome, and loses the store's first reply."""

    def __init__(self, lanes: Lanes) -> None:
        self._outbox = lanes.outbox
        self._lost = False

    def done(self, *args: Any) -> Any:
        written = self._outbox.done(*args)
        if not self._lost:
            self._lost = True
            raise StoreUnavailableError("the reply was lost")
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (said(131026), "whatsapp.send.failed"),
        (said(131056), "whatsapp.send.retry_scheduled"),
        (said(132015), "whatsapp.send.held"),
        (classify(502, None), "whatsapp.send.unknown"),
    ],
)
def test_an_outcome_whose_reply_was_lost_is_reported_as_written(
    lanes: Lanes, lines: list[dict[str, Any]], error: WhatsAppError, event: str
) -> None:
    grant = granted(lanes, type="template", template="offer en_US")
    Sender(NUMBER, Meta(error), LostReplies(lanes)).send(grant)  # type: ignore[arg-type]
    assert [line["event"] for line in lines] == [event]


def test_a_fallback_whose_reply_was_lost_is_reported(lanes: Lanes, lines: list[dict[str, Any]]) -> None:
    grant = granted(lanes, id="a", fallback=orjson.dumps({"to": "15551230001", "type": "template"}))
    Sender(NUMBER, Meta(said(131047)), LostReplies(lanes)).send(grant)  # type: ignore[arg-type]
    assert [(line["event"], line["follows"]) for line in lines] == [("whatsapp.send.failed", "af")]


def test_an_outcome_before_the_message_left_whose_reply_was_lost_is_reported_as_written(
    lanes: Lanes, lines: list[dict[str, Any]]
) -> None:
    grant = granted(lanes)
    lanes.store.do("ZADD", NAMES.busy, 0, grant.id)
    assert lanes.outbox.reap() == [grant.id]
    moment = replace(grant.requested_at, steady=grant.requested_at.steady - 16)
    late = replace(grant, requested_at=moment)
    Sender(NUMBER, Meta(), LostReplies(lanes)).send(late)  # type: ignore[arg-type]
    assert [line["event"] for line in lines] == ["whatsapp.send.retry_scheduled"]


def test_two_rate_limit_errors_at_once_are_reported_as_one_lower_pace(
    lanes: Lanes, lines: list[dict[str, Any]]
) -> None:
    lanes.outbox.put(send())
    lanes.outbox.put(send("15551230002"))
    sender = Sender(NUMBER, Meta(said(130429), said(130429)), lanes.outbox)
    for grant in lanes.grant(count=2):
        sender.send(grant)
    assert [line["per_second"] for line in lines if line["event"] == "whatsapp.rate.lowered"] == [64]


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The captured log lines."""
    with structlog.testing.capture_logs() as captured:
        yield captured
