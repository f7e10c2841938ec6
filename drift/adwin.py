"""ADWIN: has the mean of a stream changed? A window that grows while nothing does, and lets go of what differs.

Bifet and Gavaldà 2007, with its exponential histogram (ADWIN2): as River has it, to which the tests compare it. River
itself takes a second and pandas and scikit-learn to load.
"""

from __future__ import annotations

import math
from typing import NamedTuple

MOST_BUCKETS = 5  # buckets of one size; one more, and the two oldest become one of twice the size
LOOK_EVERY = 8  # values from one look for a change to the next
LEAST_SIDE = 5  # values on either side of a cut
GRACE = 10  # values of a window in which nothing is looked for


class _Bucket(NamedTuple):
    """Values that are counted together. variance: the sum of squared deviations from their mean."""

    n: int
    total: float
    variance: float

    def join(self, other: _Bucket) -> _Bucket:
        n, gap = self.n + other.n, self.total / self.n - other.total / other.n
        variance = self.variance + other.variance + self.n * other.n * gap**2 / n
        return _Bucket(n, self.total + other.total, variance)


NO_VALUES = _Bucket(0, 0.0, 0.0)


class AdaptiveWindow:
    """The newest values of a stream, 0 to 1, whose mean did not change. delta: chance of a cut without a change."""

    def __init__(self, delta: float) -> None:
        self._delta = delta
        self._levels: list[list[_Bucket]] = [[]]  # of 1, 2, 4 … values, the oldest first
        self._whole = NO_VALUES
        self._ticks = 0

    def update(self, value: float) -> bool:
        """Take the next value in; whether the mean has changed before it."""
        self._ticks += 1
        new = _Bucket(1, value, 0.0)
        self._whole = self._whole.join(new) if self._whole.n else new
        self._levels[0].append(new)
        for level, buckets in enumerate(self._levels):
            if len(buckets) <= MOST_BUCKETS:
                break
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(buckets[0].join(buckets[1]))
            del buckets[:2]
        changed = False
        if self._ticks % LOOK_EVERY == 0:
            while self._whole.n > GRACE and self._differs():
                changed = True
                self._let_go()
        return changed

    def _differs(self) -> bool:
        """Whether some older part of the window differs from the rest, beyond chance."""
        n, total = 0, 0.0
        scale = math.log(2 * math.log(self._whole.n) / self._delta)
        variance = self._whole.variance / self._whole.n
        for buckets in reversed(self._levels):
            for bucket in buckets:
                n, total = n + bucket.n, total + bucket.total
                rest = self._whole.n - n
                if n >= LEAST_SIDE <= rest and self._beyond(n, total, scale, variance):
                    return True
        return False

    def _beyond(self, n: int, total: float, scale: float, variance: float) -> bool:
        rest = self._whole.n - n
        gap = abs(total / n - (self._whole.total - total) / rest)
        weight = 1 / (n - LEAST_SIDE + 1) + 1 / (rest - LEAST_SIDE + 1)
        return gap > math.sqrt(2 * weight * variance * scale) + 2 / 3 * scale * weight

    def _let_go(self) -> None:
        """Forget the oldest bucket."""
        oldest = self._levels[-1].pop(0)
        n, total = self._whole.n - oldest.n, self._whole.total - oldest.total
        gap = oldest.total / oldest.n - total / n
        variance = self._whole.variance - oldest.variance - oldest.n * n * gap**2 / self._whole.n
        self._whole = _Bucket(n, total, max(0.0, variance))
        while len(self._levels) > 1 and not self._levels[-1]:
            self._levels.pop()
