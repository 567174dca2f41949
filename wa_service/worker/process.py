"""One worker process: its greenlets, and its graceful shutdown."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import asdict

import gevent
from gevent.event import Event

from wa_service import runtime
from wa_service.config.settings import Settings
from wa_service.conversation.pipeline import Pipeline
from wa_service.delivery.send_ledger import SendLedger, read_ledger
from wa_service.observability import log
from wa_service.runtime import Runtime
from wa_service.service.conversation_view import ConversationView
from wa_service.service.subscriptions import sync_event_urls
from wa_service.service.wiring import cost_service
from wa_service.store.customer_names import CustomerNames
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.schedule import Schedule
from wa_service.store.script_trials import ScriptTrials
from wa_service.store.subscriptions import TooManySubscriptionsError
from wa_service.store.tag_numbers import TagNumbers
from wa_service.worker.batches import BatchWorker
from wa_service.worker.build_pipeline import build_pipeline
from wa_service.worker.cost_check import CostChecker
from wa_service.worker.inbound import InboundWorker
from wa_service.worker.maintenance import Maintenance
from wa_service.worker.media_fetcher import MediaFetcher
from wa_service.worker.metrics_server import MetricsServer
from wa_service.worker.outbound import OutboundWorker
from wa_service.worker.periodic import PeriodicWorker
from wa_service.worker.push import PushWorker
from wa_service.worker.quality_check import QualityChecker
from wa_service.worker.read_receipts import ReadReceipts
from wa_service.worker.retention import RetentionWorker
from wa_service.worker.scheduler import SchedulerWorker
from wa_service.worker.script_trials_worker import ScriptTrialsWorker
from wa_service.worker.turns import Turns

ROUND_SECONDS = 1.0
STOP_SECONDS = 25.0


class WorkerProcess:
    """All work of one process; `run` returns after `stop`.

    `stop_seconds`: how long running handlers and sends may continue then.
    """

    def __init__(
        self, built: Runtime, pipeline: Pipeline, consumer: str, *, stop_seconds: float = STOP_SECONDS
    ) -> None:
        settings = built.settings
        self._built = built
        self._pipeline = pipeline
        self._consumer = consumer
        self._stop_seconds = stop_seconds
        answers = settings.responder != "none"
        self._inbound = InboundWorker(
            built.inbox,
            pipeline,
            ReadReceipts(built.clients, built.outbox, enabled=settings.mark_read and answers),
            MediaFetcher(built.clients),
            consumer=consumer,
            concurrency=settings.worker_concurrency,
            handle_timeout=settings.handle_timeout,
            reply_ttl_ms=settings.send_ttl * 1000,
            answer_groups=settings.groups == "answer",
            wait_for_store=built.store.availability.wait_until_back,
            turns=_turns(built),
        )
        self._outbound = [
            OutboundWorker(number, built.outbox, sender, consumer=consumer, concurrency=settings.send_concurrency)
            for number, sender in built.senders.items()
        ]
        self._workers: list[OutboundWorker | PushWorker | PeriodicWorker] = [
            *self._outbound,
            SchedulerWorker(Schedule(built.outbox), built.numbers),
            BatchWorker(built.batches, built.numbers),
            QualityChecker(built.batches, built.clients),
            CostChecker(cost_service(built)),
            RetentionWorker(
                built.events,
                CustomerNames(built.store, retention_seconds=built.retention_seconds),
                TagNumbers(built.store, retention_seconds=built.retention_seconds),
                built.contacts,
            ),
            PushWorker(built.subscriptions, built.pusher, consumer=consumer),
            ScriptTrialsWorker(ScriptTrials(built.store), lambda text: asdict(pipeline.try_sentence(text))),
        ]
        self._maintenance = Maintenance(
            built.outbox,
            built.inbox,
            built.events,
            consumer,
            self._inbound.renew_leases,
            built.stops.write_digests,
        )
        key = settings.metrics_key.get_secret_value() if settings.metrics_key else None
        port = settings.worker_metrics_port
        self._metrics_server = MetricsServer(settings.worker_metrics_bind, port, key, built.observer) if port else None
        self._stop = Event()
        self._log = log.get_logger(consumer=consumer)

    def stop(self) -> None:
        """End `run`; may be called from a signal handler."""
        self._stop.set()

    def run(
        self,
        *,
        predecessor: str | None = None,
        begun: Collection[str] | None = None,
        parent: int | None = None,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        """Work until `stop`.

        Args:
            predecessor: a consumer that died, whose leases and claims are released.
            begun: its sends that may have left ("<record id>:<token>"); None where that is not known.
            parent: a process id; this process ends when that one is no longer its parent.
            on_started: called once it takes work.

        Raises:
            TagTakenError: another service uses WA_STORE_TAG.
        """
        self._bind_numbers()
        self._pipeline.start()
        self._subscribe_event_urls()
        if predecessor:
            self._take_over(predecessor, begun)
        consumers = [gevent.spawn(self._inbound.consume), *(gevent.spawn(worker.consume) for worker in self._workers)]
        self._log.info("whatsapp.worker.started", numbers=len(self._outbound))
        on_started()
        while not self._stop.wait(ROUND_SECONDS):
            self._maintenance.run_once()
            self._built.count_writer.write_if_due()
            if self._metrics_server is not None:
                self._metrics_server.listen()
            if parent is not None and os.getppid() != parent:
                break
            if any(consumer.ready() for consumer in consumers):
                # A bug. The supervisor starts a new process, and this one's leases and claims are released.
                self._log.error("whatsapp.worker.consumer_died")
                break
        self._end(consumers)

    def _bind_numbers(self) -> None:
        """Wait for the store, and make sure that no other service uses this tag."""
        numbers = TagNumbers(self._built.store, retention_seconds=self._built.retention_seconds)
        while not self._stop.is_set():
            try:
                numbers.bind(self._built.numbers)
            except StoreUnavailableError:
                self._stop.wait(0.2)
            else:
                return

    def _end(self, consumers: list[gevent.Greenlet]) -> None:
        """Let running work finish within `stop_seconds`, and release the rest."""
        started = time.monotonic()
        if self._metrics_server is not None:
            self._metrics_server.stop()
        self._inbound.stop()
        for worker in self._workers:
            worker.stop()
        maintaining = gevent.spawn(self._keep_maintaining)
        gevent.joinall(consumers, timeout=2)
        self._inbound.join(self._stop_seconds)
        for worker in self._workers:
            worker.join(max(0.0, self._stop_seconds - (time.monotonic() - started)))
        maintaining.kill()
        self._inbound.kill()
        self._pipeline.stop()
        released = 0
        try:
            released = self._built.inbox.release_consumer(self._consumer, died=False)
        except StoreUnavailableError:
            self._log.warning("whatsapp.worker.release_failed")
        ms = round((time.monotonic() - started) * 1000)
        self._log.info("whatsapp.worker.stopped", ms=ms, released=released)
        self._built.close()

    def _subscribe_event_urls(self) -> None:
        settings, secret = self._built.settings, self._built.settings.event_secret
        try:
            sync_event_urls(
                self._built.subscriptions,
                self._built.events,
                settings.event_urls,
                secret.get_secret_value() if secret else "",
            )
        except (StoreUnavailableError, TooManySubscriptionsError) as error:
            self._log.warning("whatsapp.push.event_urls_failed", reason=type(error).__name__)

    def _keep_maintaining(self) -> None:
        while True:
            self._maintenance.run_once()
            gevent.sleep(ROUND_SECONDS)

    def _take_over(self, predecessor: str, begun: Collection[str] | None) -> None:
        try:
            released = self._built.inbox.release_consumer(predecessor, died=True, begun=begun)
            released += self._built.subscriptions.release_consumer(predecessor)
            self._log.warning("whatsapp.worker.took_over", released=released)
        except StoreUnavailableError:
            self._log.warning("whatsapp.worker.takeover_failed")


def _turns(built: Runtime) -> Turns | None:
    """The reader of earlier turns, which only a language model needs."""
    if built.settings.responder != "llm":
        return None
    return Turns(ConversationView(built.threads, built.contacts), built.settings.llm_turns)


def run(
    settings: Settings,
    consumer: str,
    *,
    predecessor: str | None = None,
    predecessor_ledger: int | None = None,
    ledger: int | None = None,
    parent: int | None = None,
    on_started: Callable[[], None] = lambda: None,
) -> None:
    """Run one worker process until SIGTERM or SIGINT, or until its parent is gone; arguments as of `WorkerProcess`.

    `ledger`, `predecessor_ledger`: file descriptors of the ledgers of sends of this process and of its predecessor.

    Raises:
        EmbeddedValkeyError: no REDIS_URL is set and no embedded Valkey answers.
        ScriptError: the script file cannot be used.
        TagTakenError: another service uses WA_STORE_TAG.
    """
    begun = None if predecessor_ledger is None else read_ledger(predecessor_ledger)
    built = runtime.build(settings, SendLedger(ledger))
    process = WorkerProcess(built, build_pipeline(settings), consumer)
    gevent.signal_handler(signal.SIGTERM, process.stop)
    gevent.signal_handler(signal.SIGINT, process.stop)
    process.run(predecessor=predecessor, begun=begun, parent=parent, on_started=on_started)
