"""Counts of what this worker did, in Prometheus' text format (version 0.0.4) at /metrics.

Each worker counts for itself; a scraper that reaches only one of several sees that one. Labels come from routes and
domain files, never from what callers send.
"""

import resource
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from database.records import Prediction

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds

Sample = tuple[str, Mapping[str, str], float]
"""(suffix of the metric's name, labels, value)."""


class Histogram:
    """Durations in buckets. Not for several threads at once."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def samples(self, labels: Mapping[str, str]) -> Iterator[Sample]:
        """Cumulative buckets, sum and count."""
        total = 0
        for bound, count in zip((*BOUNDS, float("inf")), self._counts, strict=True):
            total += count
            yield "_bucket", {**labels, "le": "+Inf" if bound == float("inf") else f"{bound:g}"}, total
        yield "_sum", labels, self._sum
        yield "_count", labels, total


class Metrics:
    """What one worker counts. To be used from its event loop only."""

    def __init__(self) -> None:
        self._started = time.time()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._seconds: dict[str, Histogram] = defaultdict(Histogram)
        self._stages: dict[str, Histogram] = defaultdict(Histogram)
        self._predictions: dict[tuple[str, str], int] = defaultdict(int)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests[route, method, status] += 1
        self._seconds[route].observe(seconds)

    def predicted(self, predictions: Sequence[Prediction], marks: Sequence[float]) -> None:
        """Count logged predictions of one request. marks: when it was read, scored, logged and encoded (seconds)."""
        for name, start, end in zip(("score", "log", "encode"), marks, marks[1:], strict=False):
            self._stages[name].observe(end - start)
        first = predictions[0]
        if len(predictions) == 1:
            self._predictions[first.domain, first.moment] += 1
            return
        for one in predictions:
            self._predictions[one.domain, one.moment] += 1

    def render(self, gauges: Iterable[str]) -> str:
        """All metrics as text; gauges: lines of what others count (`family`)."""
        requests = [
            ("", {"route": route, "method": method, "status": str(status)}, float(count))
            for (route, method, status), count in self._requests.items()
        ]
        seconds = [s for route, times in self._seconds.items() for s in times.samples({"route": route})]
        stages = [s for stage, times in self._stages.items() for s in times.samples({"stage": stage})]
        counts = [("", {"domain": d, "moment": m}, float(n)) for (d, m), n in self._predictions.items()]
        used = resource.getrusage(resource.RUSAGE_SELF)
        lines = [
            *family("gradewatch_requests_total", "counter", "Answered requests.", requests),
            *family("gradewatch_request_seconds", "histogram", "From request to answer.", seconds),
            *family("gradewatch_stage_seconds", "histogram", "Parts of predicting.", stages),
            *family("gradewatch_predictions_total", "counter", "Logged and answered.", counts),
            *family("process_cpu_seconds_total", "counter", "CPU.", [("", {}, used.ru_utime + used.ru_stime)]),
            *family("process_start_time_seconds", "gauge", "Since 1970.", [("", {}, self._started)]),
            *gauges,
        ]
        return "\n".join(lines) + "\n"


def family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of one metric."""
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"
    for suffix, labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{suffix}{{{inside}}} {value!r}" if inside else f"{name}{suffix} {value!r}"


def _escaped(text: Any) -> str:
    return str(text).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
