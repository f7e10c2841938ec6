"""Means and spreads of a column's values, and how far the mean moved. For information: no verdict rests on them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from drift.column import BinnedColumn, NumericColumn

LEVEL = 0.95


class Moments(NamedTuple):
    """Rows with a value, their mean and their variance (n - 1)."""

    n: int
    mean: float
    variance: float


class MeanChange(NamedTuple):
    """How far the mean moved, in the column's unit, with the 95 % interval (Welch 1947; rows count as independent).

    deviation: the reference's standard deviation.
    """

    before: float
    after: float
    low: float
    high: float
    deviation: float


def moments(column: NumericColumn | BinnedColumn) -> Moments | None:
    """None on a grid, of fewer than two rows, and where they are not finite."""
    if isinstance(column, BinnedColumn) or column.present < 2:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(column.values @ column.counts) / column.present
        variance = float((column.values - mean) ** 2 @ column.counts) / (column.present - 1)
    return Moments(column.present, mean, variance) if math.isfinite(mean) and math.isfinite(variance) else None


def mean_change(reference: NumericColumn | BinnedColumn, current: NumericColumn | BinnedColumn) -> MeanChange | None:
    """How far the mean moved; None where either sample has no moments."""
    from scipy.special import stdtrit

    before, after = moments(reference), moments(current)
    if before is None or after is None:
        return None
    parts = np.array([before.variance / before.n, after.variance / after.n])
    error, half = math.sqrt(float(parts.sum())), 0.0
    if error:
        shares = parts / parts.sum()
        freedom = 1 / float((shares**2 / np.array([before.n - 1, after.n - 1])).sum())
        half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    change = after.mean - before.mean
    return MeanChange(before.mean, after.mean, change - half, change + half, math.sqrt(before.variance))
