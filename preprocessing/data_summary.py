"""What a file holds, before anything is learned from it: rows, gaps, slips, students, periods, what it can teach.

It reads one table by the rules of a domain and counts; it refuses nothing and stores nothing.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.validation.results import Observed, Validated
from preprocessing.validation.rules import Problem, is_numeric
from preprocessing.validation.tables import check_table, observe_table

FACTORS = (100.0, 10.0, 60.0, 1_000.0)  # percent for shares, tenths, minutes for hours, thousands
FEW_SLIPS = 0.05  # share of a column's values that may be slips; more are another unit, or no slips
USUAL_SHARES = (0.1, 0.9)  # shares of a column's values between which most lie, slips aside
FAR = 5.0  # times: so far from all other values, and from where most lie, lies a slip
FEWEST_FOR_SLIPS = 20  # of which nothing is said about slips


class UnitSlips(msgspec.Struct, frozen=True, kw_only=True):
    """Values of a column that fit among the others only when multiplied by `factor`. low, high: where most lie."""

    column: str
    factor: float
    values: tuple[float, ...]
    rows: tuple[int, ...]
    low: float
    high: float


class CanPredict(msgspec.Struct, frozen=True, kw_only=True):
    """What can be learned of one target from one moment on: rows that have all its inputs, and of these its outcome."""

    target: str
    moment: str
    complete: int
    labeled: int


class DataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A file before training. missing: share of rows by column, of those that lack any; absent: columns of the domain
    that the file has not. repeated: rows about the same student, group and period as another; equal: rows that equal
    another in all that is read but the student. undeclared: levels of open columns that the domain does not list."""

    file: str
    rows: int
    good: int
    columns: int
    ignored: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]
    problem_count: int
    students: int | None
    groups: int | None
    periods: tuple[tuple[str, int], ...]
    missing: tuple[tuple[str, float], ...]
    absent: tuple[str, ...]
    repeated: int
    equal: int
    slips: tuple[UnitSlips, ...]
    undeclared: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    can_predict: tuple[CanPredict, ...]


def summarise_data(raw: RawTable, schema: DomainSchema, *, secret: bytes) -> DataSummary:
    """What there is to know of a table. Raises BadData only for what nobody may read: columns that identify people, or
    that are there twice."""
    checked, seen = check_table(raw, schema, secret=secret), observe_table(raw, schema, secret=secret)
    frame, columns = seen.frame, list[Feature | Target]([*schema.features, *schema.targets])
    present = [column for column in columns if column.name in frame.columns]
    gaps = [(column.name, frame[column.name].null_count() / max(1, frame.height)) for column in present]
    return DataSummary(
        file=raw.name,
        rows=frame.height,
        good=_good_rows(seen, checked),
        columns=len(raw.frame.columns),
        ignored=checked.ignored_columns,
        notes=seen.notes,
        problems=checked.problems,
        problem_count=checked.problem_count,
        students=frame["_student"].drop_nulls().n_unique() if frame["_student"].count() else None,
        groups=frame["_group"].drop_nulls().n_unique() if frame["_group"].count() else None,
        periods=_counted(frame["_period"], schema),
        missing=tuple((name, share) for name, share in sorted(gaps, key=lambda gap: -gap[1]) if share),
        absent=tuple(column.name for column in columns if column.name not in frame.columns),
        repeated=next((one.rows for one in seen.refused if one.kind == "repeated"), 0),
        equal=_equal_rows(frame, [column.name for column in present]),
        slips=tuple(slips for column in present if (slips := _slips(frame, column)) is not None),
        undeclared=tuple(found for column in present if (found := _undeclared(frame, column)) is not None),
        can_predict=tuple(_can_predict(frame, schema)),
    )


def _good_rows(seen: Observed, checked: Validated) -> int:
    return checked.frame.height if checked.frame.height else int(seen.frame["_valid"].sum())


def _counted(periods: pl.Series, schema: DomainSchema) -> tuple[tuple[str, int], ...]:
    """Periods with their rows, in their order."""
    counted = periods.drop_nulls().value_counts(name="rows")
    order = {period: place for place, period in enumerate(schema.period_order)}
    pairs: list[tuple[str, int]] = list(counted.iter_rows())
    return tuple(sorted(pairs, key=lambda pair: (order.get(pair[0], len(order)), pair[0])))


def _equal_rows(frame: pl.DataFrame, names: Sequence[str]) -> int:
    """Rows that are like another one in every column, whoever they are about."""
    chosen = [*names, "_group", "_period"]
    return int(frame.select(chosen).is_duplicated().sum()) if names and frame.height else 0


def _slips(frame: pl.DataFrame, column: Feature | Target) -> UnitSlips | None:
    """Values of another unit among a column's: .84 among 84s, or 84 among shares."""
    if not is_numeric(column):
        return None
    values = frame[column.name].fill_null(float("nan")).to_numpy()
    known = np.isfinite(values) & (values > 0)
    if int(known.sum()) < FEWEST_FOR_SLIPS:
        return None
    low, high = np.quantile(values[known], USUAL_SHARES)
    broken = values != np.floor(values)
    shares = (
        float(broken[known].mean()) > 1 / 2
    )  # a large whole number among these may be a slip, a large count is none
    for factor in (*FACTORS, *(1 / factor for factor in FACTORS)):
        far = values * FAR < low if factor > 1 else values > high * FAR
        moved, slips = values * factor, known & far & (broken if factor > 1 else shares)
        if not 0 < slips.sum() <= FEW_SLIPS * known.sum():
            continue
        others = values[known & ~slips]
        alone = values[slips].max() * FAR < others.min() if factor > 1 else values[slips].min() > others.max() * FAR
        if alone and bool(((moved >= low) & (moved <= high))[slips].all()):
            return _unit_slips(frame, column.name, factor, np.flatnonzero(slips), (float(low), float(high)))
    return None


def _unit_slips(
    frame: pl.DataFrame, name: str, factor: float, places: NDArray[np.int64], ends: tuple[float, float]
) -> UnitSlips:
    values, rows = frame[name].gather(places).to_list(), frame["_row"].gather(places).to_list()
    return UnitSlips(column=name, factor=factor, values=tuple(values), rows=tuple(rows), low=ends[0], high=ends[1])


def _undeclared(frame: pl.DataFrame, column: Feature | Target) -> tuple[str, tuple[tuple[str, int], ...]] | None:
    """Levels of an open column that the domain does not list, the most frequent first."""
    if not isinstance(column, Feature) or not column.open or not column.levels:
        return None
    counted = frame[column.name].drop_nulls().value_counts(name="rows", sort=True)
    found = tuple((level, rows) for level, rows in counted.iter_rows() if level not in column.levels)
    return (column.name, found) if found else None


def _can_predict(frame: pl.DataFrame, schema: DomainSchema) -> list[CanPredict]:
    """By target and moment; of moments of which the file has no column, nothing."""
    found = []
    for moment in schema.moments:
        needed = [feature.name for feature in schema.inputs_at(moment) if not feature.optional]
        if not {*needed} <= {*frame.columns} or not {f.name for f in schema.inputs_at(moment)} & {*frame.columns}:
            continue
        complete = frame.filter("_valid").drop_nulls(needed)
        for target in schema.targets:
            labeled = complete[target.name].count() if target.name in frame.columns else 0
            counts = {"complete": complete.height, "labeled": labeled}
            found.append(CanPredict(target=target.name, moment=moment, **counts))
    return found
