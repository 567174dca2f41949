"""Send one record by one call, and write the outcome: the only caller of `POST /messages`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from wa_service.delivery.roads import MarketingRoad, PostMessage, Roads
from wa_service.delivery.send_ledger import SendLedger
from wa_service.delivery.verdict import Verdict, error_record, judge
from wa_service.observability import log, metrics
from wa_service.store.flusher import StoreUnavailableError
from wa_service.store.grants import Grant
from wa_service.store.outbox import CallTiming, Outbox, OutcomeWritten, SendOutcome
from wa_service.store.retry import retry_until_stored
from wa_service.whatsapp.addresses import spellings
from wa_service.whatsapp.errors import WhatsAppError

STORE_PATIENCE = 600.0
LONGEST_CALL = 30.0
NOT_FOUND = (100, 33)
NUMBER_NOT_FOUND = "Check the phone number id and whether the token's user may use the number: Meta does not find it."
NOT_ALLOWED = 131030
_TEMPLATE = "template"


class Sender:
    """Send the records of one number.

    `post` and `post_marketing` make one POST of a payload (the client's `send` and `send_marketing`). It must end well
    before the claim expires (30 s of 45).
    """

    def __init__(
        self,
        number: str,
        post: PostMessage,
        outbox: Outbox,
        *,
        wait_for_store: Callable[[float], bool] = lambda _: True,
        ledger: SendLedger | None = None,
        post_marketing: PostMessage | None = None,
        marketing_road: MarketingRoad = "cloud",
    ) -> None:
        self._number = number
        self._roads = Roads(number, post, post_marketing, marketing_road)
        self._outbox = outbox
        self._wait_for_store = wait_for_store
        self._ledger = ledger or SendLedger()
        self._log = log.get_logger(number=number)
        self._not_found_for = ""

    def send(self, grant: Grant) -> SendOutcome:
        """Send a granted record, write the outcome and return it."""
        verdict, timing = self._attempt(grant)
        self._throttle(grant, verdict)
        written = self._write(grant, verdict.outcome, timing)
        self._report(grant, verdict.outcome, written, timing.took_ms)
        return verdict.outcome

    def _attempt(self, grant: Grant) -> tuple[Verdict, CallTiming]:
        payload = orjson.loads(grant.body)
        payload["biz_opaque_callback_data"] = grant.id
        started = time.monotonic()
        if grant.age > self._outbox.claim_seconds - LONGEST_CALL:
            # This process or machine was suspended since the grant, so the claim may expire during the call.
            return Verdict(SendOutcome("retry", never_left=True)), CallTiming(0, started)
        try:
            with self._ledger.sending(grant):
                sent, road = self._roads.post(grant, payload)
        except WhatsAppError as error:
            if self._roads.has_switched(grant, payload, error):
                ended = time.monotonic()
                again = Verdict(SendOutcome("retry", error=error_record(error), meta_healthy=True, never_left=True))
                return again, CallTiming(round((ended - started) * 1000), ended)
            _advise_spelling(error, payload)
            verdict = judge(self._blamed(error, grant), grant)
        else:
            self._not_found_for = ""
            verdict = Verdict(
                SendOutcome(
                    "accepted",
                    wamid=sent.wamid,
                    wa_id=sent.wa_id,
                    meta_healthy=True,
                    road="" if road == "messages" else road,
                    held="" if sent.message_status == "accepted" else sent.message_status,
                )
            )
        ended = time.monotonic()
        return verdict, CallTiming(round((ended - started) * 1000), ended)

    def _blamed(self, error: WhatsAppError, grant: Grant) -> WhatsAppError:
        """Return the error; if Meta does not find our number (100/33), classify it as the account's error.

        The same error may mean a wrong id in the message. So it counts as the account's only if Meta names the number,
        or from the second message in a row.
        """
        before, self._not_found_for = self._not_found_for, ""
        if (error.code, error.subcode) != NOT_FOUND:
            return error
        self._not_found_for = grant.id
        if self._number in f"{error.title} {error.details}" or before not in ("", grant.id):
            error.group = "account"
            error.advice = NUMBER_NOT_FOUND
        return error

    def _throttle(self, grant: Grant, verdict: Verdict) -> None:
        """Slow down or pause the number if the verdict says so, before the record may be granted again."""
        try:
            if verdict.slow_down and (pace := self._outbox.slow_down(self._number)):
                self._log.warning("whatsapp.rate.lowered", id=grant.id, per_second=pace)
            if verdict.pause is not None:
                reason = "account" if verdict.alert else "throttled"
                seconds = self._outbox.pause(self._number, reason, at_least=verdict.pause, record=grant.id)
                if seconds:
                    level = self._log.error if verdict.alert else self._log.warning
                    facts = verdict.outcome.error or {}
                    level("whatsapp.number.paused", reason=reason, seconds=seconds, code=facts.get("code"))
        except StoreUnavailableError:
            self._log.warning("whatsapp.number.pause_not_stored")

    def _write(self, grant: Grant, outcome: SendOutcome, timing: CallTiming) -> OutcomeWritten | None:
        """Write the outcome, and retry while the store is unavailable, so that no wamid is lost."""
        try:
            written = retry_until_stored(
                lambda: self._outbox.done(self._number, grant, outcome, timing), self._wait_for_store, STORE_PATIENCE
            )
        except StoreUnavailableError:
            self._log.error("whatsapp.send.outcome_not_stored", id=grant.id)
            return None
        self._ledger.settle(grant)
        return written

    def _report(self, grant: Grant, outcome: SendOutcome, written: OutcomeWritten | None, ms: int) -> None:
        facts: dict[str, Any] = {"id": grant.id, "type": grant.type, "ms": ms}
        message, _, received = grant.origin.partition("@")
        if message:
            facts["message"] = message
        if outcome.kind == "accepted":
            metrics.message_accepted(grant.type)
            waited = written.waited_ms if written else grant.waited_ms + ms
            if received:
                metrics.reply_took(max(0.0, time.time() - int(received) / 1000))
            event = "whatsapp.template.sent" if grant.type == _TEMPLATE else "whatsapp.send.accepted"
            if outcome.held:
                facts["held"] = outcome.held
            self._log.info(event, wamid=log.short_hash(outcome.wamid), waited_ms=waited, **facts)
            return
        error = outcome.error or {}
        facts |= {"code": error.get("code"), "reason": error.get("reason"), "fbtrace_id": error.get("fbtrace_id")}
        if not (written and written.is_written):
            self._log.warning("whatsapp.send.outcome_discarded", outcome=outcome.kind, **facts)
            return
        match outcome.kind:
            case "retry":
                self._log.info("whatsapp.send.retry_scheduled", seconds=round(outcome.delay, 1), **facts)
            case "held":
                self._log.warning("whatsapp.send.held", seconds=round(outcome.delay), **facts)
            case "unknown":
                self._log.warning("whatsapp.send.unknown", **facts)
            case _:
                self._log.warning("whatsapp.send.failed", follows=written.fallback_id or None, **facts)


def _advise_spelling(error: WhatsAppError, payload: Mapping[str, Any]) -> None:
    """If a test number may not write to a recipient, advise the other spelling of the number."""
    other = spellings(str(payload.get("to")))[1:]
    if error.code == NOT_ALLOWED and other:
        error.advice = (
            f"{error.advice.rstrip('.')}; Meta may know this one as {other[0]}: add that, too, or send to it."
        )
