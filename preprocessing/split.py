"""Which rows teach and which rows test: by period, else by group, else by student, else by row.

Rows of one group never stand on both sides, and with periods a test row is never older than a training row. Where an
outcome reaches over periods (weeks until an event), a student never stands on both sides, nor does a school year where
there are several. Nothing here fits or scores.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from preprocessing.periods import YEAR_OF_WEEK, rank_periods
from preprocessing.schema import DomainSchema

Rows = NDArray[np.int64]

FIRST_ROWS = 20
"""Fewer rows before a period teach nothing worth testing on it."""


def split_kind(frame: pl.DataFrame, schema: DomainSchema) -> str:
    """How `folds` will split: "period", "group", "student", "student and year" or "row"."""
    if schema.reaches:
        return "student and year" if len(np.unique(seasons(frame, schema))) > 1 else "student"
    if schema.period and frame["_period"].null_count() == 0 and frame["_period"].n_unique() > 2:
        return "period"
    if schema.group and frame["_group"].drop_nulls().n_unique() > 1:
        return "group"
    return "student" if frame["_student"].drop_nulls().is_duplicated().any() else "row"


def clusters(frame: pl.DataFrame, schema: DomainSchema) -> Rows:
    """(n,) numbers of the cluster of each row: its group, else its student, else the row itself.

    With periods a group of one period is a cluster of its own: the same course next year has new students. Where at
    most one is named, with unnamed rows beside it or not, it could only be judged by what is no group: students count.
    """
    if cluster_kind(frame, schema) == "student":
        return students(frame)
    return _numbered(frame, pl.coalesce(_group_of(schema), _student()))


def students(frame: pl.DataFrame) -> Rows:
    """(n,) numbers of the student of each row, else of the row itself, whatever groups there are."""
    return _numbered(frame, _student())


def cluster_kind(frame: pl.DataFrame, schema: DomainSchema) -> str:
    """What `clusters` are: "group", or "student" where groups cannot be compared or outcomes reach over periods."""
    if schema.reaches:
        return "student"
    return "group" if schema.group and frame.select(_group_of(schema).drop_nulls().n_unique()).item() > 1 else "student"


def seasons(frame: pl.DataFrame, schema: DomainSchema) -> Rows:
    """(n,) the place in time of each row's period, or of the school year of its week where outcomes reach over weeks;
    -1 without one."""
    periods = frame["_period"]
    if schema.reaches:
        periods = periods.str.extract(YEAR_OF_WEEK)
    order = rank_periods(periods.drop_nulls().unique().to_list(), () if schema.reaches else schema.period_order)
    return periods.replace_strict(order, default=-1, return_dtype=pl.Int64).to_numpy()


def season_of(schema: DomainSchema) -> pl.Expr:
    """The name of what a row's outcome stays within: the school year of its week where outcomes reach over weeks, else
    its period."""
    period = pl.col("_period")
    return pl.coalesce(period.str.extract(YEAR_OF_WEEK), period) if schema.reaches else period


def _student() -> pl.Expr:
    return pl.coalesce(pl.format("student {}", "_student"), pl.format("row {}", pl.int_range(pl.len())))


def _group_of(schema: DomainSchema) -> pl.Expr:
    """The name of each row's group, of its period where there are periods; null where it has none."""
    period = pl.col("_period").fill_null("") if schema.period else pl.lit("")
    return pl.format("group {}\x1f{}", "_group", period)


def _numbered(frame: pl.DataFrame, key: pl.Expr) -> Rows:
    """(n,) the number of each row's `key`, in key order."""
    return frame.select(key.rank("dense") - 1).to_series().to_numpy().astype(np.int64)


def folds(
    frame: pl.DataFrame, schema: DomainSchema, *, k: int, seed: int, classes: NDArray[np.int64] | None = None
) -> list[tuple[Rows, Rows]]:
    """Up to `k` (training rows, test rows) pairs of positions in `frame`; `classes` keeps class shares alike.

    Classes of fewer than `k` rows fall where they may.
    """
    kind = split_kind(frame, schema)
    if kind == "period":
        return list(_by_period(frame["_period"].to_list(), schema, k))
    positions = np.arange(frame.height)
    if classes is not None:
        counts = np.bincount(classes)
        classes = np.where(counts[classes] < k, counts.argmax(), classes)
    if kind == "row":
        plain = KFold if classes is None else StratifiedKFold
        pairs = plain(k, shuffle=True, random_state=seed).split(positions, classes)
    else:
        groups = clusters(frame, schema)
        k = min(k, len(np.unique(groups)))
        grouped = GroupKFold if classes is None else StratifiedGroupKFold
        pairs = grouped(k, shuffle=True, random_state=seed).split(positions, classes, groups)
    if kind == "student and year":
        year = seasons(frame, schema)
        newest = year == year.max()
        parted = ((train[~newest[train]], test[newest[test]]) for train, test in pairs)
        pairs = ((train, test) for train, test in parted if len(train) and len(test))
    return [(train.astype(np.int64), test.astype(np.int64)) for train, test in pairs]


def _by_period(periods: list[str], schema: DomainSchema, k: int) -> Iterator[tuple[Rows, Rows]]:
    """Each of the last `k` periods is tested once, by what came before it, where that is enough to learn from."""
    order = rank_periods(periods, schema.period_order)
    numbers = np.array([order[period] for period in periods])
    for last in range(max(1, len(order) - k), len(order)):
        train = np.flatnonzero(numbers < last)
        if len(train) >= FIRST_ROWS or last == len(order) - 1:
            yield train, np.flatnonzero(numbers == last)
