"""While a batch runs the number's quality is checked: red pauses the batch, as Meta's webhook would."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis
import requests
import requests_mock
from structlog.testing import capture_logs

from tests.integration.lanes import NUMBER, Lanes
from tests.integration.test_batches import item, load, read
from tests.keys import NAMES
from wa_service.store.batches import Batches
from wa_service.whatsapp.client import WhatsAppMetaClient
from wa_service.worker.batches import BatchWorker
from wa_service.worker.quality_check import QualityChecker

META = f"https://graph.facebook.com/v24.0/{NUMBER}"
TOKEN = "EAAtoken0123456789"


@pytest.fixture
def batches(lanes: Lanes) -> Batches:
    return Batches(lanes.outbox, ttl_seconds=3_600)


@pytest.fixture
def checker(batches: Batches) -> QualityChecker:
    client = WhatsAppMetaClient(access_token=TOKEN, phone_number_id=NUMBER, app_secret="s", api_version="v24.0")
    return QualityChecker(batches, {NUMBER: client})


def ask(checker: QualityChecker, client: redis.Redis, meta: requests_mock.Mocker, quality: str) -> None:
    """End the five minutes, let Meta report this quality, and run the check."""
    meta.get(META, json={"quality_rating": quality, "id": NUMBER})
    client.delete(NAMES.of("quality_requested", NUMBER))
    checker.run_once()


def test_red_quality_pauses_what_runs_and_says_why(
    checker: QualityChecker, batches: Batches, redis_client: redis.Redis, requests_mock: requests_mock.Mocker
) -> None:
    load(batches, [item(n) for n in range(100)])
    for quality in ("GREEN", "YELLOW", "UNKNOWN"):
        ask(checker, redis_client, requests_mock, quality)
        assert read(batches).state == "running"
    ask(checker, redis_client, requests_mock, "RED")
    assert (read(batches).state, read(batches).reason) == ("paused", "quality_red")
    assert requests_mock.last_request.qs == {"fields": ["quality_rating"]}
    with capture_logs() as logs:
        BatchWorker(batches, [NUMBER]).run_once()
    assert [(line["event"], line["reason"]) for line in logs] == [("whatsapp.batch.paused", "quality_red")]
    last = redis_client.xrevrange(NAMES.events, count=1)[0][1]
    assert (last[b"k"], b'"quality_red"' in last[b"d"]) == (b"batch", True)


def test_meta_is_asked_once_in_five_minutes_while_a_batch_runs(
    checker: QualityChecker, batches: Batches, redis_client: redis.Redis, requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.get(META, json={"quality_rating": "GREEN"})
    checker.run_once()
    assert requests_mock.call_count == 0
    load(batches, [item(0)])
    for _ in range(3):
        checker.run_once()
    assert requests_mock.call_count == 1
    assert 0 < redis_client.ttl(NAMES.of("quality_requested", NUMBER)) <= 300


def test_a_batch_that_begins_tomorrow_is_not_asked_for(
    checker: QualityChecker, batches: Batches, requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.get(META, json={"quality_rating": "RED"})
    load(batches, [item(0)], send_at=int(time.time() * 1000) + 86_400_000)
    assert batches.feed(NUMBER, {}) == 0
    checker.run_once()
    assert (requests_mock.call_count, read(batches).state) == (0, "running")


def test_red_quality_does_not_pause_a_batch_that_begins_tomorrow(
    checker: QualityChecker, batches: Batches, redis_client: redis.Redis, requests_mock: requests_mock.Mocker
) -> None:
    load(batches, [item(n) for n in range(100)])
    load(batches, [item(100)], batch_id="b2", send_at=int(time.time() * 1000) + 86_400_000)
    ask(checker, redis_client, requests_mock, "RED")
    assert (read(batches).state, read(batches, "b2").state) == ("paused", "running")


def test_a_server_clock_that_was_set_back_prevents_no_check(
    checker: QualityChecker, batches: Batches, redis_client: redis.Redis, requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.get(META, json={"quality_rating": "GREEN"})
    redis_client.hset(NAMES.of("clock"), "wall", int(time.time() * 1000) + 3_600_000)
    load(batches, [item(index) for index in range(200)])
    batches.feed(NUMBER, {})
    checker.run_once()
    assert requests_mock.call_count == 1


def test_who_resumes_has_seen_it_until_the_quality_was_better(
    checker: QualityChecker, batches: Batches, redis_client: redis.Redis, requests_mock: requests_mock.Mocker
) -> None:
    load(batches, [item(n) for n in range(100)])
    ask(checker, redis_client, requests_mock, "RED")
    batches.change("b1", "resume")
    ask(checker, redis_client, requests_mock, "RED")
    assert read(batches).state == "running"
    ask(checker, redis_client, requests_mock, "YELLOW")
    ask(checker, redis_client, requests_mock, "RED")
    assert read(batches).state == "paused"


def test_what_metas_webhook_paused_is_not_paused_once_more(
    checker: QualityChecker,
    lanes: Lanes,
    batches: Batches,
    redis_client: redis.Redis,
    requests_mock: requests_mock.Mocker,
) -> None:
    redis_client.hset(NAMES.meta_limits(NUMBER), "seen_as", "15550783881")
    load(batches, [item(n) for n in range(100)])
    assert lanes.store.run([batches.pause_where("quality_red", [NUMBER], digits="15550783881")]) == [1]
    batches.change("b1", "resume")
    ask(checker, redis_client, requests_mock, "RED")
    assert read(batches).state == "running"


@pytest.mark.parametrize("failure", [{"status_code": 500}, {"exc": requests.ConnectTimeout}])
def test_where_meta_does_not_say_the_batch_goes_on(
    checker: QualityChecker, batches: Batches, requests_mock: requests_mock.Mocker, failure: dict[str, Any]
) -> None:
    load(batches, [item(0)])
    requests_mock.get(META, **failure)
    with capture_logs() as logs:
        checker.run_once()
    assert [(line["event"], line["number"]) for line in logs] == [("whatsapp.batch.quality_not_told", NUMBER)]
    assert TOKEN not in str(logs)
    assert read(batches).state == "running"
