"""Corrections of p-values for how many there are. Whoever judges several things at once asks here; it judges none."""

import numpy as np
import numpy.typing as npt


def adjust(p_values: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """Benjamini–Hochberg adjusted p-values of (tests,) `p_values`, in their order.

    weights: (tests,) above 0, of mean 1, fixed before the p-values are known: what a test may spend beside the others
    (Genovese, Roeder and Wasserman 2006). A test whose adjusted value is at most q belongs to a set in which at most
    the share q is false alarms, on average (Benjamini and Hochberg 1995; valid for independent and positively dependent
    tests).

    >>> adjust([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if weights is not None:
        p = p / np.asarray(weights, dtype=np.float64)
    order = np.argsort(p, kind="stable")[::-1]
    ranks = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(p[order] * len(p) / ranks), 1.0)
    return adjusted
