"""One column of a sample, summarised without its rows: what values occurred and how often.

A summary of marks or of continuous values is exact; a binned one is not, and says what it leaves open. What a column
holds is also told by two whole numbers, its prints: equal for equal values in any order, in parts or at once. Nothing
here compares two samples, and no summary knows which values stood together in a row.

>>> column = summarise_numbers(np.array([12.0, 8.0, 12.0, np.nan]))
>>> column.values.tolist(), column.counts.tolist(), column.missing
([8.0, 12.0], [1, 2], 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from errors import GradewatchError

PIECE = 32_768  # values; what is made of them stays in the processor's cache
ALL = (1 << 64) - 1
ONE, TWO, THREE = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))  # SplitMix64's
FAR_BITS, NEAR_BITS = np.uint64(32), np.uint64(29)

PREDICTION = "_prediction:"  # begins the name of a column that holds answers

Kind = Literal["numeric", "categorical"]
Prints = tuple[int, int]
NOTHING: Prints = (0, 0)


def prints_of(values: Floats, repeats: Counts | None = None) -> Prints:
    """The prints of (n,) `values`, none NaN, each of which occurs `repeats` times; -0.0 counts as 0.0.

    Sums of well mixed 64-bit hashes are equal by accident with a chance of 2^-128; they are no seal against somebody
    who looks for two samples that share one.
    """
    found = NOTHING
    for begin in range(0, len(values), PIECE):
        mixed = (values[begin : begin + PIECE] + 0.0).view(np.uint64)
        mixed += ONE  # or the print of zero would be nothing
        mixed ^= mixed >> FAR_BITS
        mixed *= ONE
        mixed ^= mixed >> FAR_BITS
        mixed *= TWO
        mixed ^= mixed >> NEAR_BITS
        other = mixed * THREE
        other ^= other >> FAR_BITS
        if repeats is not None:
            times = repeats[begin : begin + PIECE].astype(np.uint64)
            mixed, other = mixed * times, other * times
        found = add_prints(found, (int(mixed.sum()), int(other.sum())))
    return found


def add_prints(first: Prints, second: Prints) -> Prints:
    """The prints of two samples together."""
    return (first[0] + second[0]) & ALL, (first[1] + second[1]) & ALL


Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Counts = npt.NDArray[np.unsignedinteger[Any]]

BUCKETS = 16_384  # of a grid: 131 KB of 64-bit counts, and 1/16,384 of the rows is the most that D can be off by
GRID_FROM = 16_384  # distinct values; fewer are kept as they are, since the grid would not be smaller


class ProfileError(GradewatchError):
    """A sample that cannot be summarised, or summaries that do not go together; the message names the column."""


@dataclass(frozen=True, eq=False)
class NumericColumn:
    """Every value of a numeric column, exactly.

    values: (distinct,) float64, strictly increasing, may be infinite, never NaN and never -0.0.
    repeats: (distinct,) how often each occurred, or None when every value occurred once.
    missing: rows without a value (null or NaN).
    """

    values: Floats
    repeats: Counts | None
    missing: int

    categorical = False

    @cached_property
    def present(self) -> int:
        """Rows that hold a value."""
        return len(self.values) if self.repeats is None else int(self.repeats.sum(dtype=np.int64))

    @cached_property
    def counts(self) -> Integers:
        """(distinct,) rows that hold each value."""
        return np.ones(len(self.values), np.int64) if self.repeats is None else self.repeats.astype(np.int64)

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value; of rows that hold one."""
        return float(self.values[0]), float(self.values[-1])

    @cached_property
    def _cumulative(self) -> Integers:
        return np.concatenate([[0], np.cumsum(self.counts)])

    def rows_before(self, index: npt.NDArray[np.intp]) -> Integers:
        """Rows whose value is one of the first `index` distinct values."""
        return index.astype(np.int64) if self.repeats is None else self._cumulative[index]

    def rows_up_to(self, points: Floats) -> Integers:
        """Rows whose value is at or below each of `points`."""
        return self.rows_before(np.searchsorted(self.values, points, side="right"))

    def quantiles(self, shares: Floats) -> Floats:
        """The smallest values that at least each of `shares` (above 0, up to 1) of the rows do not exceed."""
        ranks = np.maximum(np.ceil(shares * self.present).astype(np.int64), 1)
        if self.repeats is not None:
            ranks = np.searchsorted(self._cumulative, ranks, side="left")
        found: Floats = self.values[ranks - 1]
        return found


