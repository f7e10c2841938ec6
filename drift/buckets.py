"""Continuous columns counted in buckets beside a reference: what a report needs of them without sorting every value.

Each value falls into a bucket by a monotone map made from the reference alone. How many rows of both samples lie at
or below the end of each bucket is then known exactly, and only the values of buckets that matter are ever sorted.
What comes out depends on the values alone: not on their order, nor on whether they were sorted before.

>>> reference = summarise_numbers(np.linspace(0.0, 1.0, 10_001) ** 2)
>>> beside = buckets_of(reference)
>>> found = count_beside(beside, np.linspace(1.0, 0.0, 5_001) ** 2)
>>> found.present, found.pick(found.upto > 5_000).values.max()
(5001, np.float64(1.0))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from drift.column import (
    NOTHING,
    PIECE,
    BinnedColumn,
    Floats,
    Integers,
    NumericColumn,
    Prints,
    add_prints,
    prints_of,
    summarise_numbers,
)

MIDDLE = (0.001, 0.999)  # shares of the reference between which the buckets lie, so that no outlier widens them
SORTED_UP_TO = 32_768  # rows for which sorting is as cheap
FEWEST_BESIDE = 4_096  # distinct values of a reference; beside fewer, all are looked at anyway
WITHIN = 32_768  # buckets in the middle; more cost more to count than they spare in sorting
DRAWN_SHARES = (0.005, 0.995)  # of both samples, between which bins lie: one outlier must not make one bar of the rest
FINE = 1 << 18  # steps in a bucket, for means: their sums, and those of squares, are exact in doubles for a piece
Mask = npt.NDArray[np.bool_]


class Buckets(NamedTuple):
    """A monotone map of numbers to buckets: number 0 for all below the middle of the reference, 32,769 for all above.

    A value's position is (value - origin) * scale, in doubles; its bucket is the whole part of that.
    """

    origin: float
    scale: float

    def positions(self, values: npt.NDArray[Any]) -> Floats:
        """Where each value lies, 0 to 32,769; NaN counts as below all."""
        with np.errstate(over="ignore"):
            found: Floats = np.subtract(values, self.origin, dtype=np.float64)
            found *= self.scale
        np.fmax(found, 0.0, out=found)
        return np.minimum(found, WITHIN + 1, out=found)

    def of(self, values: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """The bucket of each value."""
        return self.positions(values).astype(np.intp)

    def place(self, position: npt.ArrayLike) -> Any:
        """The value that lies at a position, to rounding."""
        return self.origin + np.asarray(position) / self.scale


def buckets_of(reference: NumericColumn) -> Buckets | None:
    """The map beside which samples are counted; None where sorting is as cheap, or the values leave no room for one."""
    if len(reference.values) <= FEWEST_BESIDE:
        return None
    low, high = reference.quantiles(np.array(MIDDLE)).tolist()
    width = high - low
    if not 0 < width < math.inf or not math.isfinite(WITHIN / width):
        return None
    room = width + 2 * width / WITHIN  # from the beginning of the first bucket within to the end of the last
    if not all(map(math.isfinite, (low - room, low + room))):
        return None
    return Buckets(low - width / WITHIN, WITHIN / width)


class Sums(NamedTuple):
    """Whole steps of 1/262,144 bucket from the beginning of each value's bucket: their sum, that of their products with
    the bucket's number, and that of their squares."""

    steps: int = 0
    products: int = 0
    squares: int = 0


@dataclass(frozen=True, eq=False)
class BucketedColumn:
    """A numeric column counted in buckets. It lives beside its values, for one comparison, and is never kept.

    counts: (32,770,) rows with a value in each bucket. missing: rows without one. prints: of the values. pick: the
    exact summary of the values within the buckets of a (32,770,) mask.
    """

    buckets: Buckets
    counts: Integers
    missing: int
    sums: Sums
    prints: Prints
    pick: Callable[[Mask], NumericColumn]

    categorical = False

    @cached_property
    def present(self) -> int:
        """Rows that hold a value."""
        return int(self.counts.sum())

    @cached_property
    def upto(self) -> Integers:
        """(32,770,) rows in each bucket or below it."""
        return np.cumsum(self.counts)

    def exact(self) -> NumericColumn:
        """All its values, sorted."""
        column = self.pick(np.ones(len(self.counts), bool))
        return NumericColumn(column.values, column.repeats, self.missing)


