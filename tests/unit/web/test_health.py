"""Liveness, readiness and metrics."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.eventually import eventually
from tests.unit.web.conftest import Start, Web
from tests.unit.web.deliveries import CUSTOMER, NUMBER
from wa_service.store.overview import NumberState, Overview
from wa_service.web.health import SharedPage

NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1/0"}


def test_a_process_that_answers_is_alive_whatever_the_store_does(start_web: Start) -> None:
    assert start_web(NOWHERE).client.get("/healthz").status_code == 200


def test_with_a_store_that_answers_it_is_ready(web: Web) -> None:
    assert web.client.get("/readyz").status_code == 200


def test_with_the_store_away_it_is_not_ready(start_web: Start) -> None:
    assert start_web(NOWHERE).client.get("/readyz").status_code == 503


def test_while_a_number_is_paused_it_stays_ready(web: Web) -> None:
    web.runtime.outbox.pause(NUMBER, "meta_unwell")

    assert web.client.get("/readyz").status_code == 200


def test_the_series_tell_what_the_store_knows(web: Web) -> None:
    web.send({"to": CUSTOMER, "template": {"name": "welcome", "language": "en_US"}})
    web.runtime.outbox.pause(NUMBER, "meta_unwell")

    scrape = web.client.get("/metrics").text

    assert 'whatsapp_rate_limit_remaining{limit="daily"} 999.0' in scrape
    assert 'whatsapp_rate_limit_remaining{limit="throughput"} 80.0' in scrape
    assert 'whatsapp_queue_depth{queue="outbound"} 1.0' in scrape
    assert f'whatsapp_circuit_state{{number="{NUMBER}"}} 2.0' in scrape
    assert "whatsapp_store_up 1.0" in scrape


def test_without_a_daily_limit_there_is_no_end_of_it(start_web: Start) -> None:
    web = start_web({"WHATSAPP_DAILY_LIMIT": "0"})

    assert 'whatsapp_rate_limit_remaining{limit="daily"} +Inf' in web.client.get("/metrics").text


def test_with_the_store_away_the_rest_of_the_series_is_told(start_web: Start) -> None:
    web = start_web(NOWHERE)
    web.client.post("/webhook", data=b"unsigned")

    answer = web.client.get("/metrics")

    assert answer.status_code == 200
    assert "whatsapp_store_up 0.0" in answer.text
    assert "whatsapp_webhooks_total" in answer.text


@pytest.mark.parametrize(("key", "status"), [("a-metrics-key-of-twenty", 200), ("metrics-kez", 401), ("", 401)])
def test_the_series_may_ask_for_a_key(start_web: Start, key: str, status: int) -> None:
    web = start_web({"WA_METRICS_KEY": "a-metrics-key-of-twenty"})

    assert web.client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == status


class Told:
    """An observer that returns the given overview."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def overview(self) -> Overview:
        return self._overview


def test_the_least_of_several_numbers_is_told_and_each_circuit() -> None:
    depth = {"inbound": 1, "replies": 2, "bulk": 3, "sending": 4, "unknown": 5, "dead": 6, "scheduled": 7}
    oldest = {"inbound": 1.0, "replies": 2.0, "bulk": 3.0, "scheduled": 4.0}
    numbers = {
        "1": NumberState(80, 70, 0.0, "", half_open=False),
        "2": NumberState(80, 20, 4.0, "meta_unwell", half_open=False),
        "3": NumberState(80, 60, 0.0, "meta_unwell", half_open=True),
    }

    told = Overview(depth, oldest, numbers, 1000, 7).samples()

    assert told["whatsapp_rate_limit_remaining"] == {"throughput": 20, "daily": 7}
    assert told["whatsapp_circuit_state"] == {"1": 0, "2": 2, "3": 1}
    waiting = {"inbound": 1, "outbound": 5, "sending": 4, "unknown": 5, "scheduled": 7}
    assert told["whatsapp_queue_depth"] == waiting
    assert told["whatsapp_queue_oldest_seconds"] == {"inbound": 1.0, "outbound": 3.0, "scheduled": 4.0}


def test_who_asks_while_a_page_is_made_gets_the_next_one_together_with_all_others() -> None:
    """Rendering a page costs more than handling a webhook."""
    begin = threading.Event()
    made: list[int] = []

    def render() -> tuple[bytes, str]:
        made.append(len(made))
        begin.wait(5)
        return str(len(made)).encode(), "text/plain"

    page = SharedPage(render)
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(page.read)]
        eventually(lambda: made == [0])
        asked += (pool.submit(page.read) for _ in range(8))
        eventually(lambda: page.waiting == 8)
        begin.set()
        bodies = [each.result()[0] for each in asked]

    assert (bodies[0], set(bodies[1:])) == (b"1", {b"2"})
