"""Whether an outcome is put together from its inputs: their sum, or a weighted mean of them, up to rounding.

Found jointly, by least squares on some rows and looked at on others; single columns are `leakage`'s.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_ROWS_A_WEIGHT = 2.0  # complete rows for each weight, in what is learned from
COMPLETE = 0.3  # share of complete rows, at least; else the missing count as nothing
COMES_OUT = 0.99  # share of unseen rows that must come out
SMALLEST_WEIGHT = 0.004  # of a column's part in the spread, below which it is none
GRAINS = (10.0, 5.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001)
FEWEST_PARTS = 2


def adds_up(outcome: Floats, inputs: Floats) -> NDArray[np.bool_]:
    """Which inputs the outcome is put together from; none where it is not.

    outcome: (n,); inputs: (n, k); NaN where missing. Rows that were not learned from must come out to within the
    rounding of the outcome.

    >>> x = np.random.default_rng(1).integers(0, 21, (60, 3)).astype(float)
    >>> adds_up(x[:, 0] + x[:, 1], x).tolist(), adds_up(x[:, 0] + x[:, 1] + x[:, 2] % 3, x).any()
    ([True, True, False], np.False_)
    """
    none = np.zeros(inputs.shape[1], dtype=bool)
    known = ~np.isnan(outcome)
    complete = known & ~np.isnan(inputs).any(axis=1)
    rows = complete if complete.sum() >= COMPLETE * known.sum() else known
    x, y = np.nan_to_num(inputs[rows]), outcome[rows]
    varied = x.std(axis=0) > 0 if len(y) else none
    if len(y) == 0 or y.std() == 0 or varied.sum() < FEWEST_PARTS:
        return none
    weights = _weights(x[:, varied], y)
    if weights is None:
        return none
    used = none.copy()
    used[varied] = np.abs(weights) * x[:, varied].std(axis=0) >= SMALLEST_WEIGHT * y.std()
    return used if used.sum() >= FEWEST_PARTS else none


def _weights(x: Floats, y: Floats) -> Floats | None:
    """The weights of columns whose weighted sum is `y` in rows that they were not learned from."""
    design = np.column_stack([x, np.ones(len(y))])
    learned = np.arange(len(y)) % 2 == 0
    if learned.sum() < FEWEST_ROWS_A_WEIGHT * design.shape[1]:
        return None
    for teach, test in ((learned, ~learned), (~learned, learned)):
        solved = np.linalg.lstsq(design[teach], y[teach], rcond=None)[0]
        errors = np.abs(design[test] @ solved - y[test])
        if np.quantile(errors, COMES_OUT) > _rounding(y):
            return None
    return np.asarray(np.linalg.lstsq(design, y, rcond=None)[0][:-1], dtype=np.float64)


def _rounding(values: Floats) -> float:
    """How far from the sum a rounded one may lie: a little more than half of the step between values."""
    steps = values[:, None] / np.array(GRAINS)
    fits = (np.abs(steps - np.round(steps)) < 1e-6).all(axis=0)
    grain = GRAINS[int(np.argmax(fits))] if fits.any() else 1e-6
    return min(0.65 * grain, 0.2 * float(values.std())) + 1e-6
