"""A histogram that takes many observations with one write for each bucket that grew.

One `observe` of prometheus_client's own costs 8 µs where processes share their counts, a batch of hundred 0.3 µs
for each (measured): with two histograms a webhook that is the twentieth part of what a web process can take.
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
        self._texts = [floatToGoString(bound) for bound in self._bounds]  # type: ignore[no-untyped-call]  # its gap
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
        """Name the series for the registry."""
        return [HistogramMetricFamily(self._name, self._documentation)]

    def collect(self) -> Iterable[Metric]:
        """Yield what this process counted."""
        counts = accumulate(bucket.get() for bucket in self._buckets)
        yield HistogramMetricFamily(
            self._name,
            self._documentation,
            buckets=list(zip(self._texts, counts, strict=True)),
            sum_value=self._sum.get(),
        )
