"""When did a stream of errors change, and by how much? ADWIN says whether, least squares say when.

It sees numbers in their order, no rows and no model, and decides no retraining.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from drift.adwin import AdaptiveWindow

Floats = npt.NDArray[np.float64]

DELTA = 0.002  # chance that ADWIN cuts a window in which nothing changed (Bifet and Gavaldà 2007, their default)
FEWEST_VALUES = 10  # values on either side of a change
MOST_STEPS = 10_000  # that ADWIN takes: twelve microseconds each
CEILING = 4.0  # times the usual error, above which one error counts no more: ADWIN needs values with a bound


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the mean in a stream.

    start: position of the first value after it, most likely. noticed: position at which it was beyond chance. before,
    after: means up to the change before and the one after, of n_before and n_after values. low, high: 95 % interval of
    after - before, given that there is a change there; the same values chose the place, which flatters the size.
    """

    start: int
    noticed: int
    n_before: int
    n_after: int
    before: float
    after: float
    low: float
    high: float


def find_changes(values: npt.ArrayLike, *, usual: float, delta: float = DELTA) -> tuple[Change, ...]:
    """Every change of the mean of (n,) `values`, in the order of time.

    usual: the mean to be expected, above 0, in the unit of `values`; single values count up to four times as much. Of
    more than MOST_STEPS values, neighbours are taken together: the place of a change is known as much less exactly.
    """
    series = np.asarray(values, dtype=np.float64)
    together = -(-len(series) // MOST_STEPS) or 1
    scaled = np.minimum(series / (CEILING * usual), 1.0)
    scaled = scaled[: len(scaled) // together * together].reshape(-1, together).mean(axis=1)
    starts, noticed, start = [0], [], 0
    window = AdaptiveWindow(delta)
    for place, value in enumerate(scaled.tolist()):
        if not window.update(value):
            continue
        window = AdaptiveWindow(delta)
        if place + 1 - start < 2 * FEWEST_VALUES:
            continue
        start += _split(scaled[start : place + 1])
        starts.append(start)
        noticed.append(place)
        for later in scaled[start : place + 1].tolist():
            window.update(later)
    starts, noticed = [one * together for one in starts], [one * together for one in noticed]
    return tuple(_change(series, starts, noticed, number) for number in range(len(noticed)))


def _split(values: Floats) -> int:
    """The place that divides `values` into the two most different parts, of at least ten each (least squares)."""
    n = len(values)
    first = np.arange(FEWEST_VALUES, n - FEWEST_VALUES + 1)
    sums = np.cumsum(values)
    gap = sums[first - 1] / first - (sums[-1] - sums[first - 1]) / (n - first)
    return int(first[int((first * (n - first) * gap**2).argmax())])


def _change(series: Floats, starts: Sequence[int], noticed: Sequence[int], number: int) -> Change:
    from scipy.special import ndtri

    ends = [*starts[1:], len(series)]
    before, after = series[starts[number] : ends[number]], series[starts[number + 1] : ends[number + 1]]
    error = float(np.sqrt(before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after)))
    change, half = float(after.mean() - before.mean()), float(ndtri(0.975)) * error
    return Change(
        start=starts[number + 1],
        noticed=noticed[number],
        n_before=len(before),
        n_after=len(after),
        before=float(before.mean()),
        after=float(after.mean()),
        low=change - half,
        high=change + half,
    )
