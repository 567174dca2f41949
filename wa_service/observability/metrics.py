"""The Prometheus series, each recorded by a function named after the fact.

Label values are bounded: unknown ones count as `other`. If `multiprocess.share` was called before this module is
imported, the processes of one machine share their counts. The store's own state (limits, queues, dead letters) is read
at each scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from prometheus_client import Counter, Histogram, disable_created_metrics

from wa_service.observability.batch_histogram import BatchHistogram
from wa_service.observability.recent_counts import RECENT

StoreSamples: TypeAlias = Mapping[str, Mapping[str, float]]
"""Amounts by the label's value, by series of `STORE_GAUGES`."""

# Series that are read from the store: name → help text, label. `store/overview.py` reads their values.
STORE_GAUGES = {
    "whatsapp_rate_limit_remaining": ("Remaining part of Meta's limits, of the number with the least.", "limit"),
    "whatsapp_circuit_state": ("Whether a number may send: 0 closed, 1 probing, 2 open.", "number"),
    "whatsapp_queue_depth": (
        "Waiting conversations (inbound), lanes (outbound) or sends (sending, unknown, scheduled).",
        "queue",
    ),
    "whatsapp_queue_oldest_seconds": (
        "How long the oldest work has been due, by queue. What waits for a retry or the template quota is not due.",
        "queue",
    ),
    "whatsapp_dead_letters": ("Events that could not be handled, by kind.", "kind"),
    "whatsapp_push_lag_seconds": (
        "Age of the oldest event that an active subscription has not received.",
        "subscription",
    ),
    "whatsapp_push_paused_lag_seconds": (
        "Age of the oldest event that a paused subscription has not received.",
        "subscription",
    ),
}

_MEDIA_TYPES = frozenset(["image", "audio", "video", "document", "sticker"])
_SENT_TYPES = frozenset(["text", "template", "interactive", "location", "contacts", "reaction", "pin"])
# Management fields and new message types get labels of their own, too, up to a limit.
_EVENT_KINDS = frozenset(["text", "image", "audio", "button", "interactive", "status", "unsupported", "malformed"])
_ODD_WEBHOOKS = frozenset(["other_object", "empty", "foreign_number", "test_button"])
_OUTCOMES = frozenset(["stored", "store-away", "busy", "unsigned", "invalid-request", "too-large", "failed"])
_PUSH_OUTCOMES = ("taken", "retried", "dropped", "paused")
_BATCH_PAUSES = (
    "too_many_failed", "spam_limited", "withheld_by_meta", "template_paused", "template_disabled", "quality_red"
)  # fmt: skip
_ACCOUNT_REFUSED = (
    "0", "3", "10", "15", "102", "104", "190", "200", "368", "131005", "131031", "131037", "131042", "131045", "131048",
    "131064", "133010", "141006", "141014", "WhatsAppAuthError",
)  # fmt: skip
_STATUSES = frozenset(["accepted", "sent", "delivered", "read", "played", "failed", "deleted"])

_SECONDS_OF_A_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SECONDS_OF_A_CALL = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30)
_SECONDS_OF_AN_ANSWER = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
_SECONDS_ON_THE_WAY = (0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400)

# The additional `_created` series are not needed, and processes cannot share them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the client has no type here

