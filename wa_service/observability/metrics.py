"""Every Prometheus series, each written by a function named after the fact.

Labels are bounded: what is not known counts as `other`. With `PROMETHEUS_MULTIPROC_DIR` in the environment
when this module is imported, the processes of one machine share their counts in that directory. What Redis
knows better than any process (limits left, queues, dead letters) is read there at scrape by `StoreCollector`.
"""

from __future__ import annotations

import hmac
from bisect import bisect_left
from collections import Counter as TallyOf
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    multiprocess,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest, make_wsgi_app
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wa_service.observability.multiprocess import SharedCounts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_MEDIA_TYPES = frozenset(["image", "audio", "video", "document", "sticker"])
_SENT_TYPES = frozenset(["text", "template", "interactive", "location", "contacts", "reaction"])
# Beside these, management fields and new message types get a label of their own up to a limit.
_EVENT_KINDS = frozenset(["text", "image", "audio", "button", "interactive", "status", "unsupported", "malformed"])
_OUTCOMES = frozenset(["stored", "store-away", "unsigned", "invalid-request", "too-large", "failed"])
_STATUSES = frozenset(["accepted", "sent", "delivered", "read", "played", "failed", "deleted"])

_SECONDS_OF_A_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SECONDS_OF_A_CALL = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30)
_SECONDS_OF_AN_ANSWER = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
_SECONDS_ON_THE_WAY = (0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400)

# One more series each, which nobody asks for and which several processes could not share anyway.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the client's own gap

_messages_sent = Counter("whatsapp_messages_sent", "Messages that Meta accepted.", ["type"])
_media_downloads = Counter("whatsapp_media_downloads", "Media downloads by how they ended.", ["status"])
_api_latency = Histogram(
    "whatsapp_api_latency_seconds", "Time of a call to Meta.", ["endpoint"], buckets=_SECONDS_OF_A_CALL
)
_api_errors = Counter("whatsapp_api_errors", "Calls to Meta that failed, by Meta's code.", ["endpoint", "code"])
_webhooks = Counter("whatsapp_webhooks", "Webhook calls by how they were answered.", ["outcome"])
_webhook_seconds = Histogram(
    "whatsapp_webhook_seconds", "Time to answer a webhook call.", buckets=_SECONDS_OF_A_REQUEST
)
_webhook_lag = Histogram(
    "whatsapp_webhook_lag_seconds",
    "Time from Meta's timestamp on a message to its webhook.",
    buckets=_SECONDS_ON_THE_WAY,
)
_events = Counter("whatsapp_events", "Events that arrived in webhooks.", ["kind"])
_duplicates = Counter("whatsapp_duplicates", "Events that had arrived before.")
_message_status = Counter("whatsapp_message_status", "Statuses of sent messages, as Meta told them.", ["status"])
_delivery = Histogram(
    "whatsapp_delivery_seconds",
    "Time from Meta's acceptance of a message to a status of it.",
    ["status"],
    buckets=_SECONDS_ON_THE_WAY,
)
_reply = Histogram(
    "whatsapp_reply_seconds",
    "Time from a customer's message in the store to its answer accepted by Meta.",
    buckets=_SECONDS_OF_AN_ANSWER,
)
_speech = Histogram("whatsapp_speech_seconds", "Time to hear one voice note.", buckets=_SECONDS_OF_AN_ANSWER)


class _Children:
    """The children of one series, looked up once each; beyond `known` and `limit` a value is `other`."""

    def __init__(self, series: Any, known: Iterable[str] = (), *, limit: int = 0) -> None:
        self._series = series
        self._limit = limit
        # Known ones stand at 0 from the start, so that a rate sees their first increase.
        self._children: dict[tuple[str, ...], Any] = {(value,): series.labels(value) for value in sorted(known)}
        self._known = len(self._children)

    def __call__(self, *values: str) -> Any:
        child = self._children.get(values)
        if child is None:
            if len(self._children) - self._known >= self._limit:
                return self._series.labels(*(["other"] * len(values)))
            child = self._children[values] = self._series.labels(*values)
        return child


_sent_of = _Children(_messages_sent, _SENT_TYPES | {"media"})
_downloads_of = _Children(_media_downloads, ("success", "error"))
_latency_of = _Children(_api_latency, limit=30)
_errors_of = _Children(_api_errors, limit=200)
_webhooks_of = _Children(_webhooks, _OUTCOMES, limit=20)
_events_of = _Children(_events, _EVENT_KINDS, limit=60)
_status_of = _Children(_message_status, _STATUSES)
_delivery_of = _Children(_delivery, ("sent", "delivered", "read", "played", "failed"))


def message_accepted(message_type: str, count: int = 1) -> None:
    """Meta took a message of Meta's `message_type`; image, audio, video, document and sticker are `media`."""
    _sent_of("media" if message_type in _MEDIA_TYPES else message_type).inc(count)


def media_downloaded(*, success: bool) -> None:
    """A media download ended."""
    _downloads_of("success" if success else "error").inc()


def api_called(endpoint: str, seconds: float, code: int | str | None = None) -> None:
    """A call to Meta ended; `code` is Meta's error code, or a word such as `timeout`, or None for success."""
    _latency_of(endpoint).observe(seconds)
    if code is not None:
        _errors_of(endpoint, str(code)).inc()


def webhook_answered(outcome: str, seconds: float) -> None:
    """A webhook call was answered; `outcome` is one word such as `stored`."""
    webhooks_answered({outcome: 1}, [seconds])


def webhooks_answered(outcomes: Mapping[str, int], seconds: Sequence[float]) -> None:
    """Webhook calls were answered: how many by outcome, and how long each took."""
    for outcome, count in outcomes.items():
        _webhooks_of(outcome).inc(count)
    _observe_all(_webhook_seconds, seconds)


