"""A histogram that records many observations with one write per bucket.

With shared counts, prometheus_client's `observe` takes 8 µs (measured), a batch of a hundred 0.3 µs for each: with two
histograms, the difference is a twentieth of a webhook's cost.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import REGISTRY, values
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class BatchHistogram(Collector):
    """A histogram without labels; `bounds` are its buckets' upper bounds, ascending, the last one infinite."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = (*bounds, float("inf"))
        self._texts = [floatToGoString(bound) for bound in self._bounds]  # type: ignore[no-untyped-call]  # untyped
        self._sum = values.ValueClass("histogram", name, f"{name}_sum", (), (), documentation)
        self._buckets = [
            values.ValueClass("histogram", name, f"{name}_bucket", ("le",), (text,), documentation)
            for text in self._texts
        ]
        REGISTRY.register(self)

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe each amount."""
        if not amounts:
            return
        self._sum.inc(sum(amounts))
        for bucket, count in Counter(bisect_left(self._bounds, amount) for amount in amounts).items():
            self._buckets[bucket].inc(count)

    def describe(self) -> Iterable[Metric]:
        """Return the series without values, for the registry."""
        return [HistogramMetricFamily(self._name, self._documentation)]

    def collect(self) -> Iterable[Metric]:
        """Yield this process's counts."""
        counts = accumulate(bucket.get() for bucket in self._buckets)
        yield HistogramMetricFamily(
            self._name,
            self._documentation,
            buckets=list(zip(self._texts, counts, strict=True)),
            sum_value=self._sum.get(),
        )
