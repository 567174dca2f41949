"""Batches: submit many sends at once, watch, pause, resume and cancel them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from wa_service.observability import log
from wa_service.service.batch_request import BatchRequest
from wa_service.service.fair_turns import FairTurns
from wa_service.service.quiet_hours import quiet_country
from wa_service.service.refusals import (
    BatchKeyReusedError,
    RefusedError,
    SubmitUnavailableError,
    UnsentBytesError,
)
from wa_service.service.send import IdempotencyKey
from wa_service.service.send_request import SendRequest, read_send
from wa_service.service.template_cache import TemplateCache
from wa_service.store.batches import (
    ITEMS_A_STEP,
    Batch,
    BatchChange,
    Batches,
    BatchItem,
    ItemProblem,
    NewBatch,
)
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.memory import MemoryWatch
from wa_service.store.outbox import Priority

_REPEAT = "Send it again with the same Idempotency-Key."


@dataclass(frozen=True, slots=True)
class BatchTaken:
    """A stored batch: how many items were accepted, and which were refused."""

    id: str
    taken: int
    refused: list[ItemProblem]
    is_replay: bool


@dataclass(frozen=True, slots=True)
class BatchService:
    """Accept batches from REST and the command line. `longest_ttl` in seconds; the first number is the default."""

    batches: Batches
    memory: MemoryWatch
    templates: TemplateCache
    numbers: Sequence[str]
    longest_ttl: int
    schedule_days: int = 35

    def submit(
        self,
        request: BatchRequest,
        *,
        caller: str,
        fingerprint: str,
        idempotency: IdempotencyKey | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> BatchTaken:
        """Store a batch, and start it once all of it is stored; one that was not stored completely sends nothing.

        A repeat with the same key continues where the first try ended. `progress` is called with the number of items
        checked so far.

        Raises:
            InvalidRequestError: the batch itself is not valid; refused items are in the result.
            BatchKeyReusedError: the idempotency key was used for another batch.
            UnsentBytesError: too many bytes of the caller's messages wait; nothing of the batch is stored.
            SubmitUnavailableError: the store is unavailable or nearly full; says whether the batch may have started.
        """
        batch_id = _id_of(idempotency) if idempotency else uuid.uuid4().hex[:24]
        if self.memory.full() and self.batches.get(batch_id) is None:
            raise SubmitUnavailableError("It is nearly full. Nothing was queued.")
        new = NewBatch(
            id=batch_id,
            fingerprint=fingerprint,
            caller=caller,
            tag=request.tag,
            template=request.template,
            language=request.language,
            quiet=request.quiet,
            send_at=request.send_at,
            stop_when=request.stop_when,
        )
        try:
            loaded = self.batches.open(new)
            if loaded.state == "conflict":
                raise BatchKeyReusedError(batch_id)
            taken, refused = self._load(request, batch_id, loaded.stored, loaded.state != "loading", progress)
        except StoreUnavailableError:
            raise SubmitUnavailableError(_REPEAT if idempotency else "Nothing of it is sent.") from None
        try:
            self.batches.change(batch_id, "start", refused=len(refused))
        except StoreUnavailableError:  # it may have been executed
            started = f"Batch {batch_id} may have been started: without an Idempotency-Key a repeat may send it twice."
            raise SubmitUnavailableError(_REPEAT if idempotency else started) from None
        if loaded.state == "loading":
            log.get_logger().info("whatsapp.batch.taken", id=batch_id, items=taken, refused=len(refused))
        return BatchTaken(batch_id, taken, refused, loaded.state != "loading")

    def check(self, request: BatchRequest, index: int) -> SendRequest | ItemProblem:
        """Check one item as a send would be; nothing is stored."""
        try:
            send = read_send(
                request.message(request.places[index]),
                self.numbers,
                self.longest_ttl,
                priority=Priority.BULK,
                notify=None,
                schedule_days=self.schedule_days,
            )
            self.templates.check(send.templates)
        except RefusedError as error:
            return ItemProblem(index, str(error), error.fields)
        return send

    def get(self, batch_id: str) -> Batch | None:
        return self.batches.get(batch_id)

    def refused(self, batch_id: str, after: str = "", count: int = 1_000) -> tuple[list[ItemProblem], str | None]:
        """Return at most `count` refused items of a batch, by index, and the next cursor (None at the end)."""
        return self.batches.refused(batch_id, after, count)

    def page(self, after: str = "", count: int = 100) -> tuple[list[Batch], str | None]:
        """Return at most `count` batches, newest first, and the next cursor (None at the end)."""
        return self.batches.page(after, count)

    def pause(self, batch_id: str) -> Batch | None:
        """Pause sending until `resume`; None where there is no such batch."""
        return self._change(batch_id, "pause")

    def resume(self, batch_id: str) -> Batch | None:
        """Continue sending; earlier failures no longer count for `stop_when`."""
        return self._change(batch_id, "resume")

    def cancel(self, batch_id: str) -> Batch | None:
        """Cancel every item that has not left; safe to repeat."""
        found = self._change(batch_id, "cancel")
        if found is None or found.state != "canceled":
            return found
        self.batches.sweep(batch_id)
        return self.batches.get(batch_id)

    def _change(self, batch_id: str, change: BatchChange) -> Batch | None:
        if self.batches.change(batch_id, change) is None:
            return None
        return self.batches.get(batch_id)

    def _load(
        self, request: BatchRequest, batch_id: str, stored: int, is_replay: bool, progress: Callable[[int], None]
    ) -> tuple[int, list[ItemProblem]]:
        """Check every item, and store those not stored yet; return how many are valid, and the refused ones."""
        taken, refused = 0, list[ItemProblem]()
        started = max(request.send_at, int(time.time() * 1000))
        turns = FairTurns()
        for first in range(0, len(request.places), ITEMS_A_STEP):
            up_to = min(first + ITEMS_A_STEP, len(request.places))
            judged = []
            for index in range(first, up_to):
                judged.append((index, self.check(request, index)))
                turns.give_way()
            wrong = [each for _, each in judged if isinstance(each, ItemProblem)]
            refused += wrong
            good = [_item(request, index, each, started) for index, each in judged if isinstance(each, SendRequest)]
            taken += len(good)
            if up_to > stored and not is_replay and self.batches.add(batch_id, first, up_to, good, wrong) < 0:
                self.batches.drop(batch_id)
                raise UnsentBytesError
            progress(up_to)
        return taken, refused


def fingerprint_of(body: bytes) -> str:
    """Return a digest of a request's body, to detect another request with the same idempotency key."""
    return blake2b(body, digest_size=16).hexdigest()


def _item(request: BatchRequest, index: int, checked: SendRequest, started: int) -> BatchItem:
    send = checked.send
    ttl = request.places[index].get("ttl") or (request.shared or {}).get("ttl")
    has_local_quiet_hours = request.quiet is not None and " " not in request.quiet
    return BatchItem(
        index,
        send,
        checked.opens,
        quiet_country(send.address) if has_local_quiet_hours else "",
        max(started, send.send_at or 0) + send.ttl if ttl is not None else 0,
    )


def _id_of(idempotency: IdempotencyKey) -> str:
    """The batch id of an idempotency key, so that a repeat finds the batch as long as it is kept."""
    return blake2b(f"{idempotency.caller}\0{idempotency.key}".encode(), digest_size=12).hexdigest()
