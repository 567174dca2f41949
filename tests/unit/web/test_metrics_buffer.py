"""Webhook metrics are counted in memory and written together."""

from __future__ import annotations

from prometheus_client import REGISTRY

from wa_service.observability import metrics
from wa_service.observability.metrics_buffer import MetricsBuffer


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_was_counted_is_written_together() -> None:
    buffer = MetricsBuffer(seconds=3600)
    before = value("whatsapp_webhooks_total", outcome="stored"), value("whatsapp_webhook_seconds_count")

    for _ in range(3):
        buffer.webhook_answered("stored", 0.004)
    between = value("whatsapp_webhooks_total", outcome="stored"), value("whatsapp_webhook_seconds_count")
    buffer.write()
    after = value("whatsapp_webhooks_total", outcome="stored"), value("whatsapp_webhook_seconds_count")

    assert between == before
    assert (after[0] - before[0], after[1] - before[1]) == (3, 3)


def test_nothing_is_written_twice() -> None:
    buffer = MetricsBuffer(seconds=3600)
    buffer.event_seen("text")
    buffer.webhook_answered("stored", 0.001)
    before = value("whatsapp_events_total", kind="text")

    buffer.write()
    buffer.write()

    assert value("whatsapp_events_total", kind="text") - before == 1


def test_observed_together_is_as_observed_one_by_one() -> None:
    seconds = [0.0, 0.5, 0.51, 3.0, 86_400.0, 90_000.0]
    one_by_one = [
        value("whatsapp_webhook_lag_seconds_bucket", le=le) for le in ("0.5", "1.0", "5.0", "86400.0", "+Inf")
    ]
    for each in seconds:
        metrics.webhook_lagged(each)
    together = [value("whatsapp_webhook_lag_seconds_bucket", le=le) for le in ("0.5", "1.0", "5.0", "86400.0", "+Inf")]
    metrics.webhooks_lagged(seconds)
    after = [value("whatsapp_webhook_lag_seconds_bucket", le=le) for le in ("0.5", "1.0", "5.0", "86400.0", "+Inf")]

    grown = [late - early for early, late in zip(one_by_one, together, strict=True)]
    assert grown == [2, 3, 4, 5, 6]
    assert [late - early for early, late in zip(together, after, strict=True)] == grown
