"""Submit a message: check it, queue it, and wait a moment for its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wa_service.observability import log
from wa_service.service.refusals import (
    AlreadySentError,
    CustomerStoppedError,
    IdempotencyKeyReusedError,
    LaneFullError,
    MarketingLimitError,
    NotOwnerError,
    QuotaExceededError,
    RequestInProgressError,
    SubmitUnavailableError,
    TemplateMismatchError,
    UnsentBytesError,
)
from wa_service.service.send_request import SendRequest, read_send
from wa_service.service.template_cache import TemplateCache
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.memory import MemoryWatch
from wa_service.store.outbox import Idempotency, Outbox, Priority, PutResult
from wa_service.store.records import Record, Records
from wa_service.store.result_waiters import ResultWaiters
from wa_service.store.schedule import Schedule


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's name and idempotency key: a repeated request submits nothing."""

    caller: str
    key: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A message that was queued, now or with the same key before: its id and record (None: it cannot be read)."""

    id: str
    record: Record | None
    is_replay: bool


@dataclass(frozen=True, slots=True)
class SendService:
    """Accept messages from REST and the command line. `longest_ttl` in seconds; the first number is the default."""

    outbox: Outbox
    records: Records
    waiters: ResultWaiters
    memory: MemoryWatch
    templates: TemplateCache
    numbers: Sequence[str]
    longest_ttl: int
    schedule_days: int = 35

    def submit(
        self,
        request: Mapping[str, Any],
        *,
        priority: Priority,
        idempotency: IdempotencyKey | None = None,
        wait: float = 0.0,
        caller: str | None = None,
    ) -> Submitted:
        """Queue the message of a request (Meta's message object with our additional fields).

        Args:
            request: the body of `POST /v1/messages`.
            priority: how soon it leaves; a bulk message also waits for room in the template quota.
            idempotency: the caller's key, if given.
            wait: seconds to wait for Meta's answer.
            caller: the API key's name, whose unsent bytes are bounded.

        Raises:
            InvalidRequestError: the request is not valid.
            ScheduledTooFarError: `send_at` is too far ahead.
            TemplateMismatchError: the message does not match its template.
            IdempotencyKeyReusedError, RequestInProgressError: by the idempotency key.
            QuotaExceededError: the template quota is used up, and the message is not bulk.
            CustomerStoppedError: it is marketing, and the customer has said STOP.
            MarketingLimitError: it is marketing, and the customer has had a week's marketing.
            NotOwnerError: another application owns the thread, and the request does not take it.
            UnsentBytesError: too many bytes of the caller's messages wait.
            LaneFullError: too many messages wait for the customer.
            StoreUnavailableError: the store is unavailable or nearly full.
        """
        send = read_send(
            request,
            self.numbers,
            self.longest_ttl,
            priority=priority,
            notify=self.waiters.name if wait else None,
            schedule_days=self.schedule_days,
            caller=caller,
        )
        wait = wait if send.send.notify else 0.0
        key = self._stored_key(idempotency, send, wait)
        self._check_memory(key)
        self._check_templates(send, key)
        put = self._put_and_wait(send, key, wait)
        return Submitted(put.id, self._latest(put.id), put.outcome == "replayed")

    def cancel(self, name: str) -> Record | None:
        """Cancel a message that has not left, by our id or Meta's; return its record, None for an unknown message.

        Raises:
            AlreadySentError: it was sent, or has ended.
            StoreUnavailableError: it may or may not be canceled; it is safe to retry.
        """
        record = self.records.find(name, tuple(self.numbers))
        if record is None:
            return None
        outcome, record_id = Schedule(self.outbox).cancel(record.id)
        latest = self.records.get(record_id) or record
        if outcome == "sent":
            raise AlreadySentError(latest.id, latest.status)
        if outcome == "canceled":
            log.get_logger().info("whatsapp.send.canceled", id=latest.id)
        return latest

    def _stored_key(self, idempotency: IdempotencyKey | None, request: SendRequest, wait: float) -> Idempotency | None:
        if idempotency is None:
            return None
        key = self.outbox.store.keys.idempotency(idempotency.caller, idempotency.key)
        return Idempotency(key, request.fingerprint, int(wait * 1000))

    def _check_memory(self, key: Idempotency | None) -> None:
        """Refuse a new message while the store is nearly full, to leave memory for queued work."""
        if self.memory.full() and (key is None or not self.outbox.has_idempotency_key(key)):
            raise SubmitUnavailableError("It is nearly full. Nothing was queued.")

    def _check_templates(self, send: SendRequest, key: Idempotency | None) -> None:
        """Refuse a template that does not match its definition, unless the request is a repeat."""
        try:
            self.templates.check(send.templates)
        except TemplateMismatchError:
            # A repeat gets the answer of the first request, even if the template has changed since.
            if key is None or not self.outbox.has_idempotency_key(key):
                raise

    def _put_and_wait(self, request: SendRequest, key: Idempotency | None, wait: float) -> PutResult:
        record_id = request.send.id
        waiter = self.waiters.register(record_id) if wait else None
        try:
            put = self._put(request, key)
            if waiter is not None and put.outcome == "queued" and not self.waiters.wait(record_id, waiter, wait):
                self._stop_waiting(key)
            return put
        finally:
            self.waiters.cancel(record_id)

    def _put(self, request: SendRequest, key: Idempotency | None) -> PutResult:
        try:
            put = self.outbox.put(request.send, idempotency=key, opens=request.opens)
        except StoreUnavailableError:
            if key is not None:
                raise SubmitUnavailableError("Send it again with the same Idempotency-Key.") from None
            raise SubmitUnavailableError(
                "It may have been queued: without an Idempotency-Key a repeat may send it twice."
            ) from None
        match put.outcome:
            case "conflict":
                raise IdempotencyKeyReusedError(put.id)
            case "waiting":
                raise RequestInProgressError(put.id)
            case "full":
                raise LaneFullError
            case "unsent_bytes":
                raise UnsentBytesError
            case "not_owner":
                raise NotOwnerError
            case "stopped":
                raise CustomerStoppedError
            case "marketing_limit":
                raise MarketingLimitError(put.retry_after)
            case "quota":
                raise QuotaExceededError(put.retry_after)
        return put

    def _stop_waiting(self, key: Idempotency | None) -> None:
        """Note that the caller got its answer, so that a repeat does not have to wait."""
        if key is None:
            return
        try:
            self.outbox.caller_answered(key)
        except StoreUnavailableError:
            return  # a repeat has to wait until the time is over

    def _latest(self, record_id: str) -> Record | None:
        """Return the record, or that of its fallback template."""
        try:
            record = self.records.get(record_id)
            if record is not None and record.replaced_by is not None:
                return self.records.get(record.replaced_by) or record
        except StoreUnavailableError:
            return None  # the message is queued all the same
        return record
