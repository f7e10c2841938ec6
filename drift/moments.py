"""Means and spreads of a column's values, and how far the mean moved. For information: no verdict rests on them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from drift.buckets import PIECE, Moments, Part, bucketed_moments
from drift.column import BinnedColumn, Floats, NumericColumn
from drift.univariate import Numbers

LEVEL = 0.95


class MeanChange(NamedTuple):
    """How far the mean moved, in the column's unit, with the 95 % interval (Welch 1947).

    deviation: the reference's standard deviation.
    """

    before: float
    after: float
    low: float
    high: float
    deviation: float


def moments(column: Numbers) -> Moments | None:
    """None on a grid, of fewer than two rows, and where they are not finite."""
    if isinstance(column, BinnedColumn) or column.present < 2:
        return None
    found = bucketed_moments(column) if isinstance(column, Part) else _exact_moments(column)
    return found if math.isfinite(found.mean) and math.isfinite(found.squares) else None


def _exact_moments(column: NumericColumn) -> Moments:
    with np.errstate(over="ignore", invalid="ignore"):
        middle, total, squares = float(column.quantiles(np.array([0.5]))[0]), 0.0, 0.0
        for values, rows in _pieces(column):
            away = values - middle  # the mean is a deviation away at most: what is taken off below is half of it all
            weighed = away if rows is None else away * rows
            total, squares = total + float(weighed.sum()), squares + _product(away, weighed)
        mean = middle + total / column.present
        return Moments(column.present, mean, squares - total * (total / column.present))


def _pieces(column: NumericColumn) -> Iterator[tuple[Floats, Floats | None]]:
    """Distinct values and, unless it is one each, how many rows hold them; a few at a time, so that none are copied."""
    for begin in range(0, len(column.values), PIECE):
        repeats = None if column.repeats is None else column.repeats[begin : begin + PIECE].astype(np.float64)
        yield column.values[begin : begin + PIECE], repeats


def _product(values: Floats, others: Floats) -> float:
    """Their products' sum. Not by BLAS, whose own threads wait busily beside those of the other columns."""
    return float(np.einsum("i,i->", values, others))


def mean_change(
    before: Moments | None, after: Moments | None, effective: tuple[float, float] = (1.0, 1.0)
) -> MeanChange | None:
    """How far the mean moved; None where either sample has no moments, or is worth less than two independent rows.

    effective: what a row of each is worth in independent rows.
    """
    from scipy.special import stdtrit

    if before is None or after is None:
        return None
    rows = np.array([before.n * effective[0], after.n * effective[1]])
    if rows.min() < 2:
        return None
    variances = np.array([before.variance, after.variance])
    parts = variances / rows
    error, half = math.sqrt(float(parts.sum())), 0.0
    if error:
        shares = parts / parts.sum()
        freedom = 1 / float((shares**2 / (rows - 1)).sum())
        half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    change = after.mean - before.mean
    return MeanChange(before.mean, after.mean, change - half, change + half, math.sqrt(before.variance))
