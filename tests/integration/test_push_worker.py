"""A worker pushes events to real receivers."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
import requests
from standardwebhooks import Webhook
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from meta_emulator.free_port import free_port
from tests.eventually import eventually
from tests.integration.lanes import NUMBER
from tests.keys import NAMES
from tests.tool_server import ToolServer
from wa_service.observability import exposition
from wa_service.push.pusher import Pusher
from wa_service.resilience.destinations import DestinationPolicy
from wa_service.resilience.http import HttpCaller
from wa_service.service.subscriptions import new_secret
from wa_service.store.client import Store
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.stored_event import write_event
from wa_service.store.subscriptions import LEASE_SECONDS, Subscription, Subscriptions
from wa_service.whatsapp.webhooks.envelope import Piece
from wa_service.worker.push import REFRESH_SECONDS, PushWorker

OPEN = DestinationPolicy([ipaddress.ip_network("127.0.0.0/8")])
ANA, BEN = f"{NUMBER}:447700900123", f"{NUMBER}:447700900124"


class Tool:
    """A subscriber on a separate port; `answer` returns the status of each response."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.answer: Callable[[dict[str, Any]], int] = lambda _: 200
        self.secret = ""
        self.url = ""

    def take(self, headers: dict[str, str], body: bytes) -> int:
        item = Webhook(self.secret).verify(body, headers)
        status = self.answer(item)
        if status == 200:
            self.events.append((item["contact"], item["data"]["what"]))
        return status

    def of(self, conversation: str) -> list[str]:
        contact = conversation.partition(":")[2]
        return [what for who, what in list(self.events) if who == contact]


