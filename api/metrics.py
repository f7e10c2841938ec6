"""Counts of what this worker did, at half a microsecond each; `api.exposition` puts them in Prometheus' format.

Each worker counts for itself; a scraper that reaches only one of several sees that one. Labels come from routes, error
names and domain files, never from what callers send.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from database.records import Prediction

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
STAGES = ("read", "score", "log", "encode")


class Histogram:
    """Durations in buckets: counts[i] of those up to BOUNDS[i] and above the bound before. Not for several threads."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds


class Metrics:
    """What one worker counts. To be used from its event loop only.

    requests: by route, method and status; seconds: by route; stages: parts of predicting; predictions: logged and
    answered, by domain and moment; refused: by the name of the error and status.
    """

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self.seconds: dict[str, Histogram] = defaultdict(Histogram)
        self.stages: dict[str, Histogram] = defaultdict(Histogram)
        self.predictions: dict[tuple[str, str], int] = defaultdict(int)
        self.refused: dict[tuple[str, int], int] = defaultdict(int)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[route, method, status] += 1
        self.seconds[route].observe(seconds)

    def refusal(self, reason: str, status: int) -> None:
        """Count one request that was refused or failed. reason: the name of the error."""
        self.refused[reason, status] += 1

    def predicted(self, predictions: Sequence[Prediction], marks: Sequence[float]) -> None:
        """Count logged predictions of one request. marks: when it came, and when it was read, scored, logged and
        encoded (seconds)."""
        for name, start, end in zip(STAGES, marks, marks[1:], strict=False):
            self.stages[name].observe(end - start)
        first = predictions[0]
        if len(predictions) == 1:
            self.predictions[first.domain, first.moment] += 1
            return
        for one in predictions:
            self.predictions[one.domain, one.moment] += 1
