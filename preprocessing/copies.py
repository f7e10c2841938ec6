"""Which rows are copies: equal in everything a model sees and in the outcome, more often than chance can explain.

Honest students share marks, so equal rows alone prove nothing: what counts is how rare their values are among all other
rows, and whether rows lie near them. Nothing is dropped here; who splits, judges or learns counts a content once.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

ORDINARY = -1
SLACK = 10.0
"""Columns hang together, so that honest equal rows are more frequent than independent columns would have them."""
CROWD = 3.0
"""Equal rows for each row that differs in one column alone: where there are so many neighbours, a crowd is natural."""
FALSE_COPIES = 0.01
"""Of the contents called copied, how many may be so by luck (Benjamini and Hochberg 1995, with the share of honest ones
among all estimated as Storey 2002 does: where hardly any is honest, less is asked of each)."""
HONEST_FROM = 0.5
"""Chance above which contents are taken for honest ones, to estimate their share."""


def copies(frame: pl.DataFrame, *contents: Sequence[str]) -> Rows:
    """(n,) for each row of `frame` the position of the first row of its content where that was copied, else ORDINARY.

    contents: the columns that make a content, with the outcome among them; of several such lists each wider one finds
    what those before it did not. A content is copied where so many equal rows cannot be explained by the frequencies of
    its values among all other rows, nor by a crowd of rows that differ in one column.

    >>> rows = pl.DataFrame([{"hours": h + 0.25, "pause": h * 1.5, "mark": 50 + h} for h in range(1, 31)])
    >>> copies(pl.concat([rows, rows[:2], rows[:2], rows[:2]]), rows.columns)[[0, 1, 2, 30, 31]].tolist()
    [0, 1, -1, 0, 1]
    """
    found = np.full(frame.height, ORDINARY, dtype=np.int64)
    for columns in contents:
        wider = _copies(frame, columns)
        found = np.where(found == ORDINARY, wider, found)
    return found


def _copies(frame: pl.DataFrame, columns: Sequence[str]) -> Rows:
    n, columns = frame.height, [column for column in columns if column in frame.columns]
    found = np.full(n, ORDINARY, dtype=np.int64)
    if n == 0 or not columns:
        return found
    first = content_numbers(frame, columns)
    counts = np.bincount(first, minlength=n)
    contents = np.flatnonzero(counts)
    often = np.flatnonzero(counts > 1)
    if not often.size:
        return found
    expected = SLACK * _by_frequency(frame, columns, often, counts[often])
    luck = _luck(counts[often], expected)
    limit = _limit(luck, len(contents))
    unexplained = luck <= limit
    if unexplained.any():
        unexplained = _without_crowds(frame[contents], columns, counts, contents, often, expected, unexplained, limit)
    copied = np.isin(first, often[unexplained])
    found[copied] = first[copied]
    return found


def content_numbers(frame: pl.DataFrame, columns: Sequence[str]) -> Rows:
    """(n,) the position of the first row that is equal in all of the `columns` there are; missing values are equal."""
    there = [column for column in columns if column in frame.columns]
    place = frame.with_row_index("_place").select(pl.col("_place").min().over(there)).to_series()
    return place.to_numpy().astype(np.int64)


def once(frame: pl.DataFrame, *contents: Sequence[str]) -> NDArray[np.bool_]:
    """(n,) whether a row counts: every ordinary row, and of each copied content the first."""
    found = copies(frame, *contents)
    return np.asarray((found == ORDINARY) | (found == np.arange(len(found))))


def _by_frequency(frame: pl.DataFrame, columns: Sequence[str], often: Rows, counts: Rows) -> Floats:
    """How many rows would have each content if columns were independent, by the frequencies in the other rows.

    Cells that are missing or 0 tell nothing: who was never there has them in every column.
    """
    others = frame.height - counts + 1.0
    log_shares = np.zeros(len(often))
    for column in columns:
        same = frame.select(pl.len().over(column)).to_series().to_numpy()[often].astype(np.float64)
        cells = frame[column][often]
        empty = cells.is_null() | (cells == 0 if cells.dtype.is_numeric() else False)
        log_shares += np.where(empty.fill_null(True).to_numpy(), 0.0, np.log((same - counts + 1.0) / others))
    return np.asarray(others * np.exp(log_shares))


def _luck(counts: Rows, expected: Floats) -> Floats:
    """The chance of as many further rows of a content, or more, where `expected` are to be expected."""
    from scipy.special import pdtrc

    return np.asarray(pdtrc(counts - 2, expected))  # of Poisson's distribution


def _limit(luck: Floats, contents: int) -> float:
    """The chance up to which so few of all `contents` are called copied by luck; below 0: none is."""
    honest = (1 + contents - np.count_nonzero(luck <= HONEST_FROM)) / (1 - HONEST_FROM)  # one that occurs once is, too
    steps = FALSE_COPIES * np.arange(1, len(luck) + 1) / min(honest, contents)
    passed = np.flatnonzero(np.sort(luck) <= steps)
    return float(steps[passed[-1]]) if passed.size else -1.0


def _without_crowds(
    distinct: pl.DataFrame,
    columns: Sequence[str],
    counts: Rows,
    contents: Rows,
    often: Rows,
    expected: Floats,
    unexplained: NDArray[np.bool_],
    limit: float,
) -> NDArray[np.bool_]:
    """Those of the `unexplained` contents that no crowd explains either; what is explained explains its neighbours."""
    keys = _keys(distinct, columns)
    places = np.searchsorted(contents, often)
    while True:
        rows = counts[contents].astype(np.float64)
        rows[places[unexplained]] = 0.0
        near = np.zeros(len(often))
        for key in keys:
            near += np.bincount(key, weights=rows)[key[places]] - rows[places]
        left = unexplained & (_luck(counts[often], expected + CROWD * near) <= limit)
        if left.sum() == unexplained.sum():
            return left
        unexplained = left


def _keys(distinct: pl.DataFrame, columns: Sequence[str]) -> list[Rows]:
    """For each column the contents that are equal in all others, by number. A random number stands for each value."""
    draw = np.random.default_rng(0)
    codes = [distinct.select(pl.col(column).rank("dense").fill_null(0)).to_series().to_numpy() for column in columns]
    hashed = [draw.integers(0, 2**64, int(code.max()) + 1, dtype=np.uint64)[code] for code in codes]
    whole = np.sum(hashed, axis=0, dtype=np.uint64)
    return [np.unique(whole - part, return_inverse=True)[1].astype(np.int64) for part in hashed]
