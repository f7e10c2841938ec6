"""Metrics by OTLP: a receiver that reads the protocol is told what a scraper reads."""

from collections.abc import Callable

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from api.observe.sent_metrics import open_sent_metrics
from tests.api.observe.collector import Collector, collector
from tests.api.serving import UNIVERSITY, Server
from tests.api.serving import metric as scraped

__all__ = ["collector"]


def labels(point: object) -> dict[str, str]:
    return {one.key: one.value.string_value for one in point.attributes}  # type: ignore[attr-defined]


def named(collector: Collector) -> dict[str, Metric]:
    """The newest message's metrics."""
    (resource,) = collector.metrics[-1].resource_metrics
    return {one.name: one for scope in resource.scope_metrics for one in scope.metrics}


def test_a_receiver_is_told_what_a_scraper_reads(serve: Callable[..., Server], collector: Collector) -> None:
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_METRIC_EXPORT_INTERVAL="200")
    for _ in range(3):
        server.predict("university", UNIVERSITY | {"student_id": "pupil-0815"})
    server.post("/api/v1/university/predict", {})
    predict = "/api/v1/{domain}/predict"

    def told() -> dict[str, Metric] | None:
        found = named(collector) if collector.metrics else {}
        counted = sum(int(one.as_double) for one in found["gradewatch_predictions"].sum.data_points) if found else 0
        return found if counted == 3 else None

    found = server.until(told)
    asked = found["gradewatch_requests"].sum
    assert asked.is_monotonic
    counts = {labels(one)["status"]: one.as_double for one in asked.data_points if labels(one)["route"] == predict}
    assert counts == {"200": 3, "422": 1}
    (took,) = [
        one for one in found["gradewatch_request_seconds"].histogram.data_points if labels(one)["route"] == predict
    ]
    assert (took.count, sum(took.bucket_counts), len(took.bucket_counts)) == (4, 4, len(took.explicit_bounds) + 1)
    assert 0 < took.sum < 4 * took.explicit_bounds[-1]
    assert took.start_time_unix_nano <= took.time_unix_nano
    assert list(took.explicit_bounds) == sorted(took.explicit_bounds)
    assert found["gradewatch_champion_generation"].gauge.data_points
    assert scraped(server, "request_seconds_count", route=predict) == took.count
    assert {*found} <= {family.removesuffix("_total") for family in families(server)} | {*families(server)}
    server.predict("university", UNIVERSITY)
    server.stop()
    assert sum(int(one.as_double) for one in named(collector)["gradewatch_predictions"].sum.data_points) == 4
    (resource,) = collector.metrics[-1].resource_metrics
    who = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert who["service.name"] == "gradewatch"
    assert who["service.instance.id"].endswith(f":{server.process.pid}")
    assert b"pupil" not in collector.metrics[-1].SerializeToString()


def families(server: Server) -> set[str]:
    return {line.split()[2] for line in server.client.get("/metrics").text.splitlines() if line.startswith("# TYPE")}


def test_metrics_alone_can_be_switched_off() -> None:
    there = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    assert open_sent_metrics({}) is None
    assert open_sent_metrics({**there, "OTEL_METRICS_EXPORTER": "none"}) is None
    assert open_sent_metrics({**there, "OTEL_SDK_DISABLED": "true"}) is None