def webhook_lagged(seconds: float) -> None:
    """A message arrived `seconds` after Meta's own timestamp on it (whole seconds; never below 0)."""
    webhooks_lagged([seconds])


def webhooks_lagged(seconds: Sequence[float]) -> None:
    """As `webhook_lagged`, for several messages."""
    _observe_all(_webhook_lag, [max(0.0, each) for each in seconds])


def event_seen(kind: str, count: int = 1) -> None:
    """Events of a kind (a message type, `status`, a management field, `unsupported`, `malformed`) arrived."""
    _events_of(kind).inc(count)


def duplicate_seen(count: int = 1) -> None:
    """Events arrived that had arrived before."""
    _duplicates.inc(count)


def status_applied(status: str, count: int = 1) -> None:
    """A status moved a sent message forward."""
    _status_of(status).inc(count)


def delivery_took(status: str, seconds: float) -> None:
    """A message reached `status` so long after Meta had accepted it."""
    _delivery_of(status).observe(max(0.0, seconds))


def reply_took(seconds: float) -> None:
    """Meta accepted the answer so long after the customer's message was stored."""
    _reply.observe(max(0.0, seconds))


def speech_took(seconds: float) -> None:
    """A voice note was heard in so long."""
    _speech.observe(seconds)


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """What the store tells at scrape.

    `rate_limit_remaining` by limit (`throughput`, `daily`), of the number that has least left.
    `circuit_state` by phone number id: 0 closed, 1 probing, 2 open. `queue_depth` and `queue_oldest_seconds`
    by queue (`inbound`, `outbound`, `sending`, `unknown`). `dead_letters` by kind.
    """

    rate_limit_remaining: Mapping[str, float] = field(default_factory=dict)
    circuit_state: Mapping[str, int] = field(default_factory=dict)
    queue_depth: Mapping[str, int] = field(default_factory=dict)
    queue_oldest_seconds: Mapping[str, float] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)


def _observe_all(histogram: Any, values: Sequence[float]) -> None:
    """As `observe` for each, with one write for each bucket that grew: a write costs a lock and a mapped page."""
    if not values:
        return
    histogram._sum.inc(sum(values))
    for bucket, count in TallyOf(bisect_left(histogram._upper_bounds, value) for value in values).items():
        histogram._buckets[bucket].inc(count)


class StoreCollector(Collector):
    """The series whose truth is in the store, read there at each scrape.

    With the store away they are missing, `whatsapp_store_up` is 0 and the rest of the scrape still answers.
    """

    def __init__(self, snapshot: Callable[[], StoreSnapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        """Name nothing: registering a collector must not ask the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the store's series, or only `whatsapp_store_up 0`."""
        try:
            snapshot = self._snapshot()
        except Exception:  # noqa: BLE001 - whatever the store does, a scrape must answer
            snapshot = None
        up = GaugeMetricFamily("whatsapp_store_up", "Whether the store answered this scrape.")
        up.add_metric([], 0 if snapshot is None else 1)
        yield up
        if snapshot is None:
            return
        for name, help_text, label, samples in (
            (
                "whatsapp_rate_limit_remaining",
                "What is left of Meta's limits, at the number with the least.",
                "limit",
                snapshot.rate_limit_remaining,
            ),
            (
                "whatsapp_circuit_state",
                "Whether a number may send: 0 closed, 1 probing, 2 open.",
                "number",
                snapshot.circuit_state,
            ),
            ("whatsapp_queue_depth", "What waits, by queue.", "queue", snapshot.queue_depth),
            (
                "whatsapp_queue_oldest_seconds",
                "How long the first one waits, by queue.",
                "queue",
                snapshot.queue_oldest_seconds,
            ),
            ("whatsapp_dead_letters", "What could not be handled, by kind.", "kind", snapshot.dead_letters),
        ):
            family = GaugeMetricFamily(name, help_text, labels=[label])
            for value, amount in samples.items():
                family.add_metric([value], amount)
            yield family


def scrape_registry(snapshot: Callable[[], StoreSnapshot] | None = None) -> CollectorRegistry:
    """Build what a scrape reads: every process's counts, and the store's series where `snapshot` is given."""
    registry = CollectorRegistry()
    directory = _shared_directory()
    registry.register(SharedCounts(directory) if directory else _Others(REGISTRY))
    if snapshot is not None:
        registry.register(StoreCollector(snapshot))
    return registry


def exposition(registry: CollectorRegistry) -> tuple[bytes, str]:
    """The body and content type that `/metrics` answers with."""
    return generate_latest(registry), CONTENT_TYPE_LATEST


def guarded_app(registry: CollectorRegistry, key: str | None = None) -> WSGIApplication:
    """A WSGI application that serves a registry, to bearers of `key` where one is given."""
    app: WSGIApplication = make_wsgi_app(registry)

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if key is not None and not may_scrape(environ.get("HTTP_AUTHORIZATION", ""), key):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")])
            return []
        return app(environ, start_response)

    return guarded


def may_scrape(authorization: str, key: str) -> bool:
    """Whether an `Authorization` header carries the metrics key."""
    return hmac.compare_digest(authorization.encode(), f"Bearer {key}".encode())


class _Others(Collector):
    """A registry inside another one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        return self._registry.collect()


def _shared_directory() -> Path | None:
    """Where this process's counts go if others add theirs; prometheus_client decided it while it was imported."""
    if not values.ValueClass._multiprocess:
        return None
    collector = multiprocess.MultiProcessCollector(None)  # type: ignore[no-untyped-call]  # the client's own gap
    return Path(collector._path)
