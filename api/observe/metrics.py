"""Counts of what this worker did, at half a microsecond each; `api.routes.prometheus` puts them in Prometheus' format.

Each worker counts for itself; a scraper that reaches only one of several sees that one. Labels come from routes, error
names and domain files, never from what callers send.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
STAGES = ("read", "score", "log", "encode")
DURATIONS_AT_ONCE = 1_000  # durations that are put into buckets at once


class Histogram:
    """Durations in buckets: counts[i] of those up to BOUNDS[i] and above the bound before. Not for several threads."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: Sequence[float]) -> None:
        """Count durations."""
        found = np.bincount(np.searchsorted(BOUNDS, seconds), minlength=len(self.counts)).tolist()
        self.counts = [before + more for before, more in zip(self.counts, found, strict=True)]
        self.sum += math.fsum(seconds)


class Metrics:
    """What one worker counts. To be used from its event loop only.

    Durations are kept as they come and put into buckets a thousand at a time, or when somebody asks: one by one that
    costs ten times as much.
    """

    def __init__(self) -> None:
        self.refused: dict[tuple[str, int], int] = defaultdict(int)
        """By the name of the error and status."""
        self.predictions: dict[tuple[str, str], int] = defaultdict(int)
        """Logged and answered, by domain and moment."""
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._seconds: dict[str, Histogram] = defaultdict(Histogram)
        self._stages = {stage: Histogram() for stage in STAGES}
        self._times: dict[tuple[str, str, int], list[float]] = defaultdict(list)
        self._marks: list[tuple[float, ...]] = []

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        times = self._times[route, method, status]
        times.append(seconds)
        if len(times) == DURATIONS_AT_ONCE:
            self._put_times()

    def refusal(self, reason: str, status: int) -> None:
        """Count one request that was refused or failed. reason: the name of the error."""
        self.refused[reason, status] += 1

    def predicted(self, domain: str, moment: str, count: int = 1) -> None:
        """Count logged predictions."""
        self.predictions[domain, moment] += count

    def staged(self, marks: tuple[float, ...]) -> None:
        """Count the stages of predicting for one request. marks: when it came, and when it was read, scored, logged and
        encoded (seconds)."""
        self._marks.append(marks)
        if len(self._marks) == DURATIONS_AT_ONCE:
            self._put_marks()

    @property
    def requests(self) -> Mapping[tuple[str, str, int], int]:
        """By route, method and status."""
        self._put_times()
        return self._requests

    @property
    def seconds(self) -> Mapping[str, Histogram]:
        """Of requests, by route."""
        self._put_times()
        return self._seconds

    @property
    def stages(self) -> Mapping[str, Histogram]:
        """Parts of predicting."""
        self._put_marks()
        return self._stages

    def _put_times(self) -> None:
        waiting, self._times = self._times, defaultdict(list)
        for (route, method, status), seconds in waiting.items():
            self._requests[route, method, status] += len(seconds)
            self._seconds[route].observe(seconds)

    def _put_marks(self) -> None:
        if self._marks:
            took = np.diff(np.array(self._marks), axis=1)
            self._marks = []
            for place, stage in enumerate(STAGES):
                self._stages[stage].observe(took[:, place].tolist())
