"""Stop and reload under load: nothing is lost or rejected."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable

import pytest
import requests

from tests.e2e.leaks import SPOKEN
from tests.e2e.phones import APP_SECRET, NEW_APP_SECRET, customer, delivery, message, messages
from tests.e2e.stack import WORKERS, Stack
from tests.eventually import eventually
from tests.keys import PREFIX


class Load:
    """Three customers at a time write one message each, one after the other, until the block ends."""

    def __init__(self, stack: Stack, post: Callable[[dict[str, object]], int]) -> None:
        self.told: Counter[int] = Counter()
        self.customers: list[str] = []
        self._stack = stack
        self._post = post
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(3)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def more(self, count: int, within: float = 30) -> None:
        """Wait until `count` more customers have written."""
        goal = len(self.customers) + count
        eventually(lambda: len(self.customers) >= goal, within=within)

    def all_answered_once(self) -> None:
        eventually(lambda: self._stack.waiting() == 0, within=40, every=0.1)
        self._stack.meta.settled()
        counts = self._stack.meta.accepted()
        assert {wa_id: counts.get(wa_id, 0) for wa_id in self.customers} == dict.fromkeys(self.customers, 1)

    def _run(self, start: int) -> None:
        n = start
        while not self._over.wait(0.05):
            body = delivery(messages(message(customer(n), f"{SPOKEN} {n}")))
            while (status := self._post(body)) != 200:
                self.told[status] += 1
                if self._over.wait(0.05):
                    return
            self.told[200] += 1
            self.customers.append(customer(n))
            n += len(self._threads)


@pytest.mark.chaos_only
def test_sighup_under_load_changes_the_app_secret_and_refuses_nothing(stack: Stack) -> None:
    signed_with = [APP_SECRET]

    def secrets(*accepted: str) -> None:
        stack.env_file.write_text(f"WHATSAPP_APP_SECRET={','.join(accepted)}\n", encoding="utf-8")
        before = {part: stack.children(part) for part in ("web", *WORKERS)}
        for part in before:
            stack.signal(part, signal.SIGHUP)
        eventually(
            lambda: all(
                len(now := stack.children(part)) == len(old) and not set(now) & set(old) for part, old in before.items()
            ),
            within=40,
        )

    with Load(stack, lambda body: stack.webhooks.post(body, secret=signed_with[0])) as load:
        load.more(5)
        secrets(NEW_APP_SECRET, APP_SECRET)
        signed_with[0] = NEW_APP_SECRET
        load.more(5)
        # Switch back, because the emulated Meta signs its statuses with the first secret.
        signed_with[0] = APP_SECRET
        load.more(5)
        secrets(APP_SECRET)
        load.more(5)
    assert load.told == {200: len(load.customers)}
    assert stack.webhooks.post(delivery(messages(message(customer(900), SPOKEN))), secret=NEW_APP_SECRET) == 401
    load.all_answered_once()


@pytest.mark.parametrize("parts", [("web",), WORKERS], ids=["web", "workers"])
def test_sigterm_under_load_loses_nothing(stack: Stack, parts: tuple[str, ...]) -> None:
    with Load(stack, stack.webhooks.post) as load:
        load.more(10)
        for part in parts:
            stack.signal(part, signal.SIGTERM)  # type: ignore[arg-type]
        eventually(lambda: not any(stack.runs(part) for part in parts), within=40)  # type: ignore[arg-type]
        stack.start()
        load.more(10)
    assert set(load.told) <= {0, 200}
    load.all_answered_once()


def test_a_stop_ends_idle_connections_without_an_error_and_the_next_one_stores_what_web_counted(stack: Stack) -> None:
    said = len(stack.log("web"))
    with requests.Session() as idle:
        assert idle.get(f"{stack.url}/healthz", timeout=5).status_code == 200
        stop_web(stack)  # this also flushes the counts of other tests
    assert '"level":"error"' not in stack.log("web")[said:]

    stack.start("web")
    before = received(stack)
    for n in range(3):
        assert stack.webhooks.post(delivery(messages(message(customer(n), SPOKEN)))) == 200
    stop_web(stack)
    assert received(stack) == before + 3
    stack.start("web")


def test_web_stops_while_the_store_is_frozen(stack: Stack) -> None:
    assert stack.webhooks.post(delivery(messages(message(customer(0), SPOKEN)))) == 200
    with stack.frozen("valkey"):
        stop_web(stack)
    stack.start()


def stop_web(stack: Stack) -> None:
    stack.signal("web", signal.SIGTERM)
    eventually(lambda: not stack.runs("web"), within=15)


def received(stack: Stack) -> int:
    """How many messages web counted, over all minutes in the store."""
    minutes = stack.redis.keys(f"{PREFIX}minute:*")
    return sum(int(stack.redis.hget(minute, "received") or 0) for minute in minutes)
