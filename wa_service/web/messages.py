"""`/v1/messages`: send, look up, mark as read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, request

from wa_service.runtime import Runtime
from wa_service.service.send_request import SendRequest, read_send
from wa_service.service.template_cache import Templates
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.outbox import Idempotency, Priority, PutResult
from wa_service.store.records import RANKS, Record
from wa_service.web import models
from wa_service.web.auth import caller_name
from wa_service.web.problems import (
    BUSY,
    INVALID,
    KEY_REUSED,
    LANE_FULL,
    NOT_FOUND,
    REACH_USED_UP,
    ProblemError,
    of_failure,
    store_away,
)

_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}")
_LANE_RETRY_SECONDS: Final = 10.0
REPLAYED: Final = {"Idempotency-Replayed": "true"}


@dataclass(frozen=True, slots=True)
class Messages:
    """Puts sends into the outbox and answers with what became of them."""

    runtime: Runtime
    templates: Templates

    def send(self, given: dict[str, Any]) -> Response:
        """Queues the message of a body and waits a moment for Meta's answer."""
        runtime = self.runtime
        at_once = _respond_async()
        priority = Priority.BULK if at_once else Priority.SINGLE
        idempotency_key = _idempotency_key()
        wait = 0.0 if at_once else runtime.settings.send_wait
        asked = read_send(
            given,
            runtime.numbers,
            runtime.settings.send_ttl,
            priority=priority,
            notify=runtime.result_waiters.name if wait else None,
        )
        idempotency = None
        if idempotency_key is not None:
            key = self.runtime.store.keys.idempotency(caller_name(), idempotency_key)
            idempotency = Idempotency(key, asked.fingerprint, int(wait * 1000))
        self._check_room(idempotency)
        self._check_templates(asked, idempotency)
        put = self._put(asked, idempotency, wait=wait)
        headers = REPLAYED if put.outcome == "replayed" else {}
        if at_once:
            headers = {**headers, "Preference-Applied": "respond-async"}
        return self._answer(put.id, headers, later=at_once and put.outcome == "queued")

    def show(self, name: str) -> Response:
        """The record with our id or Meta's."""
        record = self.runtime.records.find(name, self.runtime.numbers)
        if record is None:
            raise ProblemError(NOT_FOUND, "No message of ours has this id.")
        return models.MessageRecord.of(record).respond()

    def _check_room(self, idempotency: Idempotency | None) -> None:
        """A new message is refused while the store is nearly full: what is left is for finishing what is there."""
        runtime = self.runtime
        if runtime.memory.full() and (idempotency is None or not runtime.outbox.has_idempotency_key(idempotency)):
            raise store_away("It is nearly full. Nothing was queued.")

    def _check_templates(self, asked: SendRequest, idempotency: Idempotency | None) -> None:
        """A template that does not fit its definition is refused before Meta does it, unless it is a repeat."""
        try:
            self.templates.check(asked.templates)
        except ProblemError:
            # The first request passed: its repeat gets its answer, whatever became of the template since.
            if idempotency is None or not self.runtime.outbox.has_idempotency_key(idempotency):
                raise

    def _put(self, asked: SendRequest, idempotency: Idempotency | None, *, wait: float) -> PutResult:
        """Queues it, and waits until Meta answered or the time is over."""
        answers, send = self.runtime.result_waiters, asked.send
        expected = answers.register(send.id) if wait else None
        try:
            put = self._queue(asked, idempotency)
            if expected is not None and put.outcome == "queued" and not answers.wait(send.id, expected, wait):
                self._no_longer_waiting(idempotency)
            return put
        finally:
            answers.cancel(send.id)

    def _queue(self, asked: SendRequest, idempotency: Idempotency | None) -> PutResult:
        try:
            put = self.runtime.outbox.put(asked.send, idempotency=idempotency, opens=asked.opens)
        except StoreUnavailableError:
            if idempotency is not None:
                raise store_away("Send it again with the same Idempotency-Key.") from None
            raise store_away(
                "It may have been queued: without an Idempotency-Key a repeat may send it twice."
            ) from None
        match put.outcome:
            case "conflict":
                raise ProblemError(KEY_REUSED, "Use a new key for another request.", id=put.id)
            case "waiting":
                raise ProblemError(BUSY, retry_after=1.0, headers=_location(put.id), id=put.id)
            case "full":
                raise ProblemError(LANE_FULL, retry_after=_LANE_RETRY_SECONDS)
            case "quota":
                raise ProblemError(
                    REACH_USED_UP,
                    "With Prefer: respond-async the message waits until there is room.",
                    retry_after=put.retry_after,
                )
        return put

    def _no_longer_waiting(self, idempotency: Idempotency | None) -> None:
        if idempotency is None:
            return
        try:
            self.runtime.outbox.caller_answered(idempotency)
        except StoreUnavailableError:
            return  # then a repeat waits until the time runs out by itself

    def _answer(self, record_id: str, headers: dict[str, str], *, later: bool) -> Response:
        """200 where Meta accepted it, its problem where it failed, else 202.

        `later`: 202 in any case; a worker may have been quicker than we are.
        """
        try:
            record = self._latest(record_id)
        except StoreUnavailableError:
            record = None  # it is queued, and that is what counts
        if record is None:
            queued = models.Queued(id=record_id, status="queued")
            return queued.respond(202, {**headers, **_location(record_id)})
        if record.status == "failed" and not later:
            problem = of_failure(record.error or {}, id=record.id)
            problem.headers |= headers
            raise problem
        accepted = not later and RANKS[record.status] >= RANKS["accepted"]
        if not accepted:
            headers = {**headers, **_location(record.id)}
        return models.MessageRecord.of(record).respond(200 if accepted else 202, headers)

    def _latest(self, record_id: str) -> Record | None:
        """The record, or the template that was sent in its place."""
        record = self.runtime.records.get(record_id)
        if record is not None and record.replaced_by is not None:
            return self.runtime.records.get(record.replaced_by) or record
        return record


def _location(record_id: str) -> dict[str, str]:
    return {"Location": f"/v1/messages/{record_id}"}


def _respond_async() -> bool:
    preferences = ",".join(request.headers.getlist("Prefer")).split(",")
    return any(preference.partition(";")[0].strip().lower() == "respond-async" for preference in preferences)


def _idempotency_key() -> str | None:
    """The header's value (quotes of a structured field are taken off), None where there is none."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    key = given.strip()
    if len(key) > 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        sentence = "This must be 1 to 255 visible ASCII characters."
        raise ProblemError(INVALID, "The header is not valid.", fields=[("Idempotency-Key", sentence)])
    return key
