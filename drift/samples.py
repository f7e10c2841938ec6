"""A sample measured beside a reference, whatever holds it: a profile, a frame, or a Parquet or CSV file.

Columns are read one by one, measured and let go; of a file, some rows may be taken in passing, for what only rows tell.
What is concluded of the measures is `drift.compare`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from cluster import map_on
from drift.buckets import BucketedColumn, buckets_of
from drift.column import Column, Integers, Kind, NumericColumn, prints_of, same
from drift.files import (
    Summary,
    Table,
    Taken,
    count_csv,
    is_parquet,
    of_each,
    open_parquet,
    profile_file,
    read_column,
    read_csv,
    take_column,
)
from drift.profile import (
    WORTH_A_THREAD,
    Profile,
    assemble,
    build_profile,
    column_digest,
    digest_of,
    in_threads,
    kinds_of,
    numbers_digest,
    summarise_beside,
)
from drift.records import NotComparable
from drift.statistics import EACH_ROW, EffectiveShare
from drift.verdicts import Measured, measure
from preprocessing.schema import CONTEXT, DomainSchema

Columns = Mapping[str, Column]
Given = Profile | pl.DataFrame | Path
T = TypeVar("T")
EXACT = 2**62  # distinct values: all of them


@dataclass(frozen=True, eq=False)
class MeasuredSample:
    """A sample beside a reference. names: its columns, of which `columns` are in both and of one kind, and `same` hold
    exactly what the reference holds. known: its columns; of those `uncounted`, which were never sorted, only how many
    rows lack a value. taken: the rows that were asked for, as they stand in the file."""

    reference: Profile
    fingerprint: str
    rows: int
    digest: str
    names: Collection[str]
    columns: Mapping[str, Measured]
    same: frozenset[str]
    known: Profile
    taken: pl.DataFrame | None = None
    uncounted: frozenset[str] = frozenset()


class _Column(NamedTuple):
    """What remains of one column once it has been measured. measured: None where the reference has none like it."""

    measured: Measured | None
    same: bool
    digest: bytes
    known: Column
    uncounted: bool = False


def profile_of(given: Given, schema: DomainSchema | None) -> Profile:
    """The exact profile of a reference."""
    if isinstance(given, Profile):
        return given
    schema = _required(schema)
    return profile_file(given, schema, exact_up_to=EXACT) if isinstance(given, Path) else build_profile(given, schema)


def _required(schema: DomainSchema | None) -> DomainSchema:
    if schema is None:
        raise NotComparable("frames and files are read with a schema: give one")
    return schema


def measure_sample(
    reference: Profile,
    current: Given,
    schema: DomainSchema | None = None,
    *,
    rows: int = 0,
    columns: Collection[str] | None = None,
    context: Collection[str] = (),
    cluster: str | None = None,
) -> MeasuredSample:
    """The current sample beside `reference`.

    columns: of a file, those that are measured, by default all that the schema knows. rows: how many of it at most are
    taken as they stand, a random sample, the same each time; of those columns and, as the file spells them, of
    `context`. cluster: the address of a Dask scheduler, whose workers measure a frame's columns. Raises what reading
    raises, and `cluster.map_on`.
    """
    if isinstance(current, Profile):
        found = {name: _of(name, column, reference) for name, column in current.columns.items()}
        return _assemble(reference, current.fingerprint, current.rows, found)
    schema = _required(schema)
    if isinstance(current, pl.DataFrame):
        return _assemble(reference, schema.fingerprint, current.height, _of_frame(current, reference, schema, cluster))
    read = _read_parquet if is_parquet(current) else _read_csv

    def one(name: str, column: Summary) -> _Column:
        return _of(name, column, reference)

    total, found, taken = read(current, schema, reference.columns, _Wanted(rows, columns, context), one)
    return _assemble(reference, schema.fingerprint, total, found, taken)


def profile_sample(
    path: Path, schema: DomainSchema, *, rows: int = 0, context: Collection[str] = ()
) -> tuple[Profile, pl.DataFrame | None]:
    """The exact profile of a file, and some rows of it as they stand, as `measure_sample` takes them."""
    read = _read_parquet if is_parquet(path) else _read_csv

    def one(_: str, column: Summary) -> Column:
        return column.exact() if isinstance(column, BucketedColumn) else column

    total, found, taken = read(path, schema, {}, _Wanted(rows, None, context), one)
    return assemble(schema, total, found.items()), taken


class _Wanted(NamedTuple):
    """What is wanted of a file, as in `measure_sample`."""

    rows: int
    columns: Collection[str] | None
    context: Collection[str]


def _assemble(
    reference: Profile, fingerprint: str, rows: int, found: Mapping[str, _Column], taken: pl.DataFrame | None = None
) -> MeasuredSample:
    columns = {name: one.measured for name, one in found.items() if one.measured}
    digest = digest_of(rows, {name: one.digest for name, one in sorted(found.items())})
    known = Profile(reference.domain, fingerprint, rows, {name: one.known for name, one in sorted(found.items())})
    alike = frozenset(name for name, one in found.items() if one.same)
    uncounted = frozenset(name for name, one in found.items() if one.uncounted)
    return MeasuredSample(reference, fingerprint, rows, digest, tuple(found), columns, alike, known, taken, uncounted)


def _of(name: str, after: Summary, reference: Profile) -> _Column:
    before = reference.columns.get(name)
    if before is None or before.categorical != after.categorical:
        column = after.exact() if isinstance(after, BucketedColumn) else after
        return _Column(None, False, column_digest(column), column)
    measured = measure(name, before, after)
    if not isinstance(after, BucketedColumn):
        return _Column(measured, same(before, after), column_digest(after), after)
    alike = (before.present, before.missing) == (after.present, after.missing) and isinstance(before, NumericColumn)
    alike = alike and prints_of(before.values, before.repeats) == after.prints  # type: ignore[union-attr]  # numeric
    digest = numbers_digest(after.present, after.missing, after.prints)
    return _Column(measured, alike, digest, NumericColumn(np.zeros(0), None, after.missing), uncounted=True)


def _of_frame(frame: pl.DataFrame, reference: Profile, schema: DomainSchema, cluster: str | None) -> dict[str, _Column]:
    shared = reference, dict(kinds_of(schema))
    columns = [(name, frame[name]) for name in frame.columns if name in shared[1]]
    if cluster:
        found = list(map_on(cluster, _of_column, columns, shared))
    elif frame.height * len(columns) >= WORTH_A_THREAD:
        found = in_threads(lambda column: _of_column(shared, column), columns)
    else:
        found = [_of_column(shared, column) for column in columns]
    return dict(zip([name for name, _ in columns], found, strict=True))


def _of_column(shared: tuple[Profile, Mapping[str, Kind]], column: tuple[str, pl.Series]) -> _Column:
    """A column beside the reference, here or on another machine."""
    (reference, kinds), (name, cells) = shared, column
    before = reference.columns.get(name)
    buckets = buckets_of(before) if isinstance(before, NumericColumn) else None
    return _of(name, summarise_beside(cells, kinds[name], buckets), reference)


def places_of(total: int, wanted: int) -> Integers:
    """Which of `total` rows are a random sample of `wanted`, increasing, the same each time; all of fewer."""
    if total <= wanted:
        return np.arange(total)
    return np.sort(np.random.default_rng(0).choice(total, wanted, replace=False))


def _read_parquet(
    path: Path, schema: DomainSchema, known: Columns, wanted: _Wanted, make: Callable[[str, Summary], T]
) -> tuple[int, dict[str, T], pl.DataFrame | None]:
    """The rows of a file, what is made of each of its columns, read beside those `known`, and the rows taken."""
    table = open_parquet(path, schema)
    summarised = {n: given for n, given in table.named.items() if wanted.columns is None or n in wanted.columns}
    places = places_of(table.rows, wanted.rows) if wanted.rows else None
    others = {*(table.named.values() if wanted.rows else ()), *wanted.context} - {*summarised.values()}
    named = summarised | ({f"\x1f{given}": given for given in sorted(others)} if places is not None else {})

    def work(table: Table, name: str) -> tuple[T | None, pl.Series | None]:
        if name not in summarised:
            return None, take_column(table, name)
        taken = Taken(table.places)
        return make(name, read_column(table, name, known.get(name), taken)), taken.cells

    found = dict(zip(named, of_each(replace(table, named=named, places=places), work), strict=True))
    cells = [cells.alias(named[name]) for name, (_, cells) in found.items() if cells is not None]
    made = {name: one for name, (one, _) in found.items() if one is not None}
    return table.rows, made, pl.DataFrame(cells) if cells else None


def _read_csv(
    path: Path, schema: DomainSchema, known: Columns, wanted: _Wanted, make: Callable[[str, Summary], T]
) -> tuple[int, dict[str, T], pl.DataFrame | None]:
    places = places_of(count_csv(path), wanted.rows) if wanted.rows else None
    taken = _Rows(places)
    total, summaries = read_csv(path, schema, None, known, taken.see if wanted.rows else None)
    chosen = {n: column for n, column in summaries.items() if wanted.columns is None or n in wanted.columns}
    return total, {name: make(name, column) for name, column in chosen.items()}, taken.frame


class _Rows:
    """Some rows of a file that is read batch by batch."""

    def __init__(self, places: Integers | None) -> None:
        self._places, self._seen, self._parts = places, 0, list[pl.DataFrame]()

    def see(self, batch: pl.DataFrame) -> None:
        """Takes what is wanted of the next rows."""
        if self._places is not None:
            first, last = np.searchsorted(self._places, [self._seen, self._seen + batch.height])
            self._parts.append(batch[self._places[first:last] - self._seen])
        self._seen += batch.height

    @property
    def frame(self) -> pl.DataFrame | None:
        """What was taken; None where nothing was wanted."""
        return pl.concat(self._parts) if self._parts else None


FEW_CLUSTERED = (
    10  # students or groups among whom intraclass correlation cannot be measured: their rows then count as fully alike
)


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


def effective_shares_of_context(
    frame: pl.DataFrame, schema: DomainSchema, names: Collection[str]
) -> dict[str, EffectiveShare]:
    """The same of the columns `names` that place rows (`drift.profile.count_context`)."""
    given = {name: "_group" if name == schema.group_name else CONTEXT + name for name in names}
    named = frame.select("_student", *(pl.col(column).alias(name) for name, column in given.items()))
    return effective_shares_of(named, names, per_group=())


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
