"""What error to expect of answers before any outcome is known: errors of held-out rows, averaged among like answers and
weighted as the new answers are.

That sees that answers became harder ones; it cannot see that the same students end differently now, and it decides
nothing. It reads no table, so that a service can say it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drift.impact import ExpectedError
from model.bundle import ErrorTable
from preprocessing.schema import Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ERROR_CELLS = 8
CELL_ROWS = 30  # held-out rows in each cell at least; the mean of fewer says more about them than about the model
NORMAL = 1.959964  # half a 95 % interval, in standard errors


def hardness(target: Target, outputs: Floats) -> Floats:
    """(n,) by what held-out errors are told apart: the answer itself for values; for classes the error in levels that
    the (n, levels) probabilities expect of the answered one (confidence-based estimation, Garg et al. 2022)."""
    if target.kind == "value":
        return outputs[:, 0]
    levels = np.arange(outputs.shape[1])
    distance = np.abs(levels[np.newaxis, :] - outputs.argmax(axis=1)[:, np.newaxis])
    return np.asarray((outputs * distance).sum(axis=1))


def tabulate(hard: Floats, errors: Floats, clusters: Integers) -> ErrorTable:
    """The table of (n,) held-out `errors` by their `hardness`; n at least 2. clusters: rows that go wrong together."""
    cells = max(1, min(ERROR_CELLS, len(errors) // CELL_ROWS))
    shares = np.arange(1, cells) / cells
    edges = np.unique(np.quantile(hard, shares, method="inverted_cdf")) if cells > 1 else np.empty(0)
    edges = edges[edges < hard.max()]
    place = np.searchsorted(edges, hard, side="left")
    n = np.bincount(place, minlength=len(edges) + 1)
    mean = np.bincount(place, weights=errors, minlength=len(n)) / n
    spread = np.bincount(place, weights=(errors - mean[place]) ** 2, minlength=len(n)) / np.maximum(1, n - 1)
    return ErrorTable(
        low=float(hard.min()),
        high=float(hard.max()),
        centers=tuple((np.bincount(place, weights=hard, minlength=len(n)) / n).tolist()),
        n=tuple(n.tolist()),
        mean=tuple(mean.tolist()),
        variance=tuple(spread.tolist()),
        inflation=_inflation(errors, clusters),
    )


def _inflation(errors: Floats, clusters: Integers) -> float:
    """The variance of the mean over whole clusters, relative to that over rows (design effect; Kish 1965)."""
    number = np.unique(clusters, return_inverse=True)[1]
    count = int(number.max()) + 1
    plain = float(((errors - errors.mean()) ** 2).sum())
    if count < 2 or not plain:
        return 1.0
    sums = np.bincount(number, weights=errors - errors.mean())
    return max(1.0, float(count / (count - 1) * (sums**2).sum()) / plain)


class _Mean(NamedTuple):
    value: float
    error: float


def expect_error(target: Target, table: ErrorTable, outputs: Floats, *, outside: float = 0.0) -> ExpectedError | None:
    """What error to expect of the (n, 1) values or (n, levels) probabilities answered to new rows; None without rows.

    outside: share of the rows beyond the training range, passed on. Its interval covers the mean error that these very
    rows will show, under the assumption that it states; whole groups are taken to go wrong together as in training.
    """
    if not len(outputs):
        return None
    now, rows = _shares(table, hardness(target, outputs)), sum(table.n)
    held = np.array(table.n) / rows
    before, after = _weighted(table, held), _weighted(table, now)
    own = table.inflation * _row_variance(table, now) / len(outputs)
    change = float((now - held) @ np.array(table.mean))
    # the same held-out rows stand behind both, so that what they share leaves the change as it is
    spread = table.inflation * float((now - held) ** 2 @ (np.array(table.variance) / np.array(table.n)))
    total, half = NORMAL * float(np.sqrt(after.error**2 + own)), NORMAL * float(np.sqrt(spread + own))
    training = NORMAL * float(np.sqrt(table.inflation * _row_variance(table, held) / rows))
    return ExpectedError(
        target=target.name,
        unit=target.unit if target.kind == "value" else "levels",
        n_reference=rows,
        n_current=len(outputs),
        before=before.value,
        before_low=max(0.0, before.value - training),
        before_high=before.value + training,
        after=after.value,
        after_low=max(0.0, after.value - total),
        after_high=after.value + total,
        change=change,
        change_low=change - half,
        change_high=change + half,
        outside=outside,
    )


def _shares(table: ErrorTable, hard: Floats) -> Floats:
    """(cells,) how much each cell's mean error counts for rows of `hard` (n,), in sum 1.

    Errors are taken to change evenly between the centres of two cells, and likewise from the outermost centres to the
    ends of the range seen in training, so that a share may be below 0; beyond the range they stay what they are there.
    """
    centers = np.array(table.centers)
    if len(centers) < 2:
        return np.ones(1)
    seen = np.clip(hard, table.low, table.high)
    left = np.clip(np.searchsorted(centers, seen) - 1, 0, len(centers) - 2)
    part = (seen - centers[left]) / (centers[left + 1] - centers[left])
    summed = np.bincount(left, 1 - part, len(centers)) + np.bincount(left + 1, part, len(centers))
    return np.asarray(summed / len(hard))


def _weighted(table: ErrorTable, shares: Floats) -> _Mean:
    """The mean error with `shares` of rows in each cell, and its standard error from the held-out rows."""
    variance = table.inflation * float(shares**2 @ (np.array(table.variance) / np.array(table.n)))
    return _Mean(float(shares @ np.array(table.mean)), float(np.sqrt(variance)))


def _row_variance(table: ErrorTable, shares: Floats) -> float:
    """Of one row's error, with `shares` of rows in each cell; between cells it is taken to be spread as they are."""
    mean, shares = np.array(table.mean), np.maximum(shares, 0) / np.maximum(shares, 0).sum()
    return float(shares @ (np.array(table.variance) + mean**2) - (shares @ mean) ** 2)
