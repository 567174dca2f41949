"""Push events to subscribers: a loop for each subscription, conversations in parallel."""

from __future__ import annotations

import time

import gevent
from gevent.event import Event
from gevent.pool import Group

from wa_service.observability import log, metrics
from wa_service.push.pusher import Pushed, Pusher
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.subscriptions import Delivery, Failure, Subscription, Subscriptions
from wa_service.worker.periodic import PeriodicWorker

SIDE_BY_SIDE = 64
"""Most concurrent deliveries to one subscriber."""
TURN_SECONDS = 0.005
"""Least time between two calls of the step, so that one call acknowledges and leases many events."""
LOOK_SECONDS = 0.1
"""Poll interval for new events."""
REFRESH_SECONDS = 1.0
"""Poll interval for new, changed or resumed subscriptions."""


class PushWorker:
    """Run one loop for each subscription."""

    def __init__(self, subscriptions: Subscriptions, pusher: Pusher, *, consumer: str) -> None:
        self._subscriptions = subscriptions
        self._pusher = pusher
        self._consumer = consumer
        self._loops: dict[str, _Loop] = {}
        self._stopping = Event()

    def consume(self) -> None:
        """Push until `stop`."""
        while not self._stopping.is_set():
            try:
                self._refresh(self._subscriptions.all())
            except StoreUnavailableError:
                pass  # the loops wait for the store as well
            except Exception as error:  # noqa: BLE001 - it may fail each time: the process has other work, too
                log.get_logger().error("whatsapp.worker.round_failed", worker=type(self).__name__, exc_info=error)
                self._stopping.wait(PeriodicWorker.failed_wait)
            self._stopping.wait(REFRESH_SECONDS)

    def stop(self) -> None:
        """Take no more events; `consume` ends."""
        self._stopping.set()
        for loop in self._loops.values():
            loop.stop()

    def join(self, seconds: float) -> None:
        """Wait at most `seconds` for deliveries in flight, then release the rest."""
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
            return  # the leases expire

    def _refresh(self, found: list[Subscription]) -> None:
        current = {subscription.id: subscription for subscription in found}
        for name in self._loops.keys() - current.keys():
            self._loops.pop(name).stop()
        for name, subscription in current.items():
            loop = self._loops.get(name)
            if loop is None or loop.has_ended:  # a loop ends when its subscription is deleted
                loop = self._loops[name] = _Loop(self._subscriptions, self._pusher, self._consumer)
                loop.subscription = subscription
                loop.start()
                metrics.subscription_served(name)
            loop.subscription = subscription


class _Loop:
    """Take events of one subscription and push them, at most `SIDE_BY_SIDE` at a time."""

    def __init__(self, subscriptions: Subscriptions, pusher: Pusher, consumer: str) -> None:
        self.subscription: Subscription
        self.held: dict[int, Delivery] = {}
        self._subscriptions = subscriptions
        self._pusher = pusher
        self._consumer = consumer
        self._pushes = Group()
        self._under_way = 0
        self._taken: list[tuple[Delivery, str]] = []
        """Deliveries to acknowledge in the store, each with the answer, "" if it was not sent."""
        self._may_have_lost = False
        """Whether a response of the store was lost, which may have leased us events."""
        self._stopping = False
        self._wake = Event()
        self._main: gevent.Greenlet | None = None

    @property
    def greenlets(self) -> list[gevent.Greenlet]:
        main = [self._main] if self._main and not self._main.dead else []
        return [*main, *self._pushes]

    @property
    def has_ended(self) -> bool:
        return self._main is not None and self._main.dead

    def start(self) -> None:
        self._main = gevent.spawn(self._run)

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def kill(self) -> None:
        gevent.killall(self.greenlets, timeout=1)

    def _run(self) -> None:
        """Run until `stop`, and until deliveries in flight have ended and are acknowledged."""
        while not self._stopping or self._under_way or self._taken:
            began = time.monotonic()
            try:
                if self._may_have_lost:
                    self._may_have_lost = False
                    self._subscriptions.release_lost(self.subscription.id, self._consumer, self.held)
                wait = self._turn()
            except LookupError:  # the subscription was deleted
                return
            except StoreUnavailableError:  # acknowledge later, unless the lease expires first
                self._may_have_lost, wait = True, REFRESH_SECONDS
            if wait > 0:
                self._wake.wait(wait)
            self._wake.clear()
            gevent.sleep(max(0.0, began + TURN_SECONDS - time.monotonic()))

    def _turn(self) -> float:
        """Acknowledge deliveries and take events that are due; return seconds until the next turn."""
        is_active = self.subscription.state == "active" and not self._stopping
        free = SIDE_BY_SIDE - self._under_way if is_active else 0
        taken = list(self._taken)
        if not (free or taken):
            return REFRESH_SECONDS  # a finished push wakes the loop
        wait, written, deliveries = self._subscriptions.take(
            self.subscription.id,
            free,
            consumer=self._consumer,
            taken=[delivery for delivery, _ in taken],
            answer=next((answer for _, answer in reversed(taken) if answer), ""),
        )
        del self._taken[: len(taken)]
        for (delivery, _), is_written in zip(taken, written, strict=True):
            self.held.pop(delivery.token, None)
            if is_written:
                metrics.event_pushed(self.subscription.id, "taken")
        for delivery in deliveries:
            self.held[delivery.token] = delivery
            self._under_way += 1
            self._pushes.spawn(self._push, delivery)
        if not is_active or len(deliveries) == free:
            return REFRESH_SECONDS
        return LOOK_SECONDS if deliveries else min(wait, LOOK_SECONDS)

    def _push(self, delivery: Delivery) -> None:
        subscription = self.subscription
        try:
            pushed = self._pusher.push(subscription, delivery)
            if pushed.outcome == "taken":
                self._taken.append((delivery, pushed.answer))
            else:
                self._write_failure(subscription, delivery, pushed, pushed.outcome)
        except StoreUnavailableError:
            self.held.pop(delivery.token, None)
            gevent.sleep(REFRESH_SECONDS)  # a write that keeps failing must not repeat the push at each turn
            self._may_have_lost = True  # the next turn releases the lease, and the event is pushed again
        finally:
            self._under_way -= 1
            self._wake.set()

    def _write_failure(self, subscription: Subscription, delivery: Delivery, pushed: Pushed, outcome: Failure) -> None:
        became = self._subscriptions.failed(
            delivery, outcome, answer=pushed.answer, delay=pushed.delay, requested_delay=pushed.requested_delay
        )
        self.held.pop(delivery.token, None)
        if became:
            metrics.event_pushed(subscription.id, became)
        logger = log.get_logger(subscription=subscription.id, answer=pushed.answer)
        if became == "dropped":
            logger.error("whatsapp.push.dropped", cursor=delivery.cursor, tries=delivery.tries + 1)
        elif became == "paused":
            logger.error("whatsapp.push.paused", reason="gone" if outcome == "gone" else "failing")
        elif became:
            logger.warning("whatsapp.push.retry_scheduled", cursor=delivery.cursor, tries=delivery.tries + 1)