_messages_sent = Counter("whatsapp_messages_sent", "Messages that Meta accepted.", ["type"])
_media_downloads = Counter("whatsapp_media_downloads", "Media downloads, by outcome.", ["status"])
_api_latency = Histogram(
    "whatsapp_api_latency_seconds", "Time of a call to Meta.", ["endpoint"], buckets=_SECONDS_OF_A_CALL
)
_api_errors = Counter("whatsapp_api_errors", "Calls to Meta that failed, by Meta's code.", ["endpoint", "code"])
_webhooks = Counter("whatsapp_webhooks", "Webhook calls, by outcome.", ["outcome"])
_webhook_seconds = BatchHistogram("whatsapp_webhook_seconds", "Time to answer a webhook call.", _SECONDS_OF_A_REQUEST)
_webhook_lag = BatchHistogram(
    "whatsapp_webhook_lag_seconds", "Time from Meta's timestamp on a message to its webhook.", _SECONDS_ON_THE_WAY
)
_events = Counter("whatsapp_events", "Events that arrived in webhooks.", ["kind"])
_odd_webhooks = Counter("whatsapp_odd_webhooks", "Signed webhooks without an event for us, by kind.", ["kind"])
_duplicates = Counter("whatsapp_duplicates", "Events that had arrived before.")
_message_status = Counter("whatsapp_message_status", "Statuses of sent messages, as reported by Meta.", ["status"])
_delivery = Histogram(
    "whatsapp_delivery_seconds",
    "Time from Meta's acceptance of a message to a status.",
    ["status"],
    buckets=_SECONDS_ON_THE_WAY,
)
_reply = Histogram(
    "whatsapp_reply_seconds",
    "Time from storing a customer's message to Meta's acceptance of the reply.",
    buckets=_SECONDS_OF_AN_ANSWER,
)
_unsupported = Counter(
    "whatsapp_unsupported_messages", "Messages that WhatsApp delivered without their content, by Meta's code.", ["code"]
)
_reply_limits = Counter(
    "whatsapp_reply_limit_reached", "Conversations in which the responder was paused by WA_REPLY_LIMIT."
)
_responder = Counter("whatsapp_responder", "Calls of the responder, by outcome.", ["outcome"])
_responder_seconds = Histogram(
    "whatsapp_responder_seconds", "Time for the responder to answer.", buckets=_SECONDS_OF_AN_ANSWER
)
_speech = Histogram("whatsapp_speech_seconds", "Time to transcribe one voice note.", buckets=_SECONDS_OF_AN_ANSWER)

_marketing_words = Counter(
    "whatsapp_marketing_choices", "Customers who refused marketing or want it again.", ["choice", "by"]
)
_failovers = Counter("whatsapp_store_failovers", "Changes of the store's primary, as processes found them.")
_pushes = Counter("whatsapp_push", "Deliveries of events to subscriptions, by outcome.", ["subscription", "outcome"])

_billable = Counter(
    "whatsapp_billable", "Delivered messages, by the category and type of Meta's price.", ["category", "type"]
)
_batches = Counter(
    "whatsapp_batches", "Changes of batches: running, paused, canceled, done, and why.", ["state", "reason"]
)


class _Children:
    """Caches the children of a series; beyond `known` and `limit`, values count as `other`.

    `kept`: how many labels, the last ones, keep their value even then; they have few.
    """

    def __init__(
        self, series: Any, known: Iterable[str | tuple[str, ...]] = (), *, limit: int = 0, kept: int = 0
    ) -> None:
        self._series = series
        self._limit = limit
        self._kept = kept
        # Known values start at 0, so that a rate includes their first increase.
        keys = sorted((value,) if isinstance(value, str) else value for value in known)
        self._children: dict[tuple[str, ...], Any] = {key: series.labels(*key) for key in keys}
        self._known = len(self._children)

    def __call__(self, *values: str) -> Any:
        child = self._children.get(values)
        if child is None:
            if len(self._children) - self._known >= self._limit:
                others = len(values) - self._kept
                return self._series.labels(*["other"] * others, *values[others:])
            child = self._children[values] = self._series.labels(*values)
        return child


_billable_of = _Children(_billable, limit=60)
_batches_of = _Children(_batches, [("paused", reason) for reason in _BATCH_PAUSES], limit=40)
_pushes_of = _Children(_pushes, limit=250, kept=1)
_marketing_words_of = _Children(_marketing_words, limit=10)
_sent_of = _Children(_messages_sent, _SENT_TYPES | {"media"})
_downloads_of = _Children(_media_downloads, ("success", "error"))
_latency_of = _Children(_api_latency, limit=30)
_errors_of = _Children(_api_errors, [("messages", code) for code in _ACCOUNT_REFUSED], limit=200)
_webhooks_of = _Children(_webhooks, _OUTCOMES, limit=20)
_odd_webhooks_of = _Children(_odd_webhooks, _ODD_WEBHOOKS)
_events_of = _Children(_events, _EVENT_KINDS, limit=60)
_status_of = _Children(_message_status, _STATUSES)
_unsupported_of = _Children(_unsupported, ("131051", "131060"), limit=20)
_responder_of = _Children(_responder, ("answered", "silent", "unusable", "failed"))
_delivery_of = _Children(_delivery, ("sent", "delivered", "read", "played", "failed"))


def message_accepted(message_type: str, count: int = 1) -> None:
    """Meta accepted a message; image, audio, video, document and sticker count as `media`."""
    RECENT.add("sent", count)
    _sent_of("media" if message_type in _MEDIA_TYPES else message_type).inc(count)


