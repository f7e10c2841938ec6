"""Spans: a request in the trace of its caller, with its parts and without students."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from api.observe.tracing import open_telemetry
from tests.api.observe.collector import Collector, collector
from tests.api.serving import UNIVERSITY, Server
from tests.command import ROOT

__all__ = ["collector"]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_prediction_is_a_span_with_its_parts_in_the_trace_of_its_caller(
    serve: Callable[..., Server], collector: Collector
) -> None:
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="100")
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "caller-4711"}
    row = UNIVERSITY | {"student_id": "pupil-0815"}
    assert server.post("/api/v1/university/predict", row, headers=headers).status_code == 200
    spans = server.until(lambda: [span for span in collector.spans() if span.trace_id.hex() == TRACE])
    request = next(span for span in spans if span.parent_span_id.hex() == PARENT)
    assert request.name == "POST /api/v1/{domain}/predict"
    assert request.kind == Span.SPAN_KIND_SERVER
    told = {one.key: one.value.string_value or one.value.int_value for one in request.attributes}
    assert told == {
        "http.request.method": "POST",
        "http.route": "/api/v1/{domain}/predict",
        "http.response.status_code": 200,
        "gradewatch.request_id": "caller-4711",
    }
    parts = [span for span in spans if span.parent_span_id == request.span_id]
    assert [part.name for part in parts] == ["read", "score", "log", "encode"]
    moments = [request.start_time_unix_nano]
    for part in parts:
        moments += [part.start_time_unix_nano, part.end_time_unix_nano]
    assert moments == sorted(moments)
    assert moments[-1] <= request.end_time_unix_nano


def test_spans_hold_no_student_and_no_address_and_name_the_service(
    serve: Callable[..., Server], collector: Collector
) -> None:
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="marks-of-our-school")
    server.post("/api/v1/university/predict", UNIVERSITY | {"student_id": "pupil-0815"})
    server.client.get("/students/pupil-0815", params={"student": "pupil-0815"})
    server.client.get("/health")
    server.stop()
    sent = b"".join(request.SerializeToString() for request in collector.requests)
    assert b"marks-of-our-school" in sent
    assert b"pupil" not in sent
    assert {span.name for span in collector.spans()} >= {"POST /api/v1/{domain}/predict", "ANY unmatched"}
    assert not [span for span in collector.spans() if "health" in span.name]


def test_a_collector_that_is_gone_disturbs_nobody(serve: Callable[..., Server]) -> None:
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    server.predict("university", UNIVERSITY)
    server.stop()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_it_is_off_where_the_standard_variables_say_so(environment: dict[str, str]) -> None:
    assert open_telemetry(environment) is None


def test_off_it_loads_nothing() -> None:
    code = "import sys, api.app; api.app.open_telemetry({}); print([m for m in sys.modules if 'telemetry.sdk' in m])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
