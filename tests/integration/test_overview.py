"""An operator's queries of the store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.integration.lanes import KEEP, NUMBER, Lanes, message, send
from tests.keys import NAMES
from wa_service.store.client import Store
from wa_service.store.dead_letters import DeadLetters
from wa_service.store.memory import MemoryWatch
from wa_service.store.outbox import Limits, Priority
from wa_service.store.overview import Observer
from wa_service.store.subscriptions import Subscriptions


@pytest.fixture
def observer(lanes: Lanes) -> Observer:
    return Observer(lanes.store, lanes.outbox, [NUMBER])


def test_an_idle_store_has_everything_left(observer: Observer) -> None:
    overview = observer.overview()
    assert set(overview.depth.values()) == {0}
    assert (overview.daily_limit, overview.daily_remaining) == (1000, 1000)
    assert overview.numbers[NUMBER].throughput_remaining == 80


def test_what_waits_is_counted_by_conversation(lanes: Lanes, observer: Observer) -> None:
    lanes.admit(message("1001"), message("1001"), message("1002"))
    lanes.outbox.put(send("1003"))
    lanes.outbox.put(send("1004", priority=Priority.BULK))
    depth = observer.overview().depth
    assert (depth["inbound"], depth["replies"], depth["bulk"]) == (2, 1, 1)


def test_what_was_sent_and_received_leaves_less_throughput(lanes: Lanes, observer: Observer) -> None:
    lanes.admit(message())
    lanes.outbox.put(send("1003"))
    lanes.grant()
    assert observer.overview().numbers[NUMBER].throughput_remaining == 78


def test_opened_customers_leave_less_reach(lanes: Lanes, observer: Observer) -> None:
    lanes.outbox.put(send("1001", type="template"), opens=True)
    assert observer.overview().daily_remaining == 999


def test_a_used_up_reach_reads_zero(store: Store) -> None:
    lanes = Lanes.over(store, limits={NUMBER: Limits(80, 1, "w")})
    lanes.outbox.put(send("1001", type="template"), opens=True)
    assert Observer(store, lanes.outbox, [NUMBER]).overview().daily_remaining == 0


def test_a_pause_is_seen_with_its_reason(lanes: Lanes, observer: Observer) -> None:
    lanes.outbox.pause(NUMBER, "account")
    state = observer.overview().numbers[NUMBER]
    assert 4 < state.paused_for <= 5
    assert state.pause_reason == "account"


def test_dead_letters_are_counted_by_kind(lanes: Lanes, observer: Observer) -> None:
    lanes.admit(message())
    _, (work,) = lanes.inbox.take("p", 0, 1)
    lanes.inbox.dead_letter(work, "p", "failed", "why")
    assert observer.overview().dead_letters == {"failed": 1}


def test_every_dead_letter_is_counted_so_that_an_alert_sees_one_more(lanes: Lanes, observer: Observer) -> None:
    letters = DeadLetters(lanes.store, retention_seconds=KEEP)
    lanes.store.run([letters.add(message(str(15551230000 + n)), 0) for n in range(1_001)])
    assert observer.overview().dead_letters == {"malformed": 1_001}


def test_the_embedded_server_would_lose_nothing(observer: Observer) -> None:
    assert [problem for problem in observer.durability() if "Append-only" not in problem] == []


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"appendonly": "no"}, "Append-only"),
        ({"maxmemory-policy": "allkeys-lru"}, "noeviction"),
        ({"appendonly": "yes", "appendfsync": "no"}, "appendfsync"),
        ({"appendonly": "yes", "appendfsync": "everysec", "no-appendfsync-on-rewrite": "yes"}, "rewrite"),
    ],
)
def test_a_server_that_would_lose_data_is_named_with_the_mend(
    observer: Observer, redis_client: redis.Redis, settings: dict[str, str], word: str
) -> None:
    before = {setting: redis_client.config_get(setting)[setting] for setting in settings}
    for setting, value in settings.items():
        redis_client.config_set(setting, value)
    try:
        assert any(word in problem for problem in observer.durability())
    finally:
        for setting, was in before.items():
            redis_client.config_set(setting, was or "")


def test_a_server_without_a_limit_of_memory_is_told(observer: Observer, redis_client: redis.Redis) -> None:
    assert any("maxmemory" in caution for caution in observer.cautions())
    redis_client.config_set("maxmemory", "1gb")
    try:
        assert observer.cautions() == []
    finally:
        redis_client.config_set("maxmemory", 0)


def test_a_nearly_full_server_is_noticed(store: Store, redis_client: redis.Redis) -> None:
    used = redis_client.info("memory")["used_memory"]
    redis_client.config_set("maxmemory", int(used * 1.1))
    try:
        assert MemoryWatch(store).full()
    finally:
        redis_client.config_set("maxmemory", 0)
    assert not MemoryWatch(store).full()


def test_nobody_is_told_what_was_true_long_ago() -> None:
    asked, go = threading.Event(), threading.Event()

    class Slow:
        def __init__(self) -> None:
            self.answers = [b"maxmemory:100\r\nused_memory:99\r\n", b"maxmemory:0\r\nused_memory:99\r\n"]

        def do(self, *_: str) -> bytes:
            answer = self.answers.pop(0)
            if not self.answers:
                asked.set()
                assert go.wait(5)
            return answer

    watch = MemoryWatch(Slow())  # type: ignore[arg-type]  # what the watch asks of it
    assert watch.full()
    watch._checked_at -= 60
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(watch.full)
        assert asked.wait(5)
        second = pool.submit(watch.full)
        go.set()
        assert (first.result(5), second.result(5)) == (False, False)


def test_worker_processes_are_counted_while_they_say_so(
    lanes: Lanes, observer: Observer, redis_client: redis.Redis
) -> None:
    for consumer in ("one", "two", "silent"):
        lanes.inbox.heartbeat(consumer)
    lanes.inbox.release_consumer("two", died=False)
    redis_client.zadd(NAMES.workers, {"silent": 0})
    assert observer.overview().workers == 1


def test_the_clocks_agree(observer: Observer) -> None:
    assert abs(observer.clock_skew()) < 1


def test_a_paused_subscription_is_not_behind(lanes: Lanes, observer: Observer) -> None:
    subscriptions = Subscriptions(lanes.store)
    for name in ("sub_1", "sub_2", "sub_3"):
        subscriptions.create(
            "https://tool.example/", form="event", secret="s", cursor="0-0", subscription_id=name, kinds=["console"]
        )
    subscriptions.change("sub_3", kinds=["batch"])
    lanes.store.client.xadd(NAMES.events, {"k": "console", "c": "", "d": "{}"}, id="1000-0")
    for name in ("sub_2", "sub_3"):
        subscriptions.pause(name)
    overview = observer.overview()
    assert overview.push_lag_seconds.keys() == {"sub_1"}
    assert overview.push_lag_seconds["sub_1"] > 1e9
    assert overview.push_paused_lag_seconds == {
        "sub_2": pytest.approx(overview.push_lag_seconds["sub_1"], abs=60),
        "sub_3": 0.0,
    }
    subscriptions.resume("sub_2")
    assert observer.overview().samples()["whatsapp_push_lag_seconds"].keys() == {"sub_1", "sub_2"}
    assert observer.overview().samples()["whatsapp_push_paused_lag_seconds"] == {"sub_3": 0.0}
