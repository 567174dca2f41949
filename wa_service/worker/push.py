"""Pushes events to subscribers: a loop for each subscription, conversations side by side."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import gevent
from gevent.event import Event
from gevent.pool import Pool

from wa_service.observability import log, metrics
from wa_service.push.pusher import Pushed, Pusher
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.subscriptions import Delivery, Subscription, Subscriptions

SIDE_BY_SIDE = 64
"""Deliveries to one subscriber at a time."""
WRITES_SIDE_BY_SIDE = 256
LOOK_SECONDS = 0.1
"""How soon an event that comes while nothing waits is pushed."""
REFRESH_SECONDS = 1.0
"""How soon a new, changed or resumed subscription is noticed."""

Report = Callable[[Subscription], None]


class PushWorker:
    """One loop for each subscription, started and ended as subscriptions come and go."""

    def __init__(self, subscriptions: Subscriptions, pusher: Pusher, *, on_paused: Report = lambda _: None) -> None:
        self._subscriptions = subscriptions
        self._pusher = pusher
        self._on_paused = on_paused
        self._loops: dict[str, _Loop] = {}
        self._stopping = Event()

    def consume(self) -> None:
        """Push until `stop`."""
        while not self._stopping.is_set():
            with contextlib.suppress(StoreUnavailableError):  # the loops wait for it, too
                self._refresh(self._subscriptions.all())
            self._stopping.wait(REFRESH_SECONDS)

    def stop(self) -> None:
        """Take no more events; `consume` ends."""
        self._stopping.set()
        for loop in self._loops.values():
            loop.stop()

    def join(self, seconds: float) -> None:
        """Wait at most `seconds` for deliveries under way, then release the rest."""
        until = time.monotonic() + seconds
        while greenlets := [greenlet for loop in self._loops.values() for greenlet in loop.greenlets]:
            gevent.joinall(greenlets, timeout=max(0.0, until - time.monotonic()))  # a delivery ends in a write
            if time.monotonic() >= until:
                break
        held = [delivery for loop in self._loops.values() for delivery in loop.held.values()]
        for loop in self._loops.values():
            loop.kill()
        try:
            self._subscriptions.release(held)
        except StoreUnavailableError:
            return  # their leases end

    def _refresh(self, found: list[Subscription]) -> None:
        current = {subscription.id: subscription for subscription in found}
        for name in self._loops.keys() - current.keys():
            self._loops.pop(name).stop()
        for name, subscription in current.items():
            loop = self._loops.get(name)
            if loop is None:
                loop = self._loops[name] = _Loop(self._subscriptions, self._pusher, self._on_paused)
                loop.subscription = subscription
                loop.start()
            loop.subscription = subscription


class _Loop:
    """Takes events of one subscription and pushes them, at most `SIDE_BY_SIDE` at a time."""

    def __init__(self, subscriptions: Subscriptions, pusher: Pusher, on_paused: Report) -> None:
        self.subscription: Subscription
        self.held: dict[int, Delivery] = {}
        self._subscriptions = subscriptions
        self._pusher = pusher
        self._on_paused = on_paused
        self._pool = Pool(SIDE_BY_SIDE)
        self._writes = Pool(WRITES_SIDE_BY_SIDE)
        self._stopping = False
        self._wake = Event()
        self._main: gevent.Greenlet | None = None

    @property
    def greenlets(self) -> list[gevent.Greenlet]:
        main = [self._main] if self._main and not self._main.dead else []
        return [*main, *self._pool, *self._writes]

    def start(self) -> None:
        self._main = gevent.spawn(self._run)

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def kill(self) -> None:
        gevent.killall(self.greenlets, timeout=1)

    def _run(self) -> None:
        while not self._stopping:
            wait = self._take() if self.subscription.state == "active" else REFRESH_SECONDS
            if wait > 0:
                self._wake.wait(min(wait, LOOK_SECONDS if self.subscription.state == "active" else REFRESH_SECONDS))
            self._wake.clear()

    def _take(self) -> float:
        """Take what is due; return how long to wait before the next look (s)."""
        free = self._pool.free_count()
        if not free:
            return REFRESH_SECONDS  # a delivery that ends wakes us
        try:
            wait, deliveries = self._subscriptions.take(self.subscription.id, free)
        except LookupError:
            self._stopping = True
            return 0.0
        except StoreUnavailableError:
            return REFRESH_SECONDS
        for delivery in deliveries:
            self.held[delivery.token] = delivery
            self._pool.spawn(self._push, delivery)
        return 0.0 if deliveries else wait

    def _push(self, delivery: Delivery) -> None:
        subscription = self.subscription
        pushed = self._pusher.push(subscription, delivery)
        # Beside the pool: the next delivery does not wait until this one is written down.
        self._writes.spawn(self._write, subscription, delivery, pushed)
        self._wake.set()

    def _write(self, subscription: Subscription, delivery: Delivery, pushed: Pushed) -> None:
        try:
            became = self._subscriptions.done(
                delivery, pushed.outcome, answer=pushed.answer, delay=pushed.delay, asked=pushed.asked
            )
            self.held.pop(delivery.token, None)
            self._tell(subscription, delivery, became, pushed.answer)
        except StoreUnavailableError:
            self.held.pop(delivery.token, None)  # its lease ends, and it is pushed once more
        finally:
            self._wake.set()

    def _tell(self, subscription: Subscription, delivery: Delivery, became: str, answer: str) -> None:
        if not became:
            return
        metrics.event_pushed(subscription.id, became)
        if became == "taken":
            return
        logger = log.get_logger(subscription=subscription.id, answer=answer)
        if became == "dropped":
            logger.error("whatsapp.push.dropped", cursor=delivery.cursor, tries=delivery.tries + 1)
        elif became == "paused":
            logger.error("whatsapp.push.paused", reason="gone" if answer == "410" else "failing")
            self._on_paused(subscription)
        else:
            logger.warning("whatsapp.push.retry_scheduled", cursor=delivery.cursor, tries=delivery.tries + 1)