def media_downloaded(*, success: bool) -> None:
    """A media download ended."""
    _downloads_of("success" if success else "error").inc()


def api_called(endpoint: str, seconds: float, code: int | str | None = None) -> None:
    """A call to Meta ended; `code`: Meta's error code, an exception's name, or None for success."""
    _latency_of(endpoint).observe(seconds)
    if code is not None:
        _errors_of(endpoint, str(code)).inc()
        RECENT.add(f"code:{code}")


def webhook_answered(outcome: str, seconds: float) -> None:
    """A webhook call was answered; `outcome` is one word such as `stored`."""
    webhooks_answered({outcome: 1}, [seconds])


def webhooks_answered(outcomes: Mapping[str, int], seconds: Sequence[float]) -> None:
    """Webhook calls were answered: the counts by outcome, and the duration of each."""
    for outcome, count in outcomes.items():
        _webhooks_of(outcome).inc(count)
    _webhook_seconds.observe_all(seconds)


def webhook_lagged(seconds: float) -> None:
    """A message arrived `seconds` after Meta's own timestamp on it (whole seconds; never below 0)."""
    webhooks_lagged([seconds])


def webhooks_lagged(seconds: Sequence[float]) -> None:
    """Several messages arrived with these lags, see `webhook_lagged`."""
    RECENT.add("received", len(seconds))
    _webhook_lag.observe_all([max(0.0, each) for each in seconds])


def event_seen(kind: str, count: int = 1) -> None:
    """Events of a kind (a message type, `status`, a management field, `unsupported`, `malformed`) arrived."""
    _events_of(kind).inc(count)


def odd_webhook_seen(kind: str) -> None:
    """A signed webhook, or an event of one, had nothing for us."""
    _odd_webhooks_of(kind).inc()


def duplicate_seen(count: int = 1) -> None:
    """Duplicate events arrived."""
    _duplicates.inc(count)


def status_applied(status: str, count: int = 1) -> None:
    """A status moved a sent message forward."""
    _status_of(status).inc(count)
    if status in {"delivered", "failed"}:
        RECENT.add(status, count)


def send_failed(code: int | None) -> None:
    """Meta reported the failure of a message that it had accepted."""
    RECENT.add(f"code:{code}")


def delivery_took(status: str, seconds: float) -> None:
    """A message reached `status` `seconds` after Meta had accepted it."""
    _delivery_of(status).observe(max(0.0, seconds))


def marketing_chosen(choice: str, by: str) -> None:
    """A customer chose `stop` or `start` for marketing, by a message or at Meta."""
    _marketing_words_of(choice, by).inc()


def reply_took(seconds: float) -> None:
    """Meta accepted a reply `seconds` after the customer's message was stored."""
    _reply.observe(max(0.0, seconds))


def unsupported_received(code: int | None) -> None:
    """A message arrived without its content."""
    _unsupported_of("none" if code is None else str(code)).inc()


def responder_called(outcome: str, seconds: float) -> None:
    """A call of the http or llm responder ended: answered, silent, unusable or failed."""
    _responder_of(outcome).inc()
    _responder_seconds.observe(seconds)


def reply_limit_reached() -> None:
    """A customer reached WA_REPLY_LIMIT, so the responder is paused there."""
    _reply_limits.inc()


def speech_took(seconds: float) -> None:
    """Transcribing a voice note took `seconds`."""
    _speech.observe(seconds)


def store_failed_over() -> None:
    """Another server became the store's primary."""
    _failovers.inc()


def subscription_served(subscription: str) -> None:
    """A worker pushes to a subscription from now on; its counts start at 0."""
    for outcome in _PUSH_OUTCOMES:
        _pushes_of(subscription, outcome)


def event_pushed(subscription: str, outcome: str) -> None:
    """A delivery to a subscription ended: `taken`, `retried`, `dropped` or `paused`."""
    _pushes_of(subscription, outcome).inc()


def price_reported(category: str, kind: str) -> None:
    """Meta reported the price of a delivered message: its category and type (`regular`, `free_customer_service` …)."""
    _billable_of(category, kind).inc()


def batch_changed(state: str, reason: str) -> None:
    """A batch is `running` again, `paused`, `canceled` or `done`; `reason` is one word, "" without one."""
    _batches_of(state, reason or "none").inc()
