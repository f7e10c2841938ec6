"""Profiles and reports of files that need not fit in memory: Parquet column by column, CSV batch by batch.

A file is not validated here beyond what counting needs, and its rows are not kept. Column names may be any spelling
that the schema accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from drift.column import (
    BinnedColumn,
    Column,
    Floats,
    NumericColumn,
    ProfileError,
    bin_numbers,
    count_numbers,
    grid_of,
    same,
    summarise_numbers,
)
from drift.evidence import Evidence, gather
from drift.profile import (
    Kind,
    Profile,
    assemble,
    column_digest,
    digest_of,
    in_threads,
    kinds_of,
    merge_named,
    nothing_of,
    rename,
    summarise,
)
from drift.report import Compared, DriftPolicy, DriftReport, conclude, left_out, refuse_same, require_schema
from drift.univariate import doubtful_buckets, narrowed
from preprocessing.schema import DomainSchema

WHOLE_UP_TO = 12_000_000  # rows; a column of that many numbers and its sorted copy are 192 MB
BLOCK = 4_000_000  # rows sorted at once of longer files
STRINGS = 1_000_000  # rows of levels counted at once
SHORT = 2_000_000  # rows; a column of that many numbers is 16 MB
TOGETHER = 16  # columns of a short file read at once, at most: each reading costs a millisecond by itself
AT_ONCE = 4_000_000  # cells of a short file read at once; as numbers they are 32 MB
BATCH = 250_000  # rows decoded at once; of a CSV file, with all their columns
EXACT_UP_TO = 2_000_000  # distinct values that a column's profile keeps; 16 MB
SEPARATORS = ",;\t|"
T = TypeVar("T")


@dataclass(frozen=True)
class _Table:
    """A file opened for reading. named: the schema's columns in it, as spelled there; types: what they hold. held: one
    of them, already read."""

    path: Path
    rows: int
    named: Mapping[str, str]
    types: Mapping[str, pl.DataType]
    kinds: Mapping[str, Kind]
    held: pl.Series | None = None


def profile_file(
    path: Path | str,
    schema: DomainSchema,
    *,
    columns: Sequence[str] | None = None,
    reference: Profile | None = None,
    exact_up_to: int = EXACT_UP_TO,
) -> Profile:
    """The profile of a Parquet or CSV file (by its suffix), in bounded memory.

    It is exact for columns of at most `exact_up_to` distinct values and, in Parquet, 12,000,000 rows. Others are
    counted on a grid: the reference's, so that profiles of several files add, or else one of the file's first rows.
    Raises ProfileError for a file of another kind and for what `build_profile` refuses; FileNotFoundError.
    """
    path = Path(path)
    if not is_parquet(path):
        return _profile_csv(path, schema, columns, reference, exact_up_to)
    table = _open_parquet(path, schema, columns)
    known = reference.columns if reference else {}

    def summary(table: _Table, name: str) -> Column:
        return _limited(_read(table, name, known.get(name)), known.get(name), exact_up_to)

    summaries = _of_each(table, summary)
    return assemble(schema, table.rows, zip(table.named, summaries, strict=True))


def compare_file(
    reference: Profile,
    path: Path | str,
    schema: DomainSchema,
    *,
    policy: DriftPolicy | None = None,
    importance: Mapping[str, float] | None = None,
) -> DriftReport:
    """`compare` of a reference with a Parquet or CSV file, holding one column per core at a time.

    Parquet of any length is compared exactly, where the reference is exact: beyond 12,000,000 rows the few values that
    could matter are read a second time. Raises what `compare` and `profile_file` raise.
    """
    from drift.report import compare

    path = Path(path)
    require_schema(reference, schema.fingerprint, schema)
    if not is_parquet(path):
        current = profile_file(path, schema, reference=reference)
        return compare(reference, current, policy=policy, schema=schema, importance=importance)
    table = _open_parquet(path, schema, None)
    judged = _of_each(table, lambda table, name: _judge(table, name, reference))
    found = dict(zip(table.named, judged, strict=True))
    refuse_same(reference, table.rows, found, lambda name: found[name].same)
    digest = digest_of(table.rows, {name: column.digest for name, column in sorted(found.items())})
    evidence = [found[name].evidence for name in reference.columns if name in found]
    compared = [item for item in evidence if item is not None]
    skipped = left_out(reference.columns, found, {item.name for item in compared})
    pair = Compared(reference, (table.rows, digest), compared, skipped)
    return conclude(pair, policy=policy, schema=schema, importance=importance)


def is_parquet(path: Path) -> bool:
    """Whether `path` is read as Parquet; False for CSV; ProfileError for anything else."""
    suffix = path.suffix.casefold()
    if suffix in (".parquet", ".pq"):
        return True
    if suffix in (".csv", ".tsv", ".txt"):
        return False
    raise ProfileError(f"{path.name}: expected a .parquet or .csv file; read others into a frame and profile that")


@dataclass(frozen=True)
class _Found:
    """What remains of one column of the file once it has been compared."""

    evidence: Evidence | None
    same: bool
    digest: bytes


def _judge(table: _Table, name: str, reference: Profile) -> _Found:
    before = reference.columns.get(name)
    column = _read(table, name, before)
    if before is None or column.categorical != before.categorical:
        return _Found(None, False, column_digest(column))
    sharper = None
    if isinstance(column, BinnedColumn) and isinstance(before, NumericColumn) and before.present and column.present:
        sharper = _read_again(table, name, before, column)
    return _Found(gather(name, before, column, sharper), same(before, column), column_digest(column))


def _open_parquet(path: Path, schema: DomainSchema, columns: Sequence[str] | None) -> _Table:
    try:
        header = pl.read_parquet_schema(path)
        rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as error:
        raise ProfileError(f"{path.name}: not a Parquet file that can be read: {error}") from error
    kinds = kinds_of(schema)
    spelled = {name: given for given, name in rename(list(header), schema).items()}
    named = _chosen(path, spelled, kinds, columns)
    return _Table(path, rows, named, {name: header[given] for name, given in named.items()}, kinds)


def _chosen(
    path: Path, spelled: Mapping[str, str], kinds: Mapping[str, Kind], columns: Sequence[str] | None
) -> dict[str, str]:
    if absent := sorted(set(columns or ()) - (spelled.keys() & kinds.keys())):
        raise ProfileError(f"{path.name}: columns {absent} are not there; the file has {sorted(spelled.values())}")
    wanted = spelled if columns is None else columns
    return {name: spelled[name] for name in sorted(wanted) if name in kinds}


def _of_each(table: _Table, work: Callable[[_Table, str], T]) -> list[T]:
    """What `work` makes of every column, both cores used."""
    names = [*table.named]
    if table.rows > SHORT:
        return in_threads(lambda name: work(table, name), names)
    together = max(1, min(TOGETHER, AT_ONCE // max(table.rows, 1)))

    def several(part: Sequence[str]) -> list[T]:
        frame = pl.read_parquet(table.path, columns=[table.named[name] for name in part])
        return [work(replace(table, held=frame.drop_in_place(table.named[name])), name) for name in part]

    parts = in_threads(several, [names[at : at + together] for at in range(0, len(names), together)])
    return [found for part in parts for found in part]


def _batches(table: _Table, name: str) -> Iterator[pl.Series]:
    """The column in parts of at most `BATCH` rows, in any order: nothing here depends on it; or as it is held."""
    given = table.named[name]
    if table.held is not None:
        yield table.held.alias(name)
        return
    scan = pl.scan_parquet(table.path).select(given)
    for batch in scan.collect_batches(chunk_size=BATCH, maintain_order=False):
        yield batch[given].alias(name)


def _blocks(table: _Table, name: str) -> Iterator[pl.Series]:
    """The column in as few parts as may be held: levels are counted sooner than numbers are sorted."""
    size = STRINGS if table.kinds[name] == "categorical" else _step(table)
    held: list[pl.Series] = []
    for batch in _batches(table, name):
        if held and sum(map(len, held)) + len(batch) > size:
            yield pl.concat(held)
            held = []
        held.append(batch)
    if held:
        yield pl.concat(held)


def _step(table: _Table) -> int:
    return max(table.rows, 1) if table.rows <= WHOLE_UP_TO else BLOCK


def _summaries(table: _Table, name: str) -> Iterator[Column]:
    """The exact summaries of the column's parts."""
    kind = table.types[name]
    if table.kinds[name] == "numeric" and (kind.is_float() or kind.is_integer()):
        yield from _filled(table, name)
        return
    blocks = _blocks(table, name)
    while (block := next(blocks, None)) is not None:
        yield summarise(block, table.kinds[name])
        del block  # or its memory would be held while the next part is read


