"""Learns from unseen answers where the true chance lies behind one that is told (`model.chance_ranges`).

Answers to about the same chance form a cell; the share of events among them has an exact interval, at as many
independent rows as the rows of its students are worth. It fits no model and calibrates none.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from model.chance_ranges import ChanceRanges, HorizonRange
from model.scores import effective_number
from preprocessing.split import Rows
from training.fit import Floats, Task

RANGE_LEVEL = 0.9
STUDENTS_A_CELL = 40
"""Of whom a share can be told to about .1 either way at .1."""
MOST_RANGE_CELLS = 20
RANGE_DECIMALS = 6


def chance_ranges(task: Task, outputs: Floats, clusters: Rows) -> ChanceRanges | None:
    """Of (n, levels) unseen, calibrated probabilities of the rows of `task`; None where its target has no horizons.
    clusters: (n,) whose rows share what happened."""
    said = np.cumsum(outputs, axis=1)
    found = [
        _cells(weeks, said[:, place], task.truth <= place, clusters) for place, weeks in enumerate(task.target.within)
    ]
    return ChanceRanges(level=RANGE_LEVEL, horizons=tuple(found)) if found else None


def _cells(weeks: int, said: Floats, happened: NDArray[np.bool_], clusters: Rows) -> HorizonRange:
    order = np.argsort(said, kind="stable")
    number = int(np.clip(len(np.unique(clusters)) // STUDENTS_A_CELL, 1, MOST_RANGE_CELLS))
    found = [_cell(said[rows], happened[rows], clusters[rows]) for rows in np.array_split(order, number) if len(rows)]
    at, low, high, n, count = zip(*found, strict=True)
    return HorizonRange(within=weeks, at=at, low=low, high=high, n=n, clusters=count)


def _cell(said: Floats, happened: NDArray[np.bool_], clusters: Rows) -> tuple[float, float, float, int, int]:
    n, share, middle = len(said), float(happened.mean()), float(said.mean())
    codes = np.unique(clusters, return_inverse=True)[1]
    count = int(codes.max()) + 1
    squares = float((np.bincount(codes, weights=happened - share) ** 2).sum())
    effective = max(effective_number(n, share, count, squares), 1.0)
    events, tail = share * effective, (1 - RANGE_LEVEL) / 2
    low = float(betaincinv(events, effective - events + 1, tail)) if events else 0.0
    high = float(betaincinv(events + 1, effective - events, 1 - tail)) if events < effective else 1.0
    return (
        round(middle, RANGE_DECIMALS),
        round(low - middle, RANGE_DECIMALS),
        round(high - middle, RANGE_DECIMALS),
        n,
        count,
    )