def count_beside(buckets: Buckets, numbers: npt.NDArray[Any], missing: int = 0) -> BucketedColumn:
    """The column that holds `numbers`, (rows,) of any real type in any order; NaN counts as missing, beside others."""
    index = np.empty(len(numbers), np.uint16)
    counts, sums, prints, lost = np.zeros(WITHIN + 2, np.int64), Sums(), NOTHING, 0
    for begin in range(0, len(numbers), PIECE):
        values = numbers[begin : begin + PIECE].astype(np.float64, copy=False)
        places, steps = _split(buckets, values)
        index[begin : begin + PIECE] = places
        counts += np.bincount(places.astype(np.intp), minlength=len(counts))
        sums = _add(sums, _sums(places, steps))
        absent = np.isnan(values)
        if absent.any():
            lost += int(absent.sum())
            values = values[~absent]
        prints = add_prints(prints, prints_of(values))
    counts[0] -= lost  # NaN lies in the first bucket

    def pick(mask: Mask) -> NumericColumn:
        return summarise_numbers(numbers[np.take(mask, index)], reuse=numbers.dtype == np.float64)

    return BucketedColumn(buckets, counts, missing + lost, sums, prints, pick)


def count_sorted(buckets: Buckets, column: NumericColumn, *, sums: bool = True) -> BucketedColumn:
    """The same of a column whose values are sorted already. Its prints are left out: they are the column's own; and
    without `sums`, its sums: what they tell, its values tell as well."""
    starts = _starts(buckets, column.values)
    counts = np.diff(column.rows_before(starts))

    def pick(mask: Mask) -> NumericColumn:
        edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
        runs = [slice(*ends) for ends in starts[edges].reshape(-1, 2).tolist()]
        values, repeats = (
            None if all_ is None else np.concatenate([all_[run] for run in runs] or [all_[:0]])
            for all_ in (column.values, column.repeats)
        )
        assert values is not None  # noqa: S101 (a column has values)
        return NumericColumn(values, repeats, 0)

    return BucketedColumn(buckets, counts, column.missing, _sums_of(buckets, column) if sums else Sums(), NOTHING, pick)


def _starts(buckets: Buckets, values: Floats) -> npt.NDArray[np.intp]:
    """(32,771,) how many of the increasing `values` lie below each bucket, and all.

    The map is monotone in doubles too, so that each bucket begins at one place: near where its beginning would be
    sought in exact numbers, and moved until the map says the same of the values on both sides.
    """
    numbers = np.arange(1, WITHIN + 2)
    found, last = np.searchsorted(values, buckets.place(numbers)), len(values) - 1
    while len(values):
        low = (found > 0) & (buckets.of(values[np.maximum(found - 1, 0)]) >= numbers)
        high = (found <= last) & (buckets.of(values[np.minimum(found, last)]) < numbers)
        if not low.any() and not high.any():
            break
        found = found + high - low
    return np.concatenate([[0], found, [len(values)]])


def _sums_of(buckets: Buckets, column: NumericColumn) -> Sums:
    sums = Sums()
    for begin in range(0, len(column.values), PIECE):
        places, steps = _split(buckets, column.values[begin : begin + PIECE])
        if column.repeats is None:
            sums = _add(sums, _sums(places, steps))
            continue
        repeats = column.repeats[begin : begin + PIECE].astype(np.int64)
        sums = _add(sums, _sums(places.astype(np.intp), steps.astype(np.int64), repeats))
    return sums


def printed(buckets: Buckets, column: NumericColumn) -> BucketedColumn:
    """`count_sorted`, with its prints."""
    return replace(count_sorted(buckets, column), prints=prints_of(column.values, column.repeats))


def add_bucketed(parts: Sequence[BucketedColumn], pick: Callable[[Mask], NumericColumn]) -> BucketedColumn:
    """All `parts`, at least one, as one column, whose values `pick` finds again."""
    if len(parts) == 1:
        return replace(parts[0], pick=pick)
    counts = np.sum([part.counts for part in parts], axis=0)
    sums, prints = Sums(), NOTHING
    for part in parts:
        sums, prints = _add(sums, part.sums), add_prints(prints, part.prints)
    return BucketedColumn(parts[0].buckets, counts, sum(part.missing for part in parts), sums, prints, pick)


