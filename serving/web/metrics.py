"""What the service counts of itself, in the text format of Prometheus; no registry is shared."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from serving.journal.journal import Journal

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counters of one service."""

    def __init__(
        self, journal: Journal, is_ready: Callable[[], bool], rows_from: Mapping[str, int]
    ) -> None:
        self._registry = CollectorRegistry()
        self.seconds = Histogram(
            "microloan_request_seconds",
            "Seconds to answer, by route",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.problems = Counter(
            "microloan_problems", "Problems answered, by code", ["code"], registry=self._registry
        )
        self.recorded = Counter(
            "microloan_recorded",
            "Entries recorded, by kind and outcome",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self._registry.register(_Gauges(journal, is_ready, rows_from))

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    """What is asked for when it is read."""

    def __init__(
        self, journal: Journal, is_ready: Callable[[], bool], rows_from: Mapping[str, int]
    ) -> None:
        self._journal = journal
        self._is_ready = is_ready
        self._rows_from = rows_from

    def collect(self) -> list[Metric]:
        rows = CounterMetricFamily(
            "microloan_feature_rows",
            "Feature rows by where they came from: made ahead, or from the records",
            labels=["source"],
        )
        for source, count in self._rows_from.items():
            rows.add_metric([source], count)
        return [
            rows,
            _gauge("microloan_ready", "Whether decisions can be made", float(self._is_ready())),
            _gauge("microloan_journal_entries", "Entries of the journal", self._journal.size),
            _gauge("microloan_journal_waiting", "Entries that wait", self._journal.waiting),
        ]


def _gauge(name: str, said: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, value)