def _filled(table: _Table, name: str) -> Iterator[NumericColumn]:
    """Summaries of numbers: batch by batch while they can be counted; then they are written into one array, so that the
    file's copy of the column is never held whole beside the one that is sorted."""
    room, filled, missing = np.zeros(0), 0, 0
    left, countable = table.rows, True
    for batch in _batches(table, name):
        values = (batch.drop_nulls() if batch.null_count() else batch).to_numpy()
        counted = count_numbers(values, len(batch) - len(values)) if countable else None
        if counted:
            yield counted
            left -= len(batch)
            continue
        countable = False
        if filled + missing + len(batch) > len(room):
            if filled + missing:
                yield summarise_numbers(room[:filled], missing, reuse=True)
            room, filled, missing = np.empty(max(min(left, _step(table)), len(batch)), values.dtype), 0, 0
        room[filled : filled + len(values)] = values
        filled, missing, left = filled + len(values), missing + len(batch) - len(values), left - len(batch)
    if filled + missing:
        yield summarise_numbers(room[:filled], missing, reuse=True)


def _read(table: _Table, name: str, reference: Column | None) -> Column:
    """The column's summary: exact when the file is short or the values repeat, else on a grid."""
    merged = nothing_of(table.kinds[name])
    for part in _summaries(table, name):
        long = table.rows > WHOLE_UP_TO
        kept = _limited(part, merged if isinstance(merged, BinnedColumn) else reference, BLOCK // 4) if long else part
        merged = merge_named(name, merged, kept) if merged.present or merged.missing else kept
    return merged


def _limited(column: Column, reference: Column | None, limit: int) -> Column:
    """`column`, counted on the reference's grid, or its own, when it has more than `limit` distinct values."""
    if not isinstance(column, NumericColumn) or len(column.values) <= limit:
        return column
    return bin_numbers(column, _edges(column, reference))


def _edges(column: NumericColumn, reference: Column | None) -> Floats:
    if isinstance(reference, BinnedColumn):
        return reference.edges
    return grid_of(reference if isinstance(reference, NumericColumn) and reference.present else column)


def _read_again(table: _Table, name: str, reference: NumericColumn, column: BinnedColumn) -> NumericColumn:
    """The column with its exact values wherever they could decide the distance to `reference`."""
    doubtful = doubtful_buckets(reference, column)
    merged: Column | None = None
    for part in _summaries(table, name):
        assert isinstance(part, NumericColumn)  # noqa: S101 (what `summarise` gives for this kind)
        exact = narrowed(part, column.edges, doubtful, column.high)
        merged = exact if merged is None else merge_named(name, merged, exact)
    assert isinstance(merged, NumericColumn)  # noqa: S101
    return merged


def _profile_csv(
    path: Path, schema: DomainSchema, columns: Sequence[str] | None, reference: Profile | None, limit: int
) -> Profile:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline()
    separator = max(SEPARATORS, key=header.count)
    try:
        return _count_csv(path, separator, schema, columns, reference, limit)
    except pl.exceptions.NoDataError:
        raise ProfileError(f"{path.name}: the file is empty, without even a header") from None
    except pl.exceptions.PolarsError as error:
        raise ProfileError(f"{path.name}: cannot be read as CSV separated by {separator!r}: {error}") from error


def _count_csv(
    path: Path,
    separator: str,
    schema: DomainSchema,
    columns: Sequence[str] | None,
    reference: Profile | None,
    limit: int,
) -> Profile:
    scan = pl.scan_csv(path, separator=separator, infer_schema=False)
    kinds, known = kinds_of(schema), reference.columns if reference else {}
    spelled = {name: given for given, name in rename(scan.collect_schema().names(), schema).items()}
    chosen = _chosen(path, spelled, kinds, columns)
    merged: dict[str, Column] = {name: nothing_of(kinds[name]) for name in chosen}
    rows = 0
    for batch in scan.select(chosen.values()).collect_batches(chunk_size=BATCH):
        rows += batch.height
        for name, given in chosen.items():
            part = merge_named(name, merged[name], summarise(batch[given].alias(name), kinds[name]))
            merged[name] = _limited(part, known.get(name), limit)
    return assemble(schema, rows, merged.items())
