"""One worker process: its greenlets, and how it ends without losing anything."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from wa_service import runtime
from wa_service.config.settings import Settings
from wa_service.conversation.pipeline import Pipeline
from wa_service.observability import log
from wa_service.runtime import Runtime
from wa_service.store.flusher import StoreAwayError
from wa_service.worker.build_pipeline import build_pipeline
from wa_service.worker.fetching import MediaFetcher
from wa_service.worker.inbound import InboundWorker
from wa_service.worker.janitor import Janitor
from wa_service.worker.metrics_server import ScrapeServer
from wa_service.worker.outbound import OutboundWorker
from wa_service.worker.read_receipts import ReadMarks

ROUND_SECONDS = 1.0
STOP_SECONDS = 25.0


class WorkerProcess:
    """Everything one process does, wired; `run` returns when it was told to stop.

    `stop_seconds`: for how long what is being handled and sent may go on then.
    """

    def __init__(self, built: Runtime, pipeline: Pipeline, puller: str, *, stop_seconds: float = STOP_SECONDS) -> None:
        settings = built.settings
        self._built = built
        self._pipeline = pipeline
        self._puller = puller
        self._stop_seconds = stop_seconds
        answers = settings.responder != "none"
        self._inbound = InboundWorker(
            built.inbox,
            pipeline,
            ReadMarks(built.clients, built.outbox, enabled=settings.mark_read and answers),
            MediaFetcher(built.clients),
            puller=puller,
            concurrency=settings.worker_concurrency,
            handle_timeout=settings.handle_timeout,
            reply_ttl_ms=settings.send_ttl * 1000,
            wait_for_store=built.store.flusher.wait_until_back,
        )
        self._outbound = [
            OutboundWorker(number, built.outbox, sender, puller=puller, concurrency=settings.send_concurrency)
            for number, sender in built.senders.items()
        ]
        self._janitor = Janitor(built.outbox, built.inbox, built.events, puller, [self._inbound])
        key = settings.metrics_key.get_secret_value() if settings.metrics_key else None
        port = settings.worker_metrics_port
        self._scrape = ScrapeServer(port, key, built.observer) if port else None
        self._stop = Event()
        self._log = log.get_logger(puller=puller)

    def stop(self) -> None:
        """Ends `run`; may be called from a signal handler."""
        self._stop.set()

    def run(
        self,
        *,
        succeeds: str | None = None,
        parent: int | None = None,
        started: Callable[[], None] = lambda: None,
    ) -> None:
        """Works until `stop`.

        `succeeds`: a puller that died, whose work is due at once; `parent`: ends with it; `started` is told once it
        works.
        """
        self._pipeline.start()
        if succeeds:
            self._take_over(succeeds)
        pullers = [gevent.spawn(self._inbound.pull), *(gevent.spawn(worker.pull) for worker in self._outbound)]
        self._log.info("whatsapp.worker.started", numbers=len(self._outbound))
        started()
        while not self._stop.wait(ROUND_SECONDS):
            self._janitor.round()
            if self._scrape is not None:
                self._scrape.start()
            if parent is not None and os.getppid() != parent:
                break
            for puller in pullers:
                if puller.ready():  # a defect; the supervisor starts anew, and what we hold is given back
                    self._log.error("whatsapp.worker.consumer_died")
                    self._stop.set()
        self._end(pullers)

    def _end(self, pullers: list[gevent.Greenlet]) -> None:
        """Lets running work finish, bounded; what does not is given back."""
        started = time.monotonic()
        if self._scrape is not None:
            self._scrape.stop()
        self._inbound.stop()
        for worker in self._outbound:
            worker.stop()
        renewing = gevent.spawn(self._keep_renewing)
        gevent.joinall(pullers, timeout=2)
        self._inbound.join(self._stop_seconds)
        for worker in self._outbound:
            worker.join(max(0.0, self._stop_seconds - (time.monotonic() - started)))
        renewing.kill()
        self._inbound.kill()
        self._pipeline.stop()
        held = 0
        try:
            held = self._built.inbox.give_back(self._puller, died=False)
        except StoreAwayError:
            self._log.warning("whatsapp.worker.release_failed")
        ms = round((time.monotonic() - started) * 1000)
        self._log.info("whatsapp.worker.stopped", ms=ms, released=held)
        self._built.close()

    def _keep_renewing(self) -> None:
        while True:
            self._janitor.round()
            gevent.sleep(ROUND_SECONDS)

    def _take_over(self, puller: str) -> None:
        try:
            held = self._built.inbox.give_back(puller, died=True)
            self._log.warning("whatsapp.worker.took_over", held=held)
        except StoreAwayError:
            self._log.warning("whatsapp.worker.takeover_failed")


def run(
    settings: Settings,
    puller: str,
    *,
    succeeds: str | None = None,
    parent: int | None = None,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Runs one worker process until SIGTERM or SIGINT, or until its parent is gone."""
    built = runtime.build(settings)
    process = WorkerProcess(built, build_pipeline(settings), puller)
    gevent.signal_handler(signal.SIGTERM, process.stop)
    gevent.signal_handler(signal.SIGINT, process.stop)
    process.run(succeeds=succeeds, parent=parent, started=started)
