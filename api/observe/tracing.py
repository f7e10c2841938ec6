"""Traces by OpenTelemetry: a span per request, as part of its caller's trace, and the parts of predicting within it.

On where the standard's own variables say where spans go (OTEL_EXPORTER_OTLP_ENDPOINT and its kin), for which the extra
`telemetry` is needed; else it costs nothing. Spans hold routes, statuses and times, never an address or student data.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from starlette.types import Scope

from api.observe.metrics import STAGES
from errors import MissingExtra

MARKS = "gradewatch.marks"
"""Key of a scope under which the fast path says when it came to each stage (seconds of the performance counter)."""

log = logging.getLogger("gradewatch.telemetry")


class Telemetry:
    """Sends spans. Made after the fact, from times that are taken anyway. Close it to send those that wait."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("gradewatch", version("gradewatch"))
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.SERVER

    def request(self, scope: Scope, *, id: str, method: str, route: str, status: int, begun: float) -> None:
        """The span of a request that was answered just now. begun: seconds of the performance counter."""
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.status import Status, StatusCode

        epoch = time.time_ns() - time.perf_counter_ns()
        given = {name: value.decode("latin-1") for name, value in _trace_headers(scope)}
        span = self._tracer.start_span(
            f"{method} {route}",
            context=self._propagator.extract(given),
            kind=self._kind,
            start_time=epoch + int(begun * 1e9),
            attributes={
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "gradewatch.request_id": id,
            },
        )
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        if span.is_recording():  # the sampler may have left this one out
            self._stages(set_span_in_context(span), epoch, scope.get(MARKS, ()))
        span.end()

    def _stages(self, within: Any, epoch: int, marks: Sequence[float]) -> None:
        for name, start, end in zip(STAGES, marks, marks[1:], strict=False):
            part = self._tracer.start_span(name, context=within, start_time=epoch + int(start * 1e9))
            part.end(epoch + int(end * 1e9))

    def close(self) -> None:
        """Send what waits, for as long as the exporter's own time limit."""
        self._provider.shutdown()


def _trace_headers(scope: Scope) -> list[tuple[str, bytes]]:
    wanted = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
    return [(wanted[name], value) for name, value in scope["headers"] if name in wanted]


def is_sent(signal: str, environment: Mapping[str, str]) -> bool:
    """Whether the standard's variables name a place for a signal ("TRACES", "METRICS") and do not switch it off."""
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if off or environment.get(f"OTEL_{signal}_EXPORTER") == "none":
        return False
    return any(environment.get(f"OTEL_EXPORTER_OTLP_{one}ENDPOINT") for one in (f"{signal}_", ""))


def resource_of(environment: Mapping[str, str]) -> Any:
    """Who sends: the service's name, unless the variables give one, and this process of it."""
    from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource

    named = environment.get("OTEL_SERVICE_NAME") or SERVICE_NAME in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    name = {} if named else {SERVICE_NAME: "gradewatch"}
    instance = f"{socket.gethostname()}:{os.getpid()}"
    return Resource.create({SERVICE_VERSION: version("gradewatch"), SERVICE_INSTANCE_ID: instance, **name})


def open_telemetry(environment: Mapping[str, str] = os.environ) -> Telemetry | None:
    """Telemetry as the standard's variables say; None where they name no place for spans, or the extra is missing."""
    if not is_sent("TRACES", environment):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("no traces are sent: %s", MissingExtra("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry"))
        return None
    provider = TracerProvider(resource=resource_of(environment))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Telemetry(provider)
