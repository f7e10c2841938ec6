"""A sample measured beside a reference, whatever holds it: a profile, a frame, or a Parquet or CSV file.

Columns are read one by one, measured and let go; of a file, some rows may be taken in passing, for what only rows tell.
What is concluded of the measures is `drift.compare`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from drift.buckets import BucketedColumn, buckets_of
from drift.column import Column, Integers, NumericColumn, same
from drift.evidence import Measured, measure
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
from drift.prints import prints_of
from drift.profile import (
    WORTH_A_THREAD,
    Profile,
    build_profile,
    column_digest,
    digest_of,
    in_threads,
    kinds_of,
    numbers_digest,
)
from drift.records import NotComparable
from drift.summaries import summarise_beside
from preprocessing.schema import DomainSchema

Columns = Mapping[str, Column]
Given = Profile | pl.DataFrame | Path
EXACT = 2**62  # distinct values: all of them


@dataclass(frozen=True, eq=False)
class MeasuredSample:
    """A sample beside a reference. names: its columns, of which `columns` are in both and of one kind, and `same` hold
    exactly what the reference holds. drawn: what a plot needs of it. taken: the rows that were asked for, as they stand
    in the file."""

    reference: Profile
    fingerprint: str
    rows: int
    digest: str
    names: Collection[str]
    columns: Mapping[str, Measured]
    same: frozenset[str]
    drawn: Profile
    taken: pl.DataFrame | None = None


class _Column(NamedTuple):
    """What remains of one column once it has been measured. measured: None where the reference has none like it."""

    measured: Measured | None
    same: bool
    digest: bytes
    drawn: Column


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
    context: Collection[str] = (),
) -> MeasuredSample:
    """The current sample beside `reference`.

    rows: of a file, how many at most are taken as they stand, a random sample, the same each time; with the columns of
    the schema and those of `context`, as the file spells them. Raises what reading raises.
    """
    if isinstance(current, Profile):
        found = {name: _of(name, column, reference) for name, column in current.columns.items()}
        return replace(_assemble(reference, current.fingerprint, current.rows, found), drawn=current)
    schema = _required(schema)
    if isinstance(current, pl.DataFrame):
        return _assemble(reference, schema.fingerprint, current.height, _of_frame(current, reference, schema))
    if is_parquet(current):
        return _of_parquet(current, reference, schema, rows, context)
    return _of_csv(current, reference, schema, rows)


def _assemble(
    reference: Profile, fingerprint: str, rows: int, found: Mapping[str, _Column], taken: pl.DataFrame | None = None
) -> MeasuredSample:
    columns = {name: one.measured for name, one in found.items() if one.measured}
    digest = digest_of(rows, {name: one.digest for name, one in sorted(found.items())})
    drawn = Profile(reference.domain, fingerprint, rows, {name: one.drawn for name, one in sorted(found.items())})
    alike = frozenset(name for name, one in found.items() if one.same)
    return MeasuredSample(reference, fingerprint, rows, digest, tuple(found), columns, alike, drawn, taken)


def _of(name: str, after: Summary, reference: Profile) -> _Column:
    before = reference.columns.get(name)
    if before is None or before.categorical != after.categorical:
        column = after.exact() if isinstance(after, BucketedColumn) else after
        return _Column(None, False, column_digest(column), column)
    measured = measure(name, before, after)
    drawn = measured.drawn if measured.drawn is not None else before
    if not isinstance(after, BucketedColumn):
        return _Column(measured, same(before, after), column_digest(after), drawn)
    alike = (before.present, before.missing) == (after.present, after.missing) and isinstance(before, NumericColumn)
    alike = alike and prints_of(before.values, before.repeats) == after.prints  # type: ignore[union-attr]  # numeric
    return _Column(measured, alike, numbers_digest(after.present, after.missing, after.prints), drawn)


def _of_frame(frame: pl.DataFrame, reference: Profile, schema: DomainSchema) -> dict[str, _Column]:
    kinds = kinds_of(schema)
    names = [name for name in frame.columns if name in kinds]

    def one(name: str) -> _Column:
        before = reference.columns.get(name)
        buckets = buckets_of(before) if isinstance(before, NumericColumn) else None
        return _of(name, summarise_beside(frame[name], kinds[name], buckets), reference)

    many = frame.height * len(names) >= WORTH_A_THREAD
    return dict(zip(names, in_threads(one, names) if many else map(one, names), strict=True))


def _places(total: int, wanted: int) -> Integers | None:
    """Which of `total` rows are taken, increasing; None where none are wanted."""
    if not wanted:
        return None
    if total <= wanted:
        return np.arange(total)
    return np.sort(np.random.default_rng(0).choice(total, wanted, replace=False))


def _of_parquet(
    path: Path, reference: Profile, schema: DomainSchema, rows: int, context: Collection[str]
) -> MeasuredSample:
    table = open_parquet(path, schema)
    places = _places(table.rows, rows)
    named = {**table.named, **({name: name for name in context} if places is not None else {})}

    def work(table: Table, name: str) -> tuple[_Column | None, pl.Series | None]:
        if name not in table.kinds:
            return None, take_column(table, name)
        taken = Taken(table.places)
        column = _of(name, read_column(table, name, reference.columns.get(name), taken), reference)
        return column, taken.cells

    found = dict(zip(named, of_each(replace(table, named=named, places=places), work), strict=True))
    cells = [taken.alias(named[name]) for name, (_, taken) in found.items() if taken is not None]
    columns = {name: column for name, (column, _) in found.items() if column}
    return _assemble(reference, schema.fingerprint, table.rows, columns, pl.DataFrame(cells) if cells else None)


def _of_csv(path: Path, reference: Profile, schema: DomainSchema, rows: int) -> MeasuredSample:
    places = _places(count_csv(path), rows) if rows else None
    taken = _Rows(places)
    total, summaries = read_csv(path, schema, None, reference.columns, taken.see if rows else None)
    found = {name: _of(name, column, reference) for name, column in summaries.items()}
    return _assemble(reference, schema.fingerprint, total, found, taken.frame)


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
