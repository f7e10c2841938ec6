"""Trailing windows over school weeks: sums, rates, trends and spreads of many students at once.

Arrays hold weeks on their last axis; a window of k weeks ends at each week and includes it. Sums are of whole numbers
held in float64 (points in `WHOLE_PARTS`), so they are exact and depend neither on the order of rows nor on who else is
in the array; what else is computed goes lag by lag, the same steps for one student as for all.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Weeks = NDArray[np.float64]
Mask = NDArray[np.bool_]

WHOLE_PARTS = 10_000
"""Parts of a point or a day that are counted: marks of up to four decimals are summed exactly."""


def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values in whole parts."""
    return np.rint(values * WHOLE_PARTS)


def trailing(weekly: Weeks, span: int) -> Weeks:
    """Sums over the last `span` weeks.

    >>> trailing(np.array([1.0, 2.0, 3.0]), 2).tolist()
    [1.0, 3.0, 5.0]
    """
    so_far = np.cumsum(weekly, axis=-1)
    sums = so_far.copy()
    sums[..., span:] -= so_far[..., :-span]
    return sums


def earlier(weekly: Weeks, lag: int, nothing: float = 0.0) -> Weeks:
    """What was there `lag` weeks before; `nothing` before the first week."""
    shifted = np.full_like(weekly, nothing)
    shifted[..., lag:] = weekly[..., : max(weekly.shape[-1] - lag, 0)]
    return shifted


def rate(part: Weeks, of: Weeks) -> Weeks:
    """part / of; NaN where there is nothing to be part of."""
    found = np.full(np.broadcast(part, of).shape, np.nan)
    np.divide(part, of, out=found, where=of > 0)
    return found


def highest(weekly: Weeks, span: int) -> Weeks:
    """The largest value of the last `span` weeks."""
    found = weekly.copy()
    for lag in range(1, min(span, weekly.shape[-1])):
        np.maximum(found[..., lag:], weekly[..., :-lag], out=found[..., lag:])
    return found


def newest(values: Weeks, there: Mask) -> Weeks:
    """The value of the newest week where it is `there`; 0 before the first."""
    week = np.where(there, np.arange(values.shape[-1]), -1)
    place = np.maximum.accumulate(week, axis=-1)
    return np.where(place >= 0, np.take_along_axis(values, np.maximum(place, 0), axis=-1), 0.0)


def slope(values: Weeks, there: Mask, span: int, *, least: int, else_: float = np.nan) -> Weeks:
    """The least-squares slope per week of the values that are `there` in the last `span` weeks; `else_` where fewer
    than `least` are. Values are taken from the newest one, so that equal ones have a slope of exactly 0."""
    n, x_sum, y_sum, xx_sum, xy_sum = (np.zeros(values.shape) for _ in range(5))
    for lag, y, seen in _lags(values, there, span):
        n += seen
        x_sum -= lag * seen
        xx_sum += lag * lag * seen
        y_sum += y
        xy_sum -= lag * y
    enough = n >= least
    spread = np.where(enough, n * xx_sum - x_sum * x_sum, 1.0)
    return np.where(enough, (n * xy_sum - x_sum * y_sum) / spread, else_)


def deviation(values: Weeks, there: Mask, span: int, *, least: int) -> Weeks:
    """The population standard deviation of the values that are `there` in the last `span` weeks; NaN where fewer than
    `least` are."""
    n, total = np.zeros(values.shape), np.zeros(values.shape)
    for _, y, seen in _lags(values, there, span):
        n += seen
        total += y
    mean, squares = total / np.maximum(n, 1.0), np.zeros(values.shape)
    for _, y, seen in _lags(values, there, span):
        squares += np.where(seen, (y - mean) ** 2, 0.0)
    return np.where(n >= least, np.sqrt(squares / np.maximum(n, 1.0)), np.nan)


def _lags(values: Weeks, there: Mask, span: int) -> Iterator[tuple[int, Weeks, Mask]]:
    """Each week of a window: how long ago, the values less the newest one (0 where none is there), and where one is."""
    filled = np.where(there, values, 0.0)
    reference = newest(filled, there)
    for lag in range(min(span, values.shape[-1])):
        seen = earlier(there.astype(np.float64), lag) > 0
        yield lag, np.where(seen, earlier(filled, lag) - reference, 0.0), seen
