"""How many independent rows a column's rows are effective: a student who is asked every week is not many students.

It looks at who stood in which row, which profiles do not know. What follows for a verdict is `drift.evidence`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from drift.column import Integers

FEW_CLUSTERED = (
    10  # students or groups among whom intraclass correlation cannot be measured: their rows then count as fully alike
)


class EffectiveShare(NamedTuple):
    """What a row is worth in independent rows, above 0 up to 1: for a column's values, and for its missing rate."""

    values: float = 1.0
    missing: float = 1.0


EACH_ROW = EffectiveShare()
EffectiveShares = Mapping[str, EffectiveShare]


def effective_shares_of(
    frame: pl.DataFrame, names: Collection[str], per_group: Collection[str] | None = None, *, share: float = 1.0
) -> dict[str, EffectiveShare]:
    """What rows of a typed frame are worth, by column; columns of which each row counts whole are left out.

    Rows of one student count by how alike they are: n / (1 + (m - 1) r), m the rows of a row's student on average and r
    their intraclass correlation (Kish 1965; of ranks, or of levels together). Columns of `per_group`, which have one
    value for each group (found in the frame if None), are worth as many rows as there are groups, if of equal size.
    share: of all rows that the frame holds at random; among all of them m - 1 is larger by so much.
    """
    per_group = columns_per_group(frame, names) if per_group is None else per_group
    students = _labels(frame, "_student")
    groups = _labels(frame, "_group") if per_group else None
    if students is None and groups is None:
        return {}
    found = {
        name: _effective_share(frame[name], students, groups if name in per_group else None, share) for name in names
    }
    return {name: effective for name, effective in found.items() if effective != EACH_ROW}


def columns_per_group(frame: pl.DataFrame, names: Collection[str]) -> set[str]:
    """Those of the columns `names` that never differ within a group, though groups of several rows are there.

    Their rows are not independent: a test that counts them all finds drift where there is none in a quarter of runs.
    """
    if "_group" not in frame.columns or not names:
        return set()
    placed = frame.drop_nulls("_group")
    groups = placed["_group"].n_unique()
    if groups < 2 or placed.height < 2 * groups:
        return set()
    known = placed.group_by("_group").agg(pl.col(sorted(names)).drop_nulls().n_unique())
    most = known.select(pl.col(sorted(names)).max()).row(0, named=True)
    return {name for name in names if most[name] == 1 and placed[name].n_unique() > 1}


def _labels(frame: pl.DataFrame, name: str) -> Integers | None:
    """(n,) a number per student or group, one of its own for a row without; None where no number occurs twice."""
    if name not in frame.columns or frame[name].drop_nulls().n_unique() == frame[name].count():
        return None
    own = pl.format("\x1f{}", pl.int_range(pl.len()))
    texts = frame.select(pl.coalesce(pl.col(name).cast(pl.String), own)).to_series()
    return texts.rank("dense").to_numpy().astype(np.int64) - 1


def _effective_share(
    column: pl.Series, students: Integers | None, groups: Integers | None, share: float
) -> EffectiveShare:
    if column.dtype.is_float():
        column = column.fill_nan(None)
    present = column.is_not_null().to_numpy()
    values = column.drop_nulls()
    codes = (values.rank("average") if values.dtype.is_numeric() else values.rank("dense") - 1).to_numpy()
    levels = not values.dtype.is_numeric()
    effective, missing = 1.0, 1.0
    if students is not None:
        effective = 1 / _excess(students[present], share, codes, levels=levels)
        missing = 1 / _excess(students, share, present.astype(np.int64), levels=True)
    if groups is not None:
        effective = min(effective, 1 / (1 + _others(groups[present], share)))
        missing = min(missing, 1 / (1 + _others(groups, share)))
    return EffectiveShare(effective, missing)


def _others(labels: Integers, share: float) -> float:
    """Further rows of a row's student or group, on average over rows; 0 of none."""
    sizes = np.bincount(labels)
    return (float((sizes**2).sum() / sizes.sum()) - 1) / share if len(labels) else 0.0


def _excess(labels: Integers, share: float, codes: npt.NDArray[np.generic], *, levels: bool) -> float:
    """How many times the variance of a share exceeds that of as many independent rows (the design effect)."""
    others = _others(labels, share)
    return 1 + others * _correlation(labels, codes, levels=levels) if others > 0 else 1.0


def _correlation(labels: Integers, codes: npt.NDArray[np.generic], *, levels: bool) -> float:
    """The intraclass correlation of one-way analysis of variance (Donner 1986), 0 to 1; 1 where it cannot be told.

    codes: (n,) ranks, or level numbers, whose indicators count together.
    """
    number = np.unique(labels, return_inverse=True)[1]
    sizes = np.bincount(number)
    n, k = len(number), len(sizes)
    if int((sizes > 1).sum()) < FEW_CLUSTERED or n == k:
        return 1.0
    if levels:
        whole = float(n)
        cells, counts = np.unique(number * (int(codes.max()) + 1) + codes.astype(np.int64), return_counts=True)
        explained = float((counts**2 / sizes[cells // (int(codes.max()) + 1)]).sum())
        middle = float((np.bincount(codes.astype(np.int64)).astype(np.float64) ** 2).sum() / n)
    else:
        ranks = codes.astype(np.float64)
        whole, middle = float((ranks**2).sum()), float(ranks.sum() ** 2 / n)
        explained = float((np.bincount(number, weights=ranks) ** 2 / sizes).sum())
    between, within = (explained - middle) / (k - 1), (whole - explained) / (n - k)
    size = (n - float((sizes**2).sum()) / n) / (k - 1)
    spread = between + (size - 1) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 1e-12 * n else 1.0
