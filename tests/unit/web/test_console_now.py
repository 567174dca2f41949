"""The console's first page: what works, what does not and what to do, and the rates of the last hour."""

from __future__ import annotations

import re
import threading
import time

import pytest
import redis
import requests_mock

from tests.eventually import eventually
from tests.keys import NAMES
from tests.unit.web.conftest import Start, Web
from tests.unit.web.console import ConsoleUser, text_of
from tests.unit.web.deliveries import CUSTOMER, NUMBER, WABA, delivery, text_message, value_of
from wa_service.observability import metrics
from wa_service.observability.recent_counts import RECENT, RecentCounts
from wa_service.store.count_writer import CountWriter
from wa_service.store.minute_counts import MinuteCounts
from wa_service.web.console.now_page import chart_of


def shown(web: Web, key: str = "reader") -> str:
    return text_of(ConsoleUser(web, key).page(""))


def test_no_worker_is_told_with_what_to_do_and_its_runbook(web: Web) -> None:
    page = ConsoleUser(web).page("")
    assert "No worker is running; 0 wait." in page
    assert "python -m wa_service worker" in page
    assert 'href="/console/runbooks/queue-old"' in page
    assert "When" in ConsoleUser(web).page("/runbooks/queue-old") or "queue" in ConsoleUser(web).page(
        "/runbooks/queue-old"
    )


def test_a_worker_that_works_is_counted(web: Web) -> None:
    web.runtime.inbox.heartbeat("p")
    assert "1 process" in shown(web)


@pytest.mark.parametrize(("reason", "runbook"), [("account", "account-refused"), ("meta_unwell", "number-paused")])
def test_a_paused_number_leads_to_its_runbook(web: Web, reason: str, runbook: str) -> None:
    web.runtime.outbox.pause(NUMBER, reason)
    page = ConsoleUser(web).page("")
    assert f"Number {NUMBER} is paused: {reason}." in page
    assert f"/console/runbooks/{runbook}" in page


def test_what_waits_long_is_told(web: Web, redis_client: redis.Redis) -> None:
    web.webhook(delivery(value_of(messages=[text_message()])))
    redis_client.zincrby(NAMES.due, -90_000, f"{NUMBER}:{CUSTOMER}")
    assert "A customer's message waits 9" in shown(web)


def test_a_quota_that_is_nearly_used_up_is_told(web: Web, redis_client: redis.Redis) -> None:
    now = time.time() * 1000
    redis_client.zadd(NAMES.quota(WABA), {str(i): now for i in range(950)})
    assert "50 of 1000 customers may still be opened" in shown(web)


def test_what_meta_says_is_shown_and_what_is_wrong_is_a_problem(start_web: Start) -> None:
    token = {"is_valid": True, "expires_at": 0, "scopes": ["whatsapp_business_messaging"]}
    with requests_mock.Mocker() as graph:
        graph.get(requests_mock.ANY, json={"quality_rating": "GREEN", "messaging_limit_tier": "TIER_1K"})
        graph.get(re.compile("/debug_token"), json={"data": token})
        web = start_web()
        eventually(lambda: f"Number {NUMBER} limits tier tier_1k" in shown(web))

    page = shown(web)
    assert "Token valid, does not expire Token's scopes The token lacks" in page
    assert "The token lacks whatsapp_business_management. Create a token with these scopes." in page


def test_the_last_hour_is_that_of_all_processes(web: Web, start_web: Start) -> None:
    web.app.extensions["metrics_buffer"].write()  # flushes what other tests left in the buffer
    RECENT.drain()
    webs = [start_web(), start_web()]
    for i, web in enumerate(webs):
        web.webhook(delivery(value_of(messages=[text_message(f"wamid.{i}")])))
        web.app.extensions["metrics_buffer"].write()
        web.runtime.count_writer.write()
    metrics.api_called("messages", 0.1, 131026)
    webs[0].runtime.count_writer.write()
    page = shown(webs[0])
    assert "Received 2 in the last hour" in page
    assert "131026 1" in page


def test_counts_are_written_together_a_moment_later(web: Web) -> None:
    RECENT.drain()
    writer = CountWriter(RECENT, web.runtime.minute_counts, seconds=0.01)
    for _ in range(3):
        RECENT.add("sent")
        writer.soon()
    eventually(lambda: sum(minute.get("sent", 0) for minute in web.runtime.minute_counts.last_hour()) == 3)


def test_a_process_that_ends_writes_what_it_counted_and_nothing_after_it(web: Web) -> None:
    counts = RecentCounts()
    writer = CountWriter(counts, web.runtime.minute_counts, seconds=3_600)
    counts.add("own")
    writer.soon()
    (timer,) = [thread for thread in threading.enumerate() if getattr(thread, "interval", None) == 3_600]
    writer.stop()
    timer.join(10)
    assert not timer.is_alive()
    counts.add("own")
    writer.soon()
    assert counts.drain() == {"own": 1}
    assert not [thread for thread in threading.enumerate() if getattr(thread, "interval", None) == 3_600]
    assert sum(minute.get("own", 0) for minute in web.runtime.minute_counts.last_hour()) == 1


def test_a_minute_is_kept_for_an_hour(web: Web, redis_client: redis.Redis) -> None:
    MinuteCounts(web.runtime.store).add({"sent": 1})
    (key,) = redis_client.keys(NAMES.of("minute", "*"))
    assert 3_600 < redis_client.ttl(key) <= 3_660


def test_a_chart_has_its_values_in_words_too() -> None:
    chart = chart_of("sent", [0, 5, 10])
    assert chart.line == "0.0,58.0 120.0,30.0 240.0,2.0"
    assert chart.text == "15 sent in the last hour, at most 10 in a minute"


def test_a_runbook_that_is_none_is_not_found(web: Web) -> None:
    assert ConsoleUser(web).get("/runbooks/..%2f..%2fpyproject").status_code == 404
    assert ConsoleUser(web).get("/runbooks/nothing").status_code == 404


def test_a_subscription_that_is_behind_and_one_that_is_paused_are_told(web: Web, redis_client: redis.Redis) -> None:
    subscriptions = web.runtime.subscriptions
    for name in ("sub_behind", "sub_paused", "sub_empty"):
        subscriptions.create(
            "http://127.0.0.1:1/", form="event", secret="whsec_eA==", cursor="0-0", subscription_id=name, kinds=["send"]
        )
    subscriptions.change("sub_empty", kinds=["batch"])
    redis_client.xadd(NAMES.events, {"k": "send", "c": "", "d": "{}"}, id="1000-0")
    for name in ("sub_paused", "sub_empty"):
        subscriptions.pause(name)
    page = shown(web)
    assert "Subscription sub_behind is 1" in page
    assert "Subscription sub_paused is paused, and events wait for it." in page
    assert "sub_paused is 1" not in page
    assert "sub_empty" not in page
