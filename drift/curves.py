"""What a column looked like before and now, in a few whole numbers: what pages, files and the API draw of a report.

Counts alone, made of what was counted for the tests; what they mean is `drift.compare`'s.

>>> from drift.column import summarise_numbers
>>> found = curve_of(summarise_numbers(np.arange(20)), summarise_numbers(np.arange(10, 20)))
>>> found.edges[:3], found.before[:2], found.now[:2], sum(found.now)
((0.0, 2.0, 4.0), (2, 2), (0, 0), 10)
"""

from __future__ import annotations

import math
from bisect import bisect_left

import msgspec
import numpy as np

from drift.buckets import DRAWN_SHARES, Part
from drift.column import BinnedColumn, CategoricalColumn, Floats, NumericColumn, just_below

CURVE_BINS = 12  # at most, and as many levels: more cannot be told apart on a phone
ROUND_WIDTHS = (1.0, 2.0, 2.5, 5.0)  # times a power of ten
ASKED_WHOLE = 4_096  # distinct values; of more it is not asked whether they are whole
FARTHEST, NEAREST = 1e150, 1e-290  # beyond and between which steps between values would overflow
MOST_DECIMALS = 300  # that doubles can be rounded to

Drawable = NumericColumn | BinnedColumn | Part | CategoricalColumn


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One column of both samples: rows with a value in each bin of numbers, or of each level.

    edges: of bins, increasing, in the column's unit, one more than bins: from each up to below the next. The outermost
    bins hold what lies beyond them too. whole: all values are whole numbers. levels: the commonest, commonest first;
    words: what readers see of each. other_before, other_now: rows of all other levels. All rows that hold a value are
    counted: of long continuous columns and of grids, those of one bucket may stand on the other side of an edge.
    """

    before: tuple[int, ...]
    now: tuple[int, ...]
    edges: tuple[float, ...] = ()
    whole: bool = False
    levels: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    other_before: int = 0
    other_now: int = 0

    @property
    def shares(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Of the rows with a value, before and now: in each bin, or of each level."""
        rows = sum(self.before) + self.other_before, sum(self.now) + self.other_now
        before, now = (tuple(n / of for n in side) for side, of in zip((self.before, self.now), rows, strict=True))
        return before, now


def curve_of(reference: Drawable, current: Drawable) -> Curve:
    """That of two summaries of one kind, which hold values."""
    if isinstance(reference, CategoricalColumn) or isinstance(current, CategoricalColumn):
        assert isinstance(reference, CategoricalColumn)  # noqa: S101 (callers check the kinds)
        assert isinstance(current, CategoricalColumn)  # noqa: S101
        return _of_levels(reference, current)
    (low, high), (now_low, now_high) = _middle(reference), _middle(current)
    whole = _is_whole(reference) and _is_whole(current)
    edges = bin_edges(min(low, now_low), max(high, now_high), whole=whole)
    before, now = (_rows_in(column, edges) for column in (reference, current))
    return Curve(before=before, now=now, edges=tuple(edges.tolist()), whole=whole)


def _of_levels(reference: CategoricalColumn, current: CategoricalColumn) -> Curve:
    shares = {
        level: _rows_of(reference, level) / reference.present + _rows_of(current, level) / current.present
        for level in {*_commonest(reference), *_commonest(current)}
    }
    levels = sorted(shares, key=lambda level: (-shares[level], level))[:CURVE_BINS]
    before, now = (tuple(_rows_of(column, level) for level in levels) for column in (reference, current))
    return Curve(
        before=before,
        now=now,
        levels=tuple(levels),
        words=tuple(levels),
        other_before=reference.present - sum(before),
        other_now=current.present - sum(now),
    )


def _commonest(column: CategoricalColumn) -> list[str]:
    return [column.levels[place] for place in np.argsort(-column.counts, kind="stable")[:CURVE_BINS].tolist()]


def _rows_of(column: CategoricalColumn, level: str) -> int:
    place = bisect_left(column.levels, level)
    there = place < len(column.levels) and column.levels[place] == level
    return int(column.counts[place]) if there else 0


def _middle(column: NumericColumn | BinnedColumn | Part) -> tuple[float, float]:
    """Where nearly all values lie, within what steps can be made between."""
    if isinstance(column, BinnedColumn):
        ranks = np.ceil(np.array(DRAWN_SHARES) * column.present)
        ends = column.edges[np.searchsorted(np.cumsum(column.counts), ranks)].clip(column.low, column.high)
    else:
        ends = column.quantiles(np.array(DRAWN_SHARES))
    low, high = ends.clip(-FARTHEST, FARTHEST).tolist()
    return low, high


def _is_whole(column: NumericColumn | BinnedColumn | Part) -> bool:
    if not isinstance(column, NumericColumn) or len(column.values) > ASKED_WHOLE:
        return False
    return bool((np.floor(column.values) == column.values).all())


def bin_edges(low: float, high: float, *, whole: bool) -> Floats:
    """Round edges of at most 12 bins that hold the values from `low` to `high`; of whole numbers, each bin as many.

    >>> bin_edges(0.0, 20.0, whole=True).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0]
    >>> bin_edges(0.31, 0.92, whole=False).tolist()
    [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    """
    spans = (high - low, 0.0 if whole else abs(low) / CURVE_BINS, 1.0)
    span = next(one for one in spans if one > NEAREST)
    power = math.floor(math.log10(span / CURVE_BINS))
    for scale in range(power, power + 3):
        for step in (round_ * 10.0**scale for round_ in ROUND_WIDTHS):
            if whole and step != math.floor(step):
                continue
            start = math.floor(low / step)
            bins = (math.floor(high / step) + 1 if whole else max(start + 1, math.ceil(high / step))) - start
            if bins <= CURVE_BINS:
                edges = step * np.arange(start, start + bins + 1, dtype=np.float64)
                edges = np.unique(np.round(edges, min(2 - scale, MOST_DECIMALS)))
                return edges if len(edges) > 1 else np.array([low, np.nextafter(low, np.inf)])
    raise AssertionError  # a hundred times the least step is enough for any span


def _rows_in(column: NumericColumn | BinnedColumn | Part, edges: Floats) -> tuple[int, ...]:
    """Rows in each bin between `edges`, the outermost open."""
    points = just_below(edges[1:-1])
    if isinstance(column, BinnedColumn):
        upto = np.append(0, np.cumsum(column.counts))[np.searchsorted(column.edges, points, side="right")]
    else:
        upto = column.rows_up_to(points)
    return tuple(np.diff(upto, prepend=0, append=column.present).tolist())