def _split(buckets: Buckets, values: Floats) -> tuple[Floats, Floats]:
    """The number of each value's bucket, and its whole steps from where that begins."""
    positions = buckets.positions(values)
    places = np.floor(positions)
    positions -= places
    positions *= FINE
    return places, np.rint(positions, out=positions)


def _sums(places: npt.NDArray[Any], steps: npt.NDArray[Any], repeats: Integers | None = None) -> Sums:
    """Exact: of a piece without repeats no sum exceeds 2^53, of one with them none exceeds 2^63."""
    weighed = steps if repeats is None else steps * repeats
    products, squares = (int(np.einsum("i,i->", one, weighed)) for one in (places, steps))
    return Sums(int(weighed.sum()), products, squares)


def _add(first: Sums, second: Sums) -> Sums:
    return Sums(*(a + b for a, b in zip(first, second, strict=True)))


class Part(NamedTuple):
    """The exact `values` of a column in some buckets. besides: (32,770,) rows below each bucket that they leave out."""

    column: BucketedColumn
    values: NumericColumn
    besides: Integers

    def rows_up_to(self, points: Floats) -> Integers:
        """Rows whose value is at or below each of `points`, all of which lie in the part's buckets."""
        return self.values.rows_up_to(points) + self.besides[self.column.buckets.of(points)]

    def quantiles(self, shares: Floats) -> Floats:
        """As `NumericColumn.quantiles`, of shares that fall into the part's buckets."""
        ranks = np.maximum(np.ceil(shares * self.present).astype(np.int64), 1)
        ranks = ranks - self.besides[np.searchsorted(self.column.upto, ranks)]
        found: Floats = self.values.values[np.searchsorted(np.cumsum(self.values.counts), ranks)]
        return found

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value of the column."""
        return self.values.ends

    @property
    def present(self) -> int:
        """Rows that hold a value."""
        return self.column.present

    @property
    def missing(self) -> int:
        """Rows without one."""
        return self.column.missing


Numbers = NumericColumn | BinnedColumn | Part
"""A column of numbers as all statistics read it."""


def part_of(column: BucketedColumn, mask: Mask) -> Part:
    """Its values in the buckets of `mask`."""
    outside = np.where(mask, 0, column.counts)
    return Part(column, column.pick(mask), np.cumsum(outside) - outside)


def beside(reference: BucketedColumn, current: BucketedColumn, points: Floats) -> tuple[Part, Part]:
    """Of both columns, which hold values, what decides their distance, and their ranges, medians, tails, between which
    values they are drawn, and rows up to each of `points`."""
    mask = _doubtful(reference, current)
    mask[[0, -1]] = True
    mask[reference.buckets.of(points)] = True
    for column in (reference, current):
        ranks = np.ceil(column.present * np.array([0.0, *DRAWN_SHARES, 0.5, 1.0])).astype(np.int64)
        mask[np.searchsorted(column.upto, np.maximum(ranks, 1))] = True
    return part_of(reference, mask), part_of(current, mask)


def _doubtful(reference: BucketedColumn, current: BucketedColumn) -> Mask:
    """The buckets in which the distance of both may be attained: those that could hold as large a gap as any end of a
    bucket shows. Gaps are whole numbers: rows up to a value, each times all rows of the other sample."""
    a, b = reference.upto * current.present, current.upto * reference.present
    inside = np.maximum(a - np.append(0, b[:-1]), b - np.append(0, a[:-1]))
    doubtful: Mask = inside >= np.abs(a - b).max()
    return doubtful


def largest_gap(reference: Part, current: Part) -> tuple[int, float]:
    """The largest |rows of one up to a value × all rows of the other, less the reverse|, and the smallest value with
    it. Both are what `beside` gives."""
    both = _merged(reference, current)
    gaps = np.abs(reference.rows_up_to(both) * current.present - current.rows_up_to(both) * reference.present)
    best = int(gaps.argmax())
    return int(gaps[best]), float(both[best])


def _merged(reference: Part, current: Part) -> Floats:
    both = np.concatenate([reference.values.values, current.values.values])
    both.sort(kind="stable")  # two runs that are sorted already are merged
    return both


def bucketed_wasserstein(reference: Part, current: Part) -> float:
    """The Wasserstein-1 distance: from the ends of buckets between the tails, and exact within those.

    It is off by less than one bucket's width, the middle of the reference's range by 32,768, and far less in general.
    """
    buckets, shares = reference.column.buckets, [part.column.upto / part.present for part in (reference, current)]
    gaps = np.abs(shares[0] - shares[1])[:-1]  # at the end of each bucket but the last
    middle = float(gaps[:-1].sum() + gaps[1:].sum()) / 2 / buckets.scale
    low, high = float(buckets.place(1)), float(buckets.place(WITHIN + 1))
    points = _merged(reference, current)
    below, above = points[points < low], points[points > high]
    beneath = np.append(below, low) if len(below) else below
    beyond = np.append(high, above) if len(above) else above
    return middle + sum(_area(reference, current, run) for run in (beneath, beyond))


def _area(reference: Part, current: Part, points: Floats) -> float:
    """Between the cumulated shares of both, from the first of the increasing `points` to the last."""
    if len(points) < 2:
        return 0.0
    a, b = (part.rows_up_to(points[:-1]) / part.present for part in (reference, current))
    with np.errstate(over="ignore", invalid="ignore"):
        return float((np.abs(a - b) * np.diff(points)).sum())


class Moments(NamedTuple):
    """Rows with a value, their mean and the sum of squared distances from it."""

    n: int
    mean: float
    squares: float

    @property
    def variance(self) -> float:
        """With n - 1; of at least two rows."""
        return max(0.0, self.squares) / (self.n - 1)


def moments(column: Numbers) -> Moments | None:
    """None on a grid, of fewer than two rows, and where they are not finite."""
    if isinstance(column, BinnedColumn) or column.present < 2:
        return None
    found = _bucketed_moments(column) if isinstance(column, Part) else _exact_moments(column)
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


def _bucketed_moments(part: Part) -> Moments:
    """Of all rows of the column, to ten digits and better; not finite where values are not.

    part: has the outermost buckets, whose values are counted by themselves.
    """
    outer = _outer(part)
    return _together(_of_inner(part, *outer), _of_values(*outer))


def _outer(part: Part) -> tuple[Floats, Integers]:
    """The values in the first and the last bucket, and how often each occurs."""
    places = part.column.buckets.of(part.values.values)
    outer = (places == 0) | (places > WITHIN)
    return part.values.values[outer], part.values.counts[outer]


def _of_inner(part: Part, outer: Floats, repeats: Integers) -> Moments:
    """Of the rows in all other buckets, by whole numbers, so that no order of adding changes them."""
    column, numbers = part.column, np.arange(1, WITHIN + 1)
    inside = column.counts[1:-1]
    n = int(inside.sum())
    if not n:
        return Moments(0, 0.0, 0.0)
    lowest = _split(column.buckets, outer)[1].astype(np.int64)  # steps within the first bucket, taken off again
    first = FINE * int((inside * numbers).sum()) + column.sums.steps - int((lowest * repeats).sum())
    second = FINE**2 * int((inside * numbers**2).sum()) + 2 * FINE * column.sums.products
    second += column.sums.squares - int((lowest * lowest * repeats).sum())
    step = FINE * column.buckets.scale
    return Moments(n, float(column.buckets.place(first / n / FINE)), (n * second - first * first) / n / step / step)


def _of_values(values: Floats, repeats: Integers) -> Moments:
    n = int(repeats.sum())
    if not n:
        return Moments(0, 0.0, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float((values * repeats).sum()) / n
        return Moments(n, mean, float(((values - mean) ** 2 * repeats).sum()))


def _together(first: Moments, second: Moments) -> Moments:
    """Of both groups of rows (Chan, Golub and LeVeque 1979)."""
    n, apart = first.n + second.n, second.mean - first.mean if first.n and second.n else 0.0
    mean = (first.mean * first.n + second.mean * second.n) / n
    return Moments(n, mean, first.squares + second.squares + apart * apart * first.n * second.n / n)
