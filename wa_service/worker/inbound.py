"""Handle received messages: each conversation in order, under a lease.

A handler's result is written by one step that checks the lease (`finish`), so work that is repeated after a crash
counts once. A failed message is retried with backoff and jitter, while other customers are served, and becomes a dead
letter after 5 failures or 10 deliveries (which also count when the process dies).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import gevent
import orjson
from gevent.pool import Pool
from structlog.typing import FilteringBoundLogger

from wa_service.conversation.pipeline import Pipeline, PipelineResult
from wa_service.conversation.utterance import Utterance
from wa_service.observability import log, metrics
from wa_service.resilience.breaker import Unavailable
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.inbox import Finished, Inbox, Pause, Work
from wa_service.store.outbox import Send
from wa_service.store.retry import retry_until_stored
from wa_service.store.stored_event import NewerFormError, StoredEvent, UnreadableEventError
from wa_service.whatsapp.errors import WhatsAppError
from wa_service.whatsapp.media.download import Media
from wa_service.whatsapp.webhooks.events import Audio, Edit, InboundMessage, Malformed, Revoke, parse_piece
from wa_service.worker import thread_notes
from wa_service.worker.apology import APOLOGISED_AT, may_apologise
from wa_service.worker.burst import (
    UNSUPPORTED_ANSWERED_AT,
    Burst,
    TakenMessage,
    burst_of,
    contact_facts,
)
from wa_service.worker.read_receipts import ReadReceipts
from wa_service.worker.reply_sends import ReplySends, reply_address
from wa_service.worker.turns import Turns

MAX_FAILURES = 5
MAX_DELIVERIES = 10
BATCH_SIZE = 16
RENEW_LEASE_AFTER = 5.0
STORE_RETRY_SECONDS = 60.0
RETRY_DELAYS = (1.0, 4.0, 16.0, 60.0)
MAX_RETRY_DELAY = 3_600.0
NEWER_FORM_DELAY = 30.0
# For an hour, a transient error of Meta's does not count as the message's failure.
TRANSIENT_RETRY_SECONDS = 3_600.0
_TRANSIENT_GROUPS = frozenset({"transient", "few", "throttled", "account", "unknown", "maintenance"})
PAUSED_UNTIL = "paused_until"


class LeaseLostError(BaseException):
    """The lease was lost: stop, and write nothing."""


class _HandlerTimeout(BaseException):
    """The handler timed out. Not a TimeoutError, which libraries would take for their own."""


class _Lease:
    """A running handler: when it started, and when its lease was last renewed (monotonic seconds)."""

    __slots__ = ("greenlet", "renewed", "started", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.started = self.renewed = time.monotonic()
        self.greenlet: gevent.Greenlet | None = None


class InboundWorker:
    """Take conversations from the inbox and handle their heads with at most `concurrency` greenlets.

    `fetch_media` downloads a file by our phone number id and the media id; it raises WhatsAppError.
    """

    def __init__(
        self,
        inbox: Inbox,
        pipeline: Pipeline,
        receipts: ReadReceipts,
        fetch_media: Callable[[str, str], Media],
        *,
        consumer: str,
        concurrency: int,
        handle_timeout: float,
        reply_ttl_ms: int,
        answer_groups: bool = True,
        wait_for_store: Callable[[float], bool] = lambda _: False,
        renew_after: float = RENEW_LEASE_AFTER,
        turns: Turns | None = None,
    ) -> None:
        self._inbox = inbox
        self._pipeline = pipeline
        self._receipts = receipts
        self._fetch_media = fetch_media
        self._consumer = consumer
        self._pool = Pool(concurrency)
        # With `typing_after` a responder may leave a message unread, so nothing is shown before it was asked.
        self._on_burst = None if pipeline.typing_after else receipts.begin_typing
        self._handle_timeout = handle_timeout
        self._reply_sends = ReplySends(reply_ttl_ms)
        self._answer_groups = answer_groups
        self._wait_for_store = wait_for_store
        self._renew_after = renew_after
        self._turns = turns
        self._leases: dict[str, _Lease] = {}
        self._log = log.get_logger()
        self._stopping = False

    def consume(self) -> None:
        """Take work and start handlers until `stop`; the loop of one greenlet."""
        counter = 0
        while not self._stopping:
            self._pool.wait_available()
            try:
                count = min(self._pool.free_count(), BATCH_SIZE)
                wait, works = self._inbox.take(self._consumer, counter, count, on_burst=self._on_burst)
                counter += 1
                for work in works:
                    self._start(work)
                if wait and not self._stopping:
                    self._inbox.wait_for_work(min(wait, 1.0))
            except StoreUnavailableError:
                gevent.sleep(0.2)  # retry with the same counter: a lost answer is returned again

    def renew_leases(self) -> None:
        """Renew the leases that are due, and stop handlers whose lease was lost; call it about once a second."""
        now = time.monotonic()
        due = [lease for lease in self._leases.values() if now - lease.renewed >= self._renew_after]
        if not due:
            return
        for lease, kept in zip(due, self._inbox.renew_leases([lease.work for lease in due]), strict=True):
            if kept:
                lease.renewed = now
            elif lease.greenlet is not None:
                lease.greenlet.kill(LeaseLostError, block=False)

    def stop(self) -> None:
        """Take no more work."""
        self._stopping = True

    def join(self, seconds: float) -> bool:
        """Wait for running handlers; return whether all ended."""
        return bool(self._pool.join(timeout=seconds))

    def kill(self) -> None:
        """Kill running handlers."""
        self._pool.kill(LeaseLostError, timeout=2)
        self._receipts.kill()

    def _start(self, work: Work) -> None:
        lease = _Lease(work)
        self._leases[work.conversation] = lease
        lease.greenlet = self._pool.spawn(self._handle, lease)

    def _handle(self, lease: _Lease) -> None:
        work = lease.work
        try:
            stored = self._read(work)
            if stored is not None:
                logger = self._log.bind(message=stored.reference, number=stored.piece.phone_number_id)
                self._attempt(lease, stored, logger)
        except LeaseLostError:
            self._log.warning("whatsapp.message.lease_lost")
        except StoreUnavailableError:
            # Not released: the lease expires.
            self._log.warning("whatsapp.message.store_unavailable")
        except Exception as error:  # noqa: BLE001 - a defect; the lease expires, and the delivery counts
            reason = type(error).__name__
            self._log.error("whatsapp.message.failed", number=work.number, reason=reason, exc_info=error)
        finally:
            if self._leases.get(work.conversation) is lease:
                del self._leases[work.conversation]

    def _read(self, work: Work) -> StoredEvent | None:
        """Return the event; None where it cannot be read, after it was postponed or dead-lettered."""
        logger = self._log.bind(number=work.number)
        try:
            return work.stored
        except NewerFormError as error:
            # Wait for a worker of a newer version, which can read it.
            self._retry_later(work, NEWER_FORM_DELAY, None, counts=False, reason=str(error), logger=logger)
        except UnreadableEventError as error:
            self._dead_letter(work, "malformed", str(error), logger)
        return None

    def _attempt(self, lease: _Lease, stored: StoredEvent, logger: FilteringBoundLogger) -> None:
        work = lease.work
        if work.deliveries > MAX_DELIVERIES:
            self._dead_letter(work, "crashed", f"taken {MAX_DELIVERIES} times, never finished", logger, stored)
            return
        event = parse_piece(stored.piece)
        if isinstance(event, Malformed):
            self._dead_letter(work, "malformed", event.reason, logger, stored)
            return
        if not isinstance(event, InboundMessage):
            self._dead_letter(work, "failed", "not a message", logger)
            return
        if work.deliveries == 1:
            logger.info("whatsapp.message.received", type=event.kind, lag_ms=_age_ms(stored.received))
        burst = burst_of(work, stored, event)
        try:
            with gevent.Timeout(self._seconds_for(burst), _HandlerTimeout()):
                result = self._answer(burst)
            # Inside the try, because an error here is a failure of the message.
            sends, transcript = self._sends(burst, result), _transcript_event(burst.transcribed, result)
        except Unavailable as away:
            self._retry_later(work, away.retry_after, stored, counts=False, reason="unavailable", logger=logger)
        except WhatsAppError as error:
            waits = error.group in _TRANSIENT_GROUPS and _age_ms(stored.received) < TRANSIENT_RETRY_SECONDS * 1000
            self._failed(work, error, counts=not waits, logger=logger)
        except _HandlerTimeout:
            self._failed(work, TimeoutError("the handler took too long"), counts=True, logger=logger)
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - a handler's error must not stop the others
            self._failed(work, error, counts=True, logger=logger)
        else:
            self._finish(lease, burst, result, sends, transcript, logger)

    def _seconds_for(self, burst: Burst) -> float:
        """Return the time to handle a burst. Downloads and transcriptions have their own limits, and come on top."""
        if isinstance(burst.transcribed, Audio):
            return self._handle_timeout + self._pipeline.recording_seconds
        return self._handle_timeout

    def _answer(self, burst: Burst) -> PipelineResult:
        event = burst.last

        def fetch(media_id: str) -> Media:
            return self._fetch_media(event.phone_number_id, media_id)

        answerable, quiet = self._answerable(burst)
        if not answerable:
            return PipelineResult(quiet=quiet)
        utterance = burst.utterance(answerable)
        if not self._pipeline.wants_answer(utterance):
            return PipelineResult()
        if self._turns is not None:
            utterance = replace(utterance, turns=self._turns.before(burst))
        if isinstance(event, Edit | Revoke):  # these cannot be marked as read
            return self._pipeline.handle(utterance, fetch)
        with (
            self._receipts.typing(event, after=self._pipeline.typing_after) as receipt,
            log.bound(message=burst.stored.reference, number=event.phone_number_id),
        ):
            result = self._pipeline.handle(utterance, fetch)
            if not result.mark_read:
                receipt.leave_unread()
            return result

    def _answerable(self, burst: Burst) -> tuple[tuple[TakenMessage, ...], str]:
        """Return the messages to answer; or none, and why: a group, a pause, another owner, or too old."""
        now_ms = round(time.time() * 1000)
        if burst.event.group_id and not self._answer_groups:
            return (), "group"
        for field, reason in ((PAUSED_UNTIL, "paused"), ("other_until", "other_application")):
            if float(burst.work.contact.get(field, 0)) > now_ms:
                return (), reason
        answerable = tuple(
            message
            for message in burst.messages
            if message.stored.replayed or not self._inbox.is_stale(message.stored.piece, now_ms)
        )
        return answerable, "" if answerable else "stale"

    def _sends(self, burst: Burst, result: PipelineResult) -> list[Send]:
        last, work = burst.last, burst.work
        address = reply_address(last.addresses, work.conversation, work.contact)
        return self._reply_sends.make(burst.stored, result.replies, address=address, group_id=last.group_id)

    def _finish(
        self,
        lease: _Lease,
        burst: Burst,
        result: PipelineResult,
        sends: Sequence[Send],
        transcript: str,
        logger: FilteringBoundLogger,
    ) -> None:
        # Safe to retry: the step does it once, and only with this lease.
        stamps = {UNSUPPORTED_ANSWERED_AT: 0} if result.unsupported_answered else {}
        finish = partial(
            self._inbox.finish,
            burst.work,
            self._consumer,
            sends,
            transcript=transcript,
            stamps=stamps,
            behind=burst.behind,
            note=thread_notes.handled([message.stored for message in burst.messages], result, lease.started),
            pause=_pause(result),
        )
        finished = retry_until_stored(finish, self._wait_for_store, STORE_RETRY_SECONDS)
        several = {"burst": len(burst.messages)} if burst.behind else {}
        if finished == Finished.OVER_REPLY_LIMIT:
            metrics.reply_limit_reached()
            logger.warning("whatsapp.conversation.reply_limit_reached")
        logger.info(
            "whatsapp.message.handled" if finished else "whatsapp.message.result_discarded",
            type=burst.event.kind,
            intent=result.intent or None,
            replies=[send.id for send in sends] if finished == Finished.DONE else [],
            ms=_age_ms(burst.stored.received),
            **several,
        )

    def _failed(self, work: Work, error: Exception, *, counts: bool, logger: FilteringBoundLogger) -> None:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, WhatsAppError) else type(error).__name__
        if counts and work.failures + 1 >= MAX_FAILURES:
            self._dead_letter(work, "failed", reason, logger, work.stored)
            return
        tried = work.failures if counts else work.deliveries - 1
        delay = RETRY_DELAYS[min(tried, len(RETRY_DELAYS) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        retry_after = getattr(error, "retry_after", None)
        if not isinstance(error, WhatsAppError):
            logger.error("whatsapp.message.failed", reason=reason, exc_info=error)
        delay = max(delay, retry_after or 0.0)
        self._retry_later(work, delay, work.stored, counts=counts, reason=reason, logger=logger)

    def _retry_later(
        self,
        work: Work,
        delay: float,
        stored: StoredEvent | None,
        *,
        counts: bool,
        reason: str,
        logger: FilteringBoundLogger,
    ) -> None:
        delay = min(delay, MAX_RETRY_DELAY)
        note = thread_notes.retried(stored, reason, delay) if stored is not None else ""
        if self._inbox.retry_later(work, self._consumer, delay, is_failure=counts, note=note) < 0:
            raise LeaseLostError
        logger.warning("whatsapp.message.retry_scheduled", reason=reason, seconds=round(delay, 1))

    def _dead_letter(
        self, work: Work, kind: str, reason: str, logger: FilteringBoundLogger, stored: StoredEvent | None = None
    ) -> None:
        replies: list[Send] = []
        try:
            replies = self._apology(work, stored) if stored is not None else []
        except Exception as error:  # noqa: BLE001 - a defect must not keep the message at the head of its mailbox
            self._log.error("whatsapp.message.failed", number=work.number, reason=type(error).__name__, exc_info=error)
        stamps = {APOLOGISED_AT: 0} if replies else {}
        note = thread_notes.dead_lettered(stored, work.dead_letter_id, kind, reason) if stored is not None else ""
        if not self._inbox.dead_letter(work, self._consumer, kind, reason, replies=replies, stamps=stamps, note=note):
            raise LeaseLostError
        logger.error("whatsapp.message.dead_lettered", kind=kind, reason=reason, tries=work.deliveries)

    def _apology(self, work: Work, stored: StoredEvent) -> list[Send]:
        """Return the apology to a customer whose message is dead-lettered, where it may still be answered."""
        piece, now = stored.piece, time.time()
        if not may_apologise(work, stored, now, is_stale=self._inbox.is_stale(piece, round(now * 1000))):
            return []
        utterance = Utterance(
            id=piece.id,
            conversation=work.conversation,
            phone_number_id=piece.phone_number_id,
            timestamp=piece.timestamp,
            kind="failed",
            name=work.contact.get("name", ""),
            contact=contact_facts(work.contact),
        )
        address = reply_address(piece.addresses, work.conversation, work.contact)
        return self._reply_sends.make(stored, self._pipeline.apologise(utterance), address=address)


def _pause(result: PipelineResult) -> Pause | None:
    """The pause of automatic replies that the result asks for."""
    if result.pause_seconds is None:
        return None
    return Pause(result.pause_seconds, "handover" if result.handover else "responder", result.handover)


def _transcript_event(event: InboundMessage, result: PipelineResult) -> str:
    """The transcript event of a voice note as JSON; "" where nothing was transcribed."""
    if result.transcript is None:
        return ""
    event_data = {
        "message_id": event.id,
        "transcript": result.transcript,
        "confidence": result.confidence,
        "understood": result.is_understood,
    }
    return orjson.dumps(event_data).decode()


def _age_ms(received_ms: int) -> int:
    return max(0, round(time.time() * 1000) - received_ms)
