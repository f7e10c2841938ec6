"""Metrics sent by OpenTelemetry: what `/metrics` shows, as OTLP, in the standard's intervals and once more at the end.

On where the standard's own variables say where metrics go, for which the extra `telemetry` is needed; else it costs
nothing. Each worker process sends its own, under an instance id. What is counted is `api.observe.metrics`' word.
"""

import logging
import os
import time
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from api.observe.tracing import is_sent, resource_of
from errors import MissingExtra

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.samples import Sample

USUAL_INTERVAL = 60_000  # milliseconds (OpenTelemetry, SDK environment variables)

log = logging.getLogger("gradewatch.telemetry")


class SentMetrics:
    """Sends metrics as the standard's variables say. Raises ImportError without the library."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        self._exporter = OTLPMetricExporter()
        self._resource = resource_of(environment)
        self._begun = time.time_ns()
        self.seconds = float(environment.get("OTEL_METRIC_EXPORT_INTERVAL") or USUAL_INTERVAL) / 1000

    def send(self, families: "Iterable[Metric]") -> None:
        """Send them, in the caller's thread; what does not arrive is told to the log, and nobody waits for it."""
        self._exporter.export(self.data(families))

    def close(self) -> None:
        """End the connection."""
        self._exporter.shutdown()

    def data(self, families: "Iterable[Metric]") -> Any:
        """The metrics as OpenTelemetry's data."""
        from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        at = time.time_ns()
        metrics = [
            Metric(one.name, one.documentation, "s" if one.name.endswith("_seconds") else "", self._points(one, at))
            for one in families
        ]
        scope = ScopeMetrics(InstrumentationScope("gradewatch"), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])

    def _points(self, family: "Metric", at: int) -> Any:
        from opentelemetry.sdk.metrics import export

        if family.type == "histogram":
            return export.Histogram(self._buckets(family.samples, at), export.AggregationTemporality.CUMULATIVE)
        points = [
            export.NumberDataPoint(one.labels, self._begun, at, float(one.value))
            for one in family.samples
            if not one.name.endswith("_created")
        ]
        if family.type == "counter":
            return export.Sum(points, export.AggregationTemporality.CUMULATIVE, is_monotonic=True)
        return export.Gauge(points)

    def _buckets(self, samples: "Iterable[Sample]", at: int) -> list[Any]:
        """A point for each set of labels: Prometheus counts up to each bound, OpenTelemetry between two."""
        from opentelemetry.sdk.metrics.export import HistogramDataPoint

        found: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
        for one in samples:
            labels = tuple(pair for pair in one.labels.items() if pair[0] != "le")
            found.setdefault(labels, {})[one.labels.get("le", one.name.rpartition("_")[2])] = one.value
        points = []
        for labels, told in found.items():
            total = told.pop("sum")
            told.pop("count", None)
            bounds = [float(one) for one in told if one != "+Inf"]
            counts = [int(after - before) for before, after in pairwise([0.0, *told.values()])]
            points.append(
                HistogramDataPoint(
                    dict(labels), self._begun, at, sum(counts), total, counts, bounds, float("-inf"), float("inf")
                )
            )
        return points


def open_sent_metrics(environment: Mapping[str, str] = os.environ) -> SentMetrics | None:
    """As the standard's variables say; None where they name no place for metrics, or the extra is missing."""
    if not is_sent("METRICS", environment):
        return None
    try:
        return SentMetrics(environment)
    except ImportError:
        log.warning("no metrics are sent: %s", MissingExtra("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry"))
        return None
