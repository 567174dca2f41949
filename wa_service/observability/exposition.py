"""What the store tells at a scrape, in the form of the series: for web's `/metrics` and a worker's port."""

from __future__ import annotations

from wa_service.observability import metrics
from wa_service.store.overview import NumberState, Observer


def snapshot(observer: Observer) -> metrics.StoreSnapshot:
    """What the store tells at a scrape. Raises `StoreAwayError`."""
    overview = observer.overview()
    depth, oldest = overview.depth, overview.oldest_seconds
    throughput = min((state.throughput_remaining for state in overview.numbers.values()), default=0)
    return metrics.StoreSnapshot(
        rate_limit_remaining={
            "throughput": throughput,
            "daily": overview.daily_remaining if overview.daily_limit else float("inf"),
        },
        circuit_state={number: _circuit(state) for number, state in overview.numbers.items()},
        queue_depth={
            "inbound": depth["inbound"],
            "outbound": depth["replies"] + depth["bulk"],
            "sending": depth["sending"],
            "unknown": depth["unknown"],
        },
        queue_oldest_seconds={
            "inbound": oldest["inbound"],
            "outbound": max(oldest["replies"], oldest["bulk"]),
        },
        dead_letters=overview.dead_letters,
    )


def _circuit(state: NumberState) -> int:
    """0 closed, 1 probing, 2 open."""
    if state.half_open:
        return 1
    return 2 if state.paused_for > 0 else 0