@dataclass(frozen=True, eq=False)
class BinnedColumn:
    """A numeric column counted on the grid of a reference: it merges by addition, and bounds what it cannot tell.

    edges: (buckets,) float64, strictly increasing, the last +inf; bucket k holds the values in (edges[k-1], edges[k]].
    counts: (buckets,) rows in each. low, high: smallest and largest value, NaN-free; +inf and -inf of no rows.
    """

    edges: Floats
    counts: Integers
    low: float
    high: float
    missing: int

    categorical = False

    @cached_property
    def present(self) -> int:
        """Rows that hold a value."""
        return int(self.counts.sum())

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value; of rows that hold one."""
        return self.low, self.high

    @cached_property
    def _cumulative(self) -> Integers:
        return np.concatenate([[0], np.cumsum(self.counts)])

    def rows_up_to(self, points: Floats) -> Integers:
        """Rows whose value is surely at or below each of `points`."""
        found: Integers = self._cumulative[np.searchsorted(self.edges, points, side="right")]
        return found

    def quantiles(self, shares: Floats) -> Floats:
        """As `NumericColumn.quantiles`, up to the next edge."""
        ranks = np.maximum(np.ceil(shares * self.present).astype(np.int64), 1)
        found: Floats = self.edges[np.searchsorted(self._cumulative[1:], ranks)]
        return found


@dataclass(frozen=True, eq=False)
class CategoricalColumn:
    """How often each level occurred. levels: sorted, distinct; counts: (levels,) int64, none of them 0."""

    levels: tuple[str, ...]
    counts: Integers
    missing: int

    categorical = True

    @cached_property
    def present(self) -> int:
        """Rows that hold a value."""
        return int(self.counts.sum())


Column = NumericColumn | BinnedColumn | CategoricalColumn


def summarise_numbers(numbers: npt.NDArray[Any], missing: int = 0, *, reuse: bool = False) -> NumericColumn:
    """The exact summary of `numbers`, (rows,) of any real type; NaN counts as missing, beside `missing` others.

    reuse: `numbers` may be sorted in place and kept, which saves a copy.
    """
    if found := count_numbers(numbers, missing):
        return found
    ordered = numbers.astype(np.float64, copy=not reuse)
    ordered.sort()
    present = int(np.searchsorted(ordered, np.nan)) if len(ordered) else 0
    lost = missing + len(ordered) - present
    ordered = ordered[:present]
    repeated = ordered[1:] == ordered[:-1]
    if not repeated.any():
        return NumericColumn(_positive_zero(ordered), None, lost)
    starts = np.concatenate([[0], np.flatnonzero(~repeated) + 1])
    counts = np.diff(starts, append=present)
    return NumericColumn(_positive_zero(ordered[starts]), smallest(counts), lost)


def count_numbers(numbers: npt.NDArray[Any], missing: int = 0) -> NumericColumn | None:
    """`summarise_numbers` of whole numbers and marks, without a copy of them; None for others, that must be sorted."""
    if numbers.dtype.kind in "iu" and len(numbers):
        low, high = int(numbers.min()), int(numbers.max())
        if high - low < min(COUNTED_SPAN, 4 * len(numbers)):
            return _counted(_count_integers(numbers, low, high), low, missing)
    return _count_marks(numbers, missing) if numbers.dtype.kind == "f" else None


def _count_integers(numbers: npt.NDArray[Any], low: int, high: int) -> Integers:
    """How often each integer from `low` to `high` occurs; a few values at a time, so that no copy of all is made."""
    counts = np.zeros(high - low + 1, np.int64)
    wide = np.int64 if numbers.dtype.kind == "i" else np.uint64  # in a narrow type the differences would overflow
    for begin in range(0, len(numbers), CHUNK):
        above = numbers[begin : begin + CHUNK].astype(wide, copy=False) - wide(low)
        counts += np.bincount(above.astype(np.intp, copy=False), minlength=len(counts))
    return counts


COUNTED_SPAN = 1 << 16  # integers from the smallest to the largest; their counts stay in the processor's cache


def _counted(counts: Integers, low: int, missing: int) -> NumericColumn:
    """The summary of integers that start at `low` and occur `counts` times."""
    occurring = np.flatnonzero(counts)
    repeats = counts[occurring]
    values = (occurring + low).astype(np.float64)
    return NumericColumn(values, None if int(repeats.max()) == 1 else smallest(repeats), missing)


SCALES = (1, 2, 10, 100)  # marks come as k, k/2, k/10 and k/100
LOOKED_AT = 1_000  # values that decide whether counting is tried
MARKS_FROM = 4_000  # values; below, sorting is as fast
POSSIBLE_MARKS = 2  # times the values: where more marks lie between the ends, sorting is as fast
CHUNK = 1 << 16  # values; half a megabyte stays in the cache


def _count_marks(numbers: npt.NDArray[Any], missing: int) -> NumericColumn | None:
    """The summary of values that are all k/1, k/2, k/10 or k/100 for some integer k, each of them checked; else None.

    Counting costs half of sorting.
    """
    first = numbers[:LOOKED_AT].astype(np.float64)
    if len(numbers) < MARKS_FROM or not any(_on_scale(first, scale) for scale in SCALES):
        return None
    low, high = float(numbers.min()), float(numbers.max())
    for scale in SCALES:
        if (high - low) * scale > POSSIBLE_MARKS * len(numbers):
            return None
        if _on_scale(first, scale) and (counts := _count_on_scale(numbers, scale, low, high)) is not None:
            column = _counted(counts, round(low * scale), missing)
            return NumericColumn(column.values / scale, column.repeats, missing)
    return None


def are_marks(values: Floats) -> bool:
    """Whether a sample of many rows that holds these distinct, increasing values is counted, whatever their order."""
    low, high = float(values[0]), float(values[-1])
    return any(_spans(scale, low, high) and _on_scale(values, scale) for scale in SCALES)


def _on_scale(values: Floats, scale: int) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        return bool((np.rint(values * scale) / scale == values).all())


def _spans(scale: int, low: float, high: float) -> bool:
    """Whether marks from `low` to `high` are few enough to be counted."""
    return (high - low) * scale < COUNTED_SPAN and abs(low) <= COUNTED_SPAN and abs(high) <= COUNTED_SPAN


def _count_on_scale(numbers: npt.NDArray[Any], scale: int, low: float, high: float) -> Integers | None:
    """How often each k/`scale` occurs; None where a value is none, or too far away."""
    if not _spans(scale, low, high):
        return None
    start = round(low * scale)
    counts = np.zeros(round(high * scale) - start + 1, np.int64)
    for begin in range(0, len(numbers), CHUNK):
        values = numbers[begin : begin + CHUNK].astype(np.float64, copy=False)
        whole = np.rint(values * scale)
        if not (whole / scale == values).all():
            return None
        counts += np.bincount((whole - start).astype(np.intp), minlength=len(counts))
    return counts


def _positive_zero(values: Floats) -> Floats:
    """`values` with -0.0, which is the same mark as 0.0, spelled 0.0. At most one entry is zero."""
    zero = np.searchsorted(values, 0.0)
    if zero < len(values) and values[zero] == 0.0:
        values[zero] = 0.0
    return values


def smallest(counts: npt.NDArray[Any]) -> Counts:
    """`counts` in the smallest unsigned type that holds them all, so that equal samples have equal bytes."""
    kind = np.min_scalar_type(int(counts.max())) if len(counts) else np.dtype(np.uint8)
    return counts.astype(kind)


def grid_of(column: NumericColumn) -> Floats:
    """The edges that cut the rows of `column` into at most 16,384 equal shares; a frequent value gets its own bucket.

    Of a column without rows: one bucket for everything.
    """
    if not column.present:
        return np.array([np.inf])
    shares = np.arange(1, BUCKETS) / BUCKETS
    edges = np.unique(column.quantiles(shares))
    frequent = column.values[column.counts > column.present / BUCKETS] if column.repeats is not None else edges[:0]
    before = just_below(frequent)
    return np.unique(np.concatenate([edges, frequent, before[before > -np.inf], [np.inf]]))


def just_below(values: npt.ArrayLike) -> Floats:
    """The next smaller double of each value; -inf below the smallest finite one."""
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(values, dtype=np.float64), -np.inf)


def bin_numbers(column: NumericColumn, edges: Floats) -> BinnedColumn:
    """`column` counted on `edges`."""
    counts = np.diff(column.rows_up_to(edges), prepend=0)
    low, high = (column.values[0], column.values[-1]) if column.present else (np.inf, -np.inf)
    return BinnedColumn(edges, counts, float(low), float(high), column.missing)


def merge(first: Column, second: Column) -> Column:
    """The summary of both samples together; the order does not matter. ProfileError when the kinds or grids differ."""
    if isinstance(first, CategoricalColumn) and isinstance(second, CategoricalColumn):
        return _merge_levels(first, second)
    if isinstance(first, NumericColumn) and isinstance(second, NumericColumn):
        return _merge_numbers(first, second)
    if isinstance(first, CategoricalColumn) or isinstance(second, CategoricalColumn):
        raise ProfileError("numeric in one profile, categorical in the other")
    if isinstance(first, NumericColumn):
        return merge(second, first)
    return _merge_bins(first, second if isinstance(second, BinnedColumn) else bin_numbers(second, first.edges))


def _merge_levels(first: CategoricalColumn, second: CategoricalColumn) -> CategoricalColumn:
    counted = dict(zip(first.levels, first.counts.tolist(), strict=True))
    for level, count in zip(second.levels, second.counts.tolist(), strict=True):
        counted[level] = counted.get(level, 0) + count
    return count_levels(counted, first.missing + second.missing)


MOST_LEVELS = 1_000_000  # about 200 MB; a column with more tells rows apart and does not sort them into kinds


def count_levels(counted: dict[str, int], missing: int) -> CategoricalColumn:
    """The column in which each level of `counted` occurred so often. ProfileError for more than `MOST_LEVELS`."""
    if len(counted) > MOST_LEVELS:
        raise ProfileError(f"more than {MOST_LEVELS:,} different levels: this is a key, not a category")
    levels = tuple(sorted(level for level, count in counted.items() if count))
    return CategoricalColumn(levels, np.array([counted[level] for level in levels], np.int64), missing)


def _merge_numbers(first: NumericColumn, second: NumericColumn) -> NumericColumn:
    values = np.concatenate([first.values, second.values])
    order = np.argsort(values, kind="stable")
    values = values[order]
    new = np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]
    missing = first.missing + second.missing
    if first.repeats is None and second.repeats is None and new.all():
        return NumericColumn(values, None, missing)
    counts = np.concatenate([first.counts, second.counts])[order]
    return NumericColumn(values[new], smallest(np.add.reduceat(counts, np.flatnonzero(new))), missing)


def _merge_bins(first: BinnedColumn, second: BinnedColumn) -> BinnedColumn:
    if not np.array_equal(first.edges, second.edges):
        raise ProfileError("counted on the grids of two different references; count both on one of them")
    low, high = min(first.low, second.low), max(first.high, second.high)
    return BinnedColumn(first.edges, first.counts + second.counts, low, high, first.missing + second.missing)


def same(first: Column, second: Column) -> bool:
    """Whether two summaries hold exactly the same."""
    if type(first) is not type(second) or first.missing != second.missing or first.present != second.present:
        return False
    return all(np.array_equal(a, b) for a, b in zip(parts(first), parts(second), strict=True))


def parts(column: Column) -> tuple[npt.NDArray[Any], ...]:
    """The arrays that make up `column`, in a fixed order."""
    if isinstance(column, NumericColumn):
        return column.values, column.repeats if column.repeats is not None else np.zeros(0, np.uint8)
    if isinstance(column, BinnedColumn):
        return column.edges, column.counts, np.array([column.low, column.high])
    return np.array(column.levels, dtype=np.str_), column.counts