@contextmanager
def running(tool: Tool) -> Iterator[Tool]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(tool.take(dict(self.headers), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ToolServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        tool.url = f"http://127.0.0.1:{server.server_port}/"
        yield tool
        server.shutdown()
        thread.join()


@pytest.fixture
def tool() -> Iterator[Tool]:
    with running(Tool()) as tool:
        yield tool


def subscribe(subscriptions: Subscriptions, tool: Tool) -> Subscription:
    tool.secret = new_secret("event")
    return subscriptions.create(tool.url, form="event", secret=tool.secret, cursor="0-0")


def work(pushing: PushWorker) -> None:
    pushing.consume()
    pushing.join(5)


@contextmanager
def worker(store: Store) -> Iterator[None]:
    """Run a worker's push loops in a thread."""
    pushing = PushWorker(Subscriptions(store), Pusher(HttpCaller(policy=OPEN).post), consumer="w")
    thread = threading.Thread(target=work, args=[pushing])
    thread.start()
    try:
        yield
    finally:
        pushing.stop()
        thread.join(20)
        assert not thread.is_alive()


def tell(redis_client: redis.Redis, conversation: str, what: str) -> None:
    redis_client.xadd(NAMES.events, {"k": "status", "c": conversation, "d": orjson.dumps({"what": what}).decode()})


def test_events_come_in_the_order_of_each_conversation(store: Store, tool: Tool, redis_client: redis.Redis) -> None:
    subscribe(Subscriptions(store), tool)
    for n in range(50):
        tell(redis_client, ANA, str(n))
        tell(redis_client, BEN, str(n))
    with worker(store):
        eventually(lambda: len(tool.events) >= 100)
    assert tool.of(ANA) == tool.of(BEN) == [str(n) for n in range(50)]


def test_its_counts_start_at_0(store: Store, tool: Tool) -> None:
    theirs = subscribe(Subscriptions(store), tool)

    def shown() -> set[str]:
        lines = exposition.render(exposition.scrape_registry())[0].decode().splitlines()
        return {
            line.partition("{")[2] for line in lines if line.startswith("whatsapp_push_total") and theirs.id in line
        }

    with worker(store):
        eventually(shown)
    outcomes = ("taken", "retried", "dropped", "paused")
    assert shown() == {f'outcome="{outcome}",subscription="{theirs.id}"}} 0.0' for outcome in outcomes}


def test_a_subscriber_that_is_away_holds_up_nobody_and_gets_all_when_it_is_back(
    store: Store, tool: Tool, redis_client: redis.Redis
) -> None:
    subscriptions = Subscriptions(store)
    with running(Tool()) as away:
        subscribe(subscriptions, tool)
        theirs = subscribe(subscriptions, away)
        away.answer = lambda _: 503
        with worker(store):
            for n in range(20):
                tell(redis_client, ANA, str(n))
            eventually(lambda: len(tool.events) == 20)
            eventually(lambda: subscriptions.get(theirs.id).failures >= 1)
            away.answer = lambda _: 200
            subscriptions.resume(theirs.id)
            redis_client.zadd(NAMES.of("push_due", theirs.id), {ANA: 1}, xx=True)
            eventually(lambda: len(away.events) == 20)
    assert away.of(ANA) == [str(n) for n in range(20)]


def unavailable_once(
    monkeypatch: pytest.MonkeyPatch, method: str, *, when: Callable[[Any], object], executed: bool
) -> list[str]:
    """Let the store be unavailable at the first call of a method for which `when` is true; return the failed calls.

    `executed`: only the response is lost, and `when` gets it. Otherwise nothing is executed, and `when` gets the named
    arguments.
    """
    original = getattr(Subscriptions, method)
    failed: list[str] = []

    def fail_once(is_wanted: object) -> None:
        if is_wanted and not failed:
            failed.append(method)
            raise StoreUnavailableError("away")

    def call(subscriptions: Subscriptions, *args: Any, **named: Any) -> Any:
        if not executed:
            fail_once(when(named))
        response = original(subscriptions, *args, **named)
        if executed:
            fail_once(when(response))
        return response

    monkeypatch.setattr(Subscriptions, method, call)
    return failed


def test_what_was_taken_while_the_store_was_away_is_written_later_and_not_pushed_again(
    store: Store, tool: Tool, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = unavailable_once(monkeypatch, "take", when=lambda named: named["taken"], executed=False)
    subscriptions = Subscriptions(store)
    theirs = subscribe(subscriptions, tool)
    tell(redis_client, ANA, "1")
    with worker(store):
        eventually(lambda: subscriptions.get(theirs.id).taken == 1)
    assert (failed, tool.of(ANA)) == (["take"], ["1"])


def test_what_an_answer_that_was_lost_handed_out_is_pushed_as_soon_as_the_store_is_back(
    store: Store, tool: Tool, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = unavailable_once(monkeypatch, "take", when=lambda response: response[2], executed=True)
    subscribe(Subscriptions(store), tool)
    tell(redis_client, ANA, "1")
    with worker(store):
        eventually(lambda: tool.of(ANA) == ["1"], within=LEASE_SECONDS / 2)
    assert failed == ["take"]


def test_a_failed_delivery_that_could_not_be_written_is_pushed_again_before_its_lease_ends(
    store: Store, tool: Tool, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = unavailable_once(monkeypatch, "failed", when=lambda _: True, executed=False)
    subscribe(Subscriptions(store), tool)
    tool.answer = lambda _: 200 if failed else 503
    tell(redis_client, ANA, "1")
    with worker(store):
        eventually(lambda: tool.of(ANA) == ["1"], within=LEASE_SECONDS / 2)
    assert failed == ["failed"]


def test_a_failed_delivery_that_can_never_be_written_is_not_pushed_without_a_pause(
    store: Store, tool: Tool, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed(*_: Any, **__: Any) -> str:
        raise StoreUnavailableError("away")

    def refuse(_: dict[str, Any]) -> int:
        pushed.append(time.monotonic())
        return 503

    pushed: list[float] = []
    monkeypatch.setattr(Subscriptions, "failed", failed)
    subscribe(Subscriptions(store), tool)
    tool.answer = refuse
    tell(redis_client, ANA, "1")
    with worker(store):
        eventually(lambda: len(pushed) >= 3, within=LEASE_SECONDS / 2)
    # The worker's loop takes its time from before the call, which blocks it here.
    assert min(later - earlier for earlier, later in pairwise(pushed)) > REFRESH_SECONDS / 2


def test_one_that_was_deleted_and_made_again_at_once_is_pushed_to(
    store: Store, tool: Tool, redis_client: redis.Redis
) -> None:
    subscriptions = Subscriptions(store)
    theirs = subscribe(subscriptions, tool)
    with worker(store):
        tell(redis_client, ANA, "1")
        eventually(lambda: tool.of(ANA) == ["1"])
        subscriptions.delete(theirs.id)
        redis_client.delete(NAMES.events)
        subscriptions.create(tool.url, form="event", secret=tool.secret, cursor="0-0", subscription_id=theirs.id)
        tell(redis_client, ANA, "2")
        eventually(lambda: tool.of(ANA) == ["1", "2"])


@contextmanager
def example(url: str, secret: str) -> Iterator[list[str]]:
    """Run the receiver of `examples/` at a local URL; yield what it logs."""
    spec = spec_from_file_location("example_receiver", Path(__file__).parents[2] / "examples" / "event_receiver.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    app = module.create_app(secret)
    logged: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]  # all that is asked
    app.logger.addHandler(handler)
    server = make_server("127.0.0.1", int(url.split(":")[2].partition("/")[0]), app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield logged
    finally:
        server.shutdown()
        thread.join()
        app.logger.removeHandler(handler)


def test_the_example_takes_each_event_once_and_refuses_what_is_not_signed(
    store: Store, redis_client: redis.Redis
) -> None:
    subscriptions, secret = Subscriptions(store), new_secret("event")
    url = f"http://127.0.0.1:{free_port()}/events"
    theirs = subscriptions.create(url, form="event", secret=secret, cursor="0-0")
    raw = {"from": "447700900123", "id": "wamid.A", "timestamp": "1760000000", "type": "text", "text": {"body": "hi"}}
    piece = Piece("message", "messages", "1", NUMBER, "wamid.A", 1_760_000_000, ("447700900123",), None, raw, "", 0)
    redis_client.xadd(NAMES.events, {"k": "message", "c": ANA, "d": write_event(piece, 1)})
    with example(url, secret) as logged:
        with worker(store):
            eventually(lambda: subscriptions.get(theirs.id).taken == 1)
            subscriptions.replay(theirs.id, "0-0")
            eventually(lambda: subscriptions.get(theirs.id).taken == 2)
        forged = requests.post(url, data=b"{}", headers={"webhook-id": "1", "webhook-timestamp": "1"}, timeout=5)
    assert (logged, forged.status_code) == (["447700900123 wrote a text"], 401)


def test_a_damaged_subscription_ends_no_worker(store: Store, redis_client: redis.Redis) -> None:
    damaged = Subscriptions(store).create("https://tool.example/", form="event", secret=new_secret("event"), cursor="")
    redis_client.hset(NAMES.of("subscription", damaged.id), "created", "today")

    with capture_logs() as lines, worker(store):
        eventually(lambda: lines)

    assert {(line["event"], line["worker"]) for line in lines} == {("whatsapp.worker.round_failed", "PushWorker")}


def test_an_event_that_is_not_sent_has_no_answer(store: Store, tool: Tool, redis_client: redis.Redis) -> None:
    subscriptions = Subscriptions(store)
    theirs = subscriptions.create(tool.url, form="meta", secret="s", cursor="0-0")
    redis_client.xadd(NAMES.events, {"k": "message", "c": ANA, "d": "{}"})
    with worker(store):
        eventually(lambda: subscriptions.get(theirs.id).taken == 1)
    assert (subscriptions.get(theirs.id).last_answer, tool.events) == ("", [])


def test_a_private_address_is_not_called(store: Store, tool: Tool, redis_client: redis.Redis) -> None:
    subscriptions = Subscriptions(store)
    theirs = subscribe(subscriptions, tool)
    tell(redis_client, ANA, "1")
    shut = PushWorker(subscriptions, Pusher(HttpCaller(policy=DestinationPolicy()).post), consumer="w")
    thread = threading.Thread(target=work, args=[shut])
    thread.start()
    eventually(lambda: subscriptions.get(theirs.id).failures == 1)
    shut.stop()
    thread.join(20)
    assert tool.events == []
    assert "not public" in subscriptions.get(theirs.id).last_answer
