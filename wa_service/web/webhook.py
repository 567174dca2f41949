"""Where Meta knocks: the handshake, and deliveries: verify, walk, store, and only then 200 (reference 5).

The hot path. Nothing of what other routes need runs here: no hooks, no limiter, no log line for what went well.
"""

from __future__ import annotations

import hmac
import time
from typing import Final

import orjson
from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from wa_service import log, metrics
from wa_service.runtime import Runtime
from wa_service.store.flusher import StoreAwayError
from wa_service.web.auth import allow
from wa_service.web.intake import Intake
from wa_service.web.limits import CallLimits
from wa_service.web.problems import FORBIDDEN, INVALID, TOO_LARGE, UNSIGNED, ProblemError, store_away
from wa_service.whatsapp.events import is_delivery, walk

PATH: Final = "/webhooks/whatsapp"
LARGEST_BODY: Final = 4 * 1024 * 1024
LONGEST_CHALLENGE: Final = 1024


def webhook_blueprint(runtime: Runtime, intake: Intake, limits: CallLimits) -> Blueprint:
    """The two webhook routes."""
    blueprint = Blueprint("webhook", __name__)
    refusal = runtime.verifier.refusal
    take = intake.take
    verify_token = runtime.settings.verify_token.get_secret_value().encode()
    logger = log.get_logger()

    @blueprint.get(PATH)
    @allow("verify token")
    def handshake() -> Response:
        """Answers Meta's challenge when the app's webhook is set up (reference 5.1)."""
        given = request.args.get("hub.verify_token", "").encode()
        challenge = request.args.get("hub.challenge", "")
        right = hmac.compare_digest(given, verify_token)
        if not right or request.args.get("hub.mode") != "subscribe" or len(challenge) > LONGEST_CHALLENGE:
            limits.refused()
            logger.warning("whatsapp.webhook.verified", outcome="refused")
            raise ProblemError(FORBIDDEN, "The verify token or the mode is not right.")
        logger.info("whatsapp.webhook.verified", outcome="verified")
        return Response(
            challenge, content_type="text/plain; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"}
        )

    @blueprint.post(PATH)
    @allow("signature")
    def deliver() -> Response:
        """Takes a delivery; 200 only when everything in it is stored."""
        started = time.perf_counter()
        outcome = "failed"
        try:
            outcome = answer()
        except ProblemError as problem:
            outcome = problem.kind.name
            raise
        finally:
            metrics.webhook_answered(outcome, time.perf_counter() - started)
        return Response(status=200)

    def answer() -> str:
        request.max_content_length = LARGEST_BODY
        try:
            raw = request.get_data(cache=False)
        except RequestEntityTooLarge:
            raise ProblemError(TOO_LARGE, "A delivery has at most 4 MiB.") from None
        except BadRequest:
            raise ProblemError(INVALID, "The body is shorter than announced.") from None
        reason = refusal(raw, request.headers.get("X-Hub-Signature-256"))
        if reason is not None:
            limits.refused()
            logger.warning("whatsapp.webhook.refused", reason=reason, size=len(raw))
            raise ProblemError(UNSIGNED)
        try:
            delivery = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise ProblemError(INVALID, "The body is not JSON.") from None
        if not is_delivery(delivery):
            raise ProblemError(INVALID, "The body is no WhatsApp delivery.")
        try:
            take(walk(delivery))
        except StoreAwayError as error:
            logger.warning("whatsapp.webhook.refused", reason="not_stored", error=str(error))
            raise store_away() from None
        return "stored"

    return blueprint
