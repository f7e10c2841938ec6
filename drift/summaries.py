"""Columns of frames, of whatever type, to summaries: numbers are read as such, levels counted. Nothing is compared."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from drift.buckets import SORTED_UP_TO, BucketedColumn, Buckets, count_beside
from drift.column import (
    CategoricalColumn,
    Column,
    NumericColumn,
    ProfileError,
    count_levels,
    count_numbers,
    summarise_numbers,
)

Kind = Literal["numeric", "categorical"]


def summarise(column: pl.Series, kind: Kind) -> Column:
    """The exact summary of one column of a frame; ProfileError for a type that holds neither numbers nor levels."""
    found = summarise_beside(column, kind, None)
    assert not isinstance(found, BucketedColumn)  # noqa: S101 (without buckets there is none)
    return found


def summarise_beside(column: pl.Series, kind: Kind, buckets: Buckets | None) -> Column | BucketedColumn:
    """The same, but for many numbers that would have to be sorted: they are counted in `buckets`, where there are."""
    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise ProfileError(f"column {column.name!r} of type {column.dtype} holds neither numbers nor levels")
    try:
        if kind == "categorical":
            return _levels(column)
        numbers = _numbers(column)
    except pl.exceptions.PolarsError as error:
        raise ProfileError(f"column {column.name!r} of type {column.dtype} is not {kind}: {error}") from error
    missing = numbers.null_count()
    values = (numbers.drop_nulls() if missing else numbers).to_numpy()
    del column, numbers  # a caller that keeps no reference gets the memory back before the sorting
    return numbers_beside(values, missing, buckets, reuse=values.flags.writeable)  # polars lends its memory read-only


def numbers_beside(
    values: npt.NDArray[Any], missing: int, buckets: Buckets | None, *, reuse: bool
) -> NumericColumn | BucketedColumn:
    """The summary of (rows,) numbers. reuse: they may be sorted in place and kept."""
    if buckets is None or len(values) <= SORTED_UP_TO:
        return summarise_numbers(values, missing, reuse=reuse)
    return count_numbers(values, missing) or count_beside(buckets, values, missing)


def nothing_of(kind: Kind) -> Column:
    """The summary of no rows."""
    return count_levels({}, 0) if kind == "categorical" else summarise_numbers(np.zeros(0))


def _numbers(column: pl.Series) -> pl.Series:
    if column.dtype.is_float() or column.dtype.is_integer():
        return column
    if column.dtype == pl.Boolean or column.dtype.is_decimal() or column.dtype == pl.Null:
        return column.cast(pl.Float64)
    text = column.cast(pl.String)
    numbers = text.str.strip_chars().cast(pl.Float64, strict=False)
    if bad := text.filter(numbers.is_null() & text.is_not_null()).to_list():
        what = f"{len(bad)} values are no numbers, the first is {bad[0][:40]!r}"
        raise ProfileError(f"column {column.name!r}: numeric in the schema, but {what}")
    return numbers


def _levels(column: pl.Series) -> CategoricalColumn:
    if column.dtype.is_float():
        column = _whole(column.fill_nan(None))
    missing = column.null_count()
    if column.dtype == pl.String and len(column) >= LONG and (counted := _few_levels(column, missing)):
        return count_levels(counted, missing)
    named = column.alias("level")
    grouped = named.to_frame().group_by("level").len("rows") if len(column) >= MANY else named.value_counts(name="rows")
    levels, rows = grouped["level"].cast(pl.String).to_list(), grouped["rows"].to_list()
    present = {level: count for level, count in zip(levels, rows, strict=True) if level is not None}
    try:
        return count_levels(present, missing)
    except ProfileError as error:
        raise ProfileError(f"column {column.name!r}: {error}") from error


LONG = 1_000  # rows; looking for each level in turn is several times faster than grouping, when there are few
MANY = 50_000  # rows; grouping by a query then costs less than counting directly
FEW_LEVELS = 12  # levels


def _few_levels(column: pl.Series, missing: int) -> dict[str, int]:
    """The count of each level, found by looking for those of the first rows; empty when there are others or many.

    Levels are told apart by 64-bit hashes: two in one column share one with probability below 1e-17.
    """
    first = sorted({level for level in column.head(LONG).to_list() if level is not None})
    if not 0 < len(first) <= FEW_LEVELS:
        return {}
    wanted = list(zip(first, pl.Series(first).hash().to_list(), strict=True))
    counted = dict.fromkeys(first, 0)
    for part in (column[start : start + MANY] for start in range(0, len(column), MANY)):
        hashes = part.hash().to_numpy()
        for level, value in wanted:
            counted[level] += int(np.count_nonzero(hashes == value))
    return counted if sum(counted.values()) == len(column) - missing else {}


def _whole(column: pl.Series) -> pl.Series:
    """Codes that a reader made floats because some were missing, as integers again: level 1, not 1.0."""
    whole = column.is_infinite() | (column != column.round(0))
    return column if whole.any() else column.cast(pl.Int64)
